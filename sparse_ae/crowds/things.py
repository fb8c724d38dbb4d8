"""Things that stand about: seats, clutter, and what stands in front of people."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .appearance import dye
from .bodies import Bodies
from .config import CrowdConfig
from .layout import Layout

KINDS = ("box", "post", "bench")
BOX, POST, BENCH = range(3)
SIZES = {BOX: (0.6, 0.6, 0.7), POST: (0.3, 0.3, 2.8), BENCH: (1.5, 0.5, 0.45)}  # metres
CUBE = np.array([(x, y, z) for z in (0, 1) for y in (-0.5, 0.5) for x in (-0.5, 0.5)], np.float32)
CUBE_FACES = np.array([(0, 2, 4), (2, 6, 4), (0, 4, 1), (1, 4, 5), (1, 5, 3), (3, 5, 7),
                       (2, 3, 6), (3, 7, 6), (0, 1, 2), (1, 3, 2), (4, 6, 5), (5, 6, 7)],
                      np.int32)  # fmt: skip


class Things(NamedTuple):
    """N things of V vertices and F triangles in all, seen from both sides.

    vertices: (V, 3) float32, metres in the world. triangles: (F, 3) int32. thing: (F,) int16,
    whose triangle. kinds: (N,) uint8, index into KINDS. colours: (N, 3) float32 of 255.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    thing: np.ndarray
    kinds: np.ndarray
    colours: np.ndarray


def gather(meshes: list[tuple[np.ndarray, np.ndarray, int]], colours: np.ndarray) -> Things:
    """Things from meshes (vertices (V, 3), triangles (F, 3), kind) and their colours (N, 3)."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _, _ in meshes)])
    vertices = [np.zeros((0, 3)), *(vertices for vertices, _, _ in meshes)]
    faces = [mesh[1] + start for mesh, start in zip(meshes, starts, strict=False)]
    thing = [np.full(len(mesh[1]), i) for i, mesh in enumerate(meshes)]
    return Things(
        np.concatenate(vertices).astype(np.float32),
        np.concatenate([np.zeros((0, 3)), *faces]).astype(np.int32),
        np.concatenate([np.zeros(0), *thing]).astype(np.int16),
        np.array([kind for _, _, kind in meshes], np.uint8),
        np.asarray(colours, np.float32).reshape(-1, 3),
    )


def draw_things(rng, config: CrowdConfig, bodies: Bodies, layout: Layout) -> Things:
    """A seat under each who sits, and clutter that stays clear of the persons."""
    meshes = []
    for body, yaw, place in zip(layout.body, layout.yaw, layout.place, strict=True):
        if bodies.seat[body] > 0:
            hips = bodies.joints[body, 11:13, :2].mean(0)
            shape = np.array((0.42, 0.4, max(bodies.seat[body] - 0.02, 0.05)))
            cube = CUBE * shape + np.array((*hips, 0)) + np.array((0, 0.03, 0))
            cos, sin = np.cos(yaw), np.sin(yaw)
            turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
            meshes.append((cube @ turned.T + place, CUBE_FACES, BOX))
    near, far = layout.place[:, 1].min(), layout.place[:, 1].max()
    for _ in range(int(rng.integers(config.clutter + 1))):
        kind = int(rng.integers(3))
        shape = SIZES[kind] * rng.uniform(0.6, 1.4, 3)
        away = rng.uniform(near * 0.9, far * 1.6 + 1)
        across = rng.uniform(-0.6, 0.6) * config.size * away / layout.camera.focal
        gap = np.linalg.norm(layout.place[:, :2] - (across, away), axis=1)
        if gap.min() > 0.45 + shape[:2].max() / 2:
            meshes.append((CUBE * shape + np.array((across, away, 0)), CUBE_FACES, kind))
    return gather(meshes, dye(rng, len(meshes)) * 0.7 + 30)
