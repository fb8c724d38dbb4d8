"""Read photos from files, no larger than needed, and warp them by an affine."""

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
}  # by the factor by which libjpeg reduces a photo
# formats that are read; Pillow knows more, but for some it starts another program
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
# what Pillow raises for files that are damaged, including their Exif data or text
DAMAGED = (OSError, SyntaxError, EOFError, ValueError, TypeError, LookupError, struct.error,
           OverflowError, AttributeError, ZeroDivisionError)  # fmt: skip
MOST_PIXELS = 2**30  # of a photo: OpenCV's limit, applied to all formats
# a JPEG's marker, except a byte 255 among the pixels and a marker that restarts their decoding
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
END_OF_IMAGE = 0xD9
SIGNED, WHITE_IS_ZERO = 2, 0  # values of a TIFF's tags


def absent(folder: Path, names: Sequence[str]) -> dict[int, str]:
    """Return which of the named photos a folder does not provide, by index, with the reason.

    Such photos do not exist, or are links that lead out of the folder. Each folder is listed once.
    """
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
    """Return what is in a folder, and whether each entry leads out of `home` by a symbolic link."""
    try:
        entries = list(os.scandir(folder))
        outside = not folder.resolve().is_relative_to(home)
    except (OSError, RuntimeError, ValueError):  # a link to itself, an impossible name
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
    """Read a photo as its annotations describe it, without the orientation in its Exif data.

    Args:
        path: the file.
        width: width that the annotations give, pixels.
        height: height that the annotations give, pixels.
        reduction: 1, 2, 4 or 8, the factor by which a JPEG is reduced as it is decoded.

    Returns:
        The photo (h, w, 3) uint8, blue first as OpenCV has it, and the factor by which it is
        reduced.

    Raises:
        ValueError: the file is missing, cut short, no picture, too large, of 32 bits per channel,
            or of another size; the message names file and remedy.
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
    if claimed is not None and claimed != (width, height):  # before its pixels take memory
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
    """Return whether a JPEG has its end marker; what a phone appends after it does not matter.

    Segments are skipped by their lengths, because a preview in one has an end marker of its own.
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

    Raises OSError or ValueError if that fails.
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
    """Convert a picture to (H, W, 3) uint8, red first; of 12 or 16 bits, keep the upper eight.

    Args:
        picture: The picture that Pillow opened.
        upright: Whether to turn it as its Exif data says.

    Raises:
        ValueError: It has 32 bits per channel, whose white level is unknown, or signed numbers.
    """
    tags = getattr(picture, "tag_v2", {})  # a TIFF's, which a turned picture lacks
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,)))
    if SIGNED in tags.get(TiffImagePlugin.SAMPLEFORMAT, ()) and bits <= 16:
        raise ValueError("numbers with a sign: save it with 8 bits a channel, from 0 on")
    if picture.mode in ("I", "F"):
        raise ValueError("32 bits a channel: save it with 8 bits a channel")
    if upright:
        picture = ImageOps.exif_transpose(picture)
    if not picture.mode.startswith("I;16"):
        return np.array(picture.convert("RGB"))
    # Pillow would clip values above 255, and does not convert 12 bits or a white 0
    grey = (np.asarray(picture) >> (bits - 8)).astype(np.uint8)
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO:
        grey = 255 - grey
    return np.repeat(grey[..., None], 3, axis=2)


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height in a picture's header, pixels; None if it is none of FORMATS.

    Nothing is decoded.
    """
    try:
        with _without_limit(), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return picture.size
    except DAMAGED:
        return None


@contextlib.contextmanager
def _without_limit() -> Iterator[None]:
    """Let Pillow open pictures of any size; callers apply their own limits."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _of_another_size(path: Path, *sides: int) -> str:
    """Return the message for a photo whose width and height are not those of its annotations."""
    found, expected = (f"{w} × {h}" for w, h in (sides[:2], sides[2:]))
    return (
        f"{path}: {found} pixels, but {expected} in the annotations; they belong to another "
        "picture, or to this one turned upright"
    )


def read_and_warp(path, width: int, height: int, matrix: np.ndarray, shape) -> np.ndarray:
    """Read a photo and warp it by `matrix` (2, 3) into a frame of `shape` (w, h).

    A JPEG that is made smaller is decoded at a half, a quarter or an eighth of its size, as long as
    that is not below the view's resolution; this also averages pixels that the warp would have
    skipped. width, height and errors are as for `read_photo`.

    Returns:
        (h, w, 3) uint8, red first; black outside the photo.
    """
    image, reduction = read_photo(path, width, height, _reduction(matrix))
    return _warp(image, reduction, matrix, shape, cv2.COLOR_BGRA2RGB)


def warp(photo: np.ndarray, matrix: np.ndarray, shape) -> np.ndarray:
    """Warp a photo (h, w, 3) in memory as `read_and_warp` does; its channels keep their order."""
    reduction = _reduction(matrix)
    height, width = (-(-side // reduction) for side in photo.shape[:2])
    if reduction > 1:
        below, right = (n * reduction - side
                        for n, side in zip((height, width), photo.shape, strict=False))  # fmt: skip
        photo = cv2.copyMakeBorder(photo, 0, below, 0, right, cv2.BORDER_REPLICATE)
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    return _warp(photo, reduction, matrix, shape, cv2.COLOR_BGRA2BGR)


def _reduction(matrix: np.ndarray) -> int:
    """Return the factor by which a photo can be reduced before `matrix` is applied."""
    factor = np.sqrt(abs(np.linalg.det(matrix[:, :2])))  # pixels of the view per pixel of the photo
    return max(r for r in REDUCED if r == 1 or r * factor <= 1)


def _warp(image: np.ndarray, reduction: int, matrix: np.ndarray, shape, order) -> np.ndarray:
    """Warp a reduced photo by the affine of the whole one.

    A fourth channel is added, because OpenCV then takes a third of the time for the same bits;
    `order` says how it drops the channel afterwards.
    """
    # pixel j of a reduced photo covers r pixels, whose middle is at r · j + (r − 1)/2
    middle = np.full(2, (reduction - 1) / 2)
    reduced = np.column_stack([matrix[:, :2] * reduction, matrix[:, :2] @ middle + matrix[:, 2]])
    image = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    return cv2.cvtColor(cv2.warpAffine(image, reduced, tuple(shape), flags=cv2.INTER_LINEAR), order)
