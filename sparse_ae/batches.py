"""Training batches: scenes, augmented, with what the network is trained towards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparse_ae.augment import Example, augment
from sparse_ae.config import Config
from sparse_ae.offset import OffsetTargets, offset_targets
from sparse_ae.regions import in_cells
from sparse_ae.skeleton import get_skeleton
from sparse_ae.targets import heatmap_targets, person_scale

STRIDES = (4, 2)  # of the heatmaps, coarse to fine; embeddings have the coarse one


class Batch(NamedTuple):
    """image (B, 3, S, S) uint8, red first; targets (B, K, h, w) for each stride; joints
    (B, P, K, 2) in coarse cells; visible (B, P, K); scale (B, P); offsets: for a method with
    offsets, the OffsetTargets of the images, stacked, at the coarse size; masks: where there is
    something to ignore, (B, h, w) for each stride, False where the loss is not to look."""

    image: Tensor
    targets: tuple[Tensor, ...]
    joints: Tensor
    visible: Tensor
    scale: Tensor
    offsets: OffsetTargets | None = None
    masks: tuple[Tensor, ...] | None = None


def batches(config: Config, scenes: Mapping[str, np.ndarray]) -> Iterator[Batch]:
    """`config.steps` batches: epochs of shuffled scenes, each augmented anew."""
    rng = np.random.default_rng([config.seed, 1])
    skeleton = get_skeleton(config.skeleton)
    order = np.empty(0, np.int64)
    for _ in range(config.steps):
        while len(order) < config.batch:
            order = np.concatenate([order, rng.permutation(len(scenes["images"]))])
        chosen, order = order[: config.batch], order[config.batch :]
        examples = []
        for i in chosen:
            count = scenes["counts"][i]
            example = Example(
                scenes["images"][i], scenes["keypoints"][i, :count], scenes["boxes"][i, :count]
            )
            examples.append(
                augment(
                    example, skeleton, rng, rotation=config.rotation, zoom=config.zoom,
                    shift=config.shift, flip=config.flip, colour=config.colour,
                )
            )  # fmt: skip
        yield collate(examples, config)


def collate(examples: Sequence[Example], config: Config) -> Batch:
    """Tensors of a list of examples, or of Samples of photos; absent persons are invisible.

    A Sample has masks, and persons the scale of their whole boxes; an Example's, of what is in the
    frame.
    """
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
    )


def _masks(examples: Sequence[Example], config: Config) -> tuple[Tensor, ...] | None:
    """Batch.masks; None where nothing is to be ignored."""
    masks = [getattr(example, "mask", None) for example in examples]
    if all(mask is None or mask.all() for mask in masks):
        return None
    return tuple(
        torch.from_numpy(np.stack([in_cells(mask, stride) for mask in masks]))
        for stride in config.strides
    )


def towards_centres(joints, visible, scale, config: Config) -> OffsetTargets:
    """The OffsetTargets of several images, stacked, as tensors."""
    size = config.size // STRIDES[0]
    images = zip(joints, visible, scale, strict=True)
    found = [offset_targets(*image, size, sigma=config.sigma) for image in images]
    return OffsetTargets(*(torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True)))
