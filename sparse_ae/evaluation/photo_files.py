"""Photos of a user's own: found, read upright, and answered with pictures and a JSON."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from sparse_ae.datasets.pictures import DAMAGED, FORMATS, to_rgb
from sparse_ae.evaluation.drawing import draw_people
from sparse_ae.evaluation.predictor import LEAST_SCORE, Predictor
from sparse_ae.runtime.files import write_whole

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
ADDED = ".people.jpg"  # what a picture of ours ends in
RESULTS = "people.json"
QUALITY = 92  # of the JPEGs
MOST_PIXELS = 80_000_000  # a decoded photo of so many takes 240 MB


class Answered(NamedTuple):
    """What was found in photos, and which files were written.

    Attributes:
        results: A dict for each person, in COCO's results format and with `file_name`.
        pictures: The files with skeletons.
        failed: Why photos were left out, a line each.
    """

    results: list[dict]
    pictures: list[Path]
    failed: list[str]


def find_photos(words: Iterable[str | Path]) -> list[Path]:
    """The photos that files, folders and patterns (`*`, `?`, `[…]`) name, in order, each once.

    A folder stands for the photos in it, told by their endings, without what `predict_files` wrote.
    A file that does not exist is kept: it is told with the broken ones. ValueError where a folder
    or a pattern has no photo.
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
    """Read a photo, turned upright as its Exif data says, and no further than it takes to refuse.

    Args:
        path: of the file.

    Returns:
        (H, W, 3) uint8, red first; of 16 bits a channel the upper eight.

    Raises:
        ValueError: naming the file, for one that is missing, broken, no picture, of 32 bits a
            channel, or of more than MOST_PIXELS pixels.
    """
    path = Path(path)
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the limit is ours
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                most = MOST_PIXELS // 1_000_000
                raise ValueError(f"{path}: {width} × {height} pixels, more than {most} million: "
                                 "make it smaller")  # fmt: skip
            return to_rgb(ImageOps.exif_transpose(picture))
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

    A picture is called as its photo, ending in .people.jpg, with a number where two have one name.
    people.json holds the persons in COCO's results format: image_id, from 1 in the order of the
    photos, category_id 1, keypoints (3K numbers: x, y, score, in pixels of the upright photo),
    score, and file_name. Photos that cannot be used are in `failed`, and the rest goes on. A photo
    is never written over. ValueError where `out` would need that; OSError where it cannot be made.
    """
    photos, out = [Path(photo) for photo in photos], Path(out)
    pictures = _names(photos, out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{out}: no such folder can be made ({error.strerror})") from None
    if (out / RESULTS).is_dir():
        raise OSError(f"{out / RESULTS}: is a folder; name another one with --out")
    answered = Answered([], [], [])
    bar = tqdm(photos, "photos", unit=" photos", disable=not progress)
    for number, (photo, picture) in enumerate(zip(bar, pictures, strict=True), 1):
        try:
            image = read_picture(photo)
            people = predictor.predict(image, min_score=min_score)
        except ValueError as error:
            reason = str(error)
            named = reason.startswith(f"{photo}: ")
            answered.failed.append(reason if named else f"{photo}: {reason}")
            continue
        drawn = draw_people(image, people.keypoints, predictor.skeleton)
        jpeg = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        write_whole(picture, jpeg.tobytes())
        answered.pictures.append(picture)
        answered.results.extend(
            {"image_id": number, "category_id": 1, "file_name": str(photo), "score": float(score),
             "keypoints": np.round(keypoints.astype(float), 3).ravel().tolist()}
            for keypoints, score in zip(people.keypoints, people.scores, strict=True)
        )  # fmt: skip
    write_results(answered.results, out / RESULTS)
    return answered


def write_results(results: list[dict], path: str | Path) -> None:
    """Write detections in COCO's results format, whole or not at all. OSError where the folder
    cannot be written to."""
    write_whole(Path(path), results_file(results))


def results_file(results: list[dict]) -> bytes:
    """Return the content of that file, in UTF-8.

    Bytes of a file's name that are not UTF-8 come as Python keeps them, escaped as in "\\udcff":
    `os.fsencode` makes the name of them again.
    """
    text = json.dumps(results, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return re.sub(r"\},(?=\{)", "},\n", text).encode(errors="backslashreplace") + b"\n"


def _names(photos: Sequence[Path], out: Path) -> list[Path]:
    """A picture's path for each photo, no two the same and none that of a photo."""
    written, taken = [], set()
    for photo in photos:
        name, number = photo.stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{photo.stem}-{number}"
        taken.add(name.lower())
        written.append(out / f"{name}{ADDED}")
    photos_at = {_place(photo) for photo in photos}
    for path in (*written, out / RESULTS):
        if _place(path) in photos_at:
            raise ValueError(f"{path}: is one of the photos, and would be written over; name "
                             "another folder with --out")  # fmt: skip
    return written


def _place(path: Path) -> str:
    return os.path.normcase(path.resolve())
