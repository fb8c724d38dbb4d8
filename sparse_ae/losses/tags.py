"""Embeddings (tags) read at joints, and what every loss of them asks first.

Shapes: B images, P persons, K keypoints, D embedding dimensions, H×W map cells.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

FORMS = ("poster", "released")


def gather_tags(tag_maps: Tensor, joints: Tensor) -> Tensor:
    """Read the embeddings at given joints.

    tag_maps: (B, K, D, H, W).
    joints: (B, P, K, 2), x and y in map cells; fractions are cut off, as heatmap targets do, and
        places outside the map read its nearest cell (they belong to joints that are not visible).
    Returns (B, P, K, D). ValueError for shapes that do not fit.
    """
    if tag_maps.ndim != 5 or 0 in tag_maps.shape[2:]:
        raise ValueError(f"tag_maps: expected (B, K, D, H, W), got {tuple(tag_maps.shape)}")
    images, kinds, dim, height, width = tag_maps.shape
    if joints.ndim != 4 or joints.shape[::2] != (images, kinds) or joints.shape[3] != 2:
        raise ValueError(f"joints: expected ({images}, P, {kinds}, 2) for these maps, "
                         f"got {tuple(joints.shape)}")  # fmt: skip
    x = joints[..., 0].long().clamp(0, width - 1)
    y = joints[..., 1].long().clamp(0, height - 1)
    cell = (y * width + x).transpose(1, 2)  # (B, K, P)
    cell = cell[:, :, None, :].expand(-1, -1, dim, -1)  # (B, K, D, P)
    return _Read.apply(tag_maps, cell).permute(0, 3, 1, 2)


class _Read(torch.autograd.Function):
    """(B, K, D, H, W) maps at cells (B, K, D, P) → (B, K, D, P).

    The gradient is zero in nearly all of the map. On a CPU, writing those zeros takes far longer
    than the rest of the loss; NumPy asks the system for memory that is zero already.
    """

    @staticmethod
    def forward(ctx, maps, cell):
        ctx.save_for_backward(cell)
        ctx.shape = maps.shape
        return maps.flatten(3).gather(3, cell)

    @staticmethod
    def backward(ctx, gradient):
        (cell,) = ctx.saved_tensors
        if gradient.device.type == "cpu" and gradient.dtype in (torch.float32, torch.float64):
            kind = np.float32 if gradient.dtype == torch.float32 else np.float64
            maps = torch.from_numpy(np.zeros(ctx.shape, kind))
        else:
            maps = gradient.new_zeros(ctx.shape)
        return maps.flatten(3).scatter_add_(3, cell, gradient).view(ctx.shape), None


def person_means(tags: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean embedding (B, P, D), each joint's weight in it (B, P, K), which persons are real."""
    count = visible.sum(2)  # (B, P)
    weight = visible.to(tags.dtype) / count.clamp(min=1)[:, :, None]
    return (tags * weight[..., None]).sum(2), weight, count > 0


def check_tags(tags: Tensor, visible: Tensor, form: str) -> Tensor:
    if form not in FORMS:
        raise ValueError(f"form: expected one of {', '.join(FORMS)}, got {form!r}")
    if tags.ndim != 4 or tags.shape[3] < 1:
        raise ValueError(f"tags: expected (B, P, K, D), got {tuple(tags.shape)}")
    if visible.shape != tags.shape[:3] or visible.dtype != torch.bool:
        raise ValueError(f"visible: expected bool of {tuple(tags.shape[:3])} (B, P, K), got "
                         f"{visible.dtype} of {tuple(visible.shape)}")  # fmt: skip
    return torch.where(visible[..., None], at_least_float32(tags), 0.0)


def at_least_float32(value: Tensor) -> Tensor:
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
