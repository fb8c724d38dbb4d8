"""One file of COCO's keypoint format, read once and alike for training and for evaluation."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparse_ae.datasets.annotation_checks import (
    box_of,
    category_ids,
    count_of,
    field_of,
    image_sizes,
    keypoints_of,
    read_json,
)
from sparse_ae.datasets.loss_masks import box_around, read_region
from sparse_ae.runtime.values import short_repr
from sparse_ae.skeleton import Skeleton

ADVICE = "mend it, or leave it out with skip_broken=True"
LEAST_SHARE, MOST_SHARE = 0.01, 10  # of a box's area: an annotated area beyond is a mistake


class PersonRecord(NamedTuple):
    """An annotation of the skeleton's category.

    Attributes:
        image: the id of its image.
        fields: what the file says of it; of a broken one, only its id and whose it is.
        keypoints: (K, 3) x, y, v; zeros where nothing is labelled or can be used.
        box: (4,) x, y, width, height, pixels.
        region: where the loss must not look (`loss_masks.read_region`); None for a labelled person.
    """

    image: int
    fields: dict[str, Any]
    keypoints: np.ndarray
    box: np.ndarray
    region: list | None


class AnnotationFile(NamedTuple):
    """What a file holds, checked.

    Attributes:
        content: the JSON as it is.
        images: file name, width and height by id.
        persons: the persons of each image by its id, in the order of the file.
        categories: ids of the categories that have the skeleton's keypoints.
        broken: what was left out, a line each.
    """

    content: dict[str, Any]
    images: dict[int, tuple[str, int, int]]
    persons: dict[int, list[PersonRecord]]
    categories: set[int]
    broken: list[str]


def read_annotation_file(path: Path, skeleton: Skeleton, skip_broken: bool) -> AnnotationFile:
    """Read and check a file of COCO's keypoint format.

    A broken person with a box becomes a region with skip_broken: it is seen, though nobody can
    learn from it, and a detection there counts neither for nor against a net.

    Args:
        path: of the JSON.
        skeleton: whose category is read.
        skip_broken: leave out broken records and list them.

    Returns:
        The `AnnotationFile`.

    Raises:
        ValueError: for a file of another format or skeleton; and, without skip_broken, for the
            first broken record.
    """
    content, broken = read_json(path), []
    report = _reporter(path, broken, skip_broken)
    images = image_sizes(content["images"], report)
    categories = category_ids(path, content, skeleton)
    persons: dict[int, list[PersonRecord]] = {number: [] for number in images}
    told = image_ids(content["images"]) - set(images)  # images that are reported already
    for number, fields in enumerate(content["annotations"]):
        try:
            where = field_of(fields, "image_id", int)
            if where in told or field_of(fields, "category_id", int) not in categories:
                continue
            if where not in images:
                raise ValueError(f"image_id {where} is not among images")
            persons[where].append(_person(fields, where, images[where], skeleton))
        except ValueError as error:
            report(_name(fields, number), error)
            with contextlib.suppress(ValueError, KeyError):
                where = field_of(fields, "image_id", int)
                persons[where].append(_hidden(fields, where, skeleton))
    _warn_of_areas(path, persons)
    return AnnotationFile(content, images, persons, categories, broken)


def image_ids(images: list) -> set[int]:
    """Return the ids of image records, broken ones too."""
    ids = [image.get("id") for image in images if isinstance(image, dict)]
    return {key for key in ids if isinstance(key, int)}


def _reporter(path: Path, broken: list[str], skip_broken: bool) -> Callable:
    """Return what is called with a broken record: it raises, or notes the record in `broken`."""

    def report(record: str, error: ValueError):
        message = f"{path}: {record}: {error}"
        if not skip_broken:
            raise ValueError(f"{message}; {ADVICE}") from None
        broken.append(message)

    return report


def _person(fields: dict, where: int, image: tuple, skeleton: Skeleton) -> PersonRecord:
    """Check an annotation; ValueError for a broken one."""
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


def _hidden(fields: dict, where: int, skeleton: Skeleton) -> PersonRecord:
    """Return a broken annotation as a region; ValueError where its box is broken too."""
    box = box_of(fields)
    known = {"id": fields["id"]} if "id" in fields else {}
    known |= {"image_id": where, "bbox": fields["bbox"], "iscrowd": 0}
    return PersonRecord(where, known, np.zeros((len(skeleton), 3), np.float32), box, [box])


def _name(person, number: int) -> str:
    """Return what a message calls an annotation."""
    named = isinstance(person, dict) and "id" in person
    return f"annotation {short_repr(person['id'])}" if named else f"annotation no. {number}"


def _warn_of_areas(path: Path, persons: dict[int, list[PersonRecord]]) -> None:
    """Warn of labelled persons whose area contradicts their box: OKS is measured by the area."""
    count = 0
    for person in (one for group in persons.values() for one in group):
        area, box = person.fields.get("area"), float(person.box[2] * person.box[3])
        if person.region is None and area is not None:
            count += area <= LEAST_SHARE * box or area > MOST_SHARE * box
    if count:
        warnings.warn(
            f"{path}: the area of {count} labelled persons is 0, or contradicts their box by "
            "orders of magnitude; COCO's OKS is measured by it, and AP will be wrong: mend it, or "
            "leave the field out, and 0.53 × box is taken",
            stacklevel=3,
        )
