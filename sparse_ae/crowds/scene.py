"""Scene i of a configuration: its picture and everything that is true of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..metrics import crowd_index
from .appearance import Clothes, draw_clothes
from .bodies import SPLITS, Bodies, load_bodies
from .config import LEVELS, CrowdConfig
from .dress import dress, outfit
from .labels import describe
from .layout import Layout, draw_layout, draw_level
from .paint import Stage, paint
from .raster import SAMPLES, draw, empty_surface
from .things import Things, draw_things

FEWEST_LABELLED = 3  # keypoints in the frame that a person needs
FEWEST_SEEN = 2  # of them, not hidden
LEAST_SEEN = 0.06  # share of the box that a person's visible mask fills
ATTEMPTS = 8  # at a scene with enough persons and of the level drawn


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
        clothes = draw_clothes(rng, bodies.phenotype[layout.body])
        things = draw_things(rng, config, bodies, layout)
        stage, truth = settle(config, bodies, layout, clothes, things)
        index = float(crowd_index(truth[0], truth[1]))
        missing = max(0, config.persons[0] - len(stage.points))
        short = missing, max(0.0, low - index, index - high)
        if best is None or short < least:
            best, least = (stage, truth, index), short
        if short == (0, 0.0):
            break
    stage, truth, index = best
    return Scene(paint(rng, config, stage), *truth, index)


def settle(config: CrowdConfig, bodies: Bodies, layout: Layout, clothes: Clothes, things: Things):
    """Draw the depths and drop persons whom nobody could label, until all that stay can be."""
    shared = outfit(bodies)
    while True:
        points = layout.in_world(dress(bodies, layout.body, clothes))
        fine = layout.camera.scaled(SAMPLES)
        surface = empty_surface(config.size * SAMPLES)
        screen = fine.project(points)
        for who in range(len(points)):
            draw(surface, screen[who], shared.triangles, who)
        corners = fine.project(things.vertices).astype(np.float32)
        for i in range(len(things.kinds)):
            first, end = np.searchsorted(things.thing, (i, i + 1))
            draw(surface, corners, things.triangles[first:end], len(points) + i, first)
        truth = describe(config, bodies, layout, surface, screen)
        keypoints, outlines, _, areas = truth
        enough = (keypoints[..., 2] > 0).sum(1) >= FEWEST_LABELLED
        enough &= (keypoints[..., 2] == 2).sum(1) >= FEWEST_SEEN
        enough &= areas > LEAST_SEEN * outlines[:, 2] * outlines[:, 3]
        if enough.all():
            return Stage(layout.camera, shared, clothes, points, things, surface), truth
        layout = layout.only(enough)
        clothes = Clothes(*(values[enough] for values in clothes))
