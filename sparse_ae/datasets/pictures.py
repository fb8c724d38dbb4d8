"""Photos from files: decoded, small where a small one will do, and seen through an affine."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from unicodedata import normalize

import cv2
import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin

REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}  # by how many times smaller libjpeg decodes
# what is read, though Pillow knows more: for some it starts another program
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
# what Pillow raises for files that are damaged, their Exif data or text among it
DAMAGED = (OSError, SyntaxError, EOFError, ValueError, TypeError, LookupError, struct.error,
           OverflowError, AttributeError, ZeroDivisionError)  # fmt: skip
MOST_PIXELS = 2**30  # of a photo: OpenCV's limit, for all kinds
# of a JPEG: not a byte 255 among the pixels, and not one that restarts their decoding
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
END_OF_IMAGE = 0xD9
SIGNED, WHITE_IS_ZERO = 2, 0  # values of a TIFF's tags


def absent(folder: Path, names: Sequence[str]) -> dict[int, str]:
    """Which of the named photos are not to be had from a folder, by index, and why: they are not
    there, or are links to what lies outside of it. Each folder is listed once."""
    home, found = folder.resolve(), {}
    listed: dict[Path, dict[str, bool]] = {}  # by folder: names, and whether they lead out
    for i, name in enumerate(names):
        path = folder / name
        if path.parent not in listed:
            listed[path.parent] = _entries(path.parent, home)
        leaves = listed[path.parent].get(path.name)
        if leaves is None:
            found[i] = f"{path}: no such file; fetch it, or check the folder"
            if _looks_there(folder, name):
                found[i] = (f"{path}: no such file, but one whose name only looks the same: its "
                            "letters are coded in another Unicode form; rename it")  # fmt: skip
        elif leaves:
            found[i] = f"{path}: a link out of the folder of images; put the photo there itself"
    return found


def _entries(folder: Path, home: Path) -> dict[str, bool]:
    """What is in a folder, and whether each leads out of `home` by a symbolic link."""
    try:
        entries = list(os.scandir(folder))
        outside = not folder.resolve().is_relative_to(home)
    except (OSError, RuntimeError, ValueError):  # a link to itself, a name that cannot be
        return {}
    return {entry.name: outside or (entry.is_symlink() and _leaves(Path(entry.path), home))
            for entry in entries}  # fmt: skip


def _looks_there(folder: Path, name: str) -> bool:
    """Return whether a folder has a file or folder whose name only looks the same, at any depth."""
    for part in Path(name).parts:
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        alike = [one for one in names if normalize("NFC", one) == normalize("NFC", part)]
        if not alike:
            return False
        folder /= part if part in alike else alike[0]
    return True


def _leaves(link: Path, home: Path) -> bool:
    try:
        return not link.resolve().is_relative_to(home)
    except (OSError, RuntimeError):
        return True


def read_photo(path, width: int, height: int, reduction: int = 1) -> tuple[np.ndarray, int]:
    """Read a photo, as its annotations have it: the orientation in its Exif data is not applied.

    Args:
        path: of the file.
        width: of the photo, as its annotations say, pixels.
        height: of the photo, as its annotations say, pixels.
        reduction: 1, 2, 4 or 8, for JPEG only: decode it so many times smaller.

    Returns:
        The photo (h, w, 3) uint8, blue first as OpenCV has it, and by how much it is reduced.

    Raises:
        ValueError: naming file and remedy, for a file that is missing, cut short, no picture, of
            32 bits a channel, or of another size.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); fetch it again") from None
    if data[:2] == b"\xff\xd8" and not jpeg_is_whole(data):
        raise ValueError(f"{path}: JPEG cut short; fetch it again")
    if data[:4] == b"\x89PNG" and data.rfind(b"IEND") < 0:
        raise ValueError(f"{path}: PNG cut short; fetch it again")
    claimed = claimed_size(data)
    if claimed is not None and claimed != (width, height):  # before memory is taken for its pixels
        raise ValueError(_of_another_size(path, *claimed, width, height))
    if width * height > MOST_PIXELS:
        raise ValueError(f"{path}: {width} × {height} pixels, more than {MOST_PIXELS:,}, OpenCV's "
                         "limit; make it smaller, and its annotations")  # fmt: skip
    if claimed is None:
        raise ValueError(f"{path}: no picture of the kinds {', '.join(FORMATS)}; fetch it again")
    try:
        image, reduction = _decode(data, reduction)
    except DAMAGED as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: cannot be decoded ({reason}); fetch it again") from None
    if image.shape[:2] != (-(-height // reduction), -(-width // reduction)):
        sides = (side * reduction for side in image.shape[1::-1])
        raise ValueError(_of_another_size(path, *sides, width, height))
    return image, reduction


def jpeg_is_whole(data: bytes) -> bool:
    """Return whether a JPEG has its end marker; what a phone appends behind it does not matter.

    Segments are skipped by their lengths: a preview in one has an end marker of its own.
    """
    place = 2
    while (marker := MARKER.search(data, place)) is not None:
        place, kind = marker.end(), data[marker.end() - 1]
        if kind == END_OF_IMAGE:
            return True
        place += int.from_bytes(data[place : place + 2], "big")  # the length of the segment
    return False


def _decode(data: bytes, reduction: int) -> tuple[np.ndarray, int]:
    """Decode a photo, blue first: JPEGs by OpenCV, which can reduce them, all else by Pillow.

    OSError or ValueError where that fails.
    """
    with _without_limit(), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        if data[:2] != b"\xff\xd8" or picture.mode == "CMYK":
            return np.ascontiguousarray(to_rgb(picture)[..., ::-1]), 1
    flags = REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise OSError("a damaged JPEG")
    return image, reduction


def to_rgb(picture: Image.Image, *, upright: bool = False) -> np.ndarray:
    """Convert an opened picture to (H, W, 3) uint8, red first; of 12 or 16 bits the upper eight
    count.

    upright: turn it as its Exif data says. ValueError for 32 bits a channel, of which nobody can
    tell what is white, and for numbers with a sign.
    """
    tags = getattr(picture, "tag_v2", {})  # a TIFF's, which a turned picture has no more
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,)))
    if SIGNED in tags.get(TiffImagePlugin.SAMPLEFORMAT, ()) and bits <= 16:
        raise ValueError("numbers with a sign: save it with 8 bits a channel, from 0 on")
    if picture.mode in ("I", "F"):
        raise ValueError("32 bits a channel: save it with 8 bits a channel")
    if upright:
        picture = ImageOps.exif_transpose(picture)
    if not picture.mode.startswith("I;16"):
        return np.array(picture.convert("RGB"))
    # Pillow would cut what is above 255, and leaves 12 bits and a white 0 as they are
    grey = (np.asarray(picture) >> (bits - 8)).astype(np.uint8)
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO:
        grey = 255 - grey
    return np.repeat(grey[..., None], 3, axis=2)


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height that a picture's header claims, in pixels; None for what is no
    picture of FORMATS. Nothing is decoded."""
    try:
        with _without_limit(), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return picture.size
    except DAMAGED:
        return None


@contextlib.contextmanager
def _without_limit() -> Iterator[None]:
    """Let Pillow open pictures of any size; who reads them has limits of their own."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _of_another_size(path: Path, *sides: int) -> str:
    """What to say of a photo whose width and height are not those of its annotations."""
    found, expected = (f"{w} × {h}" for w, h in (sides[:2], sides[2:]))
    return (
        f"{path}: {found} pixels, but {expected} in the annotations; they belong to another "
        "picture, or to this one turned upright"
    )


def read_and_warp(path, width: int, height: int, matrix: np.ndarray, shape) -> np.ndarray:
    """The photo (h, w, 3) uint8, red first, through `matrix` (2, 3), in a frame of shape (w, h).

    A JPEG that is made smaller is decoded at a half, a quarter or an eighth, as long as that is not
    below what the view shows: which also averages pixels that the warp would have skipped. Black
    outside the photo. width, height and errors as for `read_photo`.
    """
    image, reduction = read_photo(path, width, height, _reduction(matrix))
    return _warp(image, reduction, matrix, shape, cv2.COLOR_BGRA2RGB)


def warp(photo: np.ndarray, matrix: np.ndarray, shape) -> np.ndarray:
    """The same of a photo (h, w, 3) in memory, whose channels keep their order."""
    reduction = _reduction(matrix)
    height, width = (-(-side // reduction) for side in photo.shape[:2])
    if reduction > 1:
        below, right = (n * reduction - side
                        for n, side in zip((height, width), photo.shape, strict=False))  # fmt: skip
        photo = cv2.copyMakeBorder(photo, 0, below, 0, right, cv2.BORDER_REPLICATE)
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    return _warp(photo, reduction, matrix, shape, cv2.COLOR_BGRA2BGR)


def _reduction(matrix: np.ndarray) -> int:
    """By how much a photo can be reduced before it is seen through `matrix`."""
    factor = np.sqrt(abs(np.linalg.det(matrix[:, :2])))  # pixels of the view to one of the photo
    return max(r for r in REDUCED if r == 1 or r * factor <= 1)


def _warp(image: np.ndarray, reduction: int, matrix: np.ndarray, shape, order) -> np.ndarray:
    """A reduced photo through the affine of the whole one; order: how OpenCV drops a fourth
    channel. With four, its warp takes a third of the time, and gives the same bits."""
    # pixel j of a reduced photo covers r pixels, their middle at r · j + (r − 1)/2
    middle = np.full(2, (reduction - 1) / 2)
    reduced = np.column_stack([matrix[:, :2] * reduction, matrix[:, :2] @ middle + matrix[:, 2]])
    image = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    return cv2.cvtColor(cv2.warpAffine(image, reduced, tuple(shape), flags=cv2.INTER_LINEAR), order)
