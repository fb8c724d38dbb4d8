"""Read .npz files from untrusted sources: execute nothing in them, and check sizes first."""

from __future__ import annotations

import lzma
import math
import os
import struct
import zipfile
import zlib

import numpy as np

MOST_BYTES = 2**27  # most memory for all arrays of a file; ours are far smaller
# what zipfile and NumPy raise for damaged files, besides ValueError
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError,
          MemoryError, OverflowError, LookupError, TypeError, AttributeError,
          SyntaxError)  # fmt: skip


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file into memory; nothing in the file is executed.

    Args:
        path: the file.

    Returns:
        The arrays by name.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is damaged, holds Python objects, or claims more numbers than it has or
            than fit into MOST_BYTES; this is checked before memory is allocated for them. The
            message is one line, without the path.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise ValueError(f"claims more than {MOST_BYTES:,} bytes")
            for member in members:
                _check_array(archive, member)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise ValueError(f"damaged, or no .npz: {reason}") from None


def _check_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Raise ValueError unless a member is an array of plain numbers of the size that it claims."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        first = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject:
            raise ValueError(f"array {member.filename!r} holds Python objects")
        claimed, there = math.prod(shape) * dtype.itemsize, member.file_size - file.tell()
    if claimed != there:
        raise ValueError(f"array {member.filename!r} claims {claimed:,} bytes, and has {there:,}")
