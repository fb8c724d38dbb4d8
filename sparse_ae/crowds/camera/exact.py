"""What keeps labels the same on every machine.

Sums, products, quotients and roots of floats are the same everywhere. Sines, exponentials, powers
and solved equations are not: libraries choose their method by the processor, and the last digit
differs. So whatever comes of one, and decides where somebody is, is put on a grid.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba.extending import register_jitable

from sparse_ae.runtime.kernels import kernel

STEPS = 2.0**20  # to one: a micrometre, or a millionth of a radian


@register_jitable
def on_grid(values):
    """Floats, or an array of float64, to the nearest multiple of 1 / STEPS."""
    return np.rint(values * STEPS) / STEPS


def weighted(rng: np.random.Generator, shares: tuple[float, ...], count: int) -> np.ndarray:
    """(count,) indices drawn with probabilities `shares`: what `rng.choice` gives, and much sooner
    for a few."""
    return _edges(shares).searchsorted(rng.random(count), side="right")


@cache
def _edges(shares: tuple[float, ...]) -> np.ndarray:
    edges = np.cumsum(shares)
    return edges / edges[-1]


@kernel
def circle(angle):
    """Cosine and sine of an angle in radians, on the grid."""
    return on_grid(np.cos(angle)), on_grid(np.sin(angle))
