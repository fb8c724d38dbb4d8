"""Check single records of COCO's keypoint format, and say what is wrong with broken ones."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from unicodedata import normalize

import numpy as np

from sparse_ae.datasets.loss_masks import FARTHEST, box_around, read_region
from sparse_ae.metrics.average_precision import CROWD_AREA
from sparse_ae.runtime.values import short_repr
from sparse_ae.skeleton import Skeleton

LONGEST_SIDE = 2**20  # longest side of a picture that OpenCV reads, pixels
# shares of the box's area: an annotated area outside this range is a mistake, and so is a box that
# has at most LEAST_SHARE of the area that its joints span
LEAST_SHARE, MOST_SHARE = 0.01, 10
LARGEST = 1e12  # larger areas and counts are mistakes: about LONGEST_SIDE², the most pixels


def read_json(path: Path) -> dict:
    """Read an annotation file and check that it lists images, annotations and categories.

    Raises:
        ValueError: The file is missing, cut short or of another format; the message names the
            remedy.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#x} at {error.start}"
        raise ValueError(f"{path}: no text in UTF-8 ({found}); save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cut short or no JSON ({error}); fetch it again") from None
    for field in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(field), list):
            raise ValueError(f"{path}: expected COCO's format, with a list of {field}")
    return content


def category_ids(path: Path, content: dict, skeleton: Skeleton) -> set[int]:
    """Return the ids of the categories that have the skeleton's keypoints.

    Names that differ only in their Unicode form (é as one code point or as two) count as equal.

    Raises:
        ValueError: No category has these keypoints, or another category has the same id.
    """
    found = [
        c
        for c in content["categories"]
        if isinstance(c, dict) and isinstance(c.get("keypoints"), list)
    ]
    wanted = [normalize("NFC", name) for name in skeleton.keypoints]
    fitting = [c for c in found if [_normal(k) for k in c["keypoints"]] == wanted]
    try:
        ids = {field_of(c, "id", int) for c in fitting}
        others = [c for c in content["categories"] if isinstance(c, dict) and c not in fitting]
        for taken in (c.get("id") for c in others):
            if type(taken) is int and taken in ids:
                raise ValueError(f"two have the id {taken}")
    except ValueError as error:
        raise ValueError(f"{path}: categories: {error}; give each a number of its own") from None
    if not ids:
        names = "; ".join(", ".join(str(k)[:40] for k in c["keypoints"][:40] if isinstance(k, str))
                          for c in found[:3]) or "none"  # fmt: skip
        raise ValueError(
            f"{path}: no category has the keypoints of skeleton {skeleton.name!r}, in its order "
            f"({', '.join(skeleton.keypoints)}), but: {names}; give the skeleton that fits"
        )
    return ids


def _normal(name):
    """Return a string in Unicode form NFC, and any other value unchanged."""
    return normalize("NFC", name) if isinstance(name, str) else name


def image_sizes(records: list, report: Callable) -> dict[int, tuple[str, int, int]]:
    """Return file name, width and height of each image, by id; leave out images that share an id.

    `report` is called with the name of a broken record and a ValueError that says what is wrong.
    """
    images: dict[int, tuple[str, int, int]] = {}
    seen: set[int] = set()
    for number, record in enumerate(records):
        try:
            key = field_of(record, "id", int)
            if key in seen:
                images.pop(key, None)  # nobody can tell to which image the persons belong
                raise ValueError("another image has this id too")
            seen.add(key)
            name = field_of(record, "file_name", str)
            _check_name(name)
            size = [field_of(record, side, int) for side in ("width", "height")]
            if min(size) < 1 or max(size) > LONGEST_SIDE:
                raise ValueError(f"width and height: expected pixels, got {short_repr(size)}")
            count_of(record, "crowdIndex")
            images[key] = (name, *size)
        except ValueError as error:
            known = isinstance(record, dict) and "id" in record
            report(f"image {short_repr(record['id'])}" if known else f"image no. {number}", error)
    return images


def _check_name(name: str) -> None:
    """Raise ValueError for a file name that leaves its folder or that no system allows."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.drive or ".." in path.parts or not path.parts:
            raise ValueError(f"file_name {short_repr(name)} leaves the folder of images")
    if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise ValueError(f"file_name {short_repr(name)}: holds what no file's name can")


def field_of(record, name: str, kind: type):
    """Return a field of a record; raise ValueError if it is missing or of another type."""
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = {int: "an integer", str: "a text"}[kind]
        raise ValueError(f"{name}: expected {wanted}, got {short_repr(value)}")
    if kind is int and not -(2**63) <= value < 2**63:
        raise ValueError(f"{name}: expected an integer of 64 bits, got {short_repr(value)}")
    return value


def numbers_of(person: dict, name: str, count: int) -> np.ndarray:
    """Return a field's `count` finite numbers, (count,) float32; raise ValueError otherwise."""
    value = person.get(name)
    if not isinstance(value, list) or len(value) != count:
        given = f"{len(value)} values" if isinstance(value, list) else short_repr(value)
        raise ValueError(f"{name}: expected {count} numbers, got {given}")
    if not {int, float}.issuperset(map(type, value)):  # NumPy would accept "1", true and [1] too
        raise ValueError(f"{name}: expected numbers, got {short_repr(value)}")
    if not all(-FARTHEST <= number <= FARTHEST for number in value):
        if any(number != number or abs(number) == math.inf for number in value):
            raise ValueError(f"{name}: NaN or infinity")
        raise ValueError(f"{name}: expected pixels, no more than ±{FARTHEST:,}")
    return np.array(value, np.float32)


def count_of(record: dict, name: str) -> None:
    """Raise ValueError if a field is present and is not a number from 0 to LARGEST."""
    value = record.get(name, 0)
    if type(value) not in (int, float) or not 0 <= value <= LARGEST:
        raise ValueError(f"{name}: expected a number from 0 on, got {short_repr(value)}")


def box_of(person: dict) -> np.ndarray:
    """Return a person's box, (4,) x, y, width, height; raise ValueError if it is not valid."""
    box = numbers_of(person, "bbox", 4)
    if min(box[2:]) < 0:
        raise ValueError(f"bbox: negative width or height in {box.tolist()}")
    return box


def keypoints_of(person: dict, count: int) -> np.ndarray:
    """Return a person's keypoints, (K, 3) x, y, v; all zeros if it has none, which is allowed.

    Raises:
        ValueError: The length is wrong, a number is NaN, a v is not 0, 1 or 2, iscrowd is not 0 or
            1, or there are no keypoints though num_keypoints counts some.
    """
    crowd = person.get("iscrowd", 0)
    if isinstance(crowd, list | dict) or crowd not in (0, 1):
        raise ValueError(f"iscrowd: expected 0 or 1, got {short_repr(crowd)}")
    if person.get("keypoints", []) == []:
        if not crowd and person.get("num_keypoints", 0):
            told = short_repr(person["num_keypoints"])
            raise ValueError(f"keypoints: expected {3 * count} numbers, got none, but "
                             f"num_keypoints is {told}")  # fmt: skip
        return np.zeros((count, 3), np.float32)
    keypoints = numbers_of(person, "keypoints", 3 * count).reshape(count, 3)
    if not np.isin(keypoints[:, 2], (0, 1, 2)).all():
        raise ValueError("keypoints: visibility is 0, 1 or 2")
    return keypoints


class PersonRecord(NamedTuple):
    """An annotation in one of the skeleton's categories.

    Attributes:
        image: id of its image.
        fields: the record as in the file; for a broken one only id, image_id, bbox and iscrowd.
        keypoints: (K, 3) x, y, v; zeros where nothing is labelled or usable.
        box: (4,) x, y, width, height, pixels.
        region: area that the loss ignores, as from `loss_masks.read_region`; None for a labelled
            person.
    """

    image: int
    fields: dict[str, Any]
    keypoints: np.ndarray
    box: np.ndarray
    region: list | None


def check_person(fields: dict, where: int, image: tuple, skeleton: Skeleton) -> PersonRecord:
    """Check an annotation and return it as a PersonRecord; raise ValueError if it is broken."""
    keypoints = keypoints_of(fields, len(skeleton))
    for name in ("area", "num_keypoints"):
        count_of(fields, name)
    region, size = None, image[1:]
    unlabelled = not keypoints[:, 2].any() or fields.get("iscrowd", 0)
    if unlabelled and "bbox" not in fields and fields.get("segmentation"):
        region = read_region(fields["segmentation"], None, *size)
        box = box_around(region)
    else:
        box = box_of(fields)
        if unlabelled:
            region = read_region(fields.get("segmentation"), box, *size)
    return PersonRecord(where, fields, keypoints, box, region)


def hide_person(fields: dict, where: int, skeleton: Skeleton) -> PersonRecord:
    """Return a broken annotation as a region to ignore; raise ValueError if its box is broken."""
    box = box_of(fields)
    known = {"id": fields["id"]} if "id" in fields else {}
    known |= {"image_id": where, "bbox": fields["bbox"], "iscrowd": 0}
    return PersonRecord(where, known, np.zeros((len(skeleton), 3), np.float32), box, [box])


def truth_of(person: PersonRecord, category: int) -> dict:
    """Return an annotation with all fields that an evaluation reads."""
    box = person.box.tolist()
    filled = {
        "bbox": box,
        "area": CROWD_AREA * box[2] * box[3],
        "num_keypoints": int((person.keypoints[:, 2] > 0).sum()),
    }
    if (given := person.fields.get("bbox")) is not None:
        filled["area"] = CROWD_AREA * given[2] * given[3]  # in float64, as the file has it
    keypoints = person.fields.get("keypoints") or person.keypoints.ravel().tolist()
    return {**filled, **person.fields, "keypoints": keypoints, "category_id": category}


def area_contradicts(person: PersonRecord) -> bool:
    """Return whether a labelled person's area or box is wrong by orders of magnitude.

    The area must be above 0 and fit the box. The box, from which a missing area is computed, must
    not be far smaller than its joints.
    """
    if person.region is not None:
        return False
    area, box = person.fields.get("area"), float(person.box[2] * person.box[3])
    joints = person.keypoints[person.keypoints[:, 2] > 0, :2]
    if box <= LEAST_SHARE * float(np.prod(np.ptp(joints, axis=0))):
        return True
    return area is not None and (area <= LEAST_SHARE * box or area > MOST_SHARE * box)
