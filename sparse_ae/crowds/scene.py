"""Scene i of a configuration: its picture and everything that is true of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.backs import draw_back
from sparse_ae.crowds.camera.raster import SAMPLES, draw, empty_surface
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.imitate import imitate
from sparse_ae.crowds.labels import Truth, describe, locate
from sparse_ae.crowds.layout import Layout, draw_stand, draw_wish, lay_out, stand_away
from sparse_ae.crowds.paint import Stage, paint
from sparse_ae.crowds.people.appearance import Clothes, draw_clothes
from sparse_ae.crowds.people.bodies import CROWDPOSE_JOINTS, SPLITS, Bodies, load_bodies
from sparse_ae.crowds.people.dress import dress, outfit
from sparse_ae.crowds.place.things import Things, draw_clutter, draw_in_front, draw_seats, gather
from sparse_ae.crowds.sketch import Sketch, sketch
from sparse_ae.metrics.crowding import crowd_index

STREAMS = ("crowding", "persons", "scales", "scale_spread", "camera", "places", "clothes",
           "things", "in_front", "back", "look")  # fmt: skip
ATTEMPTS = 8  # at a crowd whose persons can all be labelled
LEAST_LEFT = 0.3  # share of a person's visible part that a thing in front must leave,
SURE = 0.01  # by so much a sketch should keep within the bounds of the crowd index
ROOM = 0.05  # by so much more, there is no need for a sketch
LEFT_SEEN = 5  # and so many of its joints


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


class Crowd(NamedTuple):
    """Who is where: P persons' layout, clothes, dressed bodies (P, W, 3) in their frames, and their
    sketch where one was made."""

    layout: Layout
    clothes: Clothes
    dressed: np.ndarray
    drawn: Sketch | None = None

    def together(self, other: Crowd | None) -> Crowd:
        """These persons and then the other ones, before the same camera."""
        if other is None:
            return self
        parts = zip(self.layout[:3], other.layout[:3], strict=True)
        layout = Layout(*(np.concatenate(pair) for pair in parts), self.layout.camera)
        clothes = zip(self.clothes, other.clothes, strict=True)
        clothes = Clothes(*(np.concatenate(pair) for pair in clothes))
        return Crowd(layout, clothes, np.concatenate((self.dressed, other.dressed)))

    def only(self, keep: np.ndarray) -> Crowd:
        clothes = Clothes(*(values[keep] for values in self.clothes))
        return Crowd(self.layout.only(keep), clothes, self.dressed[keep])


def render_scene(config: CrowdConfig, index: int) -> Scene:
    """Scene `index` of `config`: the same to the bit, whatever was drawn before."""
    if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or index < 0:
        raise ValueError(f"scene {index!r}: expected an integer from 0")
    bodies, split = load_bodies(), SPLITS.index(config.split)
    rngs = {name: np.random.default_rng((config.seed, split, int(index), stream))
            for stream, name in enumerate(STREAMS)}  # fmt: skip
    if config.layouts:
        layout = imitate(rngs["places"], config, bodies, int(index))
        crowd = clothed(rngs["clothes"], bodies, layout)
    else:
        crowd = draw_crowd(rngs, config, bodies)
    things, back = furnish(rngs, config, bodies, crowd)
    stage, truth = settle(config, bodies, crowd, things, back)
    wanted = CROWDPOSE_JOINTS if config.skeleton == "crowdpose" else range(17)
    keypoints = truth.joints[:, list(wanted)]
    found = float(crowd_index(keypoints, truth.boxes))
    return Scene(paint(rngs["look"], config, stage), keypoints, *truth[1:], found)


def draw_crowd(rngs, config: CrowdConfig, bodies: Bodies) -> Crowd:
    """The first arrangement in which everybody can be labelled and the crowd index is as wished
    for; of several that fail, the best."""
    wish = draw_wish(rngs, config, bodies)
    clothes = draw_clothes(rngs["clothes"], bodies.phenotype[wish.body])
    dressed = dress(bodies, wish.body, clothes)
    row = draw_stand(rngs["camera"], config, bodies, wish, dressed)
    low, high = wish.bounds[0] + SURE * (wish.bounds[0] > 0), wish.bounds[1] - SURE
    best, least, shrink, stand = None, None, 1.0, stand_away(row)
    for attempt in range(ATTEMPTS):
        layout, found = lay_out(rngs["places"], config, stand, wish)
        if found <= high + ROOM or attempt >= ATTEMPTS - 2:
            drawn = sketch(bodies, layout, dressed)
            truth = drawn.truth()
            found = float(crowd_index(truth.joints[:, :17], truth.boxes))
            short = int((~truth.labelled()).sum()), max(low - found, found - high, 0.0)
            if best is None or short < least:
                best, least = Crowd(layout, clothes, dressed, drawn), short
            if short == (0, 0.0):
                break
        if found > high or attempt > 1:  # no room: all are seen from farther away
            shrink *= min(0.9, max(0.5, np.sqrt((wish.crowding + 0.1) / (found + 0.1))))
            stand = stand_away(row, shrink)
    return best


def clothed(rng: np.random.Generator, bodies: Bodies, layout: Layout) -> Crowd:
    """Bodies in clothes drawn for them."""
    clothes = draw_clothes(rng, bodies.phenotype[layout.body])
    return Crowd(layout, clothes, dress(bodies, layout.body, clothes))


def furnish(rngs, config: CrowdConfig, bodies: Bodies, crowd: Crowd) -> tuple[Things, Crowd | None]:
    """Seats, clutter, and in front of people, things and perhaps somebody's back, that leave enough
    of everybody to be seen."""
    layout = crowd.layout
    meshes = draw_seats(rngs["things"], bodies, layout)
    meshes += draw_clutter(rngs["things"], layout, config.clutter, config.size)
    back = draw_back(rngs["back"], config, bodies, layout.camera)
    in_front = draw_in_front(rngs["in_front"], layout, config.occlusion)
    if back is None and not in_front:
        return gather(meshes), None
    drawn = crowd.drawn or sketch(bodies, layout, crowd.dressed)
    before = drawn.truth()
    if back is not None:
        trial = drawn.with_body(back)
        back, drawn = (back, trial) if leaves_enough(before, trial.truth()) else (None, drawn)
    for mesh in in_front:
        trial = drawn.with_mesh(mesh)
        if leaves_enough(before, trial.truth()):
            meshes.append(mesh)
            drawn = trial
    return gather(meshes), None if back is None else clothed(rngs["back"], bodies, back)


def leaves_enough(before: Truth, after: Truth) -> bool:
    """Whether everybody who can be told before still can be, with something more in front."""
    seen = [(truth.joints[..., 2] == 2).sum(1) for truth in (before, after)]
    enough = seen[1] >= np.minimum(seen[0], LEFT_SEEN)
    return bool((enough & (after.areas >= LEAST_LEFT * before.areas)).all())


def settle(config, bodies: Bodies, crowd: Crowd, things: Things, back: Crowd | None = None):
    """The drawn scene and its Truth, without persons whom nobody could label."""
    shared = outfit(bodies)
    camera, size = crowd.layout.camera.scaled(SAMPLES), config.size * SAMPLES
    corners = camera.project(things.vertices)
    while True:
        drawn = crowd.together(back)
        points = drawn.layout.in_world(drawn.dressed)
        screen = camera.project(points)
        surface = empty_surface(size)
        for who in range(len(screen)):
            draw(surface, screen[who], shared.triangles, who, 0, shared.closed)
        for i in range(len(things.kinds)):
            first, end = np.searchsorted(things.thing, (i, i + 1))
            draw(surface, corners, things.triangles[first:end], len(screen) + i, first)
        outline = screen[: len(crowd.dressed)]
        places = locate(bodies, crowd.layout, outline, config.size, SAMPLES)
        truth = describe(places, surface, config.size)
        keep = truth.labelled()
        if keep.all() or not keep.any():  # a person alone stays, however little is seen
            stage = Stage(crowd.layout.camera, shared, drawn.clothes, points, things, surface)
            return stage, truth
        crowd = crowd.only(keep)
