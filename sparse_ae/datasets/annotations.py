"""Read and check annotations in COCO's keypoint format: COCO, CrowdPose, or your own.

Every message names the file, the record and what is wrong with it. Annotations are kept as arrays,
not dictionaries, because all processes that load photos share COCO's quarter of a million persons.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparse_ae.datasets.annotation_checks import (
    PersonRecord,
    area_contradicts,
    category_ids,
    check_person,
    field_of,
    hide_person,
    image_sizes,
    read_json,
    truth_of,
)
from sparse_ae.metrics.crowding import crowd_index
from sparse_ae.runtime.values import short_repr
from sparse_ae.skeleton import Skeleton

ADVICE = "mend it, or leave it out with skip_broken=True"


@dataclass(frozen=True, eq=False)
class Annotations:
    """I photos and their N labelled persons.

    Attributes:
        path: The JSON file.
        ids: (I,) int64.
        names: I file names, relative to the folder of photos.
        sizes: (I, 2) width and height, pixels.
        first: (I + 1,) index of each photo's first person; the last is N.
        keypoints: (N, K, 3) float32 x, y, v.
        boxes: (N, 4) float32 x, y, width, height, pixels.
        regions: For each photo, the areas that the loss ignores (`loss_masks.read_region`): crowds,
            and persons without a labelled joint.
        broken: What skip_broken left out, one line each.
    """

    path: Path
    skeleton: Skeleton
    ids: np.ndarray
    names: tuple[str, ...]
    sizes: np.ndarray
    first: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray
    regions: tuple[tuple, ...]
    broken: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def persons(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return keypoints (P, K, 3) and boxes (P, 4) of a photo's labelled persons."""
        rows = slice(self.first[index], self.first[index + 1])
        return self.keypoints[rows], self.boxes[rows]

    def only(self, kept: Sequence[int]) -> Annotations:
        """Return the annotations of the photos with these indices, in this order."""
        rows = [np.arange(self.first[i], self.first[i + 1]) for i in kept]
        flat = np.concatenate([np.empty(0, np.int64), *rows])
        return replace(
            self,
            ids=self.ids[kept],
            names=tuple(self.names[i] for i in kept),
            sizes=self.sizes[kept],
            first=np.cumsum([0, *map(len, rows)]),
            keypoints=self.keypoints[flat],
            boxes=self.boxes[flat],
            regions=tuple(self.regions[i] for i in kept),
        )


def read_annotations(path, skeleton: Skeleton, *, skip_broken: bool = False) -> Annotations:
    """Read the annotations in a JSON file of COCO's keypoint format.

    A person counts as labelled if it has a labelled joint (v > 0) and is no crowd (iscrowd). Its
    num_keypoints plays no part, because CrowdPose counts it by a rule of its own. All others, which
    are crowds and persons whose keypoints are zeros, an empty list, or missing, become regions.

    Categories with the skeleton's keypoints are read as one. A warning counts the labelled persons
    whose area is 0 or contradicts their box, or whose box is far smaller than their joints.

    Args:
        path: the JSON file.
        skeleton: the K keypoints that the file must have.
        skip_broken: leave out broken records, and list them in `broken`. A broken person with a box
            becomes a region. All images that share an id are left out, with their persons.

    Returns:
        The `Annotations`.

    Raises:
        ValueError: the file is missing, cut short, or of another format or skeleton; or, without
            skip_broken, a record is broken: a file name that leaves its folder, an annotation
            without its image, keypoints of the wrong length, NaN, …
    """
    path = Path(path)
    _, images, persons, _, broken = _read(path, skeleton, skip_broken)
    labelled = [[p for p in group if p.region is None] for group in persons.values()]
    rows = [person for group in labelled for person in group]
    regions = ([p.region for p in group if p.region is not None] for group in persons.values())
    return Annotations(
        path,
        skeleton,
        np.array(list(images), np.int64),
        tuple(name for name, *_ in images.values()),
        np.array([size for _, *size in images.values()], np.int64).reshape(-1, 2),
        np.cumsum([0, *map(len, labelled)]),
        np.array([p.keypoints for p in rows], np.float32).reshape(-1, len(skeleton), 3),
        np.array([p.box for p in rows], np.float32).reshape(-1, 4),
        tuple(tuple(part for region in group for part in region) for group in regions),
        tuple(broken),
    )


def ground_truth(
    path, skeleton: Skeleton, images=None, *, crowd: bool = False, skip_broken: bool = False
) -> dict:
    """Read the annotations of a JSON file as `metrics.keypoint_ap` takes them.

    The file is read as by `read_annotations`. A missing area, as in CrowdPose, becomes 0.53 × box
    width × height; a missing num_keypoints becomes the number of labelled joints. CrowdPose's own
    num_keypoints is kept: it is 0 for persons with few labelled joints, which its evaluation, and
    so the published figures, leave out. Persons without keypoints get zeros and do not count. If
    several categories have the skeleton's keypoints, all persons get the lowest of their ids.

    Args:
        path: the JSON file.
        skeleton: the K keypoints that the file must have.
        images: ids of the images that were evaluated; by default all.
        crowd: whether to compute crowdIndex where it is missing, for CrowdPose's evaluation.
        skip_broken: leave out broken records. A broken person with a box stays, but does not count,
            just as training ignores its box.

    Returns:
        A dict in COCO format, with one category.

    Raises:
        ValueError: as for `read_annotations`.
    """
    path = Path(path)
    file = _read(path, skeleton, skip_broken)
    chosen = set(file.images) if images is None else set(file.images) & {int(i) for i in images}
    category = min(file.categories)
    persons = {
        number: [truth_of(person, category) for person in group]
        for number, group in file.persons.items()
        if number in chosen
    }
    found = {image["id"]: image for image in file.content["images"] if _id_of(image) in chosen}
    kept = [found[number] for number in persons]
    if crowd:
        kept = [{"crowdIndex": _crowd_index(persons[image["id"]]), **image} for image in kept]
    named = [c for c in file.content["categories"] if _id_of(c) == category]
    people = [person for group in persons.values() for person in group]
    return {**file.content, "images": kept, "annotations": people, "categories": named[:1]}


def _id_of(record):
    """Return the id of a record that may be broken; None if it has no integer id."""
    return record.get("id") if isinstance(record, dict) and type(record.get("id")) is int else None


def _crowd_index(persons: list[dict]) -> float:
    """Return the crowd index of an image, from the persons that count in its evaluation."""
    counting = [p for p in persons if p["num_keypoints"] > 0 and not p.get("iscrowd", 0)]
    if not counting:
        return 0.0
    keypoints = np.array([p["keypoints"] for p in counting], float)
    return crowd_index(keypoints.reshape(len(counting), -1, 3), [p["bbox"] for p in counting])


class _File(NamedTuple):
    """A checked file: its JSON, and images and persons by the images' ids."""

    content: dict[str, Any]
    images: dict[int, tuple[str, int, int]]  # file name, width, height
    persons: dict[int, list[PersonRecord]]  # in the order of the file
    categories: set[int]  # ids of those that have the skeleton's keypoints
    broken: list[str]  # what was left out, one line each


def _read(path: Path, skeleton: Skeleton, skip_broken: bool) -> _File:
    """Read and check a file of COCO's keypoint format.

    With skip_broken, a broken person with a box becomes a region: the photo shows the person, but
    nothing can be learnt from it, and a detection there counts neither for nor against a net.
    """
    content, broken = read_json(path), []
    report = _reporter(path, broken, skip_broken)
    images = image_sizes(content["images"], report)
    categories = category_ids(path, content, skeleton)
    persons: dict[int, list[PersonRecord]] = {number: [] for number in images}
    told = {_id_of(image) for image in content["images"]} - set(images)  # reported already
    for number, fields in enumerate(content["annotations"]):
        try:
            where = field_of(fields, "image_id", int)
            if where in told or field_of(fields, "category_id", int) not in categories:
                continue
            if where not in images:
                raise ValueError(f"image_id {where} is not among images")
            persons[where].append(check_person(fields, where, images[where], skeleton))
        except ValueError as error:
            report(_name(fields, number), error)
            with contextlib.suppress(ValueError, KeyError):
                where = field_of(fields, "image_id", int)
                persons[where].append(hide_person(fields, where, skeleton))
    _warn_of_areas(path, persons)
    return _File(content, images, persons, categories, broken)


def _reporter(path: Path, broken: list[str], skip_broken: bool) -> Callable:
    """Return a function that raises for a broken record, or notes it in `broken` to skip it."""

    def report(record: str, error: ValueError):
        message = f"{path}: {record}: {error}"
        if not skip_broken:
            raise ValueError(f"{message}; {ADVICE}") from None
        broken.append(message)

    return report


def _name(person, number: int) -> str:
    """Return how messages refer to an annotation: by its id or, without one, by its position."""
    named = isinstance(person, dict) and "id" in person
    return f"annotation {short_repr(person['id'])}" if named else f"annotation no. {number}"


def _warn_of_areas(path: Path, persons: dict[int, list[PersonRecord]]) -> None:
    """Warn if labelled persons have areas or boxes that contradict each other, and say how many."""
    count = sum(area_contradicts(person) for group in persons.values() for person in group)
    if count:
        warnings.warn(
            f"{path}: the area of {count} labelled persons is 0, or contradicts their box, or the "
            "box their joints, by orders of magnitude; COCO's OKS is measured by it, and AP will "
            "be wrong: mend area and bbox; where area is left out, 0.53 × box is taken",
            stacklevel=4,
        )
