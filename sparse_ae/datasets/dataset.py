"""What every data set of images with people is: rendered crowds, photos, and both together."""

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
        keypoints: (P, K, 3) x, y, v in pixels of the view, centres at integers; zeros for a joint
            outside of it.
        boxes: (P, 4) x, y, width, height, cut at the view.
        scale: (P,) sqrt(box area) / short side of the view, of the whole turned box, as the
            released code measures it.
        mask: (H, W) bool, False where the loss must not look; None if it may look everywhere.
        matrix: (2, 3), from pixels of the whole image to pixels of the view.
        id: Of the image.
    """

    image: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray
    scale: np.ndarray
    mask: np.ndarray | None
    matrix: np.ndarray
    id: int


class PoseDataset(ABC):
    """A sequence of `Sample`: rendered crowds and photos alike.

    Attributes:
        skeleton: The K keypoints.
        ids: (N,) of the images.
        sizes: (N, 2) widths and heights of the images.
        digest: 16 hexadecimal digits that change with the images and labels.
        broken: What was left out so far, a line each.
        as_crowds: Evaluate as CrowdPose does (area = 0.53 × box, no area ranges), else as COCO.
    """

    skeleton: Skeleton
    ids: np.ndarray
    sizes: np.ndarray
    broken: list[str]
    as_crowds: bool

    @property
    @abstractmethod
    def digest(self) -> str:
        """Of images and labels."""

    @abstractmethod
    def view(
        self, index: int, matrix: np.ndarray, mirrored: bool, shape: tuple[int, int]
    ) -> Sample:
        """Return an image through an affine.

        Args:
            index: Of the image.
            matrix: (2, 3), from pixels of the image to those of the view.
            mirrored: Whether the affine mirrors: then left and right joints change places.
            shape: (width, height) of the view, pixels.

        Raises:
            ValueError: For a photo that cannot be read.
        """

    @abstractmethod
    def ground_truth(self) -> dict:
        """Return the annotations in COCO's format, as `metrics.keypoint_ap` takes them; images
        have a crowdIndex."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        """The whole image, as it is."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        return self.readable(int(index) % len(self), self._whole)

    def random_view(
        self, index: int, size: int, augment: AugmentSettings, rng: np.random.Generator
    ) -> Sample:
        """Return a random square view for training, `size` pixels a side."""

        def load(i):
            matrix, mirrored = random_view(*self.sizes[i].tolist(), size, rng, augment)
            sample = self.view(i, matrix, mirrored, (size, size))
            return sample._replace(image=jitter_colour(sample.image, rng, augment.colour))

        return self.readable(index, load)

    def readable(self, index: int, load: Callable[[int], Sample]) -> Sample:
        """Return load(index), or, where broken photos are left out, of the next one."""
        return load(index)

    def _whole(self, index: int) -> Sample:
        return self.view(index, np.eye(2, 3), False, tuple(self.sizes[index].tolist()))


def view_scale(matrix: np.ndarray, boxes: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """(P,) scales of persons, as `Sample.scale`, from their whole boxes (P, 4) in the image."""
    factor = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return (factor / min(shape) * np.sqrt(boxes[:, 2] * boxes[:, 3])).astype(np.float32)


class Concatenated(PoseDataset):
    """Several data sets of one skeleton, one after the other, to train on."""

    def __init__(self, parts: Sequence[PoseDataset]):
        self.parts, self.skeleton, self.as_crowds = parts, parts[0].skeleton, parts[0].as_crowds
        self.ids = np.concatenate([part.ids for part in parts])
        self.sizes = np.concatenate([part.sizes for part in parts])
        self._starts = np.cumsum([0, *map(len, parts)])

    @property
    def digest(self) -> str:
        """Those of the parts, joined."""
        return "+".join(part.digest for part in self.parts)

    @property
    def broken(self) -> list[str]:
        """Of all parts."""
        return [line for part in self.parts for line in part.broken]

    def _part(self, index: int) -> tuple[PoseDataset, int]:
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self.parts[number], int(index - self._starts[number])

    def view(self, index, matrix, mirrored, shape) -> Sample:
        """As of the part that has the image."""
        part, inner = self._part(index)
        return part.view(inner, matrix, mirrored, shape)

    def readable(self, index, load) -> Sample:
        """Another image of the same part, where one is broken."""
        part, inner = self._part(index)
        return part.readable(inner, lambda i: load(i + index - inner))

    def ground_truth(self) -> dict:
        """There is none of several files together."""
        raise ValueError("ground truth: of one file at a time")
