"""People keypoints in COCO's format as a data set: COCO, CrowdPose, written crowds, one's own."""

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
    """Photos with people.

    Args:
        annotations: A JSON file of COCO's keypoint format.
        images: The folder of its photos.
        skeleton: What its K keypoints are.
        empty: Keep photos without a labelled person: detections in them count against a net, but
            they teach nothing.
        as_crowds: Evaluate as CrowdPose does.
        skip_broken: Leave out broken records and photos, and list them in `broken`, instead of a
            ValueError that names file, record and remedy. A photo that turns out broken when it is
            read is replaced by the next; one that does not exist is left out from the start.

    Raises:
        ValueError: For a file that is missing or broken, or without a photo that can be used.

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
        # shared with the processes that load, persistent ones too
        self._flags = RawArray("B", len(kept))

    @classmethod
    def official(
        cls, name: str, split: str, root: str | Path | None = None, **options
    ) -> KeypointDataset:
        """Open a split ("train", "val", ...) of "coco" or "crowdpose" in its official folders.

        Args:
            name: They lie in <root>/coco and <root>/crowdpose.
            split: As the official files call it.
            root: By default `data_folder()`.
            options: As for the class.

        Raises:
            ValueError: For another name, or where there is no such file.
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
        """(N,) of the photos."""
        return self.annotations.ids

    @property
    def sizes(self) -> np.ndarray:
        """(N, 2) widths and heights of the photos."""
        return self.annotations.sizes

    @cached_property
    def digest(self) -> str:
        """Of the annotation file, and of which of its photos there are."""
        content = hashlib.sha256(self.annotations.path.read_bytes())
        content.update(np.asarray(self.ids, np.int64).tobytes())
        return content.hexdigest()[:16]

    @property
    def broken(self) -> list[str]:
        """What was left out so far, a line each: records, missing photos, photos that could not be
        read, by whichever process."""
        lines = [*self.annotations.broken, *self._missing]
        for index in np.flatnonzero(self._unread):
            try:
                read_photo(self.path(index), *map(int, self.sizes[index]))
            except ValueError as error:
                lines.append(self._blame(index, error))
        return lines

    @property
    def _unread(self) -> np.ndarray:
        """(N,) not 0 for photos that could not be read."""
        return np.frombuffer(self._flags, np.uint8)

    def only(self, kept: Sequence[int]) -> KeypointDataset:
        """Return the photos with these indices, as a data set of its own."""
        part = copy.copy(self)
        part.__dict__.pop("digest", None)
        part.annotations = self.annotations.only(kept)
        part._flags = RawArray("B", self._unread[list(kept)].tolist())
        return part

    def path(self, index: int) -> Path:
        """Return the file of a photo."""
        return self.images / self.annotations.names[index]

    def view(self, index, matrix, mirrored, shape) -> Sample:
        """Return a photo through one affine: its pixels, joints, boxes and mask."""
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
        """Return the annotations of the photos that could be read so far; images have the
        crowdIndex of the file, or one computed from it."""
        ids = self.ids[self._unread == 0]
        options = {"crowd": True, "skip_broken": self.skip_broken}
        return ground_truth(self.annotations.path, self.skeleton, ids, **options)

    def readable(self, index, load) -> Sample:
        """Return load(index), or, with skip_broken, of the next photo that is whole."""
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
        """An error of reading, with the record that names the file."""
        return f"{error} ({self.annotations.path}: image {self.ids[index]})"


def _missing(found: Annotations, folder: Path) -> dict[int, str]:
    """Photos that cannot be taken from the folder, by index, with the reason and the record."""
    reasons = absent(folder, found.names)
    return {i: f"{reason} ({found.path}: image {found.ids[i]})" for i, reason in reasons.items()}
