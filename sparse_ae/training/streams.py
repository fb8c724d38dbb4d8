"""The stream of batches that a run is trained on.

The seed and the number of a step alone decide which images the step has, and how each is augmented.
The number of workers, the processes that share a batch and earlier steps change nothing, so a run
resumes from the number of its step. The one exception is the view that replaces a broken photo: it
also depends on whether the photo was met before.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch

from sparse_ae.datasets.dataset import PoseDataset, Sample
from sparse_ae.runtime.distributed import rank_and_world_size
from sparse_ae.settings.sections import AugmentSettings
from sparse_ae.training.batches import Batch, Targets, collate
from sparse_ae.training.loaders import open_loader


class Stream:
    """Epochs of shuffled and augmented images, in batches.

    Args:
        dataset: The images of an epoch.
        augment: How they are augmented.
        size: Side of the views, pixels.
        targets: Which targets the network learns.
        batch: Images in a step, over all processes.
        steps: Number of steps in the whole run.
        seed: Seed of the run.
        mixed_in: Another data set with the same skeleton, and the share of the images that come
            from it instead.
        workers: Processes that load or render ahead; 0 to do it in this process.
        pinned: Whether to put batches in pinned memory, from which a GPU copies while it computes.
    """

    def __init__(
        self, dataset: PoseDataset, augment: AugmentSettings, size: int, targets: Targets, *,
        batch: int, steps: int, seed: int, mixed_in: tuple[PoseDataset, float] | None = None,
        workers: int = 0, pinned: bool = False,
    ):  # fmt: skip
        self.dataset, self.augment, self.size, self.targets = dataset, augment, size, targets
        self.batch, self.steps, self.seed, self.mixed_in = batch, steps, seed, mixed_in
        self.workers, self.pinned = workers, pinned

    def batches(self, done: int = 0) -> Iterator[Batch]:
        """Return this process's share of each batch, from step `done` on.

        Raises:
            ValueError: A batch cannot be divided equally among the processes.
        """
        rank, world_size = rank_and_world_size()
        if self.batch % world_size:
            raise ValueError(f"batch: {self.batch} images cannot be shared equally by {world_size} "
                             "processes")  # fmt: skip
        shares = _Shares(self, rank, self.batch // world_size)
        return open_loader(shares, range(done, self.steps), workers=self.workers,
                           pinned=self.pinned)  # fmt: skip

    def sample(self, position: int) -> Sample:
        """Return the view at a position in the sequence of all views of the run."""
        epoch, place = divmod(position, len(self.dataset))
        rng = np.random.default_rng([self.seed, 2, position])
        dataset, index = self.dataset, int(_order(self.seed, epoch, len(self.dataset))[place])
        if self.mixed_in is not None and rng.random() < self.mixed_in[1]:
            dataset = self.mixed_in[0]
            index = int(rng.integers(len(dataset)))
        return dataset.random_view(index, self.size, self.augment, rng)

    def broken(self) -> list[str]:
        """Return what the data has left out so far, one line each."""
        return list(self.dataset.broken)


class _Shares(torch.utils.data.Dataset):
    """A process's share of the batch of each step."""

    def __init__(self, stream: Stream, rank: int, size: int):
        self.stream, self.first, self.size = stream, rank * size, size

    def __len__(self) -> int:
        return self.stream.steps

    def __getitem__(self, step: int) -> Batch:
        start = step * self.stream.batch + self.first
        samples = [self.stream.sample(start + k) for k in range(self.size)]
        return collate(samples, self.stream.targets)


@lru_cache(maxsize=2)  # a batch can span two epochs
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """Return the shuffled indices of all images of an epoch."""
    return np.random.default_rng([seed, 3, epoch]).permutation(count)
