"""Garments with a mesh of their own: skirts here, headwear in headwear.py."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.portable import snap
from sparse_ae.crowds.camera.texture import hash_noise
from sparse_ae.crowds.people.appearance import COLUMN
from sparse_ae.crowds.people.bodies import HEAD, LEG, TRUNK, Bodies
from sparse_ae.runtime.kernels import kernel

SKIRT, TAIL, BRIM = 4, 5, 6  # parts, numbered after the body's
RINGS, ANGLES = 10, 24  # rings of a skirt, and vertices per ring
TAIL_RINGS, TAIL_ANGLES = 7, 8
BRIM_ANGLES = 20
THIGH = 0.4  # metres from hip to knee on the template, the unit of a skirt's levels
WAIST_AT, HIP_AT, KNEE_AT, ANKLE_AT = -0.25, 0.12, 1.0, 1.87


class GarmentAnchors(NamedTuple):
    """The parts of a bank's bodies that garments hang on.

    Attributes:
        part: (V,) the part that each vertex belongs to.
        top: (1,) a vertex of the head.
        lower: (L,) vertices of trunk and legs that a skirt may cover.
        down: (L,) how far down they are: 0 at the hips, 1 at the knees, 2 at the ankles.
        side: (L,) 1 for the left leg, -1 for the right leg, 0 for the trunk.
        skull: (4, S) vertices of the head on the left, on the right, above, below.
        head: (2, 3) the middle of the template's skull; then its width and two zeros.
        brim: (BRIM_ANGLES,) the skull's radius.
        starts: First vertices of skirt, tied hair and brim, then the number of vertices.
    """

    part: np.ndarray
    top: np.ndarray
    lower: np.ndarray
    down: np.ndarray
    side: np.ndarray
    skull: np.ndarray
    head: np.ndarray
    brim: np.ndarray
    starts: np.ndarray


class GarmentMeshes(NamedTuple):
    """Vertices and triangles beyond the body's, with the fields of DressedMesh."""

    triangles: np.ndarray
    parts: np.ndarray
    along: np.ndarray
    template: np.ndarray


def tube_triangles(rings: int, angles: int) -> np.ndarray:
    """Return (2 (rings - 1) angles, 3) triangles between rings of `angles` vertices each."""
    ring, at = np.indices((rings - 1, angles)).reshape(2, -1)
    a, b = ring * angles + at, ring * angles + (at + 1) % angles
    c, d = a + angles, b + angles
    return np.concatenate((np.stack((a, c, b), 1), np.stack((b, c, d), 1)))


def build_garments(bodies: Bodies) -> tuple[GarmentMeshes, GarmentAnchors]:
    """Build the meshes of the garments for a bank, and the anchors that they hang on."""
    own, template = len(bodies.template), bodies.template
    meshes = ((RINGS, ANGLES, SKIRT), (TAIL_RINGS, TAIL_ANGLES, TAIL), (2, BRIM_ANGLES, BRIM))
    starts = own + np.cumsum([0, *(rings * angles for rings, angles, _ in meshes)])
    triangles, parts, along, places = [], [], [], []
    for start, (rings, angles, part) in zip(starts, meshes, strict=False):
        faces = tube_triangles(rings, angles) + start
        ring, at = np.indices((rings, angles)).reshape(2, -1)
        triangles.append(faces)
        parts.append(np.full(len(faces), part))
        along.append(np.repeat(ring[:, None] / (rings - 1), 4, 1))
        turn = (at + 0.5 * (part == SKIRT)) * 2 * np.pi / angles
        places.append(snap(np.stack((np.cos(turn), np.sin(turn), 0 * turn), 1)))
    extra = GarmentMeshes(np.concatenate(triangles).astype(np.int32),
                  np.concatenate(parts).astype(bodies.parts.dtype),
                  np.concatenate(along).astype(np.float32),
                  np.concatenate(places).astype(np.float32))  # fmt: skip

    part = np.zeros(own, np.int64)
    for which in (HEAD, TRUNK, 2, LEG):
        part[bodies.triangles[bodies.parts == which]] = which
    down = np.where(part == LEG, bodies.along[:, LEG], -bodies.along[:, TRUNK] / THIGH)
    lower = np.flatnonzero((part == LEG) | (part == TRUNK) & (down > -0.6))
    side = np.where(part == LEG, np.sign(template[:, 0]), 0)[lower]

    skull = np.flatnonzero((part == HEAD) & (template[:, 2] > 0.6))
    x, _, z = template[skull].T
    few = max(4, len(skull) // 12)
    groups = np.stack([skull[np.argsort(order, kind="stable")[:few]] for order in (-x, x, -z, z)])
    middle = template[groups].mean((0, 1))
    width = template[groups[0], 0].mean() - template[groups[1], 0].mean()
    turn = np.arange(BRIM_ANGLES) * 2 * np.pi / BRIM_ANGLES
    level = template[skull[np.abs(z - 0.68) < 0.03]] - middle
    brim = (level[:, :1] * snap(np.cos(turn)) + level[:, 1:2] * snap(np.sin(turn))).max(0)
    head = np.array([middle, (width, 0, 0)])
    return extra, GarmentAnchors(
        part, groups[2, :1], lower, down[lower], side.astype(np.int64), groups, head, brim, starts
    )


@kernel
def unit(vector):
    """Return a vector scaled to length 1; a zero vector stays zero."""
    length = np.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2)
    return vector / max(length, 1e-9)


@kernel
def leg_landmarks(points, anchors):
    """Return (2, 4, 3) float64: waist, hip, knee and ankle of the left and of the right leg."""
    axes, count = np.zeros((2, 4, 3)), np.zeros((2, 4, 1))
    for i in range(len(anchors.lower)):
        down, side = anchors.down[i], anchors.side[i]
        for k, at in enumerate((WAIST_AT, HIP_AT, KNEE_AT, ANKLE_AT)):
            if abs(down - at) > 0.12 or (side == 0) != (k == 0):
                continue
            for leg in range(2):
                if side == 0 or (side < 0) == (leg == 1):
                    for c in range(3):
                        axes[leg, k, c] += points[anchors.lower[i], c]
                    count[leg, k] += 1
    return axes / np.maximum(count, 1)


@kernel
def ring_frame(axes, level):
    """Return the frame of a skirt's ring at a level down the legs.

    Returns:
        (3, 3) the centre; then the axes of its plane, which holds the middles of both legs: one to
        the left, one forwards or backwards.
    """
    marks = np.array([WAIST_AT, HIP_AT, KNEE_AT, ANKLE_AT])
    k = 0 if level < HIP_AT else (1 if level < KNEE_AT else 2)
    share = (level - marks[k]) / (marks[k + 1] - marks[k])
    middles = axes[:, k] * (1 - share) + axes[:, k + 1] * share
    both = (axes[0] + axes[1]) / 2
    normal = np.zeros(3)
    for j in range(3):  # the segments near the level count
        middle = (marks[j] + marks[j + 1]) / 2
        normal += max(0.0, 1 - abs(level - middle) / 0.75) * unit(both[j + 1] - both[j])
    normal = unit(normal)
    apart = unit(middles[0] - middles[1])
    tilted = normal - (normal * apart).sum() * apart
    if (tilted * tilted).sum() > 0.1:
        normal = unit(tilted)
    hips = axes[0, 1] - axes[1, 1]
    across = unit(hips - (hips * normal).sum() * normal)
    frame = np.zeros((3, 3))
    frame[0] = (middles[0] + middles[1]) / 2
    frame[1] = across
    frame[2] = np.cross(normal, across)
    return frame


@kernel
def limit_hem(axes, hem):
    """Limit a hem to the knees where legs are folded or far apart."""
    for leg in range(2):
        thigh = unit(axes[leg, 2] - axes[leg, 1])
        shin = unit(axes[leg, 3] - axes[leg, 2])
        if (thigh * shin).sum() < -0.1:
            return min(hem, 0.95)
    stride = np.sqrt(((axes[0, 3] - axes[1, 3]) ** 2).sum())
    return min(hem, 0.95) if stride > 0.75 else hem


@kernel
def place_skirt(dressed, anchors, style, who):
    """Place the rings of a skirt.

    Seen along the legs, each ring is the convex hull of what it surrounds: tangents in ANGLES
    directions, moved outwards by cloth, flare and folds.
    """
    top = style[who, COLUMN.skirt_top]
    if style[who, COLUMN.hem] <= top:
        return
    axes = leg_landmarks(dressed, anchors)
    hem = limit_hem(axes, style[who, COLUMN.hem])
    hips, knees = axes[0, 1] + axes[1, 1], axes[0, 2] + axes[1, 2]
    upright = max(0.0, unit(hips - knees)[2])
    flare = style[who, COLUMN.flare] * upright**4  # it hangs freely from standing legs only
    reach = max(0.12, (hem - top) / (RINGS - 1))
    turn = 2 * np.pi / ANGLES
    before = np.zeros(ANGLES)
    turns = np.arange(ANGLES) * turn
    cos, sin = snap(np.cos(turns)), snap(np.sin(turns))
    for ring in range(RINGS):
        share = ring / (RINGS - 1)
        level = top + share * (hem - top)
        frame = ring_frame(axes, level)
        support = np.full(ANGLES, 0.02)
        for i in range(len(anchors.lower)):
            if abs(anchors.down[i] - level) > reach:
                continue
            x = y = 0.0
            for c in range(3):
                off = dressed[anchors.lower[i], c] - frame[0, c]
                x += off * frame[1, c]
                y += off * frame[2, c]
            for a in range(ANGLES):
                support[a] = max(support[a], x * cos[a] + y * sin[a])
        for a in range(ANGLES):
            support[a] += 0.006 + flare * share * np.sqrt(np.sqrt(share))
            fold = hash_noise(a // 2, 3, int(style[who, COLUMN.key]))
            support[a] += 0.3 * (0.02 + flare) * share * fold
            if flare > 0.04:  # a wide skirt hangs from the hips
                support[a] = max(support[a], 0.96 * before[a])
            before[a] = support[a]
        for a in range(ANGLES):  # where the tangents a and a + 1 meet
            ahead = (support[(a + 1) % ANGLES] - support[a] * cos[1]) / sin[1]
            x = support[a] * cos[a] - ahead * sin[a]
            y = support[a] * sin[a] + ahead * cos[a]
            v = anchors.starts[0] + ring * ANGLES + a
            for c in range(3):
                dressed[v, c] = frame[0, c] + x * frame[1, c] + y * frame[2, c]
            dressed[v, 2] = max(dressed[v, 2], 0.003)
