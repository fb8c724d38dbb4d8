"""Clothes as geometry: the mesh of all dressed bodies, and the positions of its vertices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.raster import vertex_normals
from sparse_ae.crowds.camera.texture import hash_noise
from sparse_ae.crowds.people.appearance import COLUMN, Clothes
from sparse_ae.crowds.people.bodies import ARM, HEAD, LEG, TRUNK, Bodies
from sparse_ae.crowds.people.garments import GarmentAnchors, build_garments, place_skirt
from sparse_ae.crowds.people.headwear import place_brim, place_tied_hair, under_hat
from sparse_ae.runtime.kernels import kernel

THICKEST = 0.045  # metres that cloth or hair stands off the skin at most; skirts may exceed it
SOLE = 0.012


class DressedMesh(NamedTuple):
    """The mesh of W vertices and G triangles that all dressed bodies share.

    The body's own V vertices and F triangles come first.

    Attributes:
        triangles: (G, 3) int32.
        parts: (G,) uint8, bodies.HEAD to LEG, then garments.SKIRT, TAIL and BRIM.
        along: (W, 4) float32, as in Bodies; 0 at the top of a skirt, 1 at its hem.
        template: (W, 3) float32, as in Bodies; cosine, sine and 0 of the angle on a skirt, on tied
            hair and on a brim.
        closed: The first `closed` triangles make a surface whose back nobody sees. The others are
            seen from both sides.
    """

    triangles: np.ndarray
    parts: np.ndarray
    along: np.ndarray
    template: np.ndarray
    closed: int


_of_last_bank: dict = {}  # results for the bank used last


def mesh_and_anchors(bodies: Bodies) -> tuple[DressedMesh, GarmentAnchors]:
    """Return the mesh of a bank's dressed bodies, and the GarmentAnchors that `dress` needs."""
    if _of_last_bank.get("bodies") is not bodies:
        extra, anchors = build_garments(bodies)
        joined = (np.concatenate((getattr(bodies, name), getattr(extra, name)))
                  for name in ("triangles", "parts", "along", "template"))  # fmt: skip
        _of_last_bank.update(
            bodies=bodies, made=(DressedMesh(*joined, len(bodies.triangles)), anchors)
        )
    return _of_last_bank["made"]


def dressed_mesh(bodies: Bodies) -> DressedMesh:
    """Return the mesh of a bank's dressed bodies, made once per bank."""
    return mesh_and_anchors(bodies)[0]


def skin_normals(bodies: Bodies) -> np.ndarray:
    """Return (N, V, 3) int8 normals of a bank's bodies in units of 1/127, made once per bank."""
    if _of_last_bank.get("normals of") is not bodies:
        normals = np.empty(bodies.vertices.shape, np.int8)
        for into, body in zip(normals, bodies.vertices, strict=True):
            into[:] = np.rint(127 * vertex_normals(body, bodies.triangles))
        _of_last_bank.update({"normals of": bodies, "normals": normals})
    return _of_last_bank["normals"]


def dress(bodies: Bodies, who: np.ndarray, clothes: Clothes) -> np.ndarray:
    """Dress bodies.

    Cloth and hair lie outside the skin, along its normals, by at most THICKEST metres. Soles and
    hems end at the ground. A garment that somebody does not wear shrinks to one point of the head.

    Args:
        bodies: The bank of bodies.
        who: (P,) indices of the bodies.
        clothes: Their clothes.

    Returns:
        (P, W, 3) float32 metres, vertices in each body's own frame.
    """
    mesh, anchors = mesh_and_anchors(bodies)
    own, style, skin_normal = len(bodies.template), clothes.table(), skin_normals(bodies)
    dressed = np.empty((len(who), len(mesh.template), 3), np.float32)
    for person, body in enumerate(who):
        skin = bodies.vertices[body]
        normals = skin_normal[body] * np.float32(1 / 127)
        offset_by_clothes(dressed[person], skin, normals, anchors.part, bodies.along,
                          bodies.template, tuple(style[person].tolist()))  # fmt: skip
        dressed[person, own:] = skin[anchors.top]
        place_skirt(dressed[person], anchors, style, person)
        place_tied_hair(dressed[person], anchors, mesh.template, style, person)
        place_brim(dressed[person], anchors, mesh.template, style, person)
    return dressed


@kernel
def thickness(part, place, x, y, z, cut):
    """Return the metres from the skin to the surface over a vertex, at most THICKEST.

    place: its part's coordinate of Bodies.along. x, y, z: the vertex on the template. cut: the
    person's row of Clothes.table().
    """
    if part == HEAD:
        hair = cut[COLUMN.hair] * min(max((place - cut[COLUMN.hairline]) / 0.5, 0.0), 1.0)
        return max(hair, 0.012) if cut[COLUMN.hat] > 0 and under_hat(y, z) else hair
    if part == TRUNK:
        if y > 0.0 and z > cut[COLUMN.hair_end]:
            neck = max(0.0, 1 - abs(z - 0.53) / 0.1)
            return 0.012 + 0.03 * neck if abs(x) < 0.13 - 0.2 * (0.55 - z) else 0.01
        if place <= cut[COLUMN.waist]:
            return cut[COLUMN.leg_gap] * 0.5
        return cut[COLUMN.shirt_gap] if place < cut[COLUMN.collar] else 0.0
    if part == ARM:
        bare = place >= cut[COLUMN.sleeve]
        return 0.0 if bare else cut[COLUMN.shirt_gap] * min(1.0, 0.5 + max(place, 0.0))
    if place > cut[COLUMN.shoe]:
        return SOLE
    bare = place >= cut[COLUMN.leg]
    return 0.0 if bare else cut[COLUMN.leg_gap] * min(1.0, 0.4 + max(place, 0.0))


@kernel
def offset_by_clothes(dressed, skin, normals, part, along, template, cut):
    """Move each vertex of a body outwards by what it wears, folds included."""
    for v in range(len(skin)):
        gap = thickness(part[v], along[v, part[v]], template[v, 0], template[v, 1],
                        template[v, 2], cut)  # fmt: skip
        if part[v] != HEAD and along[v, LEG] <= cut[COLUMN.shoe]:
            gap *= 0.7 + 0.6 * hash_noise(v, 7, cut[COLUMN.key])
        gap = min(gap, THICKEST)
        for i in range(3):
            dressed[v, i] = skin[v, i] + gap * normals[v, i]
        if dressed[v, 2] < 0:
            dressed[v, 2] = min(0.0, skin[v, 2])
