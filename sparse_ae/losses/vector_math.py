"""Logarithm and exponential of float32 numbers, for compiled loops over many of them.

The formulas are those of the Cephes library (Moshier), accurate to one or two units in the last
place. They have no branches, so the compiler computes a register full of numbers at once.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from sparse_ae.runtime.kernels import kernel

AT = np.uintp  # an index known to be non-negative: loops over signed ones are slow
# a · b + c may be rounded once: faster, and no less accurate
fused_kernel = partial(kernel, fastmath={"contract"})
SMALLEST = np.float32(1.17549435e-38)  # smaller float32 numbers (subnormals) have fewer digits
UP, UP_LOG = np.float32(2.0**23), np.float32(23 * math.log(2))
SQRT_HALF_BITS, EXPONENT_BITS = np.int32(0x3F3504F3), np.int32(0x7F800000)
ROUND, ROUND_BITS = np.float32(1.5 * 2**23), np.int32(0x4B400000)
ONE, HALF = np.float32(1), np.float32(0.5)
THIRD, QUARTER, FIFTH = np.float32(1 / 3), np.float32(1 / 4), np.float32(1 / 5)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
LOG2_E = np.float32(1.44269504088896341)
LEAST, LOWEST = np.float32(-126 * math.log(2)), np.float32(-150 * math.log(2))
LOG = tuple(np.float32(c) for c in (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
))  # fmt: skip
EXP = tuple(np.float32(c) for c in (
    1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
    5.0000001201e-1,
))  # fmt: skip


@fused_kernel
def log32(x):
    """Return the natural logarithm of a float32 number of 0 or more."""
    tiny = x < SMALLEST
    value = _log(x * UP if tiny else x) - (UP_LOG if tiny else np.float32(0))
    return np.float32(-np.inf) if x == np.float32(0) else value


@fused_kernel
def _log(x):
    """Return the logarithm of a float32 number of SMALLEST or more."""
    bits = np.float32(x).view(np.int32) - SQRT_HALF_BITS
    exponent = bits >> np.int32(23)
    mantissa = np.int32((bits & np.int32(0x007FFFFF)) + SQRT_HALF_BITS).view(np.float32)
    power, r = np.float32(exponent), mantissa - ONE  # the mantissa is between √½ and √2
    square = r * r
    series = LOG[0]
    for i in range(1, 9):
        series = series * r + LOG[i]
    rest = series * r * square + power * LN2_LOW - HALF * square
    return r + rest + power * LN2_HIGH


@fused_kernel
def exp32(x):
    """Return the exponential of a float32 number of 0 or less.

    It is 0 where float32 has no number so small, as usual. But where it would be a subnormal, below
    SMALLEST, it is SMALLEST, since processors are slow with subnormals.
    """
    bounded = LEAST if x < LEAST else x
    shifted = bounded * LOG2_E + ROUND  # so large that the fraction is rounded away
    power = shifted - ROUND
    r = bounded - power * LN2_HIGH - power * LN2_LOW
    series = EXP[0]
    for i in range(1, 6):
        series = series * r + EXP[i]
    whole = np.float32(shifted).view(np.int32) - ROUND_BITS
    scale = np.int32((whole + np.int32(127)) << np.int32(23)).view(np.float32)
    value = (series * r * r + r + ONE) * scale
    return np.float32(0) if x < LOWEST else value


@fused_kernel
def power_near_1(x, exponent):
    """Return x ** exponent, for x of SMALLEST or more, where |exponent · log x| is below 0.1."""
    return exp_near_0(exponent * _log(x))


@fused_kernel
def exp_near_0(x):
    """Return the exponential of a float32 number between −0.1 and 0.1."""
    rest = THIRD * (ONE + x * (QUARTER + x * FIFTH * QUARTER))
    return ONE + x * (ONE + x * HALF * (ONE + x * rest))


@kernel
def sign(x):
    """Return the sign of x, which is the slope of |x|, and 0 at 0."""
    return np.float32(x > np.float32(0)) - np.float32(x < np.float32(0))
