"""The background: floor to the horizon or to walls, ceiling, skyline and sky."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.light import ground_shadow
from sparse_ae.crowds.camera.raster import SAMPLES
from sparse_ae.crowds.camera.texture import fast_kernel, fraction
from sparse_ae.crowds.people.appearance import draw_cloth_colours
from sparse_ae.crowds.surroundings.floors import COLOURS, INDOORS, OUTDOORS, FloorStyle, floor_tone
from sparse_ae.crowds.surroundings.walls import (
    BRICKS,
    FLAT,
    HEDGE,
    HILLS,
    ROOM,
    SHADES,
    STREET,
    TOWN,
    TREES,
    WallStyle,
    air_tone,  # fmt: skip
    wall_tone,
)

FAR = 1e6  # metres; such a wall is never reached
FLOOR, FLOOR2, MARK, WALL, WALL2, TOP, SKY, HORIZON, DISTANT, DISTANT2 = range(10)
CLOUD, LAMP, SHADE = range(10, 13)  # more rows of the palette that pixels are mixed from
SKIES = np.array([[(118, 158, 208), (198, 214, 228)], [(150, 174, 204), (216, 220, 222)],
                  [(188, 192, 196), (212, 212, 210)], [(96, 132, 186), (222, 204, 186)],
                  [(206, 210, 214), (228, 228, 226)]], np.float32)  # fmt: skip


class Surroundings(NamedTuple):
    """Kinds of floor and wall (floors.FLOORS, walls.WALLS), places, colours and sizes."""

    floor: int
    wall: int
    distance: float  # metres to the wall ahead; FAR for none
    side: float  # x of a wall at the side, metres; FAR for none
    top: float  # height of the walls, metres
    ceiling: bool  # a ceiling above the walls, else open air
    far: int  # what stands in front of the sky: walls.HILLS to FLAT
    tall: float  # tangent of its height
    clear: float  # how clear the sky is; more gives fewer clouds
    furniture: float  # greatest height of the furniture along walls, metres
    sizes: np.ndarray  # (2,) sizes of the floor and wall patterns, metres
    turn: np.ndarray  # (2,) cosine and sine of the floor pattern's direction
    colours: np.ndarray  # (10, 3) float32 on a scale of 255, rows FLOOR to DISTANT2
    shades: np.ndarray  # (SHADES, 3) colours of pictures, books, cupboards
    key: int


def draw_surroundings(rng: np.random.Generator, beyond: float, aside: float = 4.0) -> Surroundings:
    """Draw surroundings.

    Args:
        rng: Generator of this scene's look.
        beyond: Metres to the farthest thing; a wall ahead stands behind it.
        aside: Metres from the middle to the outermost thing; a wall at the side stands beyond it.
    """
    indoors = rng.random() < 0.5
    floor = int(rng.choice(INDOORS if indoors else OUTDOORS))
    wall = int(rng.choice(ROOM if indoors else STREET))
    walled, sided = indoors or rng.random() < 0.45, rng.random() < (0.45 if indoors else 0.12)
    gap = rng.uniform(0.8, 6) if indoors else rng.uniform(2, 22)
    angle = rng.choice((0.0, 1.5708)) + rng.normal(0, 0.35) * (not indoors or rng.random() < 0.3)
    return Surroundings(
        floor=floor,
        wall=wall,
        distance=float(beyond + gap) if walled else FAR,
        side=float(rng.choice((-1, 1)) * (aside + rng.uniform(0.5, 4))) if sided else FAR,
        top=float(rng.uniform(2.5, 4.2) if indoors else rng.choice((1.0, 2.2, 7, 14))
                  * rng.uniform(0.8, 1.3)),
        ceiling=indoors,
        far=int(rng.choice((HILLS, TREES, TREES, TOWN, FLAT))),
        tall=float(rng.uniform(0.04, 0.2)),
        clear=float(rng.uniform(0.3, 0.85)),
        furniture=float(rng.uniform(0.6, 2.1)) if wall != HEDGE and rng.random() < 0.5 else 0.0,
        sizes=rng.uniform((0.5, 0.8), (1.1, 1.9)),
        turn=np.array([np.cos(angle), np.sin(angle)]),
        colours=draw_palette(rng, floor, wall),
        shades=(0.7 * draw_cloth_colours(rng, SHADES) + 20).astype(np.float32),
        key=int(rng.integers(1 << 10)),
    )  # fmt: skip


def draw_palette(rng: np.random.Generator, floor: int, wall: int) -> np.ndarray:
    """Draw (10, 3) float32 colours, rows FLOOR to DISTANT2."""
    ground = np.array(COLOURS[floor][rng.integers(len(COLOURS[floor]))])
    ground = ground * rng.uniform(0.75, 1.12) + rng.normal(0, 4, 3)
    second = ground * rng.uniform(0.62, 0.85) + rng.normal(0, 2, 3)
    mark = rng.choice((236, 214, 60)) * np.array([1, 1, rng.choice((1.0, 0.85))])
    pale = np.array([(214, 208, 196), (190, 194, 196), (178, 164, 144), (222, 222, 220)])
    plain = pale[rng.integers(4)] * rng.uniform(0.55, 1.05)
    coat = 0.55 * plain + 0.45 * draw_cloth_colours(rng, 1)[0]
    if wall == HEDGE:
        coat = np.array((84, 104, 58)) * rng.uniform(0.7, 1.2)
    elif wall == BRICKS:
        coat = np.array([(150, 96, 76), (168, 140, 118), (122, 84, 72)])[rng.integers(3)]
    sky = SKIES[rng.integers(len(SKIES))] * rng.uniform(0.88, 1.06)
    green = np.array([(70, 88, 54), (92, 100, 66), (104, 108, 112)])[rng.integers(3)]
    haze = rng.uniform(0.1, 0.5)
    distant = green * (1 - haze) + sky[1] * haze
    light = np.array((228, 226, 220)) * rng.uniform(0.8, 1.05)
    rows = (ground, second, mark, coat, coat * rng.uniform(0.55, 0.85), light, *sky, distant,
            distant * rng.uniform(0.6, 0.9))  # fmt: skip
    return np.clip(np.stack(rows), 8, 250).astype(np.float32)


def shade_background(image, owner, surroundings: Surroundings, view, lamp, shadows):
    """Add the share of each pixel that sees no mesh.

    Args:
        image: (S, S, 3) float32, changed in place.
        owner: Owners of the samples, as in Surface.
        surroundings: Floor, walls and sky.
        view: Where the pixels look.
        lamp: Light.numbers().
        shadows: The scene's Shadows.
    """
    around = surroundings
    floor = FloorStyle(around.floor, around.sizes[0], *around.turn, around.key)
    wall = WallStyle(around.wall, around.sizes[1], around.furniture, around.far, around.tall,
                     around.clear, around.key)  # fmt: skip
    room = Room(around.distance, around.side, around.top, around.ceiling, view.height, view.focal)
    fixed = np.array([(240, 240, 240), (252, 252, 252)], np.float32)  # rows CLOUD and LAMP
    palette = np.concatenate((around.colours, fixed, around.shades))
    shade_pixels(image, owner, view.rays, room, floor, wall, palette, lamp, shadows.ground,
                 shadows.contact, shadows.grid)  # fmt: skip


class Room(NamedTuple):
    """Positions of the surfaces, as in Surroundings; the camera's height and focal length."""

    distance: float
    side: float
    top: float
    ceiling: bool
    height: float
    focal: float


@fast_kernel
def trace_ray(dx, dy, dz, room, floors, walls):
    """Return what a ray meets first, and how to mix its colour.

    Returns:
        x, y and depth of the floor (all 0 if the ray meets something else); the first row of the
        palette, and the tone that mixes it with the next row; another row, and how much of it; the
        shares of the ambient light and of the sun; 1 if it shines by itself.
    """
    ahead = room.distance / dy if dy > 1e-6 and room.distance < FAR else FAR
    aside = room.side / dx if room.side * dx > 0 and room.side < FAR else FAR
    reach = min(ahead, aside, FAR)
    floor = -room.height / dz if dz < -1e-5 else FAR
    if floor < reach:
        x, y, across = floor * dx, floor * dy, floor / room.focal
        tone, mark = floor_tone(x, y, across, across * floor / room.height, floors)
        return x, y, floor, FLOOR, min(max(tone, -0.2), 1.2), MARK, mark, 1.0, 1.0, 0.0
    z = room.height + reach * dz
    if reach < FAR and z < room.top:
        x = reach * (dx if ahead < aside else dy)
        tone, extra, much = wall_tone(x, z, reach / room.focal, walls)
        tone, dim = min(max(tone, 0.0), 1.0), 1 - 0.25 * max(0.0, 1 - z / 0.35)
        direct = dim * (0.45 if ahead < aside else 0.28)
        return 0.0, 0.0, 0.0, WALL, tone, SHADE + extra, much, dim, direct, 0.0
    if room.ceiling and reach < FAR:
        rise = (room.top - 1.5) / dz
        lamp = fraction(dx * rise / 2.4) < 0.12 and fraction(dy * rise / 1.6) < 0.7
        return 0.0, 0.0, 0.0, TOP, 0.0, LAMP, 1.0 * lamp, 0.9, 0.0, 1.0 * lamp
    tone, up, cloud = air_tone(dx / max(dy, 0.05), dz / max(dy, 0.05), walls)
    if tone >= 0:
        return 0.0, 0.0, 0.0, DISTANT, tone, LAMP, 0.0, 1.0, 0.0, 1.0
    return 0.0, 0.0, 0.0, SKY, 1 - up, CLOUD, 0.8 * cloud, 1.0, 0.0, 1.0


@fast_kernel
def shade_pixels(image, owner, rays, room, floors, walls, palette, lamp, ground, contact, grid):
    """Shade what the rays meet where `owner` holds no mesh."""
    size = image.shape[0]
    for row in range(size):
        for column in range(size):
            free = 0
            for j in range(SAMPLES):
                for i in range(SAMPLES):
                    free += owner[row * SAMPLES + j, column * SAMPLES + i] < 0
            if free == 0:
                continue
            dx = rays[0, 0] + column * rays[1, 0] + row * rays[2, 0]
            dy = rays[0, 1] + column * rays[1, 1] + row * rays[2, 1]
            dz = rays[0, 2] + column * rays[1, 2] + row * rays[2, 2]
            x, y, deep, first, tone, extra, much, around, direct, shines = trace_ray(
                dx, dy, dz, room, floors, walls)  # fmt: skip
            around, direct = around * lamp[4], direct * lamp[3]
            if deep > 0:
                around *= 1 - 0.45 * ground_shadow(contact, grid, x, y)
                direct *= lamp[2] * (1 - ground_shadow(ground, grid, x, y))
            haze = deep / (deep + 250)
            for c in range(3):
                value = palette[first, c] + (palette[first + 1, c] - palette[first, c]) * tone
                value += (palette[extra, c] - value) * much
                glow = around * lamp[8 + c] + direct * lamp[5 + c]
                value *= glow + (1 - glow) * shines
                value += (palette[HORIZON, c] - value) * haze
                image[row, column, c] += value * free / SAMPLES**2
