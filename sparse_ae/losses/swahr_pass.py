"""SWAHR's losses and their gradients in one compiled pass over the maps.

One block of cells at a time is read from each map into buffers. There the losses overwrite the
targets and the scales; their slopes overwrite the predictions and fill a buffer of their own.
`swahr` has the formulas, and the same in torch.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.losses.blocks import (
    BLOCK,
    in_range,
    multiply,
    read,
    scale_by,
    stretch,
    sum_block,
    write,
)
from sparse_ae.losses.vector_math import AT, HALF, ONE, exp32, fused_kernel, log32, sign
from sparse_ae.runtime.kernels import kernel

FOCAL_EXPONENT = 0.01  # in the weight W
ZERO, TWO, THREE = np.float32(0), np.float32(2), np.float32(3)


@kernel
def loss_pass(pred, scale, target, slope, turn, mask, strides, shape, given, factors):
    """Sum both losses over all cells, and write `factors` times their gradients.

    The gradients with respect to pred and scale go to `slope` and `turn`; `strides` are those of
    the six flat maps; `given` says whether these two and the mask are given. Returns the sums, and
    whether all targets are valid.
    """
    images, kinds, cells = shape
    has_gradient, has_mask = given
    x, t = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    s, ds = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    weight = np.empty(BLOCK, np.float32)
    total, adapting, good = 0.0, 0.0, True
    # maps are read in memory order: channel by channel, or cell by cell with all channels
    channels_last = strides[0][2] != 1
    for outer in range(images * (1 if channels_last else kinds)):
        b, first = (outer, 0) if channels_last else (outer // kinds, outer % kinds)
        for start in range(0, cells, BLOCK):
            count = min(BLOCK, cells - start)
            if has_mask:
                read(mask, strides[5], b, 0, start, count, weight)
            for k in range(first, kinds if channels_last else first + 1):
                read(pred, strides[0], b, k, start, count, x)
                read(scale, strides[1], b, k, start, count, s)
                read(target, strides[2], b, k, start, count, t)
                good &= in_range(t)
                _both_losses(x, t, s, ds, factors[0], factors[1])
                if has_mask:
                    multiply(t, weight)
                    multiply(s, weight)
                    multiply(x, weight)
                    multiply(ds, weight)
                total += sum_block(t)
                adapting += sum_block(s)
                if has_gradient:
                    scale_by(x, factors[0])
                    write(slope, strides[3], b, k, start, count, x)
                    write(turn, strides[4], b, k, start, count, ds)
    return total, adapting, good


@kernel
def _both_losses(pred, target, scale, turn, heatmap, adapt):
    """Overwrite `pred` with slopes, `target` and `scale` with losses; `turn` gets scale's slopes.

    Where the target is 0, the scale is not read.
    """
    first = 0
    while first < BLOCK:
        some, last = stretch(target, first)
        if some:
            _inside(pred, target, scale, turn, heatmap, adapt, first, last)
        else:
            _outside(pred, target, scale, turn, first, last)
        first = last


@fused_kernel
def _outside(pred, target, scale, turn, first, last):
    """Do as `_both_losses` where all targets are 0, so that W is |pred|."""
    for i in range(first, last):
        square = pred[AT(i)] * abs(pred[AT(i)])
        target[AT(i)] = abs(pred[AT(i)] * square)
        pred[AT(i)] = THREE * square
        scale[AT(i)] = ZERO
        turn[AT(i)] = ZERO


@fused_kernel
def _inside(pred, target, scale, turn, heatmap, adapt, first, last):
    """Do as `_both_losses` where some targets are not 0."""
    for i in range(first, last):
        x, value = pred[AT(i)], target[AT(i)]
        drawn = value != ZERO
        log = log32(value) if drawn else ZERO
        s = scale[AT(i)] if drawn else ZERO
        p = exp32(np.float32(FOCAL_EXPONENT) * log) if drawn else ZERO
        l = s * log  # noqa: E741
        apart, rest = x - value * (ONE + l + HALF * l * l), ONE - x
        weight = p * abs(rest) + (ONE - p) * abs(x)
        weight_slope = (ONE - p) * sign(x) - p * sign(rest)
        target[AT(i)] = weight * (apart * apart)
        pred[AT(i)] = apart * (TWO * weight + apart * weight_slope)
        scale[AT(i)] = s * s
        turn[AT(i)] = TWO * (adapt * s - heatmap * weight * apart * value * (ONE + l) * log)
