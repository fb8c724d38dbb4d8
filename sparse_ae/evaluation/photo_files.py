"""Find people in a user's own photos and videos, and write pictures and a JSON."""

from __future__ import annotations

import glob
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from sparse_ae.datasets.pictures import DAMAGED, FORMATS, to_rgb
from sparse_ae.decoding import People
from sparse_ae.evaluation.drawing import draw_people
from sparse_ae.evaluation.predictor import LEAST_SCORE, Predictor
from sparse_ae.evaluation.videos import is_video, read_frames
from sparse_ae.runtime.files import write_whole

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
ADDED = ".people.jpg"  # ending of the pictures that are written
RESULTS = "people.json"
QUALITY = 92  # of the JPEGs, 1 to 100
MOST_PIXELS = 80_000_000  # a decoded photo of so many takes 240 MB
LEAST_SIDE = 8  # pixels: a smaller photo cannot show anybody
STDIN = "-"  # in place of a file name: read the picture from standard input


class Answered(NamedTuple):
    """What was found in photos, and which files were written.

    Attributes:
        results: A dict per person, in COCO's results format and with `file_name`.
        pictures: The files with skeletons.
        failed: Why photos or videos were left out, one line each.
    """

    results: list[dict]
    pictures: list[Path]
    failed: list[str]


def find_photos(words: Iterable[str | Path]) -> list[Path]:
    """Return the photos that files, folders and patterns (`*`, `?`, `[…]`) name, each once.

    A folder stands for the photos in it, told by their endings, without those that `predict_files`
    wrote. A video must be named itself, because it has thousands of images. A file that does not
    exist is kept, and later reported with the broken ones.

    Raises:
        ValueError: A folder or a pattern has no photo.
    """
    found: dict[Path, None] = {}
    for word in map(str, words):
        path = Path(word)
        if path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if _is_photo(p)]
        elif not path.exists() and glob.has_magic(word):
            inside = [p for p in map(Path, sorted(glob.glob(word, recursive=True))) if _is_photo(p)]
        else:
            inside = [path]
        if not inside:
            raise ValueError(f"{word}: no photo there, that is, no file that ends in "
                             f"{', '.join(ENDINGS)}")  # fmt: skip
        found.update(dict.fromkeys(inside))
    return list(found)


def _is_photo(path: Path) -> bool:
    name = path.name.lower()
    return path.is_file() and name.endswith(ENDINGS) and not name.endswith(ADDED)


def read_picture(path: str | Path) -> np.ndarray:
    """Read a photo, turned upright as its Exif data says; check its size before decoding it.

    Args:
        path: the file, or "-" for standard input.

    Returns:
        (H, W, 3) uint8, red first; of 16 bits per channel the upper eight.

    Raises:
        ValueError: the file is missing, broken, no picture, of 32 bits per channel, of more than
            MOST_PIXELS pixels, or with a side below LEAST_SIDE; the message names it.
    """
    path = Path(path)
    source = io.BytesIO(sys.stdin.buffer.read()) if str(path) == STDIN else path
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # ours applies instead
    try:
        with Image.open(source, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                most = MOST_PIXELS // 1_000_000
                raise ValueError(f"{path}: {width} × {height} pixels, more than {most} million: "
                                 "make it smaller")  # fmt: skip
            if min(width, height) < LEAST_SIDE:
                raise ValueError(f"{path}: {width} × {height} pixels: too small to show anybody")
            return to_rgb(picture, upright=True)
    except UnidentifiedImageError:
        raise ValueError(f"{path}: no picture that Pillow can read, of the kinds "
                         f"{', '.join(FORMATS)}") from None  # fmt: skip
    except DAMAGED as error:
        if str(error).startswith(f"{path}: "):
            raise
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ValueError(f"{path}: cannot be read ({reason})") from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def predict_files(
    predictor: Predictor, photos: Sequence[str | Path], out: str | Path, *,
    min_score: float = LEAST_SCORE, progress: bool = True,
) -> Answered:  # fmt: skip
    """Find the persons in photos; write a picture for each, and people.json, into folder `out`.

    A picture is named after its photo and ends in .people.jpg, with a number where two have one
    name. Those of a video's frames lie in a folder named after the video, 000000.people.jpg first.
    people.json holds the persons in COCO's results format: image_id, from 1 in the order of the
    photos and frames, category_id 1, keypoints (3K numbers: x, y, score, in pixels of the upright
    photo), score, file_name, and for a video the frame, from 0. Photos that cannot be used are
    listed in `failed`, and the others are processed; of a video that is cut short, the readable
    frames count. A photo is never overwritten.

    Raises:
        ValueError: A file in `out` would overwrite a photo.
        OSError: `out` cannot be made or written to.
    """
    photos, out = [Path(photo) for photo in photos], Path(out)
    pictures = _names(photos, out)
    _make_folder(out)
    if (out / RESULTS).is_dir():
        raise OSError(f"{out / RESULTS}: is a folder; name another one with --out")
    answered, image_id = Answered([], [], []), 0
    bar = tqdm(photos, "photos", unit=" photos", disable=not progress)
    for photo, picture in zip(bar, pictures, strict=True):
        image_id += 1  # a photo that cannot be used has a number too
        try:
            for frame, image in enumerate(_images(photo, progress)):
                image_id += frame > 0
                people = predictor.predict(image, min_score=min_score)
                of_video = is_video(photo)
                path = picture / f"{frame:06}{ADDED}" if of_video else picture
                _make_folder(path.parent)
                _write_picture(path, draw_people(image, people.keypoints, predictor.skeleton))
                answered.pictures.append(path)
                named = {"image_id": image_id, "category_id": 1, "file_name": str(photo)}
                named |= {"frame": frame} if of_video else {}
                answered.results.extend(_results(people, named))
        except ValueError as error:
            reason = str(error)
            named = reason.startswith(f"{photo}: ")
            answered.failed.append(reason if named else f"{photo}: {reason}")
    write_results(answered.results, out / RESULTS)
    return answered


def _images(photo: Path, progress: bool) -> Iterator[np.ndarray]:
    """Yield the one image of a photo, or a video's frames; raise ValueError where that fails."""
    if is_video(photo):
        yield from read_frames(photo, progress=progress)
    else:
        yield read_picture(photo)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder}: no such folder can be made ({error.strerror})") from None


def _write_picture(path: Path, image: np.ndarray) -> None:
    """Write (H, W, 3) uint8, red first, as a JPEG."""
    jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    write_whole(path, jpeg.tobytes())


def _results(people: People, named: dict) -> list[dict]:
    """Return one image's people in COCO's results format."""
    return [
        {**named, "score": float(score),
         "keypoints": np.round(keypoints.astype(float), 3).ravel().tolist()}
        for keypoints, score in zip(people.keypoints, people.scores, strict=True)
    ]  # fmt: skip


def write_results(results: list[dict], path: str | Path) -> None:
    """Write detections in COCO's results format, completely or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    write_whole(Path(path), results_file(results))


def results_file(results: list[dict]) -> bytes:
    """Return the content of a results file, in UTF-8.

    Bytes of a file's name that are not UTF-8 are escaped as Python does, as in "\\udcff";
    `os.fsencode` restores the name.
    """
    text = json.dumps(results, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return re.sub(r"\},(?=\{)", "},\n", text).encode(errors="backslashreplace") + b"\n"


def _names(photos: Sequence[Path], out: Path) -> list[Path]:
    """Return a path for each photo's picture, and a folder for each video, all different.

    Raises ValueError if one of them is a photo.
    """
    written, taken = [], set()
    for photo in photos:
        stem = "stdin" if str(photo) == STDIN else photo.stem
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        written.append(out / (name if is_video(photo) else f"{name}{ADDED}"))
    photos_at = {_place(photo) for photo in photos}
    photos_at |= {_place(photo.parent) for photo in photos if photo.name.endswith(ADDED)}
    for path in (*written, out / RESULTS):
        if _place(path) in photos_at:
            raise ValueError(f"{path}: is one of the photos, and would be written over; name "
                             "another folder with --out")  # fmt: skip
    return written


def _place(path: Path) -> str:
    return os.path.normcase(path.resolve())
