"""The losses of the baseline `swahr`: heatmaps whose width a head of their own adapts.

Luo et al., "Rethinking the Heatmap Regression for Bottom-up Human Pose Estimation", CVPR 2021;
HeatmapLoss and ScaleLoss in lib/core/loss.py of github.com/greatlog/SWAHR-HumanPose.

Shapes: B images, K keypoints, H×W map cells.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FOCAL_EXPONENT = 0.01  # of the weight


class SwahrLoss(NamedTuple):
    """Scale-adaptive heatmap regression in its two parts, each a scalar: the mean over the maps."""

    heatmap: Tensor
    scale: Tensor


def swahr_loss(
    pred: Tensor, target: Tensor, scale: Tensor, *, mask: Tensor | None = None
) -> SwahrLoss:
    """Heatmaps with a width that the network adapts, and what keeps it from adapting much.

    pred, target: (B, K, H, W) heatmaps, target in [0, 1]; scale: (B, K, H, W), the output s of the
    scale head, 0 for the width as drawn; read where the target is not 0. mask: (B, H, W), 0 where
    the image is to be ignored.

    heatmap: the mean of W · (pred − target_s)², where target_s is target^(1+s) to the second order
    in s, target · (1 + l + l²/2) with l = s · log target, and the weight W = p|1 − pred| +
    (1 − p)|pred| with p = target^0.01.
    scale: the mean of s² where the target is not 0. Its code adds it to `heatmap` as it is.
    Half-precision inputs are computed in float32.

    ValueError for shapes that do not fit, or a target outside [0, 1]. NaN in pred or scale makes
    the loss NaN.
    """
    shape = pred.shape
    if pred.ndim != 4:
        raise ValueError(f"pred: expected (B, K, H, W), got {tuple(shape)}")
    for name, value in (("target", target), ("scale", scale)):
        if value.shape != shape:
            raise ValueError(f"{name}: expected {tuple(shape)} as pred, got {tuple(value.shape)}")
    if mask is not None and mask.shape != (shape[0], *shape[2:]):
        raise ValueError(f"mask: expected (B, H, W) of the maps, got {tuple(mask.shape)}")
    pred, target, scale = (_at_least_float32(value).flatten() for value in (pred, target, scale))
    inside = target.nonzero().squeeze(1)  # elsewhere the adapted target and p are 0
    near, value, adapt = pred[inside], target[inside], scale[inside]
    if not bool(((value > 0) & (value <= 1)).all()):
        raise ValueError("target: expected heatmaps in [0, 1], got other values or NaN")
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
    return SwahrLoss((loss_inside.sum() + loss_outside.sum()) / cells, loss_scale.sum() / cells)


def _at_least_float32(value: Tensor) -> Tensor:
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
