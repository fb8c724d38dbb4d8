"""What every pose network of the house takes and returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class PoseOutput(NamedTuple):
    """heatmaps: (B, K, h, w) each, coarse to fine; the others are None where a net has no such
    head, and but for `adapt` at the coarse size.

    tags: (B, K, D, h, w). adapt: (B, K, h, w) each, coarse to fine, which widths the heatmaps
    have (SWAHR). centre: (B, 1, h, w) and offsets: (B, 2K, h, w), from centres to joints.
    """

    heatmaps: tuple[Tensor, ...]
    tags: Tensor | None
    adapt: tuple[Tensor, ...] | None = None
    centre: Tensor | None = None
    offsets: Tensor | None = None


def to_input(images: Tensor, net: Any) -> Tensor:
    """(B, 3, H, W) uint8, red first → float32 as `net` takes it: in [0, 1], less `net.mean`,
    divided by `net.std`."""
    mean, std = (torch.tensor(part, device=images.device)[:, None, None]
                 for part in (net.mean, net.std))  # fmt: skip
    return images.float().div_(255).sub_(mean).div_(std)


def check_finite(output: PoseOutput) -> PoseOutput:
    """The same. FloatingPointError where a map is not finite, of which nothing could be decoded."""
    parts = {"heatmaps": output.heatmaps, "embeddings": (output.tags,), "centres": (output.centre,),
             "offsets": (output.offsets,)}  # fmt: skip
    for name, maps in parts.items():
        if not all(part is None or part.isfinite().all() for part in maps):
            raise FloatingPointError(f"the net's {name} are not finite; is it one that was trained "
                                     "to the end?")  # fmt: skip
    return output
