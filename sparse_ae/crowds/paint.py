"""The picture of a scene whose surface is drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.camera import Camera
from sparse_ae.crowds.camera.lens import develop, draw_lens
from sparse_ae.crowds.camera.light import cast, draw_light
from sparse_ae.crowds.camera.raster import Surface, vertex_normals
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.people.appearance import Clothes
from sparse_ae.crowds.people.dress import Outfit
from sparse_ae.crowds.people.shading import View, shade_bodies, shade_things
from sparse_ae.crowds.place.background import draw_surroundings, shade_background
from sparse_ae.crowds.place.things import Things


class Stage(NamedTuple):
    """All that a picture shows: P dressed persons (P, W, 3) in the world, things, and the surface
    that each sample sees; owners from P on are things, P + their number."""

    camera: Camera
    outfit: Outfit
    clothes: Clothes
    points: np.ndarray
    things: Things
    surface: Surface


def look_through(camera: Camera) -> View:
    """The View of a camera's pixels."""
    corner, right, down = camera.rays(np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]))
    rays = np.stack((corner, right - corner, down - corner))
    return View(rays, float(camera.height), float(camera.focal))


def paint(rng: np.random.Generator, config: CrowdConfig, stage: Stage) -> np.ndarray:
    """The picture of a drawn scene, (S, S, 3) uint8: a function of `rng`'s state and the rest."""
    points, things, outfit = stage.points, stage.things, stage.outfit
    marks = np.concatenate((points[:, ::8].reshape(-1, 3), things.vertices))
    around = draw_surroundings(rng, float(marks[:, 1].max()), float(np.abs(marks[:, 0]).max()))
    light = draw_light(rng, around.ceiling)
    lens = draw_lens(rng, config.size, config.noise)
    loose = outfit.triangles[outfit.closed :]
    own = int(loose.min()) if len(loose) else points.shape[1]
    shadows = cast(points, loose, own, things, light)
    view = look_through(stage.camera)
    normals = np.stack([vertex_normals(body, outfit.triangles) for body in points])
    image = np.zeros((config.size, config.size, 3), np.float32)
    lamp = light.numbers()
    shade_background(image, stage.surface.owner, around, view, lamp, shadows)
    shade_bodies(image, stage.surface, outfit, normals, stage.clothes, view, lamp, shadows)
    shade_things(image, stage.surface, len(points), things, view, lamp, shadows)
    return develop(rng, image, lens)
