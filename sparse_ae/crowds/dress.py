"""Clothes as geometry: what all dressed bodies share, and where their vertices are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .appearance import Clothes
from .bodies import Bodies


class Outfit(NamedTuple):
    """W vertices and G triangles that all dressed bodies share; the bodies' own V and F first.

    triangles: (G, 3) int32. parts: (G,) uint8, bodies.HEAD to LEG. along: (W, 4), template:
    (W, 3) float32, as in Bodies.
    """

    triangles: np.ndarray
    parts: np.ndarray
    along: np.ndarray
    template: np.ndarray


def outfit(bodies: Bodies) -> Outfit:
    """The mesh of dressed bodies of a bank."""
    return Outfit(bodies.triangles, bodies.parts, bodies.along, bodies.template)


def dress(bodies: Bodies, who: np.ndarray, clothes: Clothes) -> np.ndarray:
    """(P, W, 3) float32 vertices of bodies `who` (P,) in `clothes`, each in its body's frame."""
    return bodies.vertices[who]
