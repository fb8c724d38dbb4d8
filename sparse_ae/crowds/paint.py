"""The picture of a scene whose surface is drawn."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .appearance import Clothes, draw_light, draw_surroundings
from .camera import Camera
from .config import CrowdConfig
from .dress import Outfit
from .raster import SAMPLES, Surface, vertex_normals
from .shading import shade_background, shade_bodies, shade_things, shrink
from .things import Things


class Stage(NamedTuple):
    """All that a picture shows: P dressed persons (P, W, 3) in the world, things, and the surface
    that each sample sees; owners from P on are things, P + their number."""

    camera: Camera
    outfit: Outfit
    clothes: Clothes
    points: np.ndarray
    things: Things
    surface: Surface


def cast_shadow(camera: Camera, points: np.ndarray, sun: np.ndarray, size: int) -> np.ndarray:
    """(size, size) float32 in [0, 1]: where the floor lies in the shadow of points (P, V, 3)."""
    fallen = points - points[..., 2:] * (sun / sun[2]).astype(np.float32)
    fallen[..., 2] = 0
    pixels = camera.project(fallen)
    mask = np.zeros((size, size), np.uint8)
    inside = (pixels[..., 2] > 0.3) & (np.abs(pixels[..., :2] - size / 2) < size).all(-1)
    for who, (x, y) in enumerate(zip(pixels[..., 0], pixels[..., 1], strict=True)):
        keep = inside[who]
        column, row = np.round(x[keep]).astype(int), np.round(y[keep]).astype(int)
        ok = (column >= 0) & (column < size) & (row >= 0) & (row < size)
        mask[row[ok], column[ok]] = 255
    mask = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), max(1.2, size / 90))


def paint(rng: np.random.Generator, config: CrowdConfig, stage: Stage) -> np.ndarray:
    """The picture of a drawn scene, (S, S, 3) uint8."""
    size, outfit = config.size * SAMPLES, stage.outfit
    light = draw_light(rng)
    surroundings = draw_surroundings(rng, float(stage.points[:, :, 1].max()))
    normals = np.stack([vertex_normals(body, outfit.triangles) for body in stage.points])
    camera = stage.camera.scaled(SAMPLES)
    shadow = cast_shadow(stage.camera, stage.points, light.sun, config.size)
    shadow = cv2.resize(shadow, (size, size), interpolation=cv2.INTER_LINEAR)
    image = np.zeros((size, size, 3), np.float32)
    shade_background(image, stage.surface.owner, shadow, camera, surroundings, light)
    shade_bodies(image, stage.surface, outfit, normals, stage.clothes, light)
    shade_things(image, stage.surface, len(stage.points), stage.things, surroundings.key, light)
    image = shrink(image, SAMPLES)
    if rng.random() < 0.5:  # a lens is not perfect
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.3, 0.7))
    image += rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(0.2, 1) * config.noise
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
