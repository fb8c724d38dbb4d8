"""The three losses: grouping (L_g), scale (L_s) and scale-aware heatmaps (L_r).

Each comes in two forms where the paper's poster and its released code differ: `form="poster"`
(equations of the ECCV 2022 poster) and `form="released"` (github.com/CR320/CoupledEmbedding).
Weights between the losses belong to the caller. Half-precision inputs are computed in float32.

Shapes: B images, P persons, K keypoints, D embedding dimensions, H×W map cells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

FORMS = ("poster", "released")
BINS = ("linear", "log")
FOCAL_EXPONENT = 0.01  # of the weight W, released code
SCALE_CODE_EPSILON = 1e-12  # keeps the scale code finite where a scale is a bin's centre


class GroupingLoss(NamedTuple):
    """L_g in its two parts, each a scalar: the mean over the images of the batch."""

    pull: Tensor
    push: Tensor


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


def grouping_loss(tags: Tensor, visible: Tensor, *, form: str = "poster") -> GroupingLoss:
    """L_g: draw a person's embeddings together, push the persons' means apart.

    tags: (B, P, K, D) read at the ground-truth joints; visible: (B, P, K) bool. A person without
    a visible joint is padding.

    pull, both forms: mean over persons of the mean over their visible joints of ‖t − t̄‖².
    push, poster: mean over the N(N−1)/2 pairs of exp(−‖t̄_n − t̄_m‖²/2).
    push, released: half the mean over pairs of exp(−‖t̄_n − t̄_m‖²).
    An image without persons gives 0, one with a single person gives push 0.

    Raises ValueError for shapes that do not fit or an unknown form.
    """
    tags = _check_tags(tags, visible, form)
    mean, weight, real = _person_means(tags, visible)
    distance = (tags - mean[:, :, None]).square().sum(3)  # (B, P, K)
    persons = real.sum(1)  # (B,)
    pull = (distance * weight).sum((1, 2)) / persons.clamp(min=1)

    gap = (mean[:, :, None] - mean[:, None, :]).square().sum(3)  # (B, P, P)
    sharpness, factor = (0.5, 1.0) if form == "poster" else (1.0, 0.5)
    pair = real[:, :, None] & real[:, None, :]
    pair = pair & ~torch.eye(real.shape[1], dtype=torch.bool, device=real.device)
    pairs = (persons * (persons - 1)).clamp(min=1)
    push = factor * (torch.exp(-sharpness * gap) * pair).sum((1, 2)) / pairs
    return GroupingLoss(pull.mean(), push.mean())


def scale_code(scale: Tensor, dim: int, *, bins: str = "linear") -> Tensor:
    """The unit vector that stands for a scale: 1/|scale − bin centre|, L2-normalised.

    scale: (...,), square root of the box area over the image's side; dim: D bins, with centres
    (k + ½)/D. Returns (..., D). In float16 the guard of 1e-12 would vanish: float32 at least.
    bins="log" is no part of the paper: the same first and last centre, evenly spaced by the
    logarithm, and distances of logarithms.
    """
    if dim < 1:
        raise ValueError(f"dim: expected a positive number of dimensions, got {dim}")
    if bins not in BINS:
        raise ValueError(f"bins: expected one of {', '.join(BINS)}, got {bins!r}")
    scale = _at_least_float32(scale)
    centres = _bin_centres(dim, scale)
    if bins == "log":
        scale, (first, last) = scale.clamp(min=1e-6).log(), centres[[0, -1]].log()
        centres = first + (last - first) * (torch.arange(dim).to(scale) / max(dim - 1, 1))
    code = 1.0 / ((scale[..., None] - centres).abs() + SCALE_CODE_EPSILON)
    return code / code.norm(dim=-1, keepdim=True)


def scale_loss(
    tags: Tensor, visible: Tensor, scale: Tensor, *, form: str = "poster",
    absolute: bool | None = None, bins: str = "linear",
) -> Tensor:  # fmt: skip
    """L_s: turn embeddings towards the code of their person's scale.

    tags: (B, P, K, D); visible: (B, P, K) bool; scale: (B, P) as in `scale_code`.
    poster: mean over persons of the mean over visible joints of 1 − ⟨t̂_nk, s_n⟩.
    released: mean over persons of 1 − ⟨|t̄_n|/‖t̄_n‖, s_n⟩.
    absolute: compare magnitudes, or embeddings with their signs; None: as the form has it. bins:
    of `scale_code`. Returns the mean over the images; images without persons count as 0.

    Raises ValueError for shapes that do not fit, a negative scale of a person, or an unknown form.
    """
    tags = _check_tags(tags, visible, form)
    if scale.shape != tags.shape[:2]:
        raise ValueError(f"scale: expected {tuple(tags.shape[:2])} (B, P), got "
                         f"{tuple(scale.shape)}")  # fmt: skip
    mean, weight, real = _person_means(tags, visible)
    if bool(((scale < 0) & real).any()):
        raise ValueError("scale: expected sqrt(box area) / image side, got a negative value")
    code = scale_code(scale, tags.shape[3], bins=bins).to(tags.dtype)  # (B, P, D)
    signless = form == "released" if absolute is None else absolute
    compared = tags if form == "poster" else mean
    compared = _unit(compared.abs() if signless else compared)
    if form == "poster":
        cosine = (compared * code[:, :, None]).sum(3)  # (B, P, K)
        person = ((1 - cosine) * weight).sum(2)
    else:
        person = (1 - (compared * code).sum(2)) * real
    return (person.sum(1) / real.sum(1).clamp(min=1)).mean()


def scale_from_tags(tag_maps: Tensor) -> Tensor:
    """The scale that embeddings tell: the bins' centres weighted by the embeddings' magnitudes.

    tag_maps: (B, K, D, H, W). Returns (B, K, H, W) between 1/(2D) and 1 − 1/(2D), detached: Γ
    reads the embeddings and does not train them (released code).
    """
    if tag_maps.ndim != 5 or 0 in tag_maps.shape[2:]:
        raise ValueError(f"tag_maps: expected (B, K, D, H, W), got {tuple(tag_maps.shape)}")
    magnitude = _at_least_float32(tag_maps.detach()).abs()
    centres = _bin_centres(tag_maps.shape[2], magnitude)
    total = magnitude.sum(2)
    with torch.autocast(magnitude.device.type, enabled=False):  # in float16 it would be infinite
        weighted = torch.einsum("bkdhw,d->bkhw", magnitude, centres)
    return torch.where(total == 0, centres.mean(), weighted / total.clamp(min=1e-12))


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
    pred, target = _at_least_float32(pred).flatten(), _at_least_float32(target).flatten()
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


def _person_means(tags: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean embedding (B, P, D), each joint's weight in it (B, P, K), which persons are real."""
    count = visible.sum(2)  # (B, P)
    weight = visible.to(tags.dtype) / count.clamp(min=1)[:, :, None]
    return (tags * weight[..., None]).sum(2), weight, count > 0


def _check_tags(tags: Tensor, visible: Tensor, form: str) -> Tensor:
    if form not in FORMS:
        raise ValueError(f"form: expected one of {', '.join(FORMS)}, got {form!r}")
    if tags.ndim != 4 or tags.shape[3] < 1:
        raise ValueError(f"tags: expected (B, P, K, D), got {tuple(tags.shape)}")
    if visible.shape != tags.shape[:3] or visible.dtype != torch.bool:
        raise ValueError(f"visible: expected bool of {tuple(tags.shape[:3])} (B, P, K), got "
                         f"{visible.dtype} of {tuple(visible.shape)}")  # fmt: skip
    return torch.where(visible[..., None], _at_least_float32(tags), 0.0)


def _at_least_float32(value: Tensor) -> Tensor:
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def _bin_centres(dim: int, like: Tensor) -> Tensor:
    return (torch.arange(dim, dtype=like.dtype, device=like.device) + 0.5) / dim
