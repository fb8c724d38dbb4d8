"""The scale loss L_s, the code of a scale, and the scale that embeddings tell.

`form="poster"` has the equations of the ECCV 2022 poster, `form="released"` those of the released
code (github.com/CR320/CoupledEmbedding), where they differ.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sparse_ae.losses.tags import at_least_float32, check_tags, person_means

BINS = ("linear", "log")
SCALE_CODE_EPSILON = 1e-12  # keeps the scale code finite where a scale is a bin's centre


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
    scale = at_least_float32(scale)
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
    tags = check_tags(tags, visible, form)
    if scale.shape != tags.shape[:2]:
        raise ValueError(f"scale: expected {tuple(tags.shape[:2])} (B, P), got "
                         f"{tuple(scale.shape)}")  # fmt: skip
    mean, weight, real = person_means(tags, visible)
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
    magnitude = at_least_float32(tag_maps.detach()).abs()
    centres = _bin_centres(tag_maps.shape[2], magnitude)
    total = magnitude.sum(2)
    with torch.autocast(magnitude.device.type, enabled=False):  # in float16 it would be infinite
        weighted = torch.einsum("bkdhw,d->bkhw", magnitude, centres)
    return torch.where(total == 0, centres.mean(), weighted / total.clamp(min=1e-12))


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def _bin_centres(dim: int, like: Tensor) -> Tensor:
    return (torch.arange(dim, dtype=like.dtype, device=like.device) + 0.5) / dim
