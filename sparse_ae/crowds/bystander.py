"""A bystander: somebody close to the camera who hides others and has no joint in the picture."""

from __future__ import annotations

import numpy as np

from sparse_ae.crowds.camera.camera import Camera
from sparse_ae.crowds.camera.portable import snap
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.layout import Layout
from sparse_ae.crowds.people.bodies import Bodies

TRIES = 48
BYSTANDER_SHARE = 0.7  # share of the scenes with a bystander at occlusion 1
MARGIN = 0.02  # share of the image's side by which joints must lie outside the frame
VERTEX_STRIDE = 12  # every 12th vertex is enough to locate a body
MIN_INSIDE = 0.02  # share of the vertices that must be in the frame


def draw_bystander(rng: np.random.Generator, config: CrowdConfig, bodies: Bodies, camera: Camera):
    """Draw a person whose body is in the frame while none of its joints, head top or neck is.

    A bystander has nothing to label.

    Args:
        rng: Generator of this scene's bystander.
        config: Configuration of the scene; `occlusion` sets how often there is a bystander.
        bodies: The bank of bodies.
        camera: Camera of the scene.

    Returns:
        The Layout of one body, or None.
    """
    body = rng.choice(bodies.of_split(config.split), TRIES)
    yaw = rng.normal(np.pi, 0.5, TRIES)
    distance = rng.uniform(0.45, 1.2, TRIES)
    side = rng.choice((-1, 1), TRIES) * rng.uniform(0.2, 0.8, TRIES)
    if rng.random() >= BYSTANDER_SHARE * config.occlusion:
        return None
    position = snap(
        np.stack((side * config.size * distance / camera.focal, distance, 0 * distance), 1)
    )
    layout = Layout(body, yaw, position, camera)
    low, high = -MARGIN * config.size, (1 + MARGIN) * config.size
    joints = camera.project(layout.to_world(bodies.joints[body]))
    outside = ~points_inside(joints, low, high).any(1)
    points = camera.project(layout.to_world(bodies.vertices[body][:, ::VERTEX_STRIDE]))
    fits = outside & (points_inside(points, 0, config.size - 1).mean(1) > MIN_INSIDE)
    fits &= points[..., 2].min(1) > 0.2
    return layout.select(np.flatnonzero(fits)[:1]) if fits.any() else None


def points_inside(points: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return (P, N) bool: which points (P, N, 3) in pixels lie within low..high in x and in y."""
    return ((points[..., :2] >= low) & (points[..., :2] <= high)).all(-1) & (points[..., 2] > 0)
