"""Write files completely or not at all, alone or several together.

Files that are written together first go to their `pending_path`s. The new files count from the
moment when the last one is there; until then the old ones do, whatever happens. Any process that
finds the last one pending moves all of them to their places (`complete_commit`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

Content = bytes | Callable[[Path], object]


def write_whole(path: Path, content: Content) -> None:
    """Write a file completely, or leave what is there as it is.

    The content is on disk when this returns.

    Args:
        path: the file; an existing one is replaced.
        content: the bytes, or a function that writes them to the path that it is given.

    Raises:
        OSError: the file cannot be written; the message names it, and nothing has changed.

    Example:
        >>> import pathlib, tempfile
        >>> from sparse_ae.runtime.files import write_whole
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_whole(pathlib.Path(folder, "a.txt"), b"all of it")
        ...     pathlib.Path(folder, "a.txt").read_text()
        'all of it'
    """
    try:
        _write(path, content, path)
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error.strerror or error})") from None
    remove_parts(path.parent, path.name)


def _write(path: Path, content: Content, name: Path) -> None:
    """Write the content of `path` under another `name`, completely or not at all."""
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
    """Return where the new content of a file waits until `write_together` has written all files.

    Args:
        path: the file.

    Returns:
        A hidden path in the same folder.
    """
    return path.with_name(f".{path.name}.new")


def write_together(contents: Sequence[tuple[Path, Content]]) -> None:
    """Write several files of one folder: all of them or, if this fails, none.

    Args:
        contents: paths with their contents, as in `write_whole`; existing files are replaced.

    Raises:
        OSError: the folder cannot be written to; the message names it.
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
            raise unwritable_error(paths[-1].parent, error) from None
        raise
    complete_commit(paths)
    for path in paths:
        remove_parts(path.parent, path.name)


def complete_commit(paths: Sequence[Path]) -> None:
    """Finish a `write_together` that was killed after it had written all files.

    If there is none, do nothing. Call this before reading such files.

    Args:
        paths: the files, in the order of `write_together`.

    Raises:
        OSError: the folder cannot be written to; the message names it.
    """
    if not pending_path(paths[-1]).exists():
        return
    for path in paths:
        try:
            os.replace(pending_path(path), path)
        except FileNotFoundError:  # done before, or by another process just now
            continue
        except OSError as error:
            raise unwritable_error(path.parent, error) from None


def remove_parts(folder: Path, name: str) -> None:
    """Remove half-written versions of a file that killed processes left.

    Args:
        folder: folder of the file.
        name: name of the file.
    """
    for part in folder.glob(f".{name}.*.part"):
        number = part.name.removesuffix(".part").rpartition(".")[2]
        if number.isdecimal() and not is_alive(int(number)):
            part.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Return whether a process runs on this machine.

    Args:
        process: id of the process.

    Returns:
        True also for this process itself, and where it cannot be found out.
    """
    if os.name != "posix" or process == os.getpid():
        return True
    try:
        os.kill(process, 0)  # no signal is sent
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def unwritable_error(folder: Path, error: OSError) -> OSError:
    """Return the error to raise for a folder that could not be written to.

    Args:
        folder: the folder, which the message names.
        error: what the system said.

    Returns:
        An OSError with a one-line message.
    """
    return OSError(f"results folder {folder} cannot be written to ({error.strerror or error})")
