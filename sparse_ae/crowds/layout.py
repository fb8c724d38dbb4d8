"""Who stands where, and which camera sees them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.camera import Camera
from sparse_ae.crowds.camera.portable import cos_sin, snap
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.crowd_index_search import draw_search_moves, search_positions
from sparse_ae.crowds.people.bodies import Bodies
from sparse_ae.runtime.kernels import kernel

OUTLINE_STRIDE = 5  # every 5th vertex of a dressed body is enough for its outline
SCALE_LIMITS = (0.02, 0.8)  # smallest and largest scale of a person
MAX_PEOPLE = 30
MIN_DISTANCE = 1.0  # metres from the camera


class Layout(NamedTuple):
    """P persons in front of a camera.

    Attributes:
        body: (P,) index of each person's body in the bank.
        yaw: (P,) radians, by which each is turned about the vertical.
        position: (P, 3) metres, of the feet in the world.
        camera: The camera that sees them.
    """

    body: np.ndarray
    yaw: np.ndarray
    position: np.ndarray
    camera: Camera

    def select(self, keep: np.ndarray) -> Layout:
        """Return the layout of the persons that `keep` selects."""
        return Layout(self.body[keep], self.yaw[keep], self.position[keep], self.camera)

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Return points (P, N, 3) of the P bodies in world coordinates, float32."""
        return transform_bodies(points, self.yaw, np.asarray(self.position, np.float64))


class CrowdTarget(NamedTuple):
    """The target of a scene.

    Attributes:
        crowding: The crowd index to reach.
        limits: The range (low, high) that the crowd index was drawn from.
        body: (P,) index of each person's body in the bank.
        yaw: (P,) radians.
        scale: (P,) sqrt(box area) over the image's side.
    """

    crowding: float
    limits: tuple[float, float]
    body: np.ndarray
    yaw: np.ndarray
    scale: np.ndarray


@kernel
def transform_bodies(points, yaw, position):
    """Turn points (P, N, 3) by yaw (P,) about the vertical, then move them to position (P, 3)."""
    moved = np.empty(points.shape, np.float32)
    for p in range(len(points)):
        cos, sin = cos_sin(yaw[p])
        for n in range(points.shape[1]):
            x, y = points[p, n, 0], points[p, n, 1]
            moved[p, n, 0] = cos * x - sin * y + position[p, 0]
            moved[p, n, 1] = sin * x + cos * y + position[p, 1]
            moved[p, n, 2] = points[p, n, 2] + position[p, 2]
    return moved


def turn_bodies(points: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Turn points (P, N, 3) of P bodies by yaw (P,) radians about the vertical; float32."""
    return transform_bodies(points, yaw, np.zeros((len(points), 3)))


def draw_target(rngs, config: CrowdConfig, bodies: Bodies) -> CrowdTarget:
    """Draw the target of a scene: crowd index, persons and scales.

    Args:
        rngs: One generator per name of `scene.STREAMS`. Each knob has its own, so turning one
            leaves the draws of the others unchanged.
        config: Configuration of the scene.
        bodies: The bank of bodies.
    """
    rng = rngs["crowding"]
    low, high = config.crowding[int(rng.integers(len(config.crowding)))]
    share = rng.uniform(0.05, 0.95)
    fewest, most = config.persons
    fewest = max(fewest, 1 + (high > 0.2) + (low >= 0.8))
    rng = rngs["persons"]
    count = int(np.floor(fewest + rng.random() * (max(fewest, most) + 1 - fewest)))
    count = min(count, most)
    body = rng.permutation(bodies.of_split(config.split))[:count]
    any_direction = rng.uniform(0, 6.2832, MAX_PEOPLE)  # one person more changes nobody else
    to_camera = rng.normal(0, 0.6, MAX_PEOPLE)
    yaw = np.where(rng.random(MAX_PEOPLE) < 0.4, to_camera, any_direction)[:count]
    most = max(low, min(high, 0.55 * (count - 1)))  # what count - 1 others can reach
    return CrowdTarget(
        low + share * (most - low), (low, high), body, yaw, draw_scales(rngs, config, count)
    )


def draw_scales(rngs, config: CrowdConfig, count: int) -> np.ndarray:
    """Draw (count,) scales around a random middle, with a random ratio of largest to smallest."""
    middle = np.exp(rngs["scales"].uniform(*np.log(config.scales)))
    rng = rngs["scale_spread"]
    spread = np.exp(rng.uniform(*np.log(config.scale_spread)))
    where = rng.uniform(-0.5, 0.5, count)
    if count > 1:
        where = (where - where.min()) / (np.ptp(where) + 1e-9) - 0.5
    return np.clip(snap(middle * spread**where), *SCALE_LIMITS)


def draw_camera(rng: np.random.Generator, config: CrowdConfig) -> Camera:
    """Draw a camera; `set_distances` turns it to the crowd."""
    focal = config.size * np.exp(rng.uniform(np.log(0.8), np.log(2.2)))
    kind, u = rng.choice(3, p=(0.5, 0.32, 0.18)), rng.random()
    height = (0.8 + 1.0 * u, 1.6 + 1.2 * u, 2.6 + 3.0 * u)[kind]
    roll = rng.normal(0, 0.03) if rng.random() < 0.8 else rng.normal(0, 0.12)
    tilt = rng.normal(0, 0.04) if rng.random() < 0.7 else rng.normal(0, 0.12)
    focal, height, tilt, roll = snap(np.array((focal, height, tilt, roll))).tolist()
    return Camera(focal, height, tilt, roll, (config.size - 1) / 2)


class Lineup(NamedTuple):
    """P persons in a row in front of a camera, each as far away as its scale demands.

    Attributes:
        camera: The camera that sees them.
        distance: (P,) metres along the ground.
        scale: (P,) sqrt(box area) over the image's side.
        outline: (P, N, 3) metres, points of the dressed bodies, turned but not yet placed.
        joints: (P, 17, 3) metres, turned but not yet placed.
        extent: (P, 2) metres, width and height.
        size: Side of the image, pixels.
    """

    camera: Camera
    distance: np.ndarray
    scale: np.ndarray
    outline: np.ndarray
    joints: np.ndarray
    extent: np.ndarray
    size: int


def draw_lineup(
    rng, config: CrowdConfig, bodies: Bodies, target: CrowdTarget, dressed: np.ndarray
) -> Lineup:
    """Draw a camera and line up the wanted people; `set_distances` then sets their distances.

    Args:
        rng: Generator of this scene's camera.
        config: Configuration of the scene.
        bodies: The bank of bodies.
        target: The scene's target.
        dressed: (P, W, 3) metres, vertices of the dressed bodies in their own frames.
    """
    outline = turn_bodies(dressed[:, ::OUTLINE_STRIDE], target.yaw)
    joints = turn_bodies(bodies.joints[target.body][:, :17], target.yaw)
    camera = draw_camera(rng, config)
    extent = np.stack((np.ptp(outline[..., 0], axis=1), outline[..., 2].max(1)), 1)
    distance = np.zeros_like(target.scale)
    return Lineup(camera, distance, target.scale, outline, joints, extent, config.size)


def set_distances(lineup: Lineup, shrink: float = 1.0) -> Lineup:
    """Turn the camera to the crowd, and move everybody to the distance that gives the wanted scale.

    The scale is that of the whole box, even if the frame cuts it.

    Args:
        lineup: The persons and their camera.
        shrink: Factor on all scales.
    """
    camera, outline = lineup.camera, lineup.outline
    scale = np.maximum(lineup.scale * shrink, SCALE_LIMITS[0])
    wanted = scale * lineup.size
    width, tall = lineup.extent.astype(np.float64).T
    distance = np.maximum(camera.focal * np.sqrt(width * tall) / wanted, MIN_DISTANCE)
    level = camera._replace(height=min(camera.height, 1.2 + 0.35 * float(distance.min())), roll=0.0)
    for _ in range(3):
        top = np.arctan2(tall - level.height, distance).max()
        bottom = np.arctan2(-level.height, distance).min()
        tilt = snap(np.clip(-(top + bottom) / 2 + camera.pitch, -0.2, 0.9))
        level = level._replace(pitch=float(tilt))
        boxes = level.bounding_boxes(outline, centred_positions(distance))
        distance = snap(np.maximum(distance * box_scale(boxes) / wanted, MIN_DISTANCE))
    camera = level._replace(roll=camera.roll)
    return lineup._replace(camera=camera, distance=distance, scale=scale)


def centred_positions(distance: np.ndarray) -> np.ndarray:
    """Return (P, 3) positions in the image's middle at distances (P,)."""
    return np.stack((0 * distance, distance, 0 * distance), 1)


def place_people(
    rng, config: CrowdConfig, lineup: Lineup, target: CrowdTarget
) -> tuple[Layout, float]:
    """Move people sideways until the crowd index is the wanted one.

    Args:
        rng: Generator of this scene's positions.
        config: Configuration of the scene.
        lineup: The persons and their camera, from `set_distances`.
        target: The scene's target.

    Returns:
        The layout, and the crowd index to expect.
    """
    position = centred_positions(lineup.distance)
    level = lineup.camera._replace(roll=0.0)  # a roll hardly changes the crowd index
    boxes = level.bounding_boxes(lineup.outline, position)
    depth = lineup.distance * cos_sin(level.pitch)[0]
    joints = level.project(lineup.joints + position[:, None])
    across, index = search_positions(*draw_search_moves(rng, len(position)), joints, boxes,
                                     lineup.distance, depth, float(config.size), level.focal,
                                     target.crowding)  # fmt: skip
    position[:, 0] = across * depth / level.focal
    found = box_scale(lineup.camera.bounding_boxes(lineup.outline, position))
    stretched = found / (lineup.scale * config.size)  # by perspective, near the picture's edges
    position[:, :2] *= stretched[:, None]
    position[:, 1] = np.maximum(position[:, 1], MIN_DISTANCE)
    return Layout(target.body, target.yaw, snap(position), lineup.camera), float(index)


def box_scale(boxes: np.ndarray) -> np.ndarray:
    """Return (P,) sqrt(area) of boxes (P, 4) left, top, right, bottom."""
    return np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
