"""Noise and soft edges, from which patterns are made."""

from __future__ import annotations

import numpy as np

from sparse_ae.runtime.kernels import kernel

TABLE_SIDE = 256  # texels, a power of two
WRAP = TABLE_SIDE - 1  # bit mask that repeats the tables over the plane
TEXELS_PER_UNIT = 8  # also the size of a lump of smooth noise
SMOOTH, ROUGH = range(2)


def fast_kernel(function):
    """Compile a function that only colours pictures, where rounding need not be reproducible.

    Functions that run per pixel take numbers and tuples of numbers: numba counts references to
    arrays at each call that it cannot inline, which costs more than everything else.
    """
    return kernel(function, fastmath=True)


def make_tables() -> np.ndarray:
    """Make (2, TABLE_SIDE, TABLE_SIDE) uint8 noise that tiles the plane, with mean 127.

    SMOOTH has lumps of TEXELS_PER_UNIT texels and nothing finer; ROUGH has all scales, like clouds
    or stains.
    """
    spectrum = np.fft.rfft2(np.random.default_rng(20).standard_normal((2, TABLE_SIDE, TABLE_SIDE)))
    frequency = (
        np.hypot(np.fft.fftfreq(TABLE_SIDE)[:, None], np.fft.rfftfreq(TABLE_SIDE)) * TABLE_SIDE
    )
    cut = TABLE_SIDE / TEXELS_PER_UNIT / 2
    spectrum[SMOOTH] *= np.exp(-((frequency / cut) ** 2))
    spectrum[ROUGH] /= np.maximum(frequency, 3) ** 1.3
    spectrum[:, 0, 0] = 0
    waves = np.fft.irfft2(spectrum, (TABLE_SIDE, TABLE_SIDE))
    waves /= waves.std((1, 2), keepdims=True)
    return np.rint(255 * np.clip(0.5 + 0.22 * waves, 0, 1)).astype(np.uint8)


TABLES = make_tables()  # kernels compile them in as constants


@kernel
def hash_noise(i, j, key):
    """Return a random-looking number in [0, 1] for a point with integer coordinates."""
    h = (int(i) * 374761393 + int(j) * 668265263 + int(key) * 144269) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFF) / 65535.0


@fast_kernel
def fraction(x):
    """Return the part of x above the integer below it."""
    return x - np.floor(x)


@fast_kernel
def noise(table, x, y):
    """Return smooth noise of the plane in [0, 1], from the table SMOOTH or ROUGH.

    One unit of x or y has TEXELS_PER_UNIT texels.
    """
    x, y = x * TEXELS_PER_UNIT, y * TEXELS_PER_UNIT
    i, j = int(np.floor(x)), int(np.floor(y))
    u, v = x - i, y - j
    i, j, k, m = i & WRAP, j & WRAP, (i + 1) & WRAP, (j + 1) & WRAP
    top = TABLES[table, j, i] * (1 - u) + TABLES[table, j, k] * u
    return (top * (1 - v) + (TABLES[table, m, i] * (1 - u) + TABLES[table, m, k] * u) * v) / 255


@fast_kernel
def texel(table, x, y):
    """Return noise without interpolation, for detail finer than a pixel."""
    i, j = int(np.floor(x * TEXELS_PER_UNIT)) & WRAP, int(np.floor(y * TEXELS_PER_UNIT)) & WRAP
    return TABLES[table, j, i] / 255


@fast_kernel
def stroke(u, width, soft):
    """Return 1 within a line of `width` at each integer, else 0, blurred over `soft`.

    Where `soft` exceeds 1, the result is the mean.
    """
    if soft > 1:
        return width
    off = abs(u - np.floor(u + 0.5))
    soft = max(soft, 1e-4)
    reach = min(max((width / 2 - off) / soft + 0.5, 0.0), 1.0)
    return reach * min(1.0, width / soft)


@fast_kernel
def square_wave(u, soft):
    """Return 1 and 0 in turn, half a unit each, blurred over `soft`; 0.5 if `soft` exceeds 1."""
    if soft > 1:
        return 0.5
    triangle = 0.25 - abs(u - np.floor(u) - 0.5)  # > 0 in the middle half
    sharp = min(max(triangle / max(soft, 1e-4) + 0.5, 0.0), 1.0)
    return sharp + (0.5 - sharp) * soft


@fast_kernel
def within(value, edge, soft):
    """Return 1 where value < edge and 0 beyond, blurred over `soft`."""
    return min(max((edge - value) / max(soft, 1e-4) + 0.5, 0.0), 1.0)
