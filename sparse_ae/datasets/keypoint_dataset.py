"""People keypoints in COCO format as a data set: COCO, CrowdPose, written crowds, one's own."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from sparse_ae.datasets.annotations import ADVICE, Annotations, ground_truth, read_annotations
from sparse_ae.datasets.augment import jitter_colour, transform_boxes, transform_keypoints
from sparse_ae.datasets.loss_masks import loss_mask
from sparse_ae.datasets.pictures import (
    View,
    absent,
    aligned_view,
    random_view,
    read_and_warp,
    read_photo,
    whole_view,
)
from sparse_ae.skeleton import Skeleton, get_skeleton

LAYOUTS = {  # annotations and photos in the official folders
    "coco": ("annotations/person_keypoints_{}2017.json", "{}2017"),
    "crowdpose": ("json/crowdpose_{}.json", "images"),
}


class Sample(NamedTuple):
    """A view of a photo, and its P labelled persons; the fields of `augment.Example`, and more.

    image (H, W, 3) uint8, red first; keypoints (P, K, 3) x, y, v in its pixels, zeros for a joint
    outside the view; boxes (P, 4) x, y, width, height, cut at the view; mask (H, W) bool, False
    where the loss is not to look; scale (P,) sqrt(box area)/side of the view, of the whole turned
    box, as the released code measures it; matrix (2, 3), from pixels of the photo to the view's;
    id: of the image.
    """

    image: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray
    mask: np.ndarray
    scale: np.ndarray
    matrix: np.ndarray
    id: int


def data_folder() -> Path:
    """Where the real data sets are: SPARSE_AE_DATA, by default `data`."""
    return Path(os.environ.get("SPARSE_AE_DATA") or "data")


class KeypointDataset(Dataset):
    """Photos with people.

    annotations: a JSON file of COCO's keypoint format; images: the folder of its photos.
    size: side of a view, pixels. view: how views are drawn at random; None for the whole photo in
    the middle of a square. A view depends on `seed`, the epoch (`set_epoch`) and the photo alone,
    not on the number of workers. empty: keep photos without a labelled person; by default without
    `view` only, where detections on them are to count.

    skip_broken: leave out broken records and photos, and list them in `broken`, instead of a
    ValueError that names file, record and remedy. A photo that turns out broken when it is read is
    replaced by the next; one that does not exist is left out from the start.
    """

    def __init__(
        self, annotations, images, skeleton: Skeleton, *, size: int = 512, view: View | None = None,
        seed: int = 0, empty: bool | None = None, skip_broken: bool = False,
    ):  # fmt: skip
        self.images, self.size, self.view, self.seed = Path(images), int(size), view, seed
        self.skip_broken = skip_broken
        found = read_annotations(annotations, skeleton, skip_broken=skip_broken)
        missing = _missing(found, self.images)
        if missing and not skip_broken:
            raise ValueError(f"{missing[min(missing)]}; {ADVICE}")
        alone = view is None if empty is None else empty
        kept = [i for i in range(len(found))
                if i not in missing and (alone or found.first[i] < found.first[i + 1])]  # fmt: skip
        if not kept:
            raise ValueError(f"{found.path}: no photo with a labelled person in {self.images}")
        self.annotations = found.only(kept)
        self._missing = tuple(missing.values())
        # shared with the processes that load, persistent ones too
        self._unread = torch.zeros(len(kept), dtype=torch.bool).share_memory_()
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()

    @classmethod
    def official(cls, name: str, split: str, root=None, **options) -> KeypointDataset:
        """A split ("train", "val", …) of "coco" or "crowdpose" in its official folders.

        They lie in <root>/coco and <root>/crowdpose; root: by default `data_folder()`. options: as
        for the class. ValueError for another name, or where there is no such file.
        """
        if name not in LAYOUTS:
            raise ValueError(f"data set {name!r}: expected one of {', '.join(LAYOUTS)}")
        folder = (data_folder() if root is None else Path(root)) / name
        annotations, images = (folder / part.format(split) for part in LAYOUTS[name])
        if not annotations.is_file():
            raise ValueError(f"{annotations}: no such file; SPARSE_AE_DATA names its root folder")
        return cls(annotations, images, get_skeleton(name), **options)

    @property
    def skeleton(self) -> Skeleton:
        """Of the annotations."""
        return self.annotations.skeleton

    @property
    def broken(self) -> list[str]:
        """What was left out so far, a line each: records, missing photos, photos that could not be
        read, by whichever process."""
        lines = [*self.annotations.broken, *self._missing]
        for index in np.flatnonzero(self._unread.numpy()):
            try:
                read_photo(self.path(index), *map(int, self.annotations.sizes[index]))
            except ValueError as error:
                lines.append(self._blame(index, error))
        return lines

    def set_epoch(self, epoch: int):
        """From now on, draw the views of this epoch; to be called before its loop begins."""
        self._epoch[0] = epoch

    def view_in(self, epoch: int, index: int) -> Sample:
        """What a photo gives in an epoch, whatever `set_epoch` was told."""
        return self._next_readable(index, lambda i: self._square(i, epoch))

    def only(self, kept: Sequence[int]) -> KeypointDataset:
        """The photos with these indices, as a data set of its own."""
        part = copy.copy(self)
        part.annotations = self.annotations.only(kept)
        part._unread = self._unread[list(kept)].clone().share_memory_()
        return part

    def path(self, index: int) -> Path:
        """The file of a photo."""
        return self.images / self.annotations.names[index]

    def ground_truth(self, *, crowd: bool = False) -> dict:
        """What `metrics.keypoint_ap` compares detections in these photos with; crowd: for
        CrowdPose's evaluation."""
        ids = self.annotations.ids[~self._unread.numpy()]
        options = {"crowd": crowd, "skip_broken": self.skip_broken}
        return ground_truth(self.annotations.path, self.skeleton, ids, **options)

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"photo {index} of {len(self)}")
        return self._next_readable(int(index) % len(self), self._square)

    def aligned(self, index: int) -> Sample:
        """A photo as the paper tests on it: `size` on the short side (`photos.aligned_view`)."""
        return self._next_readable(index, lambda i: self._see(i, *self._aligned(i)))

    def whole(self, index: int) -> tuple[np.ndarray, int]:
        """A photo as it is, (h, w, 3) uint8, red first, and the id of the image. With skip_broken
        it may be of the next photo that is whole: the id tells."""

        def load(i):
            photo = read_photo(self.path(i), *self.annotations.sizes[i].tolist())[0]
            return cv2.cvtColor(photo, cv2.COLOR_BGR2RGB), int(self.annotations.ids[i])

        return self._next_readable(index, load)

    def _aligned(self, index: int):
        matrix, shape = aligned_view(*self.annotations.sizes[index].tolist(), self.size)
        return matrix, False, shape

    def _square(self, index: int, epoch: int | None = None) -> Sample:
        """The square view of a photo."""
        width, height = self.annotations.sizes[index].tolist()
        shape = (self.size, self.size)
        if self.view is None:
            return self._see(index, whole_view(width, height, self.size), False, shape)
        epoch = int(self._epoch[0]) if epoch is None else epoch
        rng = np.random.default_rng([self.seed, epoch, index])
        matrix, mirrored = random_view(width, height, self.size, rng, self.view)
        sample = self._see(index, matrix, mirrored, shape)
        if self.view.colour:
            sample = sample._replace(image=jitter_colour(sample.image, rng, self.view.colour))
        return sample

    def _see(self, index: int, matrix: np.ndarray, mirrored: bool, shape) -> Sample:
        """A photo through one affine: its pixels, joints, boxes and mask."""
        width, height = self.annotations.sizes[index].tolist()
        keypoints, boxes = self.annotations.persons(index)
        factor = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
        return Sample(
            read_and_warp(self.path(index), width, height, matrix, shape),
            transform_keypoints(keypoints, matrix, mirrored, self.skeleton, shape),
            transform_boxes(boxes, matrix, shape),
            loss_mask(self.annotations.regions[index], boxes, matrix, shape),
            (factor / min(shape) * np.sqrt(boxes[:, 2] * boxes[:, 3])).astype(np.float32),
            matrix,
            int(self.annotations.ids[index]),
        )

    def _next_readable(self, index: int, load) -> Sample:
        """load(index), or of the next photo that is whole, with skip_broken."""
        for i in (*range(index, len(self)), *range(index)):
            try:
                if not self._unread[i]:
                    return load(i)
            except ValueError as error:
                if not self.skip_broken:
                    raise ValueError(f"{self._blame(i, error)}; {ADVICE}") from None
                self._unread[i] = True
        raise ValueError(f"{self.images}: no photo of {self.annotations.path} can be read")

    def _blame(self, index: int, error: ValueError) -> str:
        """An error of reading, with the record that names the file."""
        return f"{error} ({self.annotations.path}: image {self.annotations.ids[index]})"


def in_worker(_number: int = 0):
    """For a DataLoader's `worker_init_fn`: one thread a process, for there is a process a core."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def as_list(samples: Sequence[Sample]) -> list[Sample]:
    """For a DataLoader's `collate_fn`: samples as they are; `batches.collate` makes a batch."""
    return list(samples)


def _missing(found: Annotations, folder: Path) -> dict[int, str]:
    """Photos that cannot be taken from the folder, by index, with the reason and the record."""
    reasons = absent(folder, found.names)
    return {i: f"{reason} ({found.path}: image {found.ids[i]})" for i, reason in reasons.items()}
