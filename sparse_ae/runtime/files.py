"""Files that are written whole or not at all, alone or several together.

Several together: each is written beside its place, at its `pending_path`. From the moment when
the last one has that name, the new files count, and until then the old ones do, whatever happens:
who finds the last one staged puts all in their places (`complete_commit`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

Content = bytes | Callable[[Path], object]


def write_whole(path: Path, content: Content) -> None:
    """`content` as a file, on disk when this returns, in place of one that is there.

    content: the bytes, or what writes them to the path that it is given. OSError, naming the file,
    where it cannot be written: then nothing has changed."""
    try:
        _write(path, content, path)
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error.strerror or error})") from None
    remove_parts(path.parent, path.name)


def _write(path: Path, content: Content, name: Path) -> None:
    """The content of `path`, whole, under the name that it is to have first."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if callable(content):
            content(part)
        with open(part, "ab" if callable(content) else "wb") as file:
            if not callable(content):
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, name)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def pending_path(path: Path) -> Path:
    """Where a file lies that is to take `path`'s place together with others."""
    return path.with_name(f".{path.name}.new")


def write_together(contents: Sequence[tuple[Path, Content]]) -> None:
    """Files of one folder, in place of those that are there: all or, if this fails, none.

    contents: paths, and contents as of `write_whole`. OSError, naming the folder, where it cannot
    be written to.
    """
    paths = [path for path, _ in contents]
    complete_commit(paths)
    try:
        for path, content in contents:
            _write(path, content, pending_path(path))
    except BaseException as error:
        if not pending_path(paths[-1]).exists():
            for path in paths:
                with contextlib.suppress(OSError):
                    pending_path(path).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable(paths[-1].parent, error) from None
        raise
    complete_commit(paths)
    for path in paths:
        remove_parts(path.parent, path.name)


def complete_commit(paths: Sequence[Path]) -> None:
    """Put the files of `write_together` in their places, if a killed process left that undone.
    OSError, naming the folder, where it cannot be written to."""
    if not pending_path(paths[-1]).exists():
        return
    for path in paths:
        try:
            os.replace(pending_path(path), path)
        except FileNotFoundError:  # it was done, or another process is doing the same
            continue
        except OSError as error:
            raise unwritable(path.parent, error) from None


def remove_parts(folder: Path, name: str) -> None:
    """Remove what processes that were killed left half-written of a file."""
    for part in folder.glob(f".{name}.*.part"):
        number = part.name.removesuffix(".part").rpartition(".")[2]
        if number.isdecimal() and not is_alive(int(number)):
            part.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this number runs on this machine; yes where that cannot be told."""
    if os.name != "posix" or process == os.getpid():
        return True
    try:
        os.kill(process, 0)  # no signal is sent
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def unwritable(folder: Path, error: OSError) -> OSError:
    """The error to raise for a folder that could not be written to."""
    return OSError(f"results folder {folder} cannot be written to ({error.strerror or error})")
