"""Where the batches of a training run come from: memory, photos, or crowds drawn meanwhile.

A stream has `batches(done)`, which goes on after so many; `state()` and `restore(state)`, for a
run that is to go on later; and `broken()`, what it left out so far. The images of a step depend on
the seed and the number of the step alone: not on workers, nor on the processes that share a batch.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from sparse_ae.datasets.augment import Example
from sparse_ae.datasets.keypoint_dataset import LAYOUTS, KeypointDataset, data_folder
from sparse_ae.datasets.pictures import View
from sparse_ae.datasets.preset_crowds import preset_crowds
from sparse_ae.runtime.distributed import rank_and_world_size
from sparse_ae.settings.config import Config
from sparse_ae.skeleton import get_skeleton
from sparse_ae.training.batches import Batch, Draw, batches, collate, share, varied
from sparse_ae.training.loaders import open_loader

TESTED_ON = {"coco": "val"}  # COCO keeps the annotations of its test photos to itself


class SceneStream:
    """Scenes in memory, as of `CrowdDataset.arrays`, augmented by this very process."""

    def __init__(self, config: Config, scenes: Mapping[str, np.ndarray]):
        self._config, self._scenes, self._draw = config, scenes, Draw(config.seed)

    def batches(self, done: int = 0) -> Iterator[Batch]:
        """This process's share of each batch, after the `done`."""
        return batches(
            self._config, self._scenes, self._draw, done=done, place=rank_and_world_size()
        )

    def state(self) -> dict:
        """Of its random numbers, after the batch that was taken last."""
        return self._draw.state()

    def restore(self, state: dict):
        """Back to where `state` was taken."""
        self._draw.restore(state)

    def broken(self) -> list[str]:
        """Nothing: no scene can be."""
        return []


class LoadedStream:
    """Images that worker processes load or draw, a function of an epoch and an index each.

    image: (epoch, index, position) → Sample or Example; count: images of an epoch; workers: 0 for
    this very process. broken: what the images' source left out so far.
    """

    def __init__(
        self, config: Config, image: Callable, count: int, *, workers: int = 0,
        pinned: bool = False, broken: Callable[[], list[str]] = list,
    ):  # fmt: skip
        self._config, self._image, self._count = config, image, count
        self._workers, self._pinned, self.broken = workers, pinned, broken

    def batches(self, done: int = 0) -> Iterator[Batch]:
        """This process's share of each batch, after the `done`."""
        shares = _Shares(self._config, self._image, self._count, rank_and_world_size())
        return open_loader(shares, range(done, self._config.steps), workers=self._workers,
                           pinned=self._pinned)  # fmt: skip

    def state(self) -> dict:
        """Nothing: a batch depends on the number of its step alone."""
        return {}

    def restore(self, state: dict):
        """There is nothing to restore."""


class _Shares(torch.utils.data.Dataset):
    """A process's share of the batch of each step."""

    def __init__(self, config: Config, image: Callable, count: int, where: tuple[int, int]):
        self.config, self.image, self.count = config, image, count
        self.first, self.after = share(config.batch, where)

    def __len__(self) -> int:
        return self.config.steps

    def __getitem__(self, step: int) -> Batch:
        start = step * self.config.batch
        return collate([self._at(start + k) for k in range(self.first, self.after)], self.config)

    def _at(self, position: int):
        """The image at a position of all that the run sees."""
        epoch, place_in = divmod(position, self.count)
        return self.image(epoch, int(_order(self.config.seed, epoch, self.count)[place_in]),
                          position)  # fmt: skip


@lru_cache(maxsize=2)  # a batch may span two epochs
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """All images of an epoch, shuffled."""
    return np.random.default_rng([seed, 3, epoch]).permutation(count)


def open_stream(
    config: Config, *, workers: int = 0, pinned: bool = False, skip_broken: bool = False,
    progress: bool = True,
) -> SceneStream | LoadedStream:  # fmt: skip
    """The stream that config.data asks for.

    workers: processes that load or draw; pinned: in memory from which a GPU copies while it
    computes; skip_broken: leave broken photos out. ValueError for data that are not there.
    """
    if config.data == "crowds":
        return SceneStream(config, preset_crowds(config, "train").arrays(progress=progress))
    if config.data == "rendered":
        image = _Rendered(config)
        if workers:
            image(0, 0, 0)  # compiles once, before the workers start
        return LoadedStream(config, image, config.train_scenes, workers=workers, pinned=pinned)
    photos = photo_set(config, "train", skip_broken=skip_broken)
    return LoadedStream(config, _Photo(photos), len(photos), workers=workers, pinned=pinned,
                        broken=lambda: photos.broken)  # fmt: skip


class _Photo:
    """Photo `index` as the epoch sees it."""

    def __init__(self, photos: KeypointDataset):
        self.photos = photos

    def __call__(self, epoch: int, index: int, _position: int):
        return self.photos.view_in(epoch, index)


class _Rendered:
    """Scene `index`, drawn and augmented."""

    def __init__(self, config: Config):
        self.config, self.scenes = config, preset_crowds(config, "train")
        self.skeleton = get_skeleton(config.skeleton)

    def __call__(self, _epoch: int, index: int, position: int) -> _Numbered:
        scene = self.scenes[index]
        rng = np.random.default_rng([self.config.seed, 2, position])
        example = Example(scene.image, scene.keypoints, scene.boxes)
        return _Numbered(index + 1, varied(example, self.skeleton, rng, self.config))


class _Numbered:
    """An Example with the id that its scene has in annotations."""

    def __init__(self, number: int, example: Example):
        self.id = number
        self.image, self.keypoints, self.boxes = example


def photo_set(config: Config, split: str, *, skip_broken: bool = False) -> KeypointDataset:
    """The photos of a split: "train" as random views; "val" and "test" whole, photos without a
    labelled person too.

    With config.held_out, "val" is that share of the training photos, told by their ids, and
    "train" the rest; COCO's official val split is then "test". ValueError for a split that the
    settings do not name.
    """
    held, official = _source(config, split)
    view = None
    if split == "train":
        view = View(config.rotation, config.short_side, config.shift, config.flip, config.colour)
    options = {"size": config.size, "view": view, "seed": config.seed, "skip_broken": skip_broken}
    if config.data == "custom":
        names = getattr(config, f"{official}_set")
        photos = KeypointDataset(*names, get_skeleton(config.skeleton), **options)
    else:
        photos = KeypointDataset.official(config.data, official, **options)
    if not held:
        return photos
    ids = photos.annotations.ids.tolist()
    kept = [i for i, number in enumerate(ids)
            if (_share_of(number) < config.held_out) == (split == "val")]  # fmt: skip
    if not kept:
        raise ValueError(f"held_out: {config.held_out} of {len(photos)} photos leaves none to "
                         f"{split} on")  # fmt: skip
    return photos.only(kept)


def _share_of(number: int) -> float:
    """A number from 0, below 1, that an image's id always has, evenly spread."""
    return zlib.crc32(str(number).encode()) / 2**32


def _source(config: Config, split: str) -> tuple[bool, str]:
    """Whether a split is a part of the training photos, and whose photos it has."""
    if config.held_out and split != "test":
        return True, "train"
    if config.data == "coco" and split == "val":
        raise ValueError("held_out: 0, but COCO's val photos are those that one tests on: keep a "
                         "share of the training photos back to validate on")  # fmt: skip
    official = TESTED_ON.get(config.data, split) if split == "test" else split
    if config.data == "custom" and not getattr(config, f"{official}_set"):
        raise ValueError(f"{official}_set: missing, as [annotations.json, folder of its photos]")
    return False, official


def photos_digest(config: Config, split: str) -> str:
    """16 hexadecimal digits of the file with a split's annotations; ValueError if it is missing."""
    official = _source(config, split)[1]
    if config.data == "custom":
        path = Path(getattr(config, f"{official}_set")[0])
    else:
        path = data_folder() / config.data / LAYOUTS[config.data][0].format(official)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; SPARSE_AE_DATA names the folder of coco and "
                         "crowdpose")  # fmt: skip
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
