"""Who stands where, seen by which camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .bodies import Bodies
from .camera import Camera
from .config import CrowdConfig
from .placing import draw_moves, place_across

EVERY = 6  # of a body's vertices, one in so many tells its outline
SCALES = (0.02, 0.8)  # the smallest and the largest that anybody gets
NEAREST = 1.0  # metres from the camera


class Layout(NamedTuple):
    """P persons: which body (P,), turned by yaw (P,) radians, feet at place (P, 3) metres."""

    body: np.ndarray
    yaw: np.ndarray
    place: np.ndarray
    camera: Camera

    def only(self, keep: np.ndarray) -> Layout:
        return Layout(self.body[keep], self.yaw[keep], self.place[keep], self.camera)

    def in_world(self, points: np.ndarray) -> np.ndarray:
        """Points of the P bodies (P, N, 3) in world coordinates, float32."""
        turned = turn(points, self.yaw)
        turned += self.place[:, None].astype(np.float32)
        return turned


class Wish(NamedTuple):
    """What a scene was drawn to be: the crowd index, within (low, high); P persons: bodies (P,),
    turned by yaw (P,); their scales (P,), sqrt(box area) over the image's side."""

    crowding: float
    bounds: tuple[float, float]
    body: np.ndarray
    yaw: np.ndarray
    scale: np.ndarray


def turn(points: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Points (P, N, 3) of P bodies, each turned about the vertical by its yaw (P,)."""
    cos, sin = np.cos(yaw).astype(np.float32)[:, None], np.sin(yaw).astype(np.float32)[:, None]
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    return np.stack((cos * x - sin * y, sin * x + cos * y, z), -1)


def draw_wish(rngs, config: CrowdConfig, bodies: Bodies) -> Wish:
    """Each knob draws from a stream of numbers of its own (rngs: name to generator), so that
    turning one leaves what the others drew as it was."""
    rng = rngs["crowding"]
    low, high = config.crowding[int(rng.integers(len(config.crowding)))]
    share = rng.uniform(0.05, 0.95)
    fewest, most = config.persons
    fewest = max(fewest, 1 + (high > 0.2) + (low >= 0.8))
    rng = rngs["persons"]
    count = int(np.floor(fewest + rng.random() * (max(fewest, most) + 1 - fewest)))
    count = min(count, most)
    body = rng.permutation(bodies.of_split(config.split))[:count]
    around = rng.uniform(0, 6.2832, count)
    yaw = np.where(rng.random(count) < 0.4, rng.normal(0, 0.6, count), around)
    most = max(low, min(high, 0.55 * (count - 1)))  # so much fits into count - 1 others
    return Wish(
        low + share * (most - low), (low, high), body, yaw, draw_scales(rngs, config, count)
    )


def draw_scales(rngs, config: CrowdConfig, count: int) -> np.ndarray:
    """(count,) scales around the scene's middle one, the extremes as far apart as drawn."""
    middle = np.exp(rngs["scales"].uniform(*np.log(config.scales)))
    rng = rngs["scale_spread"]
    spread = np.exp(rng.uniform(*np.log(config.scale_spread)))
    where = rng.uniform(-0.5, 0.5, count)
    if count > 1:
        where = (where - where.min()) / (np.ptp(where) + 1e-9) - 0.5
    return np.clip(middle * spread**where, *SCALES)


def draw_camera(rng: np.random.Generator, config: CrowdConfig) -> Camera:
    """A camera that looks level; `aim` turns it to the crowd."""
    focal = config.size * np.exp(rng.uniform(np.log(0.8), np.log(2.2)))
    kind, u = rng.choice(3, p=(0.5, 0.32, 0.18)), rng.random()
    height = (0.8 + 1.0 * u, 1.6 + 1.2 * u, 2.6 + 3.0 * u)[kind]
    roll = rng.normal(0, 0.03) if rng.random() < 0.8 else rng.normal(0, 0.12)
    tilt = rng.normal(0, 0.04)
    return Camera(float(focal), float(height), float(tilt), float(roll), (config.size - 1) / 2)


def lay_out(rng, config: CrowdConfig, bodies: Bodies, wish: Wish, camera: Camera, shrink: float):
    """The Layout of persons as wished for: distances give them their scales, then they are moved
    across until the crowd index comes out. shrink: factor of all scales."""
    outline = turn(bodies.vertices[wish.body][:, ::EVERY], wish.yaw)
    joints = turn(bodies.joints[wish.body][:, :17], wish.yaw)
    scale = np.maximum(wish.scale * shrink, SCALES[0])
    camera, away = stand_away(camera, config.size, outline, scale)
    place = np.stack((np.zeros_like(away), away, np.zeros_like(away)), 1)
    layout = Layout(wish.body, wish.yaw, place, camera)
    level = camera._replace(roll=0.0)  # a roll as small as these leaves the crowd index as it is
    ends = level.project(outline + place[:, None])[..., :2]
    boxes = np.concatenate((ends.min(1), ends.max(1)), 1)  # (P, 4) left, top, right, bottom
    depth = away * np.cos(camera.pitch)
    across = place_across(
        *draw_moves(rng, len(place)), level.project(joints + place[:, None]).astype(np.float64),
        boxes.astype(np.float64), away, depth, float(config.size), camera.focal, wish.crowding,
    )  # fmt: skip
    place[:, 0] = across * depth / camera.focal
    ends = camera.project((outline + place[:, None]).astype(np.float32))[..., :2]
    place[:, :2] *= (box_scale(ends) / (scale * config.size))[:, None]  # what the edges stretch
    place[:, 1] = np.maximum(place[:, 1], NEAREST)
    return layout._replace(place=place)


def box_scale(points: np.ndarray) -> np.ndarray:
    """(P,) sqrt(box area) in pixels around points (P, N, 2)."""
    width, height = np.moveaxis(np.ptp(points, axis=1), -1, 0)
    return np.sqrt(width * height)


def stand_away(camera: Camera, size: int, outline: np.ndarray, scale: np.ndarray):
    """The camera turned to the crowd, and how many metres away (P,) each has to stand for its
    box, the frame left aside, to have the scale asked for. outline: (P, N, 3) of turned bodies."""
    low, high = outline.min(1), outline.max(1)
    extent = np.sqrt((high[:, 0] - low[:, 0]) * (high[:, 2] - low[:, 2]))
    away = np.maximum(camera.focal * extent / (scale * size), NEAREST)
    camera = camera._replace(height=min(camera.height, 1.2 + 0.35 * float(away.min())))
    tilt = camera.pitch
    for _ in range(3):
        top = np.arctan2(high[:, 2] - camera.height, away).max()
        bottom = np.arctan2(-camera.height, away).min()
        camera = camera._replace(pitch=float(np.clip(-(top + bottom) / 2 + tilt, -0.2, 0.9)))
        placed = outline + np.stack((0 * away, away, 0 * away), 1)[:, None]
        ends = camera._replace(roll=0.0).project(placed.astype(np.float32))[..., :2]
        away = np.maximum(away * box_scale(ends) / (scale * size), NEAREST)
    return camera, away.astype(np.float64)
