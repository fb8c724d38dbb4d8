"""Arithmetic that gives the same labels on every machine.

Sums, products, quotients and roots of floats are the same everywhere. Sines, exponentials, powers
and solved equations are not: libraries choose their method by the processor, and the last digit
differs. Any such result that decides where somebody is gets rounded to a grid.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba.extending import register_jitable

from sparse_ae.runtime.kernels import kernel

GRID_STEPS = 2.0**20  # per unit: about a micrometre, or a millionth of a radian


@register_jitable
def snap(values):
    """Round floats, or an array of float64, to the nearest multiple of 1 / GRID_STEPS."""
    return np.rint(values * GRID_STEPS) / GRID_STEPS


def weighted_indices(rng: np.random.Generator, shares: tuple[float, ...], count: int) -> np.ndarray:
    """Draw (count,) indices with probabilities `shares`.

    The result equals that of `rng.choice`, which takes much longer for a few indices.
    """
    return _edges(shares).searchsorted(rng.random(count), side="right")


@cache
def _edges(shares: tuple[float, ...]) -> np.ndarray:
    """Return the cumulative shares, scaled so that the last is 1."""
    edges = np.cumsum(shares)
    return edges / edges[-1]


@kernel
def cos_sin(angle):
    """Return cosine and sine of an angle in radians, rounded to the grid."""
    return snap(np.cos(angle)), snap(np.sin(angle))
