"""Annotations in COCO's keypoint format, read and checked: COCO, CrowdPose, or one's own.

Every message names the file, the record and what is wrong with it. Arrays, not dictionaries, are
what is kept: COCO's quarter of a million persons are shared by all processes that load photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sparse_ae.datasets.annotation_file import ADVICE as ADVICE  # data sets read it here
from sparse_ae.datasets.annotation_file import PersonRecord, read_annotation_file
from sparse_ae.metrics.average_precision import CROWD_AREA
from sparse_ae.metrics.crowding import crowd_index
from sparse_ae.skeleton import Skeleton


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
    """Read the annotations in a JSON file of COCO's keypoint format.

    A person is labelled if one of its joints is (v > 0), whatever its num_keypoints says, which
    CrowdPose counts by a rule of its own, and if it is no crowd (iscrowd). The others become
    regions: crowds, and persons whose keypoints are zeros, an empty list, or missing.

    Categories with the skeleton's keypoints are read as one. A warning counts the labelled persons
    whose area is 0 or contradicts their box.

    Args:
        path: of the JSON.
        skeleton: what its K keypoints are.
        skip_broken: leave out broken records, and list them in `broken`. A broken person with a
            box becomes a region. Of images that share an id all are left out, with their persons.

    Returns:
        The `Annotations`.

    Raises:
        ValueError: for a file that is missing, cut short or of another format or skeleton; and for
            a record that is broken: a file name that leaves its folder, an annotation without its
            image, keypoints of the wrong length, NaN, …
    """
    path = Path(path)
    _, images, persons, _, broken = read_annotation_file(path, skeleton, skip_broken)
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

    The file is read as by `read_annotations`. Where a person has no area, as in CrowdPose, it is
    0.53 × box width × height; where it has no num_keypoints, the number of labelled joints.
    CrowdPose's own num_keypoints stay: it gives 0 to persons with few labelled joints, its
    evaluation leaves them out, and so do published figures. Persons without keypoints get zeros,
    and do not count. Where several categories have the skeleton's keypoints, all persons get the
    lowest id among them.

    Args:
        path: of the JSON.
        skeleton: what its K keypoints are.
        images: ids of those that were looked at, by default all.
        crowd: for CrowdPose's evaluation; crowdIndex is computed where it is missing.
        skip_broken: leave broken records out. A broken person with a box stays as one that does
            not count, as training leaves its box out of the loss.

    Returns:
        A dict in COCO format, with one category.

    Raises:
        ValueError: as `read_annotations`.
    """
    path = Path(path)
    file = read_annotation_file(path, skeleton, skip_broken)
    chosen = set(file.images) if images is None else set(file.images) & {int(i) for i in images}
    category = min(file.categories)
    persons = {
        number: [_as_truth(person, category) for person in group]
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
    """Return the id of a record that may be broken, None if it has none."""
    return record.get("id") if isinstance(record, dict) and type(record.get("id")) is int else None


def _as_truth(person: PersonRecord, category: int) -> dict:
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


def _crowd_index(persons: list[dict]) -> float:
    """Return the crowd index of an image, from the persons that count in its evaluation."""
    counting = [p for p in persons if p["num_keypoints"] > 0 and not p.get("iscrowd", 0)]
    if not counting:
        return 0.0
    keypoints = np.array([p["keypoints"] for p in counting], float)
    return crowd_index(keypoints.reshape(len(counting), -1, 3), [p["bbox"] for p in counting])
