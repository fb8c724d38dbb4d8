"""Enlarge maps to the image's size before decoding, in compiled code.

HigherHRNet and the released code decode maps that are as large as the image. An output row needs
two input rows; each input row is stretched once and used for all output rows that need it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from sparse_ae.losses.blocks import flat, read
from sparse_ae.runtime.kernels import kernel

AT = np.uintp  # for indices known not to be negative: with signed ones loops are slow
TORCH_SMALL = 128  # cells, H + W, up to which torch uses another formula


class Taps(NamedTuple):
    """For each output cell along one side: its two input cells (n,) and their weights (n,)."""

    first: np.ndarray
    second: np.ndarray
    first_weight: np.ndarray
    second_weight: np.ndarray


def enlarge_bilinear(maps: Tensor, size: tuple[int, int], *, out: Tensor | None = None) -> Tensor:
    """Resize maps by bilinear interpolation, bit for bit as torch does.

    Torch itself resizes what the compiled code cannot: maps that are not on a CPU, are float64 or
    need a gradient; and small results (H + W up to 128) and those of three channels, for which
    torch uses another formula.

    Args:
        maps: (B, C, h, w) in any layout; half precision is computed in float32.
        size: (H, W) of the result; any size, also a smaller one.
        out: (B, C, H, W) float32 and contiguous, to write into, such as the result of an earlier
            call that is no longer needed: large maps take longer to allocate than to fill.

    Returns:
        (B, C, H, W), contiguous: `F.interpolate(maps.float().contiguous(), size, mode="bilinear",
        align_corners=False)`. Without `out`, float64 maps stay float64.

    Raises:
        ValueError: The shape of maps or size is wrong, or out does not fit.

    Example:
        >>> import torch
        >>> maps = torch.tensor([[[[0.0, 1.0]]]])  # centres of the cells stay where they are
        >>> enlarge_bilinear(maps, (1, 4)).flatten().tolist()
        [0.0, 0.25, 0.75, 1.0]
    """
    height, width = (int(side) for side in size)
    if maps.ndim != 4 or 0 in maps.shape[1:]:
        raise ValueError(f"maps: expected (B, C, h, w), got {tuple(maps.shape)}")
    if height < 1 or width < 1:
        raise ValueError(f"size: expected two positive numbers of cells, got {tuple(size)}")
    shape = (*maps.shape[:2], height, width)
    if out is not None and (
        out.shape != shape or out.dtype != torch.float32 or out.device != maps.device
        or not out.is_contiguous()
    ):  # fmt: skip
        raise ValueError(f"out: expected {shape} float32, contiguous, on {maps.device}, got "
                         f"{tuple(out.shape)} {out.dtype} on {out.device}")  # fmt: skip
    if not _can_be_compiled(maps) or not has_torchs_bits(maps.shape[1], (height, width)):
        maps = maps if maps.dtype == torch.float64 else maps.float()
        found = F.interpolate(maps.contiguous(), (height, width), mode="bilinear")
        return found if out is None else out.copy_(found)
    out = torch.empty(shape) if out is None else out
    cells, strides = flat(maps if maps.dtype == torch.bfloat16 else maps.float())
    rows, columns = taps(maps.shape[2], height), taps(maps.shape[3], width)
    enlarge_flat(cells, strides, tuple(maps.shape[2:]), out.numpy(), rows, columns)
    return out


def _can_be_compiled(maps) -> bool:
    """Return whether compiled code can read the maps."""
    if maps.device.type != "cpu" or maps.dtype == torch.float64:
        return False
    return not (torch.is_grad_enabled() and maps.requires_grad)


def has_torchs_bits(channels: int, size: tuple[int, int]) -> bool:
    """Return whether compiled code enlarges maps of so many channels to `size` exactly as torch."""
    return sum(size) > TORCH_SMALL and channels != 3 and _rounds_as_torch()


@lru_cache(maxsize=1)
def _rounds_as_torch() -> bool:
    """Return whether this build of torch rounds as the compiled code does, tried on an example."""
    maps = torch.rand(1, 4, 11, 13, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(maps, (67, 71), mode="bilinear")
    found = torch.empty_like(expected)
    enlarge_flat(*flat(maps), (11, 13), found.numpy(), taps(11, 67), taps(13, 71))
    return torch.equal(found, expected)


@lru_cache(maxsize=64)
def taps(cells: int, target: int) -> Taps:
    """Return how `target` output cells read a side of `cells` input cells, rounded as in torch."""
    ratio = np.float32(cells) / np.float32(target)
    # torch is compiled to round a product and a sum only once, as happens here in float64
    place = np.float64(ratio) * (np.arange(target) + 0.5) - 0.5
    place = np.maximum(place.astype(np.float32), np.float32(0))
    first = np.minimum(place.astype(np.int64), cells - 1)
    second = first if cells == target else np.minimum(first + 1, cells - 1)
    weight = np.clip(place - first.astype(np.float32), np.float32(0), np.float32(1))
    return Taps(first, second, np.float32(1) - weight, weight)


@intrinsic
def fma(typing_context, a, b, c):  # noqa: ARG001
    """Return a · b + c of float32 numbers, rounded once, as torch's compiled code does."""

    def code(context, builder, signature, arguments):  # noqa: ARG001
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), code


@kernel
def enlarge_flat(maps, strides, small, out, rows, columns):
    """Do `enlarge_bilinear` on flat maps of size `small`, (h, w)."""
    images, channels, height, width = out.shape
    cells, side = small[0] * small[1], small[1]
    plane, stretched = np.empty(cells, np.float32), np.empty((2, width), np.float32)
    for b in range(images):
        for c in range(channels):
            read(maps, strides, b, c, 0, cells, plane)
            held = (-1, -1)  # which input rows are in `stretched`: even ones first, odd ones second
            for y in range(height):
                upper, lower = rows.first[y], rows.second[y]
                for row in (upper, lower):
                    if held[row & 1] != row:
                        _stretch(plane, row * side, columns, stretched[row & 1])
                        held = (row, held[1]) if row & 1 == 0 else (held[0], row)
                _blend(stretched[upper & 1], stretched[lower & 1], rows.first_weight[y],
                       rows.second_weight[y], out[b, c, y])  # fmt: skip


@kernel
def _stretch(plane, start, columns, row):
    """Interpolate one input row to the output's width."""
    for x in range(len(row)):
        first = plane[AT(start + columns.first[AT(x)])]
        second = plane[AT(start + columns.second[AT(x)])]
        rest = second * columns.second_weight[AT(x)]
        row[AT(x)] = fma(first, columns.first_weight[AT(x)], rest)


@kernel
def _blend(upper, lower, upper_weight, lower_weight, row):
    """Interpolate between two stretched rows."""
    for x in range(len(row)):
        row[AT(x)] = fma(upper[AT(x)], upper_weight, lower[AT(x)] * lower_weight)
