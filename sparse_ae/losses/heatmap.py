"""The heatmap loss L_r, with the widths Γ and the weights W.

On a CPU one compiled pass over the maps computes the loss and its gradient. Torch computes them on
other devices, in float64, for second derivatives, and for gradients of any input but `pred`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sparse_ae.losses.blocks import can_be_compiled, flat, place_for_gradient, without_float16
from sparse_ae.losses.heatmap_pass import FOCAL_EXPONENT, loss_pass
from sparse_ae.losses.tags import at_least_float32

BAD_TARGET = "target: expected heatmaps in [0, 1], got other values or NaN"
BAD_SCALE = "scale: expected positive values, got 0, a negative value or NaN"


def heatmap_loss(
    pred: Tensor, target: Tensor, scale: Tensor | None = None, *, beta: float = 0.55,
    focal: bool = True, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Compute L_r = W · ‖H_p − H_g^{σΓ}‖², with target widths that follow the scale.

    Γ raises the target to the power (beta/scale)²: a Gaussian of σ becomes one of σ · scale/beta.
    W = p|1 − pred| + (1 − p)|pred| with p = (1 − log target)^−0.01, if `focal`; else W = 1.
    Inputs of lower precision are computed in float32, where tiny targets underflow to 0 as in
    training with the released code. Where the target is 0, it stays 0, and p is 0.

    Args:
        pred: (B, K, H, W) heatmaps of the network.
        target: (B, K, H, W) heatmaps in [0, 1], as `heatmap_targets` draws them.
        scale: (B, K, H, W) from `scale_from_tags`; read where the target is not 0. None leaves the
            widths as they are.
        beta: scale at which the width stays as it is.
        focal: whether to weight by W.
        mask: (B, H, W), 0 where the image is ignored.

    Returns:
        The mean over all cells, a scalar. NaN in pred makes it NaN.

    Raises:
        ValueError: Shapes do not fit; or, where the target is not 0, it is outside [0, 1] or the
            scale is not positive.

    Source:
        The poster's L_r and the released code's HeatmapLoss.

    Example:
        >>> import torch
        >>> target = torch.tensor([[[[1.0, 0.25, 0.0]]]])
        >>> pred = torch.tensor([[[[0.5, 0.5, 0.5]]]])
        >>> round(heatmap_loss(pred, target, focal=False).item(), 4)  # (¼ + ¹⁄₁₆ + ¼) / 3
        0.1875
        >>> round(heatmap_loss(pred, target).item(), 4)  # W is ½ in every cell
        0.0938
    """
    _check(pred, target, scale, mask)
    if not can_be_compiled([pred, target, scale, mask], 1):
        return heatmap_loss_in_torch(pred, target, scale, mask, beta, focal)
    scale, mask = (None if maps is None else maps.float() for maps in (scale, mask))
    return _HeatmapLoss.apply(without_float16(pred), target.float(), scale, mask, beta, focal)


def _check(pred, target, scale, mask):
    shape = pred.shape
    if pred.ndim != 4 or shape != target.shape:
        raise ValueError(f"pred and target: expected the same (B, K, H, W), got {tuple(shape)} and "
                         f"{tuple(target.shape)}")  # fmt: skip
    if scale is not None and scale.shape != shape:
        raise ValueError(f"scale: expected {tuple(shape)}, got {tuple(scale.shape)}")
    if mask is not None and mask.shape != (shape[0], *shape[2:]):
        raise ValueError(f"mask: expected (B, H, W) of the maps, got {tuple(mask.shape)}")


class _HeatmapLoss(torch.autograd.Function):
    """The compiled loss, for float32 or bfloat16 pred and other inputs in float32."""

    @staticmethod
    def forward(ctx, pred, target, scale, mask, beta, focal):
        ctx.save_for_backward(pred, target, scale, mask)
        ctx.options = beta, focal
        ctx.gradient = place_for_gradient(pred) if ctx.needs_input_grad[0] else None
        return _compiled(pred, target, scale, mask, beta, focal, ctx.gradient)

    @staticmethod
    def backward(ctx, outer):
        pred, target, scale, mask = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative
            loss = heatmap_loss_in_torch(pred, target, scale, mask, *ctx.options)
            (gradient,) = torch.autograd.grad(loss, pred, outer, create_graph=True)
            return gradient, None, None, None, None, None
        gradient, ctx.gradient = ctx.gradient, None  # the receiver may overwrite it
        if gradient is None or (outer != 1 and pred.dtype != torch.float32):  # round only once
            gradient = place_for_gradient(pred)
            _compiled(pred, target, scale, mask, *ctx.options, gradient, outer.item())
        elif outer != 1:
            gradient *= outer
        return gradient, None, None, None, None, None


def _compiled(pred, target, scale, mask, beta, focal, gradient, factor=1.0):
    """Compute the loss, and write `factor` times its gradient to `gradient` unless that is None."""
    given = scale is not None, gradient is not None, mask is not None
    others = gradient if given[1] else pred, target, scale if given[0] else target
    flats = [flat(maps) for maps in (pred, *others, mask if given[2] else target)]
    shape = (*pred.shape[:2], pred.shape[2] * pred.shape[3])
    cells = max(pred.numel(), 1)
    total, good_target, good_scale = loss_pass(
        *(maps for maps, _ in flats), tuple(strides for _, strides in flats), shape, given,
        np.float32(factor / cells), np.float32(beta), bool(focal),
    )  # fmt: skip
    if not good_target:
        raise ValueError(BAD_TARGET)
    if not good_scale:
        raise ValueError(BAD_SCALE)
    return torch.tensor(total / cells, dtype=torch.float32)


def heatmap_loss_in_torch(pred, target, scale, mask, beta, focal):
    """Compute `heatmap_loss` in torch, on any device and differentiable in every input.

    Arguments, result and errors are those of `heatmap_loss`, but shapes are not checked.
    """
    shape, cells = pred.shape, max(pred.numel(), 1)
    pred, target = at_least_float32(pred), at_least_float32(target)
    weight = None if mask is None else mask[:, None].expand(shape)
    if scale is None and not focal:
        if not bool(((target >= 0) & (target <= 1)).all()):
            raise ValueError(BAD_TARGET)
        loss = (pred - target).square()
        return (loss if weight is None else loss * weight).sum() / cells
    pred, target = pred.flatten(), target.flatten()
    inside = target.nonzero().squeeze(1)  # cells in some person's window
    near, value = pred[inside], target[inside]
    if not bool(((value > 0) & (value <= 1)).all()):
        raise ValueError(BAD_TARGET)
    if scale is not None:
        scale = scale.flatten()[inside].to(value.dtype)
        if not bool((scale > 0).all()):
            raise ValueError(BAD_SCALE)
        value = value ** (beta / scale).square()
    loss_inside = (near - value).square()
    far = pred.index_fill(0, inside, 0)  # where the target is 0, p is 0 too, and W is |pred|
    loss_outside = far.square()
    if focal:
        share = (1 - value.log()) ** -FOCAL_EXPONENT
        loss_inside = loss_inside * (share * (1 - near).abs() + (1 - share) * near.abs())
        loss_outside = loss_outside * far.abs()
    if weight is not None:
        weight = weight.flatten()
        loss_inside, loss_outside = loss_inside * weight[inside], loss_outside * weight
    return (loss_inside.sum() + loss_outside.sum()) / cells
