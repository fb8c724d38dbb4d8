"""Annotations in COCO's keypoint format, read and checked: COCO, CrowdPose, or one's own.

Every message names the file, the record and what is wrong with it. Arrays, not dictionaries, are
what is kept: COCO's quarter of a million persons are shared by all processes that load photos.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
from sparse_ae.datasets.loss_masks import read_region
from sparse_ae.metrics.average_precision import CROWD_AREA
from sparse_ae.metrics.crowding import crowd_index
from sparse_ae.runtime.values import short_repr
from sparse_ae.skeleton import Skeleton

ADVICE = "mend it, or leave it out with skip_broken=True"


@dataclass(frozen=True, eq=False)
class Annotations:
    """I photos and their N labelled persons.

    path: the JSON file. ids: (I,) int64. names: I file names, relative to the folder of photos.
    sizes: (I, 2) width, height, pixels. first: (I + 1,) where each photo's persons begin.
    keypoints: (N, K, 3) float32 x, y, v. boxes: (N, 4) float32 x, y, width, height, pixels.
    regions: for each photo, where the loss is not to look (`loss_masks.read_region`): crowds, and
    persons without a labelled joint. broken: what was left out with skip_broken, a line each.
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
        """Keypoints (P, K, 3) and boxes (P, 4) of a photo's labelled persons."""
        rows = slice(self.first[index], self.first[index + 1])
        return self.keypoints[rows], self.boxes[rows]

    def only(self, kept: Sequence[int]) -> Annotations:
        """The photos with these indices, in this order."""
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
    """The annotations in a JSON file of COCO's keypoint format.

    A person is labelled if one of its joints is (v > 0), whatever its num_keypoints says, which
    CrowdPose counts by a rule of its own, and if it is no crowd (iscrowd). The others become
    regions.

    ValueError for a file that is missing, cut short or of another format or skeleton; and for a
    record that is broken: a file name that leaves its folder, an annotation without its image,
    keypoints of the wrong length, NaN, … With skip_broken these are left out, and listed in
    `broken`; a person with a box becomes a region.
    """
    path = Path(path)
    content = read_json(path)
    broken: list[str] = []
    report = _reporter(path, broken, skip_broken)
    images = image_sizes(content["images"], report)
    people, regions = _sorted_out(path, content, skeleton, images, report)
    rows = [row for found in people.values() for row in found]
    return Annotations(
        path,
        skeleton,
        np.array(list(images), np.int64),
        tuple(name for name, *_ in images.values()),
        np.array([size for _, *size in images.values()], np.int64).reshape(-1, 2),
        np.cumsum([0, *map(len, people.values())]),
        np.array([k for k, _ in rows], np.float32).reshape(-1, len(skeleton), 3),
        np.array([b for _, b in rows], np.float32).reshape(-1, 4),
        tuple(map(tuple, regions.values())),
        tuple(broken),
    )


def _reporter(path: Path, broken: list[str], skip_broken: bool) -> Callable:
    """What to do about a broken record: raise, or note it in `broken`."""

    def report(record: str, error: ValueError):
        message = f"{path}: {record}: {error}"
        if not skip_broken:
            raise ValueError(f"{message}; {ADVICE}") from None
        broken.append(message)

    return report


def _sorted_out(path: Path, content: dict, skeleton: Skeleton, images: dict, report: Callable):
    """The labelled persons (keypoints, box) and the regions of each image."""
    categories = category_ids(path, content, skeleton)
    people: dict[int, list] = {i: [] for i in images}
    regions: dict[int, list] = {i: [] for i in images}
    broken = _ids(content["images"]) - set(images)  # images that are reported already
    for number, person in enumerate(content["annotations"]):
        try:
            where = field_of(person, "image_id", int)
            if where in broken or field_of(person, "category_id", int) not in categories:
                continue
            if where not in images:
                raise ValueError(f"image_id {where} is not among images")
            box = box_of(person)
            keypoints = keypoints_of(person, len(skeleton))
            if keypoints[:, 2].any() and not person.get("iscrowd", 0):
                people[where].append((keypoints, box))
            else:
                size = images[where][1:]
                regions[where] += read_region(person.get("segmentation"), box, *size)
        except ValueError as error:
            report(_name(person, number), error)
            with contextlib.suppress(ValueError, KeyError):  # it is seen, if it cannot be used
                regions[field_of(person, "image_id", int)].append(box_of(person))
    return people, regions


def _ids(images: list) -> set[int]:
    """The ids of image records, broken ones too."""
    ids = [image.get("id") for image in images if isinstance(image, dict)]
    return {key for key in ids if isinstance(key, int)}


def _name(person, number: int) -> str:
    """What a message calls an annotation."""
    named = isinstance(person, dict) and "id" in person
    return f"annotation {short_repr(person['id'])}" if named else f"annotation no. {number}"


def ground_truth(
    path, skeleton: Skeleton, images=None, *, crowd: bool = False, skip_broken: bool = False
) -> dict:
    """The annotations of a JSON file as `metrics.keypoint_ap` takes them.

    images: ids of those that were looked at, by default all. crowd: for CrowdPose's evaluation;
    crowdIndex is computed where it is missing.

    Where a person has no area, as in CrowdPose, it is 0.53 × box width × height; where it has no
    num_keypoints, the number of labelled joints. CrowdPose's own num_keypoints stay: it gives 0 to
    persons with few labelled joints, its evaluation leaves them out, and so do published figures.

    ValueError as for `read_annotations`; with skip_broken, broken records are left out.
    """
    path = Path(path)
    content = read_json(path)
    report = _reporter(path, [], skip_broken)
    sizes = image_sizes(content["images"], report)
    chosen = set(sizes) if images is None else set(sizes) & {int(i) for i in images}
    categories = category_ids(path, content, skeleton)
    persons: dict[int, list[dict]] = {i: [] for i in sizes if i in chosen}
    others = _ids(content["images"]) - chosen
    for number, person in enumerate(content["annotations"]):
        try:
            where = field_of(person, "image_id", int)
            if where in others or field_of(person, "category_id", int) not in categories:
                continue
            if where not in chosen:
                raise ValueError(f"image_id {where} is not among images")
            box_of(person)
            area = CROWD_AREA * person["bbox"][2] * person["bbox"][3]
            keypoints = keypoints_of(person, len(skeleton))
            for field in ("area", "num_keypoints"):
                count_of(person, field)
        except ValueError as error:
            report(_name(person, number), error)
            continue
        filled = {"area": area, "num_keypoints": int((keypoints[:, 2] > 0).sum())}
        persons[where].append({**filled, "keypoints": keypoints.ravel().tolist(), **person})
    found = {image["id"]: image for image in content["images"] if _ids([image]) & chosen}
    kept = [found[i] for i in persons]
    if crowd:
        kept = [{"crowdIndex": _crowd_index(persons[image["id"]]), **image} for image in kept]
        for image in kept:
            _named(path, image, "crowdIndex")
    named = [c for c in content["categories"] if isinstance(c, dict) and c.get("id") in categories]
    people = [person for group in persons.values() for person in group]
    return {**content, "images": kept, "annotations": people, "categories": named}


def _named(path: Path, image: dict, field: str) -> None:
    try:
        count_of(image, field)
    except ValueError as error:
        raise ValueError(f"{path}: image {image['id']}: {error}") from None


def _crowd_index(persons: list[dict]) -> float:
    """The crowd index of an image, from the persons that count in its evaluation."""
    counting = [p for p in persons if p["num_keypoints"] > 0 and not p.get("iscrowd", 0)]
    if not counting:
        return 0.0
    keypoints = np.array([p["keypoints"] for p in counting], float)
    return crowd_index(keypoints.reshape(len(counting), -1, 3), [p["bbox"] for p in counting])
