"""The losses of the baseline `swahr`, in which an extra head adapts the heatmaps' width.

Luo et al., "Rethinking the Heatmap Regression for Bottom-up Human Pose Estimation", CVPR 2021;
HeatmapLoss and ScaleLoss in lib/core/loss.py of github.com/greatlog/SWAHR-HumanPose.

Shapes: B images, K keypoints, H×W map cells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparse_ae.losses.blocks import can_be_compiled, flat, place_for_gradient, without_float16
from sparse_ae.losses.swahr_pass import FOCAL_EXPONENT, loss_pass
from sparse_ae.losses.tags import at_least_float32

BAD_TARGET = "target: expected heatmaps in [0, 1], got other values or NaN"


class SwahrLoss(NamedTuple):
    """The two losses of scale-adaptive heatmap regression, each a scalar averaged over the maps."""

    heatmap: Tensor
    scale: Tensor


def swahr_loss(
    pred: Tensor, target: Tensor, scale: Tensor, *, mask: Tensor | None = None
) -> SwahrLoss:
    """Compute SWAHR's losses: heatmaps with adapted width, and a penalty on the adaptation.

    heatmap: the mean of W · (pred − target_s)², where target_s is target^(1+s) to the second order
    in s, target · (1 + l + l²/2) with l = s · log target, and the weight W = p|1 − pred| +
    (1 − p)|pred| with p = target^0.01.
    scale: the mean of s² where the target is not 0. SWAHR's code adds it to `heatmap` unweighted.
    Half-precision inputs are computed in float32.

    Args:
        pred: (B, K, H, W) heatmaps of the network.
        target: (B, K, H, W) heatmaps in [0, 1].
        scale: (B, K, H, W) the output s of the scale head, 0 for the width as drawn; read where
            the target is not 0.
        mask: (B, H, W), 0 where the image is ignored.

    Returns:
        Both losses, scalars. NaN in pred or scale makes them NaN.

    Raises:
        ValueError: Shapes do not fit, or a target is outside [0, 1].

    Source:
        HeatmapLoss and ScaleLoss in lib/core/loss.py of SWAHR's code.

    Example:
        >>> import torch
        >>> target = torch.tensor([[[[1.0, 0.0]]]])
        >>> pred = torch.full_like(target, 0.5)  # W is ½ in both cells
        >>> loss = swahr_loss(pred, target, torch.full_like(target, 0.2))
        >>> print(f"{loss.heatmap:.3f} {loss.scale:.3f}")  # ½ · ¼, and 0.2² / 2
        0.125 0.020
    """
    shape = pred.shape
    if pred.ndim != 4:
        raise ValueError(f"pred: expected (B, K, H, W), got {tuple(shape)}")
    for name, value in (("target", target), ("scale", scale)):
        if value.shape != shape:
            raise ValueError(f"{name}: expected {tuple(shape)} as pred, got {tuple(value.shape)}")
    if mask is not None and mask.shape != (shape[0], *shape[2:]):
        raise ValueError(f"mask: expected (B, H, W) of the maps, got {tuple(mask.shape)}")
    if not can_be_compiled([pred, scale, target, mask], 2):
        return SwahrLoss(*_torch_losses(pred, scale, target, mask))
    mask = None if mask is None else mask.float()
    pred, scale = without_float16(pred), without_float16(scale)
    return SwahrLoss(*_SwahrLosses.apply(pred, scale, target.float(), mask))


class _SwahrLosses(torch.autograd.Function):
    """The compiled losses, for float32 or bfloat16 pred and scale and other inputs in float32."""

    @staticmethod
    def forward(ctx, pred, scale, target, mask):
        ctx.save_for_backward(pred, scale, target, mask)
        ctx.gradients = None
        if any(ctx.needs_input_grad):
            ctx.gradients = place_for_gradient(pred), place_for_gradient(scale)
        return _compiled(pred, scale, target, mask, ctx.gradients)

    @staticmethod
    def backward(ctx, heatmap, adapt):
        maps = pred, scale, *_ = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative
            losses = _torch_losses(*maps)
            total = heatmap * losses[0] + adapt * losses[1]
            asked = [one for one in (pred, scale) if one.requires_grad]
            found = iter(torch.autograd.grad(total, asked, create_graph=True))
            pair = (next(found) if one.requires_grad else None for one in (pred, scale))
            return *pair, None, None
        gradients, ctx.gradients = ctx.gradients, None  # the receiver may overwrite them
        if gradients is None or heatmap != 1 or adapt != 1:
            gradients = place_for_gradient(pred), place_for_gradient(scale)
            _compiled(*maps, gradients, heatmap.item(), adapt.item())
        return *gradients, None, None


def _compiled(pred, scale, target, mask, gradients, heatmap=1.0, adapt=1.0):
    """Compute both losses, and the gradients of heatmap · the first + adapt · the second."""
    given = gradients is not None, mask is not None
    maps = (pred, scale, target, *(gradients or (pred, scale)), mask if given[1] else target)
    flats = [flat(one) for one in maps]
    shape, cells = (*pred.shape[:2], pred.shape[2] * pred.shape[3]), max(pred.numel(), 1)
    factors = np.float32(heatmap / cells), np.float32(adapt / cells)
    *totals, good = loss_pass(
        *(one for one, _ in flats), tuple(strides for _, strides in flats), shape, given, factors
    )
    if not good:
        raise ValueError(BAD_TARGET)
    return tuple(torch.tensor(total / cells, dtype=torch.float32) for total in totals)


def _torch_losses(pred, scale, target, mask):
    """Compute both losses in torch, on any device and differentiable any number of times."""
    shape = pred.shape
    pred, target, scale = (at_least_float32(value).flatten() for value in (pred, target, scale))
    inside = target.nonzero().squeeze(1)  # elsewhere the adapted target and p are 0
    near, value, adapt = pred[inside], target[inside], scale[inside]
    if not bool(((value > 0) & (value <= 1)).all()):
        raise ValueError(BAD_TARGET)
    turn = adapt * value.log()
    share = value**FOCAL_EXPONENT
    weight = share * (1 - near).abs() + (1 - share) * near.abs()
    loss_inside = weight * (near - value * (1 + turn + turn.square() / 2)).square()
    far = pred.index_fill(0, inside, 0)
    loss_outside = far.square() * far.abs()
    loss_scale = adapt.square()
    if mask is not None:
        counted = mask[:, None].expand(shape).flatten()
        loss_inside, loss_scale = loss_inside * counted[inside], loss_scale * counted[inside]
        loss_outside = loss_outside * counted
    cells = max(pred.numel(), 1)
    return (loss_inside.sum() + loss_outside.sum()) / cells, loss_scale.sum() / cells
