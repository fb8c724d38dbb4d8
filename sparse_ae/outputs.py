"""What every pose network of the house returns."""

from __future__ import annotations

from typing import NamedTuple

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
