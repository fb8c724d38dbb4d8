"""Photos with keypoints in COCO's format: COCO, CrowdPose, written crowds, or your own."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from multiprocessing.sharedctypes import RawArray
from pathlib import Path

import numpy as np

from sparse_ae.datasets.annotations import ADVICE, Annotations, ground_truth, read_annotations
from sparse_ae.datasets.augment import transform_boxes, transform_keypoints
from sparse_ae.datasets.dataset import PoseDataset, Sample, view_scale
from sparse_ae.datasets.loss_masks import loss_mask
from sparse_ae.datasets.pictures import absent, read_and_warp, read_photo
from sparse_ae.skeleton import Skeleton, get_skeleton

LAYOUTS = {  # annotations and photos in the official folders
    "coco": ("annotations/person_keypoints_{}2017.json", "{}2017"),
    "crowdpose": ("json/crowdpose_{}.json", "images"),
}


def data_folder() -> Path:
    """Return the folder of the real data sets: SPARSE_AE_DATA, by default `data`."""
    return Path(os.environ.get("SPARSE_AE_DATA") or "data")


class KeypointDataset(PoseDataset):
    """Photos with people, annotated in COCO's keypoint format.

    Args:
        annotations: A JSON file of COCO's keypoint format.
        images: The folder of its photos.
        skeleton: The K keypoints of the annotations.
        empty: Whether to keep photos without a labelled person: they teach nothing, but detections
            in them count against a net.
        as_crowds: Whether to evaluate as CrowdPose does.
        skip_broken: Whether to leave out broken records and photos, and list them in `broken`,
            instead of raising ValueError. Missing photos are left out from the start; a photo that
            proves broken when it is read is replaced by the next.

    Raises:
        ValueError: The annotation file is missing or broken, or has no usable photo.

    Example:
        >>> data = KeypointDataset("people.json", "photos", get_skeleton("coco"))  # doctest: +SKIP
        >>> data[0].keypoints.shape  # doctest: +SKIP
        (2, 17, 3)
    """

    def __init__(
        self, annotations: str | Path, images: str | Path, skeleton: Skeleton, *,
        empty: bool = True, as_crowds: bool = False, skip_broken: bool = False,
    ):  # fmt: skip
        self.images, self.skeleton = Path(images), skeleton
        self.as_crowds, self.skip_broken = as_crowds, skip_broken
        found = read_annotations(annotations, skeleton, skip_broken=skip_broken)
        missing = _missing(found, self.images)
        if missing and not skip_broken:
            raise ValueError(f"{missing[min(missing)]}; {ADVICE}")
        kept = [i for i in range(len(found))
                if i not in missing and (empty or found.first[i] < found.first[i + 1])]  # fmt: skip
        if not kept:
            raise ValueError(f"{found.path}: no photo with a labelled person in {self.images}")
        self.annotations = found.only(kept)
        self._missing = tuple(missing.values())
        # shared memory: processes that load photos, persistent ones too, mark broken ones in it
        self._flags = RawArray("B", len(kept))

    @classmethod
    def official(
        cls, name: str, split: str, root: str | Path | None = None, **options
    ) -> KeypointDataset:
        """Open a split ("train", "val", ...) of "coco" or "crowdpose" in its official folders.

        Args:
            name: "coco" or "crowdpose", which lie in <root>/coco and <root>/crowdpose.
            split: Name of the split in the official files.
            root: Root folder; by default `data_folder()`.
            options: Keyword arguments of the class.

        Raises:
            ValueError: The name is unknown, or the annotation file does not exist.
        """
        if name not in LAYOUTS:
            raise ValueError(f"data set {name!r}: expected one of {', '.join(LAYOUTS)}")
        folder = (data_folder() if root is None else Path(root)) / name
        annotations, images = (folder / part.format(split) for part in LAYOUTS[name])
        if not annotations.is_file():
            raise ValueError(f"{annotations}: no such file; SPARSE_AE_DATA names its root folder")
        options = {"as_crowds": name == "crowdpose", **options}
        return cls(annotations, images, get_skeleton(name), **options)

    @property
    def ids(self) -> np.ndarray:
        """(N,) ids of the photos."""
        return self.annotations.ids

    @property
    def sizes(self) -> np.ndarray:
        """(N, 2) widths and heights of the photos."""
        return self.annotations.sizes

    @cached_property
    def digest(self) -> str:
        """Hash of the annotation file and of the ids of the photos in use."""
        content = hashlib.sha256(self.annotations.path.read_bytes())
        content.update(np.asarray(self.ids, np.int64).tobytes())
        return content.hexdigest()[:16]

    @property
    def broken(self) -> list[str]:
        """What was left out so far, one line each.

        These are broken records, missing photos, and photos that any process could not read.
        """
        lines = [*self.annotations.broken, *self._missing]
        for index in np.flatnonzero(self._unread):
            try:
                read_photo(self.path(index), *map(int, self.sizes[index]))
            except ValueError as error:
                lines.append(self._blame(index, error))
        return lines

    @property
    def _unread(self) -> np.ndarray:
        """(N,) uint8, not 0 for photos that could not be read."""
        return np.frombuffer(self._flags, np.uint8)

    def only(self, kept: Sequence[int]) -> KeypointDataset:
        """Return a data set of the photos with these indices."""
        part = copy.copy(self)
        part.__dict__.pop("digest", None)
        part.annotations = self.annotations.only(kept)
        part._flags = RawArray("B", self._unread[list(kept)].tolist())
        return part

    def path(self, index: int) -> Path:
        """Return the path of a photo."""
        return self.images / self.annotations.names[index]

    def view(self, index, matrix, mirrored, shape) -> Sample:
        """Return a photo with its joints, boxes and mask, all warped by one affine."""
        width, height = self.sizes[index].tolist()
        keypoints, boxes = self.annotations.persons(index)
        return Sample(
            read_and_warp(self.path(index), width, height, matrix, shape),
            transform_keypoints(keypoints, matrix, mirrored, self.skeleton, shape),
            transform_boxes(boxes, matrix, shape),
            view_scale(matrix, boxes, shape),
            loss_mask(self.annotations.regions[index], boxes, matrix, shape),
            matrix,
            int(self.ids[index]),
        )

    def ground_truth(self) -> dict:
        """Return the annotations of the photos that could be read so far.

        Images have the crowdIndex of the file or, where it is missing, a computed one.
        """
        ids = self.ids[self._unread == 0]
        options = {"crowd": True, "skip_broken": self.skip_broken}
        return ground_truth(self.annotations.path, self.skeleton, ids, **options)

    def readable(self, index, load) -> Sample:
        """Return load(index) or, with skip_broken, that of the next photo that can be read."""
        for i in (*range(index, len(self)), *range(index)):
            try:
                if not self._unread[i]:
                    return load(i)
            except ValueError as error:
                if not self.skip_broken:
                    raise ValueError(f"{self._blame(i, error)}; {ADVICE}") from None
                self._unread[i] = 1
        raise ValueError(f"{self.images}: no photo of {self.annotations.path} can be read")

    def _blame(self, index: int, error: ValueError) -> str:
        """Return the text of a reading error, with the record that names the photo."""
        return f"{error} ({self.annotations.path}: image {self.ids[index]})"


def _missing(found: Annotations, folder: Path) -> dict[int, str]:
    """Return why the folder does not provide photos, by index, with the record that names each."""
    reasons = absent(folder, found.names)
    return {i: f"{reason} ({found.path}: image {found.ids[i]})" for i, reason in reasons.items()}
