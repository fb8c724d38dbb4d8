"""The picture of a rasterised scene."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.camera import Camera
from sparse_ae.crowds.camera.lens import apply_lens, draw_lens
from sparse_ae.crowds.camera.light import cast_shadows, draw_light
from sparse_ae.crowds.camera.raster import Surface, vertex_normals
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.people.appearance import Clothes
from sparse_ae.crowds.people.dress import DressedMesh
from sparse_ae.crowds.people.shading import View, shade_bodies, shade_props
from sparse_ae.crowds.surroundings.background import draw_surroundings, shade_background
from sparse_ae.crowds.surroundings.props import Props


class RasterisedScene(NamedTuple):
    """Everything that a picture shows.

    Attributes:
        camera: The camera, in pixels.
        dressed_mesh: Triangles that all persons share.
        clothes: Clothes of the P persons.
        points: (P, W, 3) metres, vertices of the dressed persons in the world.
        props: The props around the persons.
        surface: What each sample sees; owner P + i is prop i.
    """

    camera: Camera
    dressed_mesh: DressedMesh
    clothes: Clothes
    points: np.ndarray
    props: Props
    surface: Surface


def view_of_camera(camera: Camera) -> View:
    """Return the View of a camera's pixels."""
    corner, right, down = camera.rays(np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]))
    rays = np.stack((corner, right - corner, down - corner))
    return View(rays, float(camera.height), float(camera.focal))


def paint_image(
    rng: np.random.Generator, config: CrowdConfig, rasterised: RasterisedScene
) -> np.ndarray:
    """Paint a rasterised scene.

    Args:
        rng: Generator of this scene's look: surroundings, light, lens and noise.
        config: Configuration of the scene.
        rasterised: What the picture shows.

    Returns:
        (S, S, 3) uint8, a pure function of the generator's state and the other arguments.
    """
    points, props, mesh = rasterised.points, rasterised.props, rasterised.dressed_mesh
    surface = rasterised.surface
    marks = np.concatenate((points[:, ::8].reshape(-1, 3), props.vertices))
    beyond, aside = float(marks[:, 1].max()), float(np.abs(marks[:, 0]).max())
    surroundings = draw_surroundings(rng, beyond, aside)
    light = draw_light(rng, surroundings.ceiling)
    lens = draw_lens(rng, config.size, config.noise)
    garments = mesh.triangles[mesh.closed :]
    body_vertices = int(garments.min()) if len(garments) else points.shape[1]
    shadows = cast_shadows(points, garments, body_vertices, props, light)
    view = view_of_camera(rasterised.camera)
    normals = np.stack([vertex_normals(body, mesh.triangles) for body in points])
    image = np.zeros((config.size, config.size, 3), np.float32)
    lamp = light.numbers()
    shade_background(image, surface.owner, surroundings, view, lamp, shadows)
    shade_bodies(image, surface, mesh, normals, rasterised.clothes, view, lamp, shadows)
    shade_props(image, surface, len(points), props, view, lamp, shadows)
    return apply_lens(rng, image, lens)
