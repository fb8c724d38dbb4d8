"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_temporary(folder: Path, content: bytes) -> Path:
    """`content` in a new file of `folder`, on disk when this returns; nothing left on failure."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # mkstemp's files are private
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    return Path(name)


def write_whole(path: Path, content: bytes) -> None:
    """`content` as a file, in place of one that is there. OSError where it cannot be written."""
    try:
        os.replace(write_temporary(path.parent, content), path)
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error.strerror or error})") from None


def unwritable(folder: Path, error: OSError) -> OSError:
    """The error to raise for a folder that could not be written to."""
    return OSError(f"results folder {folder} cannot be written to ({error.strerror or error})")
