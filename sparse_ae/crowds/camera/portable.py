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

GRID_STEPS = 2.0**20  # to one: a micrometre, or a millionth of a radian


@register_jitable
def snap(values):
    """Floats, or an array of float64, to the nearest multiple of 1 / STEPS."""
    return np.rint(values * GRID_STEPS) / GRID_STEPS


def weighted_indices(rng: np.random.Generator, shares: tuple[float, ...], count: int) -> np.ndarray:
    """(count,) indices drawn with probabilities `shares`: what `rng.choice` gives, and much sooner
    for a few."""
    return _edges(shares).searchsorted(rng.random(count), side="right")


@cache
def _edges(shares: tuple[float, ...]) -> np.ndarray:
    edges = np.cumsum(shares)
    return edges / edges[-1]


@kernel
def cos_sin(angle):
    """Cosine and sine of an angle in radians, on the grid."""
    return snap(np.cos(angle)), snap(np.sin(angle))
