"""Annotations in COCO's keypoint format, read and checked: COCO, CrowdPose, or one's own.

Every message names the file, the record and what is wrong with it. Arrays, not dictionaries, are
what is kept: COCO's quarter of a million persons are shared by all processes that load photos.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sparse_ae.average_precision import CROWD_AREA
from sparse_ae.crowding import crowd_index
from sparse_ae.records import (
    box_of,
    category_ids,
    field_of,
    image_sizes,
    keypoints_of,
    read_json,
)
from sparse_ae.regions import read_region
from sparse_ae.skeleton import Skeleton

ADVICE = "mend it, or leave it out with skip_broken=True"


@dataclass(frozen=True, eq=False)
class Annotations:
    """I photos and their N labelled persons.

    path: the JSON file. ids: (I,) int64. names: I file names, relative to the folder of photos.
    sizes: (I, 2) width, height, pixels. first: (I + 1,) where each photo's persons begin.
    keypoints: (N, K, 3) float32 x, y, v. boxes: (N, 4) float32 x, y, width, height, pixels.
    regions: for each photo, where the loss is not to look (`regions.read_region`): crowds, and
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
    categories = category_ids(path, content, skeleton)
    broken: list[str] = []

    def report(record: str, error: ValueError):
        message = f"{path}: {record}: {error}"
        if not skip_broken:
            raise ValueError(f"{message}; {ADVICE}") from None
        broken.append(message)

    images = image_sizes(content["images"], report)
    people: dict[int, list] = {i: [] for i in images}
    regions: dict[int, list] = {i: [] for i in images}
    dropped = [image.get("id") for image in content["images"] if isinstance(image, dict)]
    dropped = {key for key in dropped if isinstance(key, int)} - set(images)
    for number, person in enumerate(content["annotations"]):
        try:
            where = field_of(person, "image_id", int)
            if where not in images:
                if where in dropped:  # its image is broken, and reported
                    continue
                raise ValueError(f"image_id {where} is not among images")
            if field_of(person, "category_id", int) not in categories:
                continue
            entry = images[where]
            box = box_of(person)
            keypoints = keypoints_of(person, len(skeleton))
            if keypoints[:, 2].any() and not person.get("iscrowd", 0):
                people[where].append((keypoints, box))
            else:
                regions[where] += read_region(person.get("segmentation"), box, *entry[1:])
        except ValueError as error:
            name = person.get("id", "without id") if isinstance(person, dict) else f"no. {number}"
            report(f"annotation {name}", error)
            with contextlib.suppress(ValueError, KeyError):  # it is seen, if it cannot be used
                regions[field_of(person, "image_id", int)].append(box_of(person))
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


def ground_truth(path, images=None, *, crowd: bool = False) -> dict:
    """The annotations of a JSON file as `metrics.keypoint_ap` takes them.

    images: ids of those that were looked at, by default all. crowd: for CrowdPose's evaluation;
    crowdIndex is computed where it is missing.

    Where a person has no area, as in CrowdPose, it is 0.53 × box width × height; where it has no
    num_keypoints, the number of labelled joints. CrowdPose's own num_keypoints stay: it gives 0 to
    persons with few labelled joints, its evaluation leaves them out, and so do published figures.

    ValueError as for `read_annotations` on the file as a whole.
    """
    content = read_json(Path(path))
    chosen = None if images is None else {int(i) for i in images}
    kept = [image for image in content["images"] if chosen is None or image["id"] in chosen]
    ids = {image["id"] for image in kept}
    persons: dict[int, list[dict]] = {i: [] for i in ids}
    for person in content["annotations"]:
        if person["image_id"] not in ids:
            continue
        width, height = person["bbox"][2:]
        labelled = sum(v > 0 for v in person["keypoints"][2::3])
        filled = {"area": CROWD_AREA * width * height, "num_keypoints": labelled, **person}
        persons[person["image_id"]].append(filled)
    if crowd:
        kept = [{"crowdIndex": _crowd_index(persons[image["id"]]), **image} for image in kept]
    found = [person for group in persons.values() for person in group]
    return {**content, "images": kept, "annotations": found}


def _crowd_index(persons: list[dict]) -> float:
    """The crowd index of an image, from the persons that count in its evaluation."""
    counting = [p for p in persons if p["num_keypoints"] > 0 and not p.get("iscrowd", 0)]
    if not counting:
        return 0.0
    keypoints = np.array([p["keypoints"] for p in counting], float)
    return crowd_index(keypoints.reshape(len(counting), -1, 3), [p["bbox"] for p in counting])
