"""Props: seats, clutter behind people, and occluders in front of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.portable import cos_sin, snap
from sparse_ae.crowds.layout import MAX_PEOPLE, Layout
from sparse_ae.crowds.people.appearance import draw_cloth_colours
from sparse_ae.crowds.people.bodies import Bodies

KINDS = ("box", "post", "bench", "plant", "sign", "table", "seat")
BOX, POST, BENCH, PLANT, SIGN, TABLE, SEAT = range(7)
CUBE = np.array([(x, y, z) for z in (0, 1) for y in (-0.5, 0.5) for x in (-0.5, 0.5)], np.float32)
CUBE_TRIANGLES = np.array([(0, 2, 4), (2, 6, 4), (0, 4, 1), (1, 4, 5), (1, 5, 3), (3, 5, 7),
                       (2, 3, 6), (3, 7, 6), (0, 1, 2), (1, 3, 2), (4, 6, 5), (5, 6, 7)],
                      np.int32)  # fmt: skip
GREENS = np.array([(62, 92, 44), (92, 120, 60), (46, 76, 58), (120, 128, 70)], np.float32)
GREYS = np.array([(92, 94, 98), (150, 148, 142), (60, 62, 66), (110, 84, 60)], np.float32)


class Props(NamedTuple):
    """N props of V vertices and F triangles in all, seen from both sides.

    Attributes:
        vertices: (V, 3) float32 metres, in the world.
        triangles: (F, 3) int32.
        prop: (F,) int16, the prop that each triangle belongs to, in rising order.
        kinds: (N,) uint8, index into KINDS.
        colours: (N, 3) float32, on a scale of 255.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    prop: np.ndarray
    kinds: np.ndarray
    colours: np.ndarray


class Mesh(NamedTuple):
    """One prop.

    Attributes:
        vertices: (V, 3) metres.
        triangles: (F, 3).
        kind: Index into KINDS.
        colour: (3,) on a scale of 255.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    kind: int
    colour: np.ndarray

    def moved(self, position, yaw: float = 0.0) -> Mesh:
        """Return the prop turned by yaw about the vertical, then moved by position (3,)."""
        (cos, sin), (x, y, z) = cos_sin(float(yaw)), self.vertices.T
        turned = np.stack((cos * x - sin * y, sin * x + cos * y, z), 1)
        return self._replace(vertices=snap(turned + np.asarray(position)))


def merge_meshes(meshes: list[Mesh]) -> Props:
    """Merge several props into one set of triangles."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.triangles + start for mesh, start in zip(meshes, starts, strict=False)]
    prop = [np.full(len(mesh.triangles), i) for i, mesh in enumerate(meshes)]
    return Props(
        np.concatenate([np.zeros((0, 3)), *(mesh.vertices for mesh in meshes)]).astype(np.float32),
        np.concatenate([np.zeros((0, 3)), *faces]).astype(np.int32),
        np.concatenate([np.zeros(0), *prop]).astype(np.int16),
        np.array([mesh.kind for mesh in meshes], np.uint8),
        np.array([mesh.colour for mesh in meshes], np.float32).reshape(-1, 3),
    )


def box_meshes(*boxes) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices and triangles of boxes.

    Each box is (width, depth, height, x, y, z of the bottom's middle), in metres.
    """
    vertices = [CUBE * np.array(box[:3]) + np.array(box[3:]) for box in boxes]
    faces = [CUBE_TRIANGLES + 8 * i for i in range(len(boxes))]
    return np.concatenate(vertices), np.concatenate(faces)


def cylinder(radius: float, low: float, high: float, sides: int = 10):
    """Return vertices and triangles of an upright tube without ends."""
    angle = 2 * np.pi * np.arange(sides) / sides
    ring = np.stack((radius * np.cos(angle), radius * np.sin(angle)), 1)
    vertices = np.concatenate([np.column_stack((ring, np.full(sides, z))) for z in (low, high)])
    here, after = np.arange(sides), (np.arange(sides) + 1) % sides
    lower = np.stack((here, after, here + sides), 1)
    return vertices, np.concatenate((lower, np.stack((after, after + sides, here + sides), 1)))


def foliage(rng: np.random.Generator, height: float, width: float):
    """Return vertices and triangles of a plant, whose blades rise and bend outwards."""
    count = int(rng.integers(26, 60))
    around, reach = rng.uniform(0, 2 * np.pi, count), width * np.sqrt(rng.random(count)) / 2
    low = height * rng.uniform(0.0, 0.55, count)
    out = np.stack((np.cos(around), np.sin(around)), 1)
    side = np.stack((-out[:, 1], out[:, 0]), 1) * rng.uniform(0.03, 0.09, (count, 1))
    root, middle = 0.25 * reach[:, None] * out, 0.75 * reach[:, None] * out
    rise = height - low
    points = (
        np.column_stack((root, low)),
        np.column_stack((middle + side, low + 0.7 * rise * rng.uniform(0.6, 1, count))),
        np.column_stack((middle - side, low + 0.7 * rise * rng.uniform(0.6, 1, count))),
        np.column_stack((1.3 * reach[:, None] * out, low + rise * rng.uniform(0.5, 1, count))),
    )
    base = 4 * np.arange(count)[:, None]
    faces = np.concatenate((base + np.array([0, 1, 2]), base + np.array([1, 3, 2])))
    return np.stack(points, 1).reshape(-1, 3), faces


def draw_prop(rng: np.random.Generator, kind: int) -> Mesh:
    """Draw one prop of a kind, standing at the origin."""
    u, colour = rng.uniform, draw_cloth_colours(rng, 1)[0] * 0.7 + 25
    if kind == POST:
        mesh = cylinder(u(0.04, 0.16), 0.0, u(2.4, 4.5))
        colour = GREYS[rng.integers(4)] * u(0.7, 1.2)
    elif kind == BENCH:
        wide = u(1.1, 1.8)
        legs = [(0.08, 0.36, 0.42, x * wide, 0, 0) for x in (-0.4, 0.4)]
        mesh = box_meshes((wide, 0.42, 0.06, 0, 0, 0.42), (wide, 0.05, 0.35, 0, 0.2, 0.5), *legs)
    elif kind == PLANT:
        mesh = foliage(rng, u(0.6, 2.0), u(0.5, 1.1))
        colour = GREENS[rng.integers(4)] * u(0.7, 1.2)
    elif kind == SIGN:
        low, high = u(0.3, 1.2), u(0.4, 0.8)
        mesh = box_meshes(
            (0.06, 0.06, low + high, 0, 0.04, 0), (u(0.4, 0.9), 0.03, high, 0, 0, low)
        )
    elif kind == TABLE:
        wide, deep, high = u(0.8, 1.6), u(0.6, 0.9), u(0.65, 1.05)
        legs = [(0.05, 0.05, high, x * 0.45 * wide, y * 0.45 * deep, 0)
                for x in (-1, 1) for y in (-1, 1)]  # fmt: skip
        mesh = box_meshes((wide, deep, 0.05, 0, 0, high), *legs)
    else:
        mesh = box_meshes((u(0.35, 0.9), u(0.35, 0.8), u(0.35, 1.1), 0, 0, 0))
    return Mesh(*mesh, kind, np.clip(colour, 15, 240))


def draw_seats(rng: np.random.Generator, bodies: Bodies, layout: Layout) -> list[Mesh]:
    """Draw a stool, box or chair under each person who sits.

    Args:
        rng: Generator of this scene's props.
        bodies: The bank of bodies.
        layout: Who sits where.
    """
    seats, seeds = [], rng.integers(2**31, size=MAX_PEOPLE)
    for i in np.flatnonzero(bodies.seat[layout.body] > 0):
        own, body = np.random.default_rng(seeds[i]), layout.body[i]
        choice, colour = own.random(), draw_cloth_colours(own, 1)[0] * 0.7 + 25
        high = float(bodies.seat[body]) - 0.02
        x, y = bodies.joints[body, 11:13, :2].mean(0) + np.array((0, 0.03))
        parts = [(0.42, 0.4, max(high, 0.05), x, y, 0)]
        if choice < 0.6 and high > 0.2:  # on legs
            parts = [(0.44, 0.42, 0.05, x, y, high - 0.05)]
            parts += [(0.04, 0.04, high - 0.05, x + 0.19 * i, y + 0.18 * j, 0)
                      for i in (-1, 1) for j in (-1, 1)]  # fmt: skip
        if choice < 0.35:  # with a back
            parts.append((0.42, 0.04, 0.42, x, y + 0.26, high + 0.05))
        mesh = Mesh(*box_meshes(*parts), SEAT, colour)
        seats.append(mesh.moved(layout.position[i], layout.yaw[i]))
    return seats


def draw_clutter(rng: np.random.Generator, layout: Layout, most: int, size: int) -> list[Mesh]:
    """Draw props behind the farthest person, where they hide nobody.

    Args:
        rng: Generator of this scene's props.
        layout: Who stands where.
        most: Largest number of props.
        size: Side of the picture, pixels.
    """
    far, meshes = float(layout.position[:, 1].max()), []
    for _ in range(int(rng.integers(most + 1))):
        mesh = draw_prop(rng, int(rng.choice((BOX, POST, BENCH, PLANT, SIGN, TABLE))))
        away = far + 1.0 + rng.uniform(0, 1) ** 2 * (2 + far)
        across = rng.uniform(-0.6, 0.6) * size * away / layout.camera.focal
        meshes.append(mesh.moved((across, away, 0), rng.uniform(0, 2 * np.pi)))
    return meshes


def draw_occluders(rng: np.random.Generator, layout: Layout, share: float) -> list[Mesh]:
    """Draw, for each person with probability `share`, a prop between it and the camera.

    Args:
        rng: Generator of this scene's occluders.
        layout: Who stands where.
        share: Probability per person.
    """
    wanted = rng.random(len(layout.position)) < share  # a larger share only adds occluders
    seeds, meshes = rng.integers(2**31, size=len(wanted)), []
    for position, seed in zip(layout.position[wanted], seeds[wanted], strict=True):
        own = np.random.default_rng(seed)
        kind = int(own.choice((BOX, POST, PLANT, SIGN, TABLE), p=(0.2, 0.3, 0.2, 0.15, 0.15)))
        part, beside, yaw = own.uniform(0.5, 0.92), own.normal(0, 0.17), own.normal(0, 0.4)
        if part * position[1] > 0.8:
            x, y = part * (position[0] + beside), part * position[1]
            meshes.append(draw_prop(own, kind).moved((x, y, position[2]), yaw))
    return meshes
