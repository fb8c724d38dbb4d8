"""The heatmap loss and its gradient in one compiled pass over the maps.

One block of cells at a time is read from each map into buffers. There the loss overwrites the
targets, and its slope the predictions. `heatmap` has the formulas, and the same in torch.
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
from sparse_ae.losses.vector_math import (
    AT,
    ONE,
    exp32,
    fused_kernel,
    log32,
    power_near_1,
    sign,
)
from sparse_ae.runtime.kernels import kernel

FOCAL_EXPONENT = 0.01  # in the weight W, from the released code
ZERO, TWO, THREE = np.float32(0), np.float32(2), np.float32(3)
LARGEST = np.float32(3e38)  # log 1 = 0 times an infinite exponent would be NaN


@kernel
def loss_pass(pred, gradient, target, scale, mask, strides, shape, given, share, beta, focal):
    """Sum the heatmap loss over all cells, and write `share` times its gradient.

    `strides` are those of the five flat maps; `given` says whether scale, gradient and mask are
    given. Returns the sum, whether all targets are valid, and whether all scales are.
    """
    images, kinds, cells = shape
    has_scale, has_gradient, has_mask = given
    x, t = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    s, weight = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    total, good_target, good_scale = 0.0, True, True
    # maps are read in memory order: channel by channel, or cell by cell with all channels
    channels_last = strides[0][2] != 1
    for outer in range(images * (1 if channels_last else kinds)):
        b, first = (outer, 0) if channels_last else (outer // kinds, outer % kinds)
        for start in range(0, cells, BLOCK):
            count = min(BLOCK, cells - start)
            if has_mask:
                read(mask, strides[4], b, 0, start, count, weight)
            for k in range(first, kinds if channels_last else first + 1):
                read(pred, strides[0], b, k, start, count, x)
                read(target, strides[2], b, k, start, count, t)
                if has_scale:
                    read(scale, strides[3], b, k, start, count, s)
                good_target &= in_range(t)
                if focal or has_scale:
                    good_scale &= _weighted(x, t, s, has_scale, focal, beta)
                else:
                    _square(x, t, 0, BLOCK)
                if has_mask:
                    multiply(t, weight)
                    multiply(x, weight)
                total += sum_block(t)
                if has_gradient:
                    scale_by(x, share)
                    write(gradient, strides[1], b, k, start, count, x)
    return total, good_target, good_scale


@kernel
def _square(pred, target, first, last):
    """Overwrite predictions with the loss's slope and targets with the loss."""
    for i in range(first, last):
        apart = pred[AT(i)] - target[AT(i)]
        target[AT(i)] = apart * apart
        pred[AT(i)] = apart + apart


@kernel
def _weighted(pred, target, scale, scaled, focal, beta):
    """Do as `_square`, with Γ if `scaled` and W if `focal`; return whether all scales are valid.

    Stretches of the block in which all targets are 0 need no logarithms.
    """
    good, first = True, 0
    while first < BLOCK:
        some, last = stretch(target, first)
        if some and scaled:
            good &= _scaled(target, scale, beta, first, last)
        elif some:
            _logarithms(target, scale, first, last)
        if not focal:
            _square(pred, target, first, last)
        elif some:
            _inside(pred, target, scale, first, last)
        else:
            _outside(pred, target, first, last)
        first = last
    return good


@fused_kernel
def _scaled(target, scale, beta, first, last):
    """Raise targets to the power (beta/scale)², and overwrite scales with the results' logarithms.

    Returns whether the scales are positive where targets are.
    """
    bad = np.int32(0)
    for i in range(first, last):
        value, width = target[AT(i)], scale[AT(i)]
        ratio = beta / width
        log = log32(value) * min(ratio * ratio, LARGEST)
        bad |= np.int32(0) if (value == ZERO) | (width > ZERO) else np.int32(1)
        target[AT(i)] = ZERO if value == ZERO else exp32(log)
        scale[AT(i)] = log
    return bad == 0


@kernel
def _logarithms(target, logs, first, last):
    for i in range(first, last):
        logs[AT(i)] = log32(target[AT(i)])


@kernel
def _outside(pred, target, first, last):
    """Do as `_square` with W where all targets are 0, so that W is |pred|."""
    for i in range(first, last):
        value = pred[AT(i)]
        square = value * abs(value)
        target[AT(i)] = abs(value * square)
        pred[AT(i)] = THREE * square


@fused_kernel
def _inside(pred, target, logs, first, last):
    """Do as `_square` with W, given the targets' logarithms; p is 0 where a target is 0."""
    for i in range(first, last):
        x, value = pred[AT(i)], target[AT(i)]
        p = power_near_1(ONE - logs[AT(i)], np.float32(-FOCAL_EXPONENT))
        p = ZERO if value == ZERO else p
        apart, rest = x - value, ONE - x
        weight = p * abs(rest) + (ONE - p) * abs(x)
        turn = (ONE - p) * sign(x) - p * sign(rest)  # slope of the weight
        target[AT(i)] = weight * (apart * apart)
        pred[AT(i)] = apart * (TWO * weight + apart * turn)
