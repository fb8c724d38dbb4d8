"""The heatmap loss L_r, with the widths Γ and the weights W."""

from __future__ import annotations

from torch import Tensor

from sparse_ae.losses.tags import at_least_float32

FOCAL_EXPONENT = 0.01  # of the weight W, released code


def heatmap_loss(
    pred: Tensor, target: Tensor, scale: Tensor | None = None, *, beta: float = 0.55,
    focal: bool = True, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """L_r = W · ‖H_p − H_g^{σΓ}‖²: heatmaps whose width follows the scale.

    pred, target: (B, K, H, W), target in [0, 1]; scale: (B, K, H, W) as of `scale_from_tags`, or
    None for a fixed width; mask: (B, H, W), 0 where the image is to be ignored.
    Γ raises the target to (beta/scale)²: a Gaussian of σ becomes one of σ · scale/beta.
    W = p|1 − pred| + (1 − p)|pred| with p = (1 − log target)^−0.01, if `focal`.
    Computed in float32, where tiny targets underflow to 0 as they do in training with the
    released code. Γ and p are 0 where the target is, so they are computed elsewhere only.

    Raises ValueError for shapes that do not fit, and, where the target is not 0, for a target
    outside [0, 1] or a scale that is not positive. NaN in pred makes the loss NaN.
    """
    shape = pred.shape
    if pred.ndim != 4 or shape != target.shape:
        raise ValueError(f"pred and target: expected the same (B, K, H, W), got {tuple(shape)} and "
                         f"{tuple(target.shape)}")  # fmt: skip
    if scale is not None and scale.shape != shape:
        raise ValueError(f"scale: expected {tuple(shape)}, got {tuple(scale.shape)}")
    if mask is not None and mask.shape != (shape[0], *shape[2:]):
        raise ValueError(f"mask: expected (B, H, W) of the maps, got {tuple(mask.shape)}")
    pred, target = at_least_float32(pred).flatten(), at_least_float32(target).flatten()
    inside = target.nonzero().squeeze(1)  # cells of some person's window
    near, value = pred[inside], target[inside]
    if not bool(((value > 0) & (value <= 1)).all()):
        raise ValueError("target: expected heatmaps in [0, 1], got other values or NaN")
    if scale is not None:
        scale = scale.flatten()[inside].to(value.dtype)
        if not bool((scale > 0).all()):
            raise ValueError("scale: expected positive values, got 0, a negative value or NaN")
        value = value ** (beta / scale).square()
    loss_inside = (near - value).square()
    far = pred.index_fill(0, inside, 0)  # where the target is 0, p is 0 too, and W is |pred|
    loss_outside = far.square()
    if focal:
        share = (1 - value.log()) ** -FOCAL_EXPONENT
        loss_inside = loss_inside * (share * (1 - near).abs() + (1 - share) * near.abs())
        loss_outside = loss_outside * far.abs()
    if mask is not None:
        weight = mask[:, None].expand(shape).flatten()
        loss_inside, loss_outside = loss_inside * weight[inside], loss_outside * weight
    return (loss_inside.sum() + loss_outside.sum()) / max(pred.numel(), 1)
