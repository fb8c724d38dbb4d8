"""Training batches: scenes, augmented, with what the network is trained towards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparse_ae.augment import Example, augment
from sparse_ae.config import Config
from sparse_ae.offset import OffsetTargets, offset_targets
from sparse_ae.skeleton import get_skeleton
from sparse_ae.targets import heatmap_targets, person_scale

STRIDES = (4, 2)  # of the heatmaps, coarse to fine; embeddings have the coarse one


class Batch(NamedTuple):
    """image (B, 3, S, S); targets (B, K, h, w) for each stride; joints (B, P, K, 2) in coarse
    cells; visible (B, P, K); scale (B, P); offsets: for a method with offsets, the OffsetTargets of
    the images, stacked, at the coarse size."""

    image: Tensor
    targets: tuple[Tensor, ...]
    joints: Tensor
    visible: Tensor
    scale: Tensor
    offsets: OffsetTargets | None = None


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


def collate(examples: list[Example], config: Config) -> Batch:
    """Tensors of a list of examples, the persons padded with invisible ones."""
    most = max(1, *(len(example.boxes) for example in examples))
    kinds = len(get_skeleton(config.skeleton))
    joints = np.zeros((len(examples), most, kinds, 2), np.float32)
    visible = np.zeros((len(examples), most, kinds), bool)
    scale = np.zeros((len(examples), most), np.float32)
    targets = [
        np.zeros((len(examples), kinds, config.size // s, config.size // s), np.float32)
        for s in STRIDES
    ]
    for b, example in enumerate(examples):
        count = len(example.boxes)
        seen = example.keypoints[..., 2] > 0
        corner = example.keypoints[..., :2] + 0.5  # measured from the corner of the image
        joints[b, :count] = corner / STRIDES[0]
        visible[b, :count] = seen
        scale[b, :count] = person_scale(example.boxes, config.size)
        for target, stride in zip(targets, STRIDES, strict=True):
            cells = config.size // stride
            heatmap_targets(corner / stride, seen, cells, sigma=config.sigma, out=target[b])
    return Batch(
        to_input(np.stack([example.image for example in examples])),
        tuple(map(torch.from_numpy, targets)),
        torch.from_numpy(joints),
        torch.from_numpy(visible),
        torch.from_numpy(scale),
        towards_centres(joints, visible, scale, config) if config.offsets else None,
    )


def towards_centres(joints, visible, scale, config: Config) -> OffsetTargets:
    """The OffsetTargets of several images, stacked, as tensors."""
    size = config.size // STRIDES[0]
    images = zip(joints, visible, scale, strict=True)
    found = [offset_targets(*image, size, sigma=config.sigma) for image in images]
    return OffsetTargets(*(torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True)))


def to_input(images: np.ndarray) -> Tensor:
    """(B, S, S, 3) uint8 → (B, 3, S, S) float32 about 0, as PoseNet takes it."""
    return torch.tensor(images).permute(0, 3, 1, 2).float().div_(255).sub_(0.5)
