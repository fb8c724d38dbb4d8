"""Single records of COCO's keypoint format, checked: what is wrong with one, in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from sparse_ae.skeleton import Skeleton


def read_json(path: Path) -> dict:
    """The content of an annotation file, which has images, annotations and categories.

    ValueError, naming file and remedy, if it is missing, cut short, or something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cut short or no JSON ({error}); fetch it again") from None
    for field in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(field), list):
            raise ValueError(f"{path}: expected COCO's format, with a list of {field}")
    return content


def category_ids(path: Path, content: dict, skeleton: Skeleton) -> set[int]:
    """The ids of the categories that have the skeleton's keypoints; ValueError if none has."""
    found = [
        c
        for c in content["categories"]
        if isinstance(c, dict) and isinstance(c.get("keypoints"), list)
    ]
    ids = {field_of(c, "id", int) for c in found if tuple(c["keypoints"]) == skeleton.keypoints}
    if not ids:
        names = "; ".join(", ".join(map(str, c["keypoints"])) for c in found) or "none"
        raise ValueError(
            f"{path}: no category has the keypoints of skeleton {skeleton.name!r}, in its order "
            f"({', '.join(skeleton.keypoints)}), but: {names}; give the skeleton that fits"
        )
    return ids


def image_sizes(records: list, report: Callable) -> dict[int, tuple[str, int, int]]:
    """File name, width and height of the images, by id.

    report: called with the name of a broken record and a ValueError that says what is wrong.
    """
    images: dict[int, tuple[str, int, int]] = {}
    for number, record in enumerate(records):
        try:
            key = field_of(record, "id", int)
            if key in images:
                raise ValueError("another image has this id too")
            name = field_of(record, "file_name", str)
            for path in (PurePosixPath(name), PureWindowsPath(name)):
                if path.is_absolute() or path.drive or ".." in path.parts or not path.parts:
                    raise ValueError(f"file_name {name!r} leaves the folder of images")
            size = [field_of(record, side, int) for side in ("width", "height")]
            if min(size) < 1:
                raise ValueError(f"width and height: expected pixels, got {size}")
            images[key] = (name, *size)
        except ValueError as error:
            known = isinstance(record, dict) and "id" in record
            report(f"image {record['id']}" if known else f"image no. {number}", error)
    return images


def field_of(record, name: str, kind: type):
    """A field of a record; ValueError if it is missing or of another type."""
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = {int: "an integer", str: "a text"}[kind]
        raise ValueError(f"{name}: expected {wanted}, got {value!r}")
    return value


def numbers_of(person: dict, name: str, count: int) -> np.ndarray:
    """(count,) float32, the finite numbers in a field; ValueError for anything else."""
    value = person.get(name)
    if not isinstance(value, list) or len(value) != count:
        given = f"{len(value)} values" if isinstance(value, list) else repr(value)
        raise ValueError(f"{name}: expected {count} numbers, got {given}")
    try:
        numbers = np.array(value, np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected numbers, got {value!r}") from None
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name}: NaN or infinity")
    return numbers


def box_of(person: dict) -> np.ndarray:
    """(4,) x, y, width, height; ValueError for what is none."""
    box = numbers_of(person, "bbox", 4)
    if min(box[2:]) < 0:
        raise ValueError(f"bbox: negative width or height in {box.tolist()}")
    return box


def keypoints_of(person: dict, count: int) -> np.ndarray:
    """(K, 3) x, y, v of a person; zeros for a crowd region, which may have none. ValueError for the
    wrong length, NaN, or a v that is not 0, 1 or 2."""
    if person.get("iscrowd", 0) and "keypoints" not in person:
        return np.zeros((count, 3), np.float32)
    keypoints = numbers_of(person, "keypoints", 3 * count).reshape(count, 3)
    if not np.isin(keypoints[:, 2], (0, 1, 2)).all():
        raise ValueError("keypoints: visibility is 0, 1 or 2")
    return keypoints
