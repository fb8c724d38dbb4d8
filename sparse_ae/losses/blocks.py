"""Compiled helpers that read, transform and write maps on a CPU, one block of cells at a time.

Networks output channels-last maps, often in bfloat16; targets are contiguous float32. The losses
read both in place, one block of cells at a time, into short float32 buffers that stay in the
processor's cache. NumPy has no bfloat16, so bfloat16 maps are passed as int16 numbers with the same
bits.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sparse_ae.runtime.kernels import kernel

AT = np.uintp  # an index known to be non-negative: loops over signed ones are slow
BLOCK = 128  # cells read at once; those of all channels fit into the fastest cache
LANES = 16  # float32 numbers that processors with wide registers handle at once
NAN, NAN_BITS = np.int32(0x7FC0), np.int32(0x7F800000)  # bfloat16 NaN; larger float32 bits are NaN


def can_be_compiled(maps: list[Tensor | None], differentiable: int) -> bool:
    """Return whether compiled code can compute a loss of these maps.

    Args:
        maps: all inputs of the loss, None for those that are not given.
        differentiable: how many of them, from the first on, may need a gradient.

    Returns:
        Whether all are in host memory, none is float64, and none of the rest needs a gradient.
    """
    given = [one for one in maps if one is not None]
    if any(one.device.type != "cpu" or one.dtype == torch.float64 for one in given):
        return False
    others = [one for one in maps[differentiable:] if one is not None]
    return not (torch.is_grad_enabled() and any(one.requires_grad for one in others))


def without_float16(maps: Tensor) -> Tensor:
    """Return maps as float32 or bfloat16, which compiled code reads."""
    return maps if maps.dtype in (torch.float32, torch.bfloat16) else maps.float()


def flat(maps: Tensor) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Return the memory of CPU maps as a flat array, and the strides of their cells in it.

    Args:
        maps: (B, K, H, W) or, for a mask, (B, H, W); float32 or bfloat16. They are copied only if
            they are not `even`.

    Returns:
        A float32 array (n,), or an int16 array (n,) with the bits of bfloat16; and the strides of
        images, channels and cells, in elements. Cells are counted row after row.
    """
    maps = maps.detach()
    if maps.ndim == 3:
        maps = maps[:, None]
    if not even(maps):
        maps = maps.contiguous()
    strides = maps.stride()
    last = sum((size - 1) * stride for size, stride in zip(maps.shape, strides, strict=True))
    step = strides[3] if maps.shape[3] > 1 else strides[2]
    maps = maps.as_strided((last + 1 if maps.numel() else 0,), (1,))
    if maps.dtype == torch.bfloat16:
        maps = maps.view(torch.int16)
    return maps.numpy(), (strides[0], strides[1], step)


def even(maps: Tensor) -> bool:
    """Return whether the cells of each channel (…, H, W) are evenly spaced in memory."""
    height, width = maps.shape[-2:]
    return 1 in (height, width) or maps.stride(-2) == width * maps.stride(-1)


def place_for_gradient(maps: Tensor) -> Tensor:
    """Return an uninitialised tensor like `maps`, contiguous unless their layout is `even`."""
    gradient = torch.empty_like(maps)
    return gradient if even(gradient) else torch.empty(maps.shape, dtype=maps.dtype)


@kernel
def read(maps, strides, image, kind, start, count, block):
    """Read `count` cells of one channel of flat maps into `block`, and fill it up with zeros."""
    first = image * strides[0] + kind * strides[1] + start * strides[2]
    _read_cells(maps, first, strides[2], count, block)


@kernel
def write(maps, strides, image, kind, start, count, block):
    """Write the first `count` numbers of `block` to one channel of flat maps."""
    first = image * strides[0] + kind * strides[1] + start * strides[2]
    _write_cells(maps, first, strides[2], count, block)


@kernel
def _read_cells(maps, start, step, count, block):
    """Read `count` cells at start, start + step, … into `block` (float32), padded with zeros."""
    if maps.itemsize == 2:
        for i in range(count):
            block[AT(i)] = from_bfloat16(maps[AT(start + i * step)])
    elif step == 1:
        for i in range(count):
            block[AT(i)] = maps[AT(start + i)]
    else:
        for i in range(count):
            block[AT(i)] = maps[AT(start + i * step)]
    for i in range(count, len(block)):
        block[AT(i)] = np.float32(0)


@kernel
def _write_cells(maps, start, step, count, block):
    """Write `count` numbers of `block` to the cells of `maps` at start, start + step, …"""
    if maps.itemsize == 2:
        for i in range(count):
            maps[AT(start + i * step)] = to_bfloat16(block[AT(i)])
    elif step == 1:
        for i in range(count):
            maps[AT(start + i)] = block[AT(i)]
    else:
        for i in range(count):
            maps[AT(start + i * step)] = block[AT(i)]


@kernel
def from_bfloat16(bits):
    """Return the float32 number whose upper half has the bits of a bfloat16."""
    return np.int32(np.int32(bits) << np.int32(16)).view(np.float32)


@kernel
def to_bfloat16(value):
    """Return the bits of the bfloat16 nearest to a float32 number; ties go to the even one."""
    bits = np.float32(value).view(np.int32)
    odd = (bits >> np.int32(16)) & np.int32(1)
    rounded = (bits + np.int32(0x7FFF) + odd) >> np.int32(16)
    return NAN if (bits & np.int32(0x7FFFFFFF)) > NAN_BITS else rounded


def _sum_block(block):
    total = np.float32(0)
    for i in range(len(block)):
        total += block[AT(i)]
    return total


# the compiler may reorder the terms, which lets it add a register full of them at once
sum_block = kernel(_sum_block, fastmath={"reassoc"})


@kernel
def in_range(block):
    """Return whether all numbers of a block are in [0, 1]."""
    bad = np.int32(0)
    for i in range(BLOCK):
        value = block[AT(i)]
        good = (value >= np.float32(0)) & (value <= np.float32(1))
        bad |= np.int32(0) if good else np.int32(1)
    return bad == 0


@kernel
def stretch(target, first):
    """Return whether the stretch of cells from `first` on has nonzero cells, and where it ends.

    LANES cells are tested at a time, and the stretch ends where the answer changes.
    """
    pairs = target.view(np.int64)
    some, last = _any(pairs, first), first + LANES
    while last < BLOCK and _any(pairs, last) == some:
        last += LANES
    return some, last


@kernel
def _any(pairs, first):
    """Return whether any of LANES cells, read as pairs, is not 0."""
    found = np.int64(0)
    for i in range(first >> 1, (first + LANES) >> 1):
        found |= pairs[AT(i)]
    return found != 0


@kernel
def multiply(block, weight):
    """Multiply a block by another, in place."""
    for i in range(BLOCK):
        block[AT(i)] *= weight[AT(i)]


@kernel
def scale_by(block, factor):
    """Multiply a block by a number, in place."""
    for i in range(BLOCK):
        block[AT(i)] *= factor
