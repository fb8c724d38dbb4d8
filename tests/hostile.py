"""Files that claim more than they have, and a process of its own that reads them one by one.

    python tests/hostile.py FOLDER

writes each file of FILES into the folder, reads it in a fork of this process, which has imported
everything beforehand, and prints for each as JSON: what was said, the seconds of processor time and
the megabytes that the peak of resident memory grew by.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import struct
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
from bad_inputs.pictures import png
from bad_inputs.settings import BOMB, BOMB_OF_LISTS

from sparse_ae.companion.records import read_arrays
from sparse_ae.crowds.imitate import read_photos
from sparse_ae.crowds.people.bodies import load_bodies
from sparse_ae.datasets.pictures import read_photo
from sparse_ae.evaluation.photo_files import read_picture
from sparse_ae.models import load_checkpoint
from sparse_ae.settings import load_settings
from sparse_ae.skeleton import read_skeleton

MANY = 10**12  # numbers
SAFETY = 8 * 2**30  # bytes of address space beyond those in use: the machine is not to fall


def safetensors() -> bytes:
    """A header of 10¹² numbers, and eight bytes of them."""
    parts = {"a": {"dtype": "F32", "shape": [MANY], "data_offsets": [0, 4 * MANY]}}
    header = json.dumps(parts).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


def long_header() -> bytes:
    """A header as long as the memory."""
    return struct.pack("<Q", MANY) + b"{" + bytes(8)


def checkpoint(legacy: bool) -> bytes:
    """What torch.save makes of 77 numbers, with another number in the pickle's places."""
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(77)}, buffer, _use_new_zipfile_serialization=not legacy)
    few, many = b"K\x4d", b"\x8a\x06" + MANY.to_bytes(6, "little")
    if legacy:
        whole = buffer.getvalue()
        return whole.replace(few, many).replace(struct.pack("<q", 77), struct.pack("<q", MANY))
    changed = io.BytesIO()
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            pickled = member.filename.endswith(".pkl")
            new.writestr(member.filename, data.replace(few, many) if pickled else data)
    return changed.getvalue()


def repeated() -> bytes:
    """One number, shown 10¹² times."""
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(1).expand(MANY)}, buffer)
    return buffer.getvalue()


def packed(megabytes: int) -> bytes:
    """A checkpoint in a packed archive: zeros that unfold to so many megabytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(megabytes * 2**20))
    return buffer.getvalue()


def npz(shape, data: bytes = bytes(8), method=zipfile.ZIP_STORED) -> bytes:
    """An archive with one array that claims this shape."""
    header, buffer = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("image_id.npy", header.getvalue() + data)
    return buffer.getvalue()


def preset(path: Path):
    """Read a preset."""
    return load_settings(path, "rve", 0)


FILES = {  # name: the bytes, made when they are needed; what reads them; what has to be said
    "a.png": (lambda: png(50_000, 50_000), read_picture, "50000 × 50000 pixels, more than 80 mill"),
    "b.png": (lambda: png(50_000, 50_000), lambda path: read_photo(path, 96, 64),
              "50000 × 50000 pixels, but 96 × 64 in the annotations"),
    "c.png": (lambda: png(50_000, 50_000), lambda path: read_photo(path, 50_000, 50_000),
              "50000 × 50000 pixels, more than 1,073,741,824, OpenCV's limit"),
    "a.safetensors": (safetensors, load_checkpoint, "no complete safetensors file"),
    "b.safetensors": (long_header, load_checkpoint, "no complete safetensors file"),
    "zip.pth": (lambda: checkpoint(False), load_checkpoint, "zip.pth (is damaged|claims)"),
    "legacy.pth": (lambda: checkpoint(True), load_checkpoint, "legacy.pth is damaged"),
    "repeated.pth": (repeated, load_checkpoint, "tensor a claims 4,000,000,000,000 bytes, the fil"),
    "packed.pth": (lambda: packed(250), load_checkpoint, "packed.pth claims 262,144,000 bytes a"),
    "seed-1.npz": (lambda: npz((MANY,)), read_arrays, "claims 4,000,000,000,000 bytes, and has 8"),
    "seed-2.npz": (lambda: npz((2**24, 2**24, 2**24)), read_arrays, "claims .* bytes, and has 8"),
    "seed-3.npz": (lambda: npz((2**26,), bytes(2**28), zipfile.ZIP_DEFLATED), read_arrays,
                   "claims more than"),
    "bodies.npz": (lambda: npz((MANY,)), load_bodies, "claims 4,000,000,000,000 bytes, and has 8"),
    "bomb.yaml": (lambda: f"{BOMB}\ndata: *l".encode(), preset, "bomb.yaml: unknown setting 'a'"),
    "value.yaml": (lambda: f"data: {{crowding: {BOMB_OF_LISTS}}}".encode(), preset,
                   "value.yaml: data.crowding: expected "),
    "table.yaml": (lambda: "\n    ".join(["data:\n  size:", *BOMB.split("\n")]).encode(), preset,
                   "table.yaml: data.size: expected an integer, got "),
    "skeleton.yaml": (lambda: f"name: b\n{BOMB}".encode(), read_skeleton, "missing or unknown"),
    "bomb.json.gz": (lambda: gzip.compress(bytes(10**8), 1), lambda path: read_photos(
        str(path), 1, 9), "unfolds to more than 60 times its size"),
}  # fmt: skip


def peak() -> float:
    """Most megabytes of memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(path: Path, read) -> dict:
    """What reading a file says, takes and holds, in a fork."""
    into, out = os.pipe()
    child = os.fork()
    if child == 0:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + SAFETY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        before, began = peak(), time.process_time()
        try:
            read(path)
            said = "nothing"
        except (ValueError, OSError) as error:
            said = str(error)
        except BaseException as error:
            said = f"raised {error!r}"
        taken = {"said": said, "seconds": time.process_time() - began, "grown": peak() - before}
        os.write(out, json.dumps(taken).encode())
        os._exit(0)
    os.close(out)
    os.waitpid(child, 0)
    with os.fdopen(into, "rb") as file:
        text = file.read()
    return json.loads(text or '{"said": "died", "seconds": 0, "grown": 0}')


def main() -> None:
    """Read every file, and print what it came to."""
    folder, found = Path(sys.argv[1]), {}
    for name, (content, read, _) in FILES.items():
        (folder / name).write_bytes(content())
        found[name] = measured(folder / name, read)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
