"""Who stands where, seen by which camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.camera import Camera
from sparse_ae.crowds.camera.exact import circle, on_grid
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.people.bodies import Bodies
from sparse_ae.crowds.placing import draw_moves, place_across
from sparse_ae.runtime.kernels import kernel

EVERY = 5  # of a dressed body's vertices, one in so many tells its outline
SCALES = (0.02, 0.8)  # the smallest and the largest that anybody gets
MOST = 30  # persons
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
        return move(points, self.yaw, np.asarray(self.place, np.float64))


class Wish(NamedTuple):
    """What a scene was drawn to be: the crowd index, within (low, high); P persons: bodies (P,),
    turned by yaw (P,); their scales (P,), sqrt(box area) over the image's side."""

    crowding: float
    bounds: tuple[float, float]
    body: np.ndarray
    yaw: np.ndarray
    scale: np.ndarray


@kernel
def move(points, yaw, place):
    """Points (P, N, 3) of P bodies, each turned about the vertical by its yaw (P,), then moved to
    its place (P, 3); float32."""
    moved = np.empty(points.shape, np.float32)
    for p in range(len(points)):
        cos, sin = circle(yaw[p])
        for n in range(points.shape[1]):
            x, y = points[p, n, 0], points[p, n, 1]
            moved[p, n, 0] = cos * x - sin * y + place[p, 0]
            moved[p, n, 1] = sin * x + cos * y + place[p, 1]
            moved[p, n, 2] = points[p, n, 2] + place[p, 2]
    return moved


def turn(points: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Points (P, N, 3) of P bodies, each turned about the vertical by its yaw (P,); float32."""
    return move(points, yaw, np.zeros((len(points), 3)))


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
    around, front = rng.uniform(0, 6.2832, MOST), rng.normal(0, 0.6, MOST)
    yaw = np.where(rng.random(MOST) < 0.4, front, around)[:count]  # one more changes nobody else
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
    return np.clip(on_grid(middle * spread**where), *SCALES)


def draw_camera(rng: np.random.Generator, config: CrowdConfig) -> Camera:
    """A camera that looks level; `aim` turns it to the crowd."""
    focal = config.size * np.exp(rng.uniform(np.log(0.8), np.log(2.2)))
    kind, u = rng.choice(3, p=(0.5, 0.32, 0.18)), rng.random()
    height = (0.8 + 1.0 * u, 1.6 + 1.2 * u, 2.6 + 3.0 * u)[kind]
    roll = rng.normal(0, 0.03) if rng.random() < 0.8 else rng.normal(0, 0.12)
    tilt = rng.normal(0, 0.04) if rng.random() < 0.7 else rng.normal(0, 0.12)
    focal, height, tilt, roll = on_grid(np.array((focal, height, tilt, roll))).tolist()
    return Camera(focal, height, tilt, roll, (config.size - 1) / 2)


class Stand(NamedTuple):
    """P persons in a row before a camera, each as far away (P,) metres as gives it its scale (P,).

    outline: (P, N, 3), joints: (P, 17, 3), turned but not yet placed; extent: (P, 2), width and
    height in metres; size: of the image, pixels.
    """

    camera: Camera
    away: np.ndarray
    scale: np.ndarray
    outline: np.ndarray
    joints: np.ndarray
    extent: np.ndarray
    size: int


def draw_stand(rng, config: CrowdConfig, bodies: Bodies, wish: Wish, dressed: np.ndarray) -> Stand:
    """A camera, and the persons wished for, in clothes (P, W, 3); `stand_away` places them."""
    outline = turn(dressed[:, ::EVERY], wish.yaw)
    joints = turn(bodies.joints[wish.body][:, :17], wish.yaw)
    camera = draw_camera(rng, config)
    extent = np.stack((np.ptp(outline[..., 0], axis=1), outline[..., 2].max(1)), 1)
    away = np.zeros_like(wish.scale)
    return Stand(camera, away, wish.scale, outline, joints, extent, config.size)


def stand_away(stand: Stand, shrink: float = 1.0) -> Stand:
    """The same with the camera turned to the crowd, and everybody where its box, the frame left
    aside, has its scale times `shrink`."""
    camera, outline = stand.camera, stand.outline
    scale = np.maximum(stand.scale * shrink, SCALES[0])
    wanted = scale * stand.size
    width, tall = stand.extent.astype(np.float64).T
    away = np.maximum(camera.focal * np.sqrt(width * tall) / wanted, NEAREST)
    level = camera._replace(height=min(camera.height, 1.2 + 0.35 * float(away.min())), roll=0.0)
    for _ in range(3):
        top = np.arctan2(tall - level.height, away).max()
        bottom = np.arctan2(-level.height, away).min()
        tilt = on_grid(np.clip(-(top + bottom) / 2 + camera.pitch, -0.2, 0.9))
        level = level._replace(pitch=float(tilt))
        boxes = level.bounds(outline, in_a_row(away))
        away = on_grid(np.maximum(away * box_scale(boxes) / wanted, NEAREST))
    camera = level._replace(roll=camera.roll)
    return stand._replace(camera=camera, away=away, scale=scale)


def in_a_row(away: np.ndarray) -> np.ndarray:
    """(P, 3) places in the image's middle, so far away."""
    return np.stack((0 * away, away, 0 * away), 1)


def lay_out(rng, config: CrowdConfig, stand: Stand, wish: Wish) -> tuple[Layout, float]:
    """Persons moved across until the crowd index is as wished for, and the one to expect."""
    place = in_a_row(stand.away)
    level = stand.camera._replace(roll=0.0)  # which leaves the crowd index much as it is
    boxes = level.bounds(stand.outline, place)
    depth = stand.away * circle(level.pitch)[0]
    joints = level.project(stand.joints + place[:, None])
    across, index = place_across(*draw_moves(rng, len(place)), joints, boxes, stand.away, depth,
                          float(config.size), level.focal, wish.crowding)  # fmt: skip
    place[:, 0] = across * depth / level.focal
    found = box_scale(stand.camera.bounds(stand.outline, place))
    place[:, :2] *= (found / (stand.scale * config.size))[:, None]  # what the edges stretch
    place[:, 1] = np.maximum(place[:, 1], NEAREST)
    return Layout(wish.body, wish.yaw, on_grid(place), stand.camera), float(index)


def box_scale(boxes: np.ndarray) -> np.ndarray:
    """(P,) sqrt(area) of boxes (P, 4) left, top, right, bottom."""
    return np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
