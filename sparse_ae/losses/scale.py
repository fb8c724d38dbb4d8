"""The scale loss L_s, the code of a scale, and the scale read from embeddings.

Where they differ, `form="poster"` follows the ECCV 2022 poster and `form="released"` the released
code (github.com/CR320/CoupledEmbedding).
"""

from __future__ import annotations

import torch
from torch import Tensor

from sparse_ae.losses.blocks import can_be_compiled, without_float16
from sparse_ae.losses.scale_pass import compiled_scale
from sparse_ae.losses.tags import at_least_float32, check_tags, person_means

BINS = ("linear", "log")
SCALE_CODE_EPSILON = 1e-12  # keeps the scale code finite where a scale is a bin's centre


def scale_code(scale: Tensor, dim: int, *, bins: str = "linear") -> Tensor:
    """Encode a scale as a unit vector: 1/|scale − bin centre|, L2-normalised.

    Half-precision scales are computed in float32: in float16 the guard of 1e-12, which keeps the
    code finite at a bin's centre, would vanish.

    Args:
        scale: (...,), the square root of the box area over the image's side.
        dim: the number D of bins; their centres are (k + ½)/D.
        bins: "linear", or "log", which is not in the paper: the same first and last centre, with
            logarithmic spacing and distances.

    Returns:
        (..., D) codes.

    Raises:
        ValueError: dim is not positive, or bins are unknown.

    Source:
        The poster, and the released code's scale loss.

    Example:
        >>> import torch
        >>> scale_code(torch.tensor([0.5, 0.0]), 2)  # the centres are ¼ and ¾
        tensor([[0.7071, 0.7071],
                [0.9487, 0.3162]])
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
    """Compute L_s, which turns embeddings towards the code of their person's scale.

    poster: mean over persons of the mean over visible joints of 1 − ⟨t̂_nk, s_n⟩.
    released: mean over persons of 1 − ⟨|t̄_n|/‖t̄_n‖, s_n⟩.

    Args:
        tags: (B, P, K, D), read at the ground-truth joints.
        visible: (B, P, K) bool; a person without a visible joint is padding.
        scale: (B, P), see `scale_code`.
        form: "poster" or "released".
        absolute: whether to compare magnitudes instead of signed embeddings; None: as the form
            does.
        bins: see `scale_code`.

    Returns:
        The mean over the images, a scalar; images without persons count as 0.

    Raises:
        ValueError: Shapes do not fit, a person's scale is negative, or the form is unknown.

    Source:
        The poster's L_s; the released code's scale loss.

    Example:
        >>> import torch
        >>> code = scale_code(torch.tensor(0.3), 4)
        >>> tags = torch.stack([2 * code, -code])[None, None]  # (1, 1, 2, 4): along it, against it
        >>> visible = torch.ones(1, 1, 2, dtype=torch.bool)
        >>> print(f"{scale_loss(tags, visible, torch.tensor([[0.3]])):.2f}")  # (0 + 2) / 2
        1.00
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
    """Read the scale from embeddings as the mean of the bin centres, weighted by magnitudes.

    The result is detached: Γ reads the embeddings and does not train them.

    Args:
        tag_maps: (B, K, D, H, W).

    Returns:
        (B, K, H, W) scales between 1/(2D) and 1 − 1/(2D), at least float32 and in the maps' layout;
        0.5 where an embedding is 0.

    Raises:
        ValueError: The shape does not fit.

    Source:
        The poster's Γ; the released code.

    Example:
        >>> import torch
        >>> tags = torch.tensor([1.0, -3.0]).view(1, 1, 2, 1, 1)  # the centres are ¼ and ¾
        >>> scale_from_tags(tags).item()  # (1 · ¼ + 3 · ¾) / 4
        0.625
    """
    if tag_maps.ndim != 5 or 0 in tag_maps.shape[2:]:
        raise ValueError(f"tag_maps: expected (B, K, D, H, W), got {tuple(tag_maps.shape)}")
    tag_maps = tag_maps.detach()
    if can_be_compiled([tag_maps], 1):
        return compiled_scale(without_float16(tag_maps))
    magnitude = at_least_float32(tag_maps).abs()
    centres = _bin_centres(tag_maps.shape[2], magnitude)
    total = magnitude.sum(2)
    with torch.autocast(magnitude.device.type, enabled=False):  # float16 would overflow
        weighted = torch.einsum("bkdhw,d->bkhw", magnitude, centres)
    return torch.where(total == 0, centres.mean(), weighted / total.clamp(min=1e-12))


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def _bin_centres(dim: int, like: Tensor) -> Tensor:
    return (torch.arange(dim, dtype=like.dtype, device=like.device) + 0.5) / dim
