"""Floors: the colour of the ground at each point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.texture import (
    ROUGH,
    SMOOTH,
    fast_kernel,
    fraction,
    hash_noise,
    noise,
    square_wave,
    stroke,
    texel,
)

FLOORS = ("ground", "chequers", "tiles", "planks", "grass", "sand", "court", "road", "carpet",
          "paving")  # fmt: skip
GROUND, CHEQUERS, TILES, PLANKS, GRASS, SAND, COURT, ROAD, CARPET, PAVING = range(10)
INDOORS = (GROUND, CHEQUERS, TILES, PLANKS, COURT, CARPET)
OUTDOORS = (GROUND, TILES, GRASS, GRASS, SAND, COURT, ROAD, PAVING)
COLOURS = {  # on a scale of 255, several per kind
    GROUND: ((150, 147, 140), (112, 110, 108), (176, 168, 154)),
    CHEQUERS: ((196, 188, 172), (150, 140, 128), (110, 96, 86)),
    TILES: ((186, 180, 170), (150, 148, 146), (164, 132, 104)),
    PLANKS: ((150, 112, 76), (176, 140, 100), (104, 76, 54), (190, 164, 128)),
    GRASS: ((92, 116, 60), (112, 128, 68), (74, 96, 54), (136, 136, 84)),
    SAND: ((204, 184, 148), (150, 128, 100), (226, 228, 232), (176, 158, 132)),
    COURT: ((92, 120, 96), (150, 88, 70), (78, 100, 132), (186, 150, 104), (84, 116, 66)),
    ROAD: ((104, 104, 106), (84, 84, 88), (124, 120, 116)),
    CARPET: ((112, 78, 72), (92, 96, 108), (140, 128, 112), (78, 88, 80)),
    PAVING: ((158, 140, 126), (142, 138, 132), (150, 112, 94)),
}


class FloorStyle(NamedTuple):
    """The style of a floor.

    Attributes:
        kind: Index into FLOORS.
        size: Size of the pattern, metres.
        cos: Cosine of the pattern's direction.
        sin: Sine of the pattern's direction.
        key: A random key.
    """

    kind: int
    size: float
    cos: float
    sin: float
    key: int


@fast_kernel
def floor_tone(x, y, across, deep, style):
    """Return how much of a floor's second colour and of its markings a point shows, in [0, 1].

    Args:
        x: Metres to the right.
        y: Metres ahead.
        across: Metres that a pixel covers there from left to right.
        deep: Metres that a pixel covers there from near to far.
        style: A FloorStyle.
    """
    kind, size, cos, sin, key = style
    u, v = cos * x + sin * y, cos * y - sin * x
    wide, long = abs(cos) * across + abs(sin) * deep, abs(cos) * deep + abs(sin) * across
    fine = 1 / (1 + (deep / 0.06) ** 2)
    stain = noise(ROUGH, u * 0.35 + 0.37 * key, v * 0.35)
    speck = (texel(ROUGH, u * 7, v * 7) - 0.5) * fine
    u, v, wide, long = u / size, v / size, wide / size, long / size
    if kind == GRASS:
        tuft = noise(ROUGH, u * 3, v * 2) - 0.5
        return 0.35 + 0.7 * (stain - 0.5) + 0.9 * tuft / (1 + deep / 0.5) + 1.3 * speck, 0.0
    if kind == SAND:
        dune = noise(SMOOTH, u * 1.6, v * 3.5) - 0.5
        return 0.4 + 0.6 * (stain - 0.5) + 0.5 * dune / (1 + deep) + 0.5 * speck, 0.0
    if kind == CHEQUERS:
        chequer = square_wave(u, 2 * wide) - 0.5
        chequer *= 2 * square_wave(v, 2 * long) - 1
        return 0.5 + 0.8 * chequer + 0.25 * (stain - 0.5), 0.0
    if kind in (TILES, PAVING):
        if kind == PAVING:
            u, v, wide, long = u * 2, v * 4, wide * 2, long * 4
            u += 0.5 * (int(np.floor(v)) & 1)
        own = hash_noise(np.floor(u), np.floor(v), key) / (1 + 3 * max(wide, long))
        joint = max(stroke(u, 0.05, wide), stroke(v, 0.05, long))
        return 0.25 * own + 0.3 * stain + 0.5 * joint + 0.3 * speck, 0.0
    if kind == PLANKS:
        board = np.floor(u * 6)
        shade = hash_noise(board, np.floor(v * 0.5 + hash_noise(board, 5, key)), key)
        grain = noise(SMOOTH, u * 50, v * 1.5 + board) - 0.5
        fade = 1 / (1 + 40 * wide)
        return 0.3 + (0.5 * (shade - 0.5) + 0.5 * grain) * fade + 0.5 * stroke(
            u * 6, 0.06, 6 * wide) + 0.2 * (stain - 0.5), 0.0  # fmt: skip
    if kind == COURT:
        line = max(stroke(u / 5, 0.012, wide / 5), stroke(v / 7, 0.009, long / 7))
        ring = abs(np.sqrt((u - 2.5) ** 2 + (v - 3.5) ** 2) - 1.8)
        line = max(line, min(max((0.035 - ring) / max(wide, long, 1e-3) + 0.5, 0.0), 1.0)
                   / (1 + 8 * max(wide, long)))  # fmt: skip
        return 0.25 + 0.4 * (stain - 0.5) + 0.4 * speck, 0.9 * line
    if kind == ROAD:
        lane = 14 * fraction(v / 14) - 7
        dash = square_wave(u / 3, 2 * wide / 3) * stroke((lane - 2.5) / 14, 0.011, long / 14)
        kerb = stroke((lane - 5.6) / 14, 0.014, long / 14)
        kerb = max(kerb, stroke((lane - 7) / 14, 0.014, long / 14))
        aside = min(abs(lane - 6.3), 14 - abs(lane - 6.3))  # metres from the pavement's middle
        pavement = 0.55 * min(max((0.7 - aside) / max(long, 1e-3) + 0.5, 0.0), 1.0)
        return pavement + 0.3 * stain + 0.6 * speck, max(0.85 * dash, 0.6 * kerb)
    if kind == CARPET:
        figure = noise(SMOOTH, u * 5 + key, v * 5) > 0.55
        return 0.2 + 0.35 * figure / (1 + 6 * max(wide, long)) + 0.3 * stain + 0.7 * speck, 0.0
    return 0.6 * stain + 0.9 * speck, 0.0
