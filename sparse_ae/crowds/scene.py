"""Scene i of a configuration: its picture and everything that is true of it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..metrics import crowd_index
from .appearance import draw_clothes, draw_light, draw_surroundings, dye
from .bodies import CROWDPOSE_JOINTS, SPLITS, Bodies, load_bodies
from .config import LEVELS, CrowdConfig
from .layout import Camera, Layout, draw_layout, draw_level
from .raster import (
    Surface,
    draw,
    empty_surface,
    frame_boxes,
    person_ids,
    seen,
    vertex_normals,
)
from .shading import shade_background, shade_bodies, shade_boxes, shrink

SAMPLES = 2  # a pixel's side in samples: smooth edges
FEWEST_LABELLED = 3  # keypoints in the frame that a person needs
FEWEST_SEEN = 2  # of them, not hidden
LEAST_SEEN = 0.06  # share of the box that a person's visible mask fills
ATTEMPTS = 8  # at a scene with enough persons and of the level drawn
# How deep COCO's joints, head top and neck lie under the skin, metres of an adult of 1.7 m:
# nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, head top, neck.
DEPTHS = np.array((0.05, 0.05, 0.05, 0.07, 0.07, 0.14, 0.14, 0.1, 0.1, 0.08, 0.08, 0.2, 0.2, 0.13,
                   0.13, 0.1, 0.1, 0.1, 0.13), np.float32)  # fmt: skip
CUBE = np.array([(x, y, z) for z in (0, 1) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])
THINGS = np.array([(0.3, 0.3, 2.8), (1.5, 0.5, 0.45), (0.6, 0.6, 0.7)])  # pillar, bench, box
CUBE_FACES = np.array([(0, 2, 4), (2, 6, 4), (0, 1, 4), (1, 5, 4), (1, 3, 5), (3, 7, 5),
                       (2, 3, 6), (3, 7, 6), (0, 1, 2), (1, 3, 2), (4, 5, 6), (5, 7, 6)],
                      np.int32)  # fmt: skip


class Scene(NamedTuple):
    """P persons in an image of side S, K keypoints each. Pixels, x right, y down, centres at
    integers.

    image: (S, S, 3) uint8, RGB. keypoints: (P, K, 3) float32: x, y and v: 2 visible, 1 labelled
    but hidden, 0 outside the frame (then x = y = 0). boxes: (P, 4) float32 x, y, width, height of
    all that lies in the frame, hidden parts too. masks: (S, S) int16, the person seen at a pixel,
    -1 for none. areas: (P,) float32, pixels of each person's mask. crowd_index: float.
    """

    image: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray
    masks: np.ndarray
    areas: np.ndarray
    crowd_index: float


class Boxes(NamedTuple):
    """Things that stand about: corners (N, 8, 3) metres, colours (N, 3)."""

    corners: np.ndarray
    colours: np.ndarray


def render_scene(config: CrowdConfig, index: int) -> Scene:
    """Scene `index` of `config`: the same to the bit, whatever was drawn before."""
    if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or index < 0:
        raise ValueError(f"scene {index!r}: expected an integer from 0")
    bodies = load_bodies()
    rng = np.random.default_rng((config.seed, SPLITS.index(config.split), int(index)))
    level = draw_level(rng, config)
    low, high = LEVELS[level]
    best, least = None, None
    for _ in range(ATTEMPTS):
        layout = draw_layout(rng, config, bodies, level)
        boxes = draw_boxes(rng, config, bodies, layout)
        layout, surface, truth = settle(config, bodies, layout, boxes)
        index = float(crowd_index(truth[0], truth[1]))
        missing = max(0, config.persons[0] - len(layout.body))
        short = missing, max(0.0, low - index, index - high)
        if best is None or short < least:
            best, least = (layout, boxes, surface, truth, index), short
        if short == (0, 0.0):
            break
    layout, boxes, surface, truth, index = best
    image = paint(rng, config, bodies, layout, boxes, surface)
    return Scene(image, *truth, index)


def draw_boxes(rng, config: CrowdConfig, bodies: Bodies, layout: Layout) -> Boxes:
    """A seat under each who sits, and clutter that stays clear of the persons."""
    corners = []
    for body, yaw, place in zip(layout.body, layout.yaw, layout.place, strict=True):
        if bodies.seat[body] > 0:
            hips = bodies.joints[body, 11:13, :2].mean(0)
            shape = np.array((0.42, 0.4, max(bodies.seat[body] - 0.02, 0.05)))
            cube = CUBE * shape + np.array((*hips, 0)) + np.array((0, 0.03, 0))
            cos, sin = np.cos(yaw), np.sin(yaw)
            turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
            corners.append(cube @ turned.T + np.array((*place, 0)))
    near, far = layout.place[:, 1].min(), layout.place[:, 1].max()
    for _ in range(int(rng.integers(config.clutter + 1))):
        kind = rng.integers(3)
        shape = ((0.3, 0.3, 2.8), (1.5, 0.5, 0.45), (0.6, 0.6, 0.7))[kind] * rng.uniform(
            0.6, 1.4, 3
        )
        away = rng.uniform(near * 0.9, far * 1.6 + 1)
        across = rng.uniform(-0.6, 0.6) * config.size * away / layout.camera.focal
        gap = np.linalg.norm(layout.place - (across, away), axis=1)
        if gap.min() > 0.45 + shape[:2].max() / 2:
            corners.append(CUBE * shape + np.array((across, away, 0)))
    colours = dye(rng, len(corners)) * 0.7 + 30
    return Boxes(np.array(corners, np.float32).reshape(-1, 8, 3), colours.astype(np.float32))


def settle(config: CrowdConfig, bodies: Bodies, layout: Layout, boxes: Boxes):
    """Draw the depths and drop persons whom nobody could label, until all that stay can be."""
    while True:
        points = layout.in_world(bodies.vertices[layout.body])
        fine = layout.camera.scaled(SAMPLES)
        surface = empty_surface(config.size * SAMPLES)
        screen = fine.project(points)
        for who in range(len(points)):
            draw(surface, screen[who], bodies.triangles, who)
        for i, corners in enumerate(boxes.corners):
            draw(surface, fine.project(corners), CUBE_FACES, len(points) + i)
        truth = describe(config, bodies, layout, surface, screen)
        keypoints, outlines, _, areas = truth
        enough = (keypoints[..., 2] > 0).sum(1) >= FEWEST_LABELLED
        enough &= (keypoints[..., 2] == 2).sum(1) >= FEWEST_SEEN
        enough &= areas > LEAST_SEEN * outlines[:, 2] * outlines[:, 3]
        if enough.all():
            return layout, surface, truth
        layout = layout.only(enough)


def describe(config, bodies: Bodies, layout: Layout, surface: Surface, screen: np.ndarray):
    """Keypoints, boxes, masks and areas of the persons of a drawn surface."""
    size, count = config.size, len(layout.body)
    joints = bodies.joints[layout.body]
    depths, wanted = DEPTHS, slice(0, 17)
    if config.skeleton == "crowdpose":
        wanted = list(CROWDPOSE_JOINTS)
    joints, depths = layout.in_world(joints[:, wanted]), depths[wanted]
    pixels = layout.camera.project(joints).astype(np.float32)
    fine = layout.camera.scaled(SAMPLES).project(joints)
    visible = seen(surface, fine, build(bodies, layout)[:, None] * depths)
    inside = ((pixels[..., :2] >= -0.5) & (pixels[..., :2] < size - 0.5)).all(-1)
    keypoints = pixels.copy()
    keypoints[..., :2] = keypoints[..., :2].clip(0, size - 1)
    keypoints[..., 2] = np.where(visible, 2, 1)
    keypoints[~inside] = 0
    masks = person_ids(surface.owner, count, SAMPLES)
    areas = np.bincount(masks[masks >= 0], minlength=count).astype(np.float32)
    outline = (screen[..., :2] + 0.5) / SAMPLES - 0.5
    return keypoints, frame_boxes(outline, size), masks, areas


def build(bodies: Bodies, layout: Layout) -> np.ndarray:
    """(P,) size of the persons, 1 for an adult, by the distance from shoulders to hips."""
    joints = bodies.joints[layout.body]
    return np.linalg.norm(joints[:, 5:7].mean(1) - joints[:, 11:13].mean(1), axis=1) / 0.5


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


def paint(
    rng, config, bodies: Bodies, layout: Layout, boxes: Boxes, surface: Surface
) -> np.ndarray:
    """The picture of a settled scene, (S, S, 3) uint8."""
    count, size = len(layout.body), config.size * SAMPLES
    clothes = draw_clothes(rng, bodies.phenotype[layout.body])
    light = draw_light(rng)
    surroundings = draw_surroundings(rng, float(layout.place[:, 1].max()))
    points = layout.in_world(bodies.vertices[layout.body])
    normals = np.stack([vertex_normals(body, bodies.triangles) for body in points])
    camera = layout.camera.scaled(SAMPLES)
    shadow = cast_shadow(layout.camera, points, light.sun, config.size)
    shadow = cv2.resize(shadow, (size, size), interpolation=cv2.INTER_LINEAR)
    image = np.zeros((size, size, 3), np.float32)
    shade_background(image, surface.owner, shadow, camera, surroundings, light)
    shade_bodies(image, surface, bodies.triangles, bodies.parts, bodies.along, bodies.template,
                 normals, clothes, light)  # fmt: skip
    shade_boxes(image, surface, count, boxes.colours, surroundings.key, light)
    image = shrink(image, SAMPLES)
    if rng.random() < 0.5:  # a lens is not perfect
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.3, 0.7))
    image += rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(0.2, 1) * config.noise
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
