"""Clothes as geometry: what all dressed bodies share, and where their vertices are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .appearance import CUT, UNCUT, Clothes
from .bodies import ARM, HEAD, LEG, TRUNK, Bodies
from .garments import Sewing, add_skirt, sew
from .headwear import add_brim, add_tail, over_brim
from .raster import kernel, vertex_normals
from .texture import lattice

THICKEST = 0.045  # metres between skin and cloth, or the surface of hair, skirts excepted
SOLE = 0.012


class Outfit(NamedTuple):
    """W vertices and G triangles that all dressed bodies share; the bodies' own V and F first.

    triangles: (G, 3) int32. parts: (G,) uint8, bodies.HEAD to LEG, then garments.SKIRT, TAIL and
    BRIM. along: (W, 4), template: (W, 3) float32, as in Bodies; a skirt's along is 0 at its top,
    1 at its hem, and its template is (angle, 0, 0). closed: so many triangles, the first ones,
    make a surface whose back nobody sees; the others are seen from both sides.
    """

    triangles: np.ndarray
    parts: np.ndarray
    along: np.ndarray
    template: np.ndarray
    closed: int


_sewn: dict = {}  # of the bank used last: what follows from it


def pattern_pieces(bodies: Bodies) -> tuple[Outfit, Sewing]:
    """The mesh of dressed bodies of a bank, and what `dress` needs to know of it."""
    if _sewn.get("bodies") is not bodies:
        extra, sewing = sew(bodies)
        joined = (np.concatenate((getattr(bodies, name), getattr(extra, name)))
                  for name in ("triangles", "parts", "along", "template"))  # fmt: skip
        _sewn.update(bodies=bodies, made=(Outfit(*joined, len(bodies.triangles)), sewing))
    return _sewn["made"]


def outfit(bodies: Bodies) -> Outfit:
    """The mesh of dressed bodies of a bank."""
    return pattern_pieces(bodies)[0]


def dress(bodies: Bodies, who: np.ndarray, clothes: Clothes) -> np.ndarray:
    """(P, W, 3) float32 vertices of bodies `who` (P,) in `clothes`, each in its body's frame.

    Cloth and hair lie outside the skin, along its normals, by at most THICKEST metres; soles and
    hems end at the ground. A garment that somebody does not wear lies in one point of his head.
    """
    shared, sewing = pattern_pieces(bodies)
    own, style = len(bodies.template), clothes.table()
    dressed = np.empty((len(who), len(shared.template), 3), np.float32)
    for person, body in enumerate(who):
        skin = bodies.vertices[body]
        normals = vertex_normals(skin, bodies.triangles)
        drape(dressed[person], skin, normals, sewing.part, bodies.along, bodies.template, style,
              person)  # fmt: skip
        dressed[person, own:] = skin[sewing.top]
        add_skirt(dressed[person], sewing, style, person)
        add_tail(dressed[person], sewing, shared.template, style, person)
        add_brim(dressed[person], sewing, shared.template, style, person)
    return dressed


@kernel
def thickness(part, along, point, style, who):
    """Metres from the skin to the surface over a vertex of a part, at most THICKEST."""
    if part == HEAD:
        covered = along[HEAD] - style[who, CUT.hairline]
        hair = style[who, CUT.hair] * min(max(covered / 0.5, 0.0), 1.0)
        return (
            max(hair, 0.012) if style[who, CUT.hat] > 0 and over_brim(point[1], point[2]) else hair
        )
    if part == TRUNK:
        place = along[TRUNK]
        if point[1] > 0.0 and place > style[who, CUT.hair_end] and style[who, CUT.hair_end] < UNCUT:
            neck = max(0.0, 1 - abs(place - 0.53) / 0.1)
            return 0.012 + 0.03 * neck if abs(point[0]) < 0.13 - 0.2 * (0.55 - place) else 0.01
        if place <= style[who, CUT.waist]:
            return style[who, CUT.leg_gap] * 0.5
        return style[who, CUT.shirt_gap] if place < style[who, CUT.collar] else 0.0
    if part == ARM:
        if along[ARM] >= style[who, CUT.sleeve]:
            return 0.0
        return style[who, CUT.shirt_gap] * min(1.0, 0.5 + max(along[ARM], 0.0))
    if along[LEG] > style[who, CUT.shoe]:
        return SOLE
    if along[LEG] < style[who, CUT.leg]:
        return style[who, CUT.leg_gap] * min(1.0, 0.4 + max(along[LEG], 0.0))
    return 0.0


@kernel
def drape(dressed, skin, normals, part, along, template, style, who):
    """Move each vertex of a body outwards by what it wears, folds included."""
    for v in range(len(skin)):
        gap = thickness(part[v], along[v], template[v], style, who)
        if part[v] != HEAD and gap < SOLE * 4 and along[v, LEG] <= style[who, CUT.shoe]:
            gap *= 0.7 + 0.6 * lattice(v, 7, int(style[who, CUT.key]))
        gap = min(gap, THICKEST)
        for i in range(3):
            dressed[v, i] = skin[v, i] + gap * normals[v, i]
        if dressed[v, 2] < 0:
            dressed[v, 2] = min(0.0, skin[v, 2])
