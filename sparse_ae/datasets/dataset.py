"""The interface of all data sets of images with people, and data sets joined for training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from sparse_ae.datasets.augment import jitter_colour, random_view
from sparse_ae.settings.sections import AugmentSettings
from sparse_ae.skeleton import Skeleton


class Sample(NamedTuple):
    """An image, or a view of one, and its P labelled persons.

    Attributes:
        image: (H, W, 3) uint8, red first.
        keypoints: (P, K, 3) x, y, v in pixels of the view, centres at integers; zeros for joints
            outside it.
        boxes: (P, 4) x, y, width, height, clipped to the view.
        scale: (P,) sqrt(area of the whole box) / short side of the view, both in pixels of the
            view, as the released code measures it.
        mask: (H, W) bool, False where the loss ignores a pixel; None if it ignores none.
        matrix: (2, 3), from pixels of the whole image to pixels of the view.
        id: Id of the image.
    """

    image: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray
    scale: np.ndarray
    mask: np.ndarray | None
    matrix: np.ndarray
    id: int


class PoseDataset(ABC):
    """Base class of data sets: a sequence of `Sample`s.

    Attributes:
        skeleton: The K keypoints.
        ids: (N,) ids of the images.
        sizes: (N, 2) widths and heights of the images.
        digest: 16 hexadecimal digits that change with the images and labels.
        broken: What was left out so far, one line each.
        as_crowds: Whether to evaluate as CrowdPose does (area = 0.53 × box, no area ranges) instead
            of as COCO does.
    """

    skeleton: Skeleton
    ids: np.ndarray
    sizes: np.ndarray
    broken: list[str]
    as_crowds: bool

    @property
    @abstractmethod
    def digest(self) -> str:
        """Digest of the images and labels."""

    @abstractmethod
    def view(
        self, index: int, matrix: np.ndarray, mirrored: bool, shape: tuple[int, int]
    ) -> Sample:
        """Return an image and its labels, warped by an affine.

        Args:
            index: Position of the image.
            matrix: (2, 3), from pixels of the image to those of the view.
            mirrored: Whether the affine mirrors; left and right joints are then swapped.
            shape: (width, height) of the view, pixels.

        Raises:
            ValueError: The photo cannot be read.
        """

    @abstractmethod
    def ground_truth(self) -> dict:
        """Return annotations in COCO's format, and crowdIndex, for `metrics.keypoint_ap`."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        """Return the whole image, not warped."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        return self.readable(int(index) % len(self), self._whole)

    def random_view(
        self, index: int, size: int, augment: AugmentSettings, rng: np.random.Generator
    ) -> Sample:
        """Return a random square view for training, `size` pixels a side."""
        start = rng.bit_generator.state

        def load(i):
            rng.bit_generator.state = start  # a broken photo tried before must not use numbers up
            matrix, mirrored = random_view(*self.sizes[i].tolist(), size, rng, augment)
            sample = self.view(i, matrix, mirrored, (size, size))
            return sample._replace(image=jitter_colour(sample.image, rng, augment.colour))

        return self.readable(index, load)

    def readable(self, index: int, load: Callable[[int], Sample]) -> Sample:
        """Return load(index); data sets that leave out broken photos may load another one."""
        return load(index)

    def _whole(self, index: int) -> Sample:
        return self.view(index, np.eye(2, 3), False, tuple(self.sizes[index].tolist()))


def view_scale(matrix: np.ndarray, boxes: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return `Sample.scale` (P,) of persons, from their whole boxes (P, 4) in the image."""
    factor = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return (factor / min(shape) * np.sqrt(boxes[:, 2] * boxes[:, 3])).astype(np.float32)


class Concatenated(PoseDataset):
    """Several data sets with one skeleton, joined for training."""

    def __init__(self, parts: Sequence[PoseDataset]):
        self.parts, self.skeleton, self.as_crowds = parts, parts[0].skeleton, parts[0].as_crowds
        self.ids = np.concatenate([part.ids for part in parts])
        self.sizes = np.concatenate([part.sizes for part in parts])
        self._starts = np.cumsum([0, *map(len, parts)])

    @property
    def digest(self) -> str:
        """The digests of the parts, joined by "+"."""
        return "+".join(part.digest for part in self.parts)

    @property
    def broken(self) -> list[str]:
        """What all parts left out so far, one line each."""
        return [line for part in self.parts for line in part.broken]

    def _part(self, index: int) -> tuple[PoseDataset, int]:
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self.parts[number], int(index - self._starts[number])

    def view(self, index, matrix, mirrored, shape) -> Sample:
        """Return a view from the part that holds the image."""
        part, inner = self._part(index)
        return part.view(inner, matrix, mirrored, shape)

    def readable(self, index, load) -> Sample:
        """Return load(index) or, if that is broken, what its part loads instead."""
        part, inner = self._part(index)
        return part.readable(inner, lambda i: load(i + index - inner))

    def ground_truth(self) -> dict:
        """Raise ValueError: several annotation files have no common ground truth."""
        raise ValueError("ground truth: ask each data set for its own; several were joined")
