"""Training batches: scenes, augmented, with what the network is trained towards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparse_ae.datasets.augment import Example, augment
from sparse_ae.datasets.loss_masks import downsample_mask
from sparse_ae.losses.offset import OffsetTargets, offset_targets
from sparse_ae.settings.config import Config
from sparse_ae.skeleton import Skeleton, get_skeleton
from sparse_ae.targets import heatmap_targets, person_scale

STRIDES = (4, 2)  # of the heatmaps, coarse to fine; embeddings have the coarse one


class Batch(NamedTuple):
    """image (B, 3, S, S) uint8, red first; targets (B, K, h, w) for each stride; joints
    (B, P, K, 2) in coarse cells; visible (B, P, K); scale (B, P); offsets: for a method with
    offsets, the OffsetTargets of the images, stacked, at the coarse size; masks: where there is
    something to ignore, (B, h, w) for each stride, False where the loss is not to look; ids (B,)
    of the images, in their annotations."""

    image: Tensor
    targets: tuple[Tensor, ...]
    joints: Tensor
    visible: Tensor
    scale: Tensor
    offsets: OffsetTargets | None = None
    masks: tuple[Tensor, ...] | None = None
    ids: Tensor | None = None


class Draw:
    """The random numbers of `batches`, and which scenes of the epoch are to come."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng([seed, 1])
        self.order = np.empty(0, np.int64)

    def state(self) -> dict:
        """Plain values, from which `restore` makes it what it is now."""
        return {"rng": self.rng.bit_generator.state, "order": self.order.tolist()}

    def restore(self, state: dict):
        """Back to where `state` was taken."""
        self.rng.bit_generator.state = state["rng"]
        self.order = np.array(state["order"], np.int64)


def batches(
    config: Config, scenes: Mapping[str, np.ndarray], draw: Draw | None = None, *,
    done: int = 0, place: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:  # fmt: skip
    """`config.steps` batches, less the `done`: epochs of shuffled scenes, each augmented anew.

    draw: as it stands after the batches that are done. place: which share of each batch, of how
    many equal ones; the shares together are the whole batch, image by image.
    """
    draw = draw or Draw(config.seed)
    skeleton = get_skeleton(config.skeleton)
    first, after = share(config.batch, place)
    for _ in range(done, config.steps):
        while len(draw.order) < config.batch:
            epoch = draw.rng.permutation(len(scenes["images"]))
            draw.order = np.concatenate([draw.order, epoch])
        chosen, draw.order = draw.order[: config.batch], draw.order[config.batch :]
        examples = []
        for k, i in enumerate(chosen):
            if first <= k < after:
                examples.append(varied(scene_example(scenes, i), skeleton, draw.rng, config))
            else:  # another's; its random numbers are drawn all the same
                varied(_nobody(len(skeleton)), skeleton, draw.rng, config)
        ids = torch.from_numpy(chosen[first:after] + 1)
        yield collate(examples, config)._replace(ids=ids)


def share(batch: int, place: tuple[int, int]) -> tuple[int, int]:
    """From which to before which image of a batch a process has its share; ValueError where the
    batch cannot be divided equally."""
    number, processes = place
    if batch % processes:
        raise ValueError(f"batch: {batch} images cannot be shared equally by {processes} processes")
    size = batch // processes
    return number * size, (number + 1) * size


def scene_example(scenes: Mapping[str, np.ndarray], index: int) -> Example:
    """One scene of arrays as of `CrowdDataset.arrays`."""
    count = scenes["counts"][index]
    parts = (scenes[name][index, :count] for name in ("keypoints", "boxes"))
    return Example(scenes["images"][index], *parts)


def varied(example: Example, skeleton: Skeleton, rng, config: Config) -> Example:
    """`augment` with the settings of a run."""
    return augment(
        example, skeleton, rng, rotation=config.rotation, zoom=config.zoom, shift=config.shift,
        flip=config.flip, colour=config.colour,
    )  # fmt: skip


def _nobody(kinds: int) -> Example:
    """One black pixel."""
    empty = np.zeros((0, kinds, 3), np.float32), np.zeros((0, 4), np.float32)
    return Example(np.zeros((1, 1, 3), np.uint8), *empty)


def on_device(values, device):
    """A tensor, or a (named) tuple of tensors, tuples and None, on a device."""
    if isinstance(values, Tensor):
        return values.to(device, non_blocking=values.is_pinned() if values.is_cpu else False)
    if isinstance(values, tuple):
        moved = [on_device(value, device) for value in values]
        return type(values)(*moved) if hasattr(values, "_fields") else tuple(moved)
    return values


def collate(examples: Sequence[Example], config: Config) -> Batch:
    """Tensors of a list of examples, or of Samples of photos; absent persons are invisible.

    A Sample has masks, and persons the scale of their whole boxes; an Example's, of what is in the
    frame.
    """
    ids = None
    if all(hasattr(example, "id") for example in examples):
        ids = torch.tensor([example.id for example in examples])
    most = max(1, *(len(example.boxes) for example in examples))
    kinds = len(get_skeleton(config.skeleton))
    joints = np.zeros((len(examples), most, kinds, 2), np.float32)
    visible = np.zeros((len(examples), most, kinds), bool)
    scale = np.zeros((len(examples), most), np.float32)
    targets = [
        np.zeros((len(examples), kinds, config.size // s, config.size // s), np.float32)
        for s in config.strides
    ]
    for b, example in enumerate(examples):
        count = len(example.boxes)
        seen = example.keypoints[..., 2] > 0
        corner = example.keypoints[..., :2] + 0.5  # measured from the corner of the image
        joints[b, :count] = corner / STRIDES[0]
        visible[b, :count] = seen
        known = getattr(example, "scale", None)
        scale[b, :count] = person_scale(example.boxes, config.size) if known is None else known
        for target, stride in zip(targets, config.strides, strict=True):
            cells = config.size // stride
            heatmap_targets(corner / stride, seen, cells, sigma=config.sigma, out=target[b])
    return Batch(
        torch.from_numpy(np.stack([example.image for example in examples])).permute(0, 3, 1, 2),
        tuple(map(torch.from_numpy, targets)),
        torch.from_numpy(joints),
        torch.from_numpy(visible),
        torch.from_numpy(scale),
        towards_centres(joints, visible, scale, config) if config.offsets else None,
        _masks(examples, config),
        ids,
    )


def _masks(examples: Sequence[Example], config: Config) -> tuple[Tensor, ...] | None:
    """Batch.masks; None where nothing is to be ignored."""
    masks = [getattr(example, "mask", None) for example in examples]
    if all(mask is None or mask.all() for mask in masks):
        return None
    return tuple(
        torch.from_numpy(np.stack([downsample_mask(mask, stride) for mask in masks]))
        for stride in config.strides
    )


def towards_centres(joints, visible, scale, config: Config) -> OffsetTargets:
    """The OffsetTargets of several images, stacked, as tensors."""
    size = config.size // STRIDES[0]
    images = zip(joints, visible, scale, strict=True)
    found = [offset_targets(*image, size, sigma=config.sigma) for image in images]
    return OffsetTargets(*(torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True)))
