"""Who stands where, seen by which camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .bodies import Bodies
from .camera import Camera
from .config import LEVELS, CrowdConfig
from .raster import kernel

PROPOSALS = 96
AIMS = {"easy": (0.0, 0.15), "medium": (0.25, 0.7), "hard": (0.9, 2.6)}  # crowd index


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


def turn(points: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Points (P, N, 3) of P bodies, each turned about the vertical by its yaw (P,)."""
    cos, sin = np.cos(yaw).astype(np.float32)[:, None], np.sin(yaw).astype(np.float32)[:, None]
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    return np.stack((cos * x - sin * y, sin * x + cos * y, z), -1)


def draw_level(rng: np.random.Generator, config: CrowdConfig) -> str:
    """One of LEVELS, by the shares asked for; a person alone is always easy."""
    level = list(LEVELS)[rng.choice(3, p=np.divide(config.levels, sum(config.levels)))]
    return level if config.persons[1] > 1 else "easy"


def draw_layout(rng: np.random.Generator, config: CrowdConfig, bodies: Bodies, level: str):
    """The Layout of a crowd: of many places for its persons, those whose crowd index comes
    closest to one drawn within the bounds of `level`."""
    low, high = config.persons
    fewest = min(high, max(low, {"easy": 1, "medium": 2, "hard": 3}[level]))
    most = max(fewest, min(high, 5)) if level == "easy" else high
    count = int(rng.integers(fewest, most + 1))
    body = rng.choice(bodies.of_split(config.split), count, replace=False)
    yaw = np.where(
        rng.random(count) < 0.4, rng.normal(0, 0.6, count), rng.uniform(0, 6.2832, count)
    )
    camera, away = draw_camera(rng, config, bodies.vertices[body, :, 2].max(1))
    target = rng.uniform(*AIMS[level])
    spread = rng.uniform({"easy": 0.55, "medium": 0.3, "hard": 0.1}[level], 1.0, (PROPOSALS, 1))
    middle = rng.uniform(-0.22, 0.22, (PROPOSALS, 1)) * (1 - spread)
    across = middle + spread * rng.uniform(-0.48, 0.48, (PROPOSALS, count))  # shares of the side
    layout = Layout(body, yaw, np.stack((np.zeros(count), away, np.zeros(count)), 1), camera)
    joints = camera.project(layout.in_world(bodies.joints[body][:, :17]))
    depth = joints[..., 2].mean(1)
    error = layout_errors(joints, across * config.size, depth, config.size, target, camera.focal)
    across = across[np.argmin(error)]
    place = np.stack((across * config.size * depth / camera.focal, away, 0 * away), 1)
    return layout._replace(place=place)


def draw_camera(rng, config: CrowdConfig, tall: np.ndarray) -> tuple[Camera, np.ndarray]:
    """A camera and how far away each person stands, so that heights come out as asked for.

    tall: (P,) metres; who crouches stands as near as if at least a metre tall.
    """
    low, high = np.log(config.heights)
    middle, width = rng.uniform(low, high), rng.uniform(0.3, 1.0) * (high - low)
    start = np.clip(middle - width / 2, low, high - width)
    share = np.exp(rng.uniform(start, start + width, len(tall)))
    focal = config.size * np.exp(rng.uniform(np.log(0.9), np.log(1.9)))
    away = np.maximum(focal * np.maximum(tall, 1.0) / (share * config.size), 1.2)
    height = rng.choice((rng.uniform(0.9, 1.7), rng.uniform(1.5, 2.6), rng.uniform(2.2, 3.8)))
    top = np.arctan2(tall - height, away).max()
    bottom = np.arctan2(-height, away).min()
    pitch = -(top + bottom) / 2 + rng.normal(0, 0.05)
    pitch = np.clip(pitch, -0.15, 0.75)
    return Camera(float(focal), float(height), float(pitch), 0.0, (config.size - 1) / 2), away


@kernel
def layout_errors(joints, across, depth, size, target, focal):
    """(T,) how far each of T proposals is from the crowd index wanted; more where persons stand
    within each other, are cut off by the frame, or lie wholly behind another's box.

    joints: (P, K, 3) pixels and depth of persons in the image's middle. across: (T, P) pixels to
    shift them by. depth: (P,) metres.
    """
    proposals, persons = across.shape
    errors = np.zeros(proposals)
    box = np.zeros((persons, 4))
    for t in range(proposals):
        own = np.zeros(persons)
        for p in range(persons):
            box[p] = (1e9, 1e9, -1e9, -1e9)
            for k in range(joints.shape[1]):
                x, y = joints[p, k, 0] + across[t, p], joints[p, k, 1]
                if 0 <= x < size and 0 <= y < size:
                    own[p] += 1
                    box[p] = (
                        min(box[p, 0], x),
                        min(box[p, 1], y),
                        max(box[p, 2], x),
                        max(box[p, 3], y),
                    )
            margin = 0.1 * focal / depth[p]
            box[p, :2] -= margin
            box[p, 2:] += margin
            errors[t] += 0.15 * max(0.0, 0.65 - own[p] / joints.shape[1])
        index, counted = 0.0, 0
        for p in range(persons):
            others = 0
            for q in range(persons):
                if q == p:
                    continue
                inside = 0
                for k in range(joints.shape[1]):
                    x, y = joints[q, k, 0] + across[t, q], joints[q, k, 1]
                    if 0 <= x < size and 0 <= y < size:
                        inside += box[p, 0] <= x <= box[p, 2] and box[p, 1] <= y <= box[p, 3]
                others += inside
                if depth[p] < depth[q] and inside > 0.85 * own[q]:
                    errors[t] += 0.3
                gap = abs(across[t, p] * depth[p] - across[t, q] * depth[q]) / focal
                if q > p and gap**2 + (depth[p] - depth[q]) ** 2 < 0.5**2:
                    errors[t] += 1.0
            if own[p] > 0:
                index += others / own[p]
                counted += 1
        errors[t] += abs(index / max(counted, 1) - target)
    return errors
