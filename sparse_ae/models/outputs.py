"""Define what every pose network in this package takes and returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class PoseOutput(NamedTuple):
    """Maps of B images; all but the heatmaps are None if the net has no such head.

    Attributes:
        heatmaps: (B, K, h, w) each, coarse to fine.
        tags: (B, K, D, h, w) embeddings, at the coarse size.
        adapt: (B, K, h, w) each, coarse to fine: widths of the heatmaps' peaks (SWAHR).
        centre: (B, 1, h, w) heatmap of persons' centres, at the coarse size.
        offsets: (B, 2K, h, w) from centres to joints, at the coarse size.
    """

    heatmaps: tuple[Tensor, ...]
    tags: Tensor | None
    adapt: tuple[Tensor, ...] | None = None
    centre: Tensor | None = None
    offsets: Tensor | None = None


def to_input(images: Tensor, net: Any) -> Tensor:
    """Convert images to what a net takes: values in [0, 1], less `net.mean`, over `net.std`.

    Args:
        images: (B, 3, H, W) uint8, red first.
        net: a pose network, with `mean` and `std` of its three input channels.

    Returns:
        (B, 3, H, W) float32, on the images' device.
    """
    mean, std = (part[0] if len(set(part)) == 1 else  # one number is far quicker than three
                 torch.tensor(part, device=images.device)[:, None, None]
                 for part in (net.mean, net.std))  # fmt: skip
    return images.float().div_(255).sub_(mean).div_(std)


def check_finite(output: PoseOutput) -> PoseOutput:
    """Return the output unchanged if its maps are finite; others cannot be decoded.

    Args:
        output: output of a pose network.

    Returns:
        The same output.

    Raises:
        FloatingPointError: a heatmap, embedding, centre or offset is NaN or infinite.
    """
    parts = {"heatmaps": output.heatmaps, "embeddings": (output.tags,), "centres": (output.centre,),
             "offsets": (output.offsets,)}  # fmt: skip
    for name, maps in parts.items():
        extremes = [torch.stack(part.aminmax()) for part in maps if part is not None]  # NaN too
        if not all(pair.isfinite().all() for pair in extremes):
            raise FloatingPointError(f"the net's {name} are not finite: was the net trained "
                                     "to the end?")  # fmt: skip
    return output
