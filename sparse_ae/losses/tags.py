"""Read embeddings (tags) at joints, and check and average them for the losses.

Shapes: B images, P persons, K keypoints, D embedding dimensions, H×W map cells.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sparse_ae.losses.blocks import from_bfloat16, to_bfloat16
from sparse_ae.runtime.kernels import kernel

FORMS = ("poster", "released")
ZERO_TYPES = {  # NumPy's types whose zero has the same bits; NumPy has no bfloat16
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.bfloat16: np.int16,
}


def gather_tags(tag_maps: Tensor, joints: Tensor) -> Tensor:
    """Read the embeddings at given joints.

    The gradient has the maps' memory layout: channels last if they are.

    Args:
        tag_maps: (B, K, D, H, W).
        joints: (B, P, K, 2), x and y in map cells. Fractions are cut off, as in heatmap targets,
            and positions outside the map read its nearest cell (they belong to joints that are not
            visible).

    Returns:
        (B, P, K, D) embeddings.

    Raises:
        ValueError: Shapes do not fit.

    Example:
        >>> import torch
        >>> maps = torch.arange(6.0).view(1, 1, 1, 2, 3)  # one joint, one dimension, 2 × 3 cells
        >>> joints = torch.tensor([[[[2.9, 0.0]], [[1.0, 1.5]]]])  # two persons
        >>> gather_tags(maps, joints).flatten()
        tensor([2., 4.])
    """
    if tag_maps.ndim != 5 or 0 in tag_maps.shape[2:]:
        raise ValueError(f"tag_maps: expected (B, K, D, H, W), got {tuple(tag_maps.shape)}")
    images, kinds, _, height, width = tag_maps.shape
    if joints.ndim != 4 or joints.shape[::2] != (images, kinds) or joints.shape[3] != 2:
        raise ValueError(f"joints: expected ({images}, P, {kinds}, 2) for these maps, "
                         f"got {tuple(joints.shape)}")  # fmt: skip
    x = joints[..., 0].long().clamp(0, width - 1)
    y = joints[..., 1].long().clamp(0, height - 1)
    return _Read.apply(tag_maps, x, y)


class _Read(torch.autograd.Function):
    """Reading of maps (B, K, D, H, W) at columns and rows (B, P, K), giving (B, P, K, D).

    The gradient is zero nearly everywhere. On a CPU, writing those zeros would take far longer than
    the rest of the loss, so NumPy asks the system for memory that is already zero, and only the
    cells that were read are written.
    """

    @staticmethod
    def forward(ctx, maps, x, y):
        ctx.save_for_backward(x, y)
        ctx.shape = maps.shape
        ctx.strides = torch.empty_like(maps, device="meta").stride()  # dense, in the maps' order
        image, kind = (_numbers(count, maps) for count in maps.shape[:2])
        return maps[image[:, None, None], kind, :, y, x]

    @staticmethod
    def backward(ctx, gradient):
        x, y = ctx.saved_tensors
        images, kinds, dim, *_ = ctx.shape
        index = x * ctx.strides[4] + y * ctx.strides[3]  # (B, P, K)
        index = index + _numbers(images, x)[:, None, None] * ctx.strides[0]
        index = index + _numbers(kinds, x) * ctx.strides[1]
        index = index[..., None] + _numbers(dim, x) * ctx.strides[2]
        if ctx.strides[2] > ctx.strides[4]:  # a map for each dimension: write one after the other
            index, gradient = index.permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1)
        cells = _scatter(ctx.shape.numel(), index.flatten(), gradient.flatten())
        return cells.as_strided(ctx.shape, ctx.strides), None, None


def _numbers(count, like):
    """Return (count,) the numbers from 0 on, on the device of another tensor."""
    return torch.arange(count, device=like.device)


def _scatter(count, index, values):
    """Return (count,) the sum of the values at each index, 0 where there are none."""
    kind = ZERO_TYPES.get(values.dtype)
    if values.device.type != "cpu" or kind is None or torch.is_grad_enabled():
        return values.new_zeros(count).scatter_add_(0, index, values)
    zeros = np.zeros(count, kind)
    if values.dtype == torch.bfloat16:
        values = values.view(torch.int16)
    _add_at(zeros, index.numpy(), values.contiguous().numpy())
    return torch.from_numpy(zeros).view(torch.bfloat16 if kind == np.int16 else values.dtype)


@kernel
def _add_at(sums, index, values):
    for i in range(len(index)):
        place = index[i]
        if sums.itemsize == 2:
            total = from_bfloat16(sums[place]) + from_bfloat16(values[i])
            sums[place] = to_bfloat16(total)
        else:
            sums[place] += values[i]


def person_means(tags: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean embedding of each person.

    Args:
        tags: (B, P, K, D).
        visible: (B, P, K) bool.

    Returns:
        Means (B, P, D); each joint's weight in them (B, P, K); and whether a person is real, that
        is, has a visible joint (B, P).
    """
    count = visible.sum(2)  # (B, P)
    weight = visible.to(tags.dtype) / count.clamp(min=1)[:, :, None]
    return (tags * weight[..., None]).sum(2), weight, count > 0


def check_tags(tags: Tensor, visible: Tensor, form: str) -> Tensor:
    """Check tags, and return them in at least float32, with 0 at joints that are not visible.

    Args:
        tags: (B, P, K, D).
        visible: (B, P, K) bool.
        form: one of FORMS.

    Raises:
        ValueError: Shapes do not fit, or the form is unknown.
    """
    if form not in FORMS:
        raise ValueError(f"form: expected one of {', '.join(FORMS)}, got {form!r}")
    if tags.ndim != 4 or tags.shape[3] < 1:
        raise ValueError(f"tags: expected (B, P, K, D), got {tuple(tags.shape)}")
    if visible.shape != tags.shape[:3] or visible.dtype != torch.bool:
        raise ValueError(f"visible: expected bool of {tuple(tags.shape[:3])} (B, P, K), got "
                         f"{visible.dtype} of {tuple(visible.shape)}")  # fmt: skip
    return torch.where(visible[..., None], at_least_float32(tags), 0.0)


def at_least_float32(value: Tensor) -> Tensor:
    """Return half-precision numbers as float32, others as they are."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
