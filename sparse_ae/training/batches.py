"""Make training batches: views of images, with the targets that the network learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparse_ae.datasets.dataset import Sample
from sparse_ae.datasets.loss_masks import downsample_mask
from sparse_ae.losses import OffsetTargets, offset_targets
from sparse_ae.targets import heatmap_targets


class Batch(NamedTuple):
    """B images of S×S pixels, each padded to P persons, and their targets.

    Attributes:
        image: (B, 3, S, S) uint8, red first.
        targets: (B, K, h, w) heatmaps for each stride, coarse to fine.
        joints: (B, P, K, 2) in coarse cells.
        visible: (B, P, K) bool.
        scale: (B, P), as `Sample.scale`.
        offsets: For a method with offsets, the stacked OffsetTargets at the coarse stride.
        masks: (B, h, w) bool for each stride, False where the loss ignores a cell; None if it
            ignores nothing.
        ids: (B,) ids of the images.
    """

    image: Tensor
    targets: tuple[Tensor, ...]
    joints: Tensor
    visible: Tensor
    scale: Tensor
    offsets: OffsetTargets | None = None
    masks: tuple[Tensor, ...] | None = None
    ids: Tensor | None = None


class Targets(NamedTuple):
    """Which targets a method needs.

    Attributes:
        strides: Strides of the heatmaps, coarse to fine, pixels.
        sigma: Standard deviation of a heatmap's peak, cells.
        offsets: Whether offsets from persons' centres are needed too.
    """

    strides: tuple[int, ...] = (4, 2)
    sigma: float = 2.0
    offsets: bool = False


def on_device(values, device):
    """Return a tensor, or a (named) tuple of tensors, tuples and None, on a device."""
    if isinstance(values, Tensor):
        return values.to(device, non_blocking=values.is_pinned() if values.is_cpu else False)
    if isinstance(values, tuple):
        moved = [on_device(value, device) for value in values]
        return type(values)(*moved) if hasattr(values, "_fields") else tuple(moved)
    return values


def collate(samples: Sequence[Sample], targets: Targets) -> Batch:
    """Make a batch of square views of one size; persons that pad it are invisible."""
    size, kinds = samples[0].image.shape[0], samples[0].keypoints.shape[1]
    most = max(1, *(len(sample.boxes) for sample in samples))
    joints = np.zeros((len(samples), most, kinds, 2), np.float32)
    visible = np.zeros((len(samples), most, kinds), bool)
    scale = np.zeros((len(samples), most), np.float32)
    heatmaps = [
        np.zeros((len(samples), kinds, size // stride, size // stride), np.float32)
        for stride in targets.strides
    ]
    for b, sample in enumerate(samples):
        count = len(sample.boxes)
        seen = sample.keypoints[..., 2] > 0
        corner = sample.keypoints[..., :2] + 0.5  # measured from the corner of the image
        joints[b, :count] = corner / targets.strides[0]
        visible[b, :count] = seen
        scale[b, :count] = sample.scale
        for maps, stride in zip(heatmaps, targets.strides, strict=True):
            heatmap_targets(corner / stride, seen, size // stride, sigma=targets.sigma, out=maps[b])
    cells = size // targets.strides[0]
    return Batch(
        torch.from_numpy(np.stack([sample.image for sample in samples])).permute(0, 3, 1, 2),
        tuple(map(torch.from_numpy, heatmaps)),
        torch.from_numpy(joints),
        torch.from_numpy(visible),
        torch.from_numpy(scale),
        stacked_offsets(joints, visible, scale, cells, targets.sigma) if targets.offsets else None,
        _masks(samples, targets.strides),
        torch.tensor([sample.id for sample in samples]),
    )


def _masks(samples: Sequence[Sample], strides: Sequence[int]) -> tuple[Tensor, ...] | None:
    """Return Batch.masks; None if the loss ignores nothing."""
    if all(sample.mask is None or sample.mask.all() for sample in samples):
        return None
    whole = np.ones(samples[0].image.shape[:2], bool)
    masks = [whole if sample.mask is None else sample.mask for sample in samples]
    return tuple(
        torch.from_numpy(np.stack([downsample_mask(mask, stride) for mask in masks]))
        for stride in strides
    )


def stacked_offsets(joints, visible, scale, cells: int, sigma: float) -> OffsetTargets:
    """Return the OffsetTargets of several images, stacked, as tensors."""
    images = zip(joints, visible, scale, strict=True)
    found = [offset_targets(*image, cells, sigma=sigma) for image in images]
    return OffsetTargets(*(torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True)))
