"""Walls, the furniture along them, and the open air."""

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
    within,
)

WALLS = ("plaster", "bricks", "panels", "windows", "pictures", "shelves", "tiles", "curtain",
         "hedge")  # fmt: skip
PLASTER, BRICKS, PANELS, WINDOWS, PICTURES, SHELVES, TILED, CURTAIN, HEDGE = range(9)
ROOM = (PLASTER, PANELS, WINDOWS, PICTURES, PICTURES, SHELVES, TILED, CURTAIN, BRICKS)
STREET = (PLASTER, BRICKS, BRICKS, WINDOWS, WINDOWS, PANELS, HEDGE)
HILLS, TREES, TOWN, FLAT = range(4)  # what stands in front of the sky
SHADES = 16  # number of colours of the things along walls


class WallStyle(NamedTuple):
    """The style of a wall and of the open air.

    Attributes:
        kind: Index into WALLS.
        size: Size of the pattern, metres.
        furniture: Height of the furniture along the wall, metres.
        far: What stands in front of the sky: HILLS to FLAT.
        tall: Tangent of its height.
        clear: How clear the sky is; more gives fewer clouds.
        key: A random key.
    """

    kind: int
    size: float
    furniture: float
    far: int
    tall: float
    clear: float
    key: int


@fast_kernel
def frame(u, v, left, right, low, high, soft):
    """Return 1 within a rectangle of a unit cell and 0 outside, blurred over `soft`."""
    return (within(u, right, soft) * within(left, u, soft) * within(v, high, soft)
            * within(low, v, soft))  # fmt: skip


@fast_kernel
def wall_tone(x, z, foot, style):
    """Return a wall's share of its second colour, one of the scene's SHADES, and the share of it.

    Args:
        x: Metres along the wall.
        z: Metres up.
        foot: Metres that a pixel covers.
        style: A WallStyle.
    """
    kind, size, key = style.kind, style.size, style.key
    stain = 0.5 * (noise(ROUGH, x * 0.3 + 0.37 * key, z * 0.3) - 0.3)
    u, v, soft = x / size, z / size, foot / size
    i, j = np.floor(u), np.floor(v)
    fu, fv = u - i, v - j
    if z < style.furniture:
        high = style.furniture * hash_noise(i, 90, key)
        board = hash_noise(i, 91, key)
        if z < high and board > 0.25 and 0.05 < fu < 0.4 + 0.6 * board:
            drawer = 0.6 * stroke(z / 0.3, 0.05, foot / 0.3) + 0.4 * stroke(fu * 2, 0.02, 2 * soft)
            return drawer, int(SHADES * hash_noise(i, 92, key)) % SHADES, 1 - 0.5 * drawer
    if kind == HEDGE:
        leaf = noise(ROUGH, x * 2.5, z * 2.5)
        return 0.2 + 1.1 * (leaf - 0.4) + 0.7 * (texel(ROUGH, x * 6, z * 6) - 0.5), 0, 0.0
    if kind == BRICKS:
        row = np.floor(v * 8)
        across = u * 2.6 + 0.5 * (int(row) & 1)
        own = hash_noise(np.floor(across), row, key) - 0.5
        joint = max(stroke(v * 8, 0.14, 8 * soft), stroke(across, 0.06, 2.6 * soft))
        return stain + 0.5 * joint + 0.3 * own / (1 + 12 * soft), 0, 0.0
    if kind in (PANELS, CURTAIN):
        fold = noise(SMOOTH, u * 4, 0.1 * v + key) if kind == CURTAIN else 0.0
        groove = stroke(u * 2, 0.04, 2 * soft) if kind == PANELS else 0.0
        return stain + fold + 0.5 * groove + 0.3 * hash_noise(np.floor(u * 2), 4, key) * (
            kind == PANELS), 0, 0.0  # fmt: skip
    if kind == TILED:
        joint = max(stroke(u * 6, 0.06, 6 * soft), stroke(v * 6, 0.06, 6 * soft))
        return stain + 0.5 * joint, 3 + (key & 7), 0.5 * square_wave(v * 0.5, soft)
    if kind == WINDOWS:
        pane = frame(fu, fv, 0.22, 0.78, 0.2, 0.82, soft)
        bars = max(stroke(fu - 0.5, 0.04, soft), stroke(fv - 0.55, 0.04, soft))
        rim = frame(fu, fv, 0.18, 0.82, 0.16, 0.86, soft)
        glass = 0.5 + 0.5 * hash_noise(i, j, key + 4)
        return stain + 0.7 * (rim - pane), 15, glass * pane * (1 - bars)
    if kind == PICTURES:
        own = hash_noise(i, j, key + 6)
        high = 0.5 + 0.4 * hash_noise(i, j, key + 7)
        pane = frame(fu, fv, 0.12, 0.25 + 0.6 * own, 0.12, high, soft) * (own > 0.35) * (z > 0.9)
        inner = frame(fu, fv, 0.16, 0.21 + 0.6 * own, 0.16, high - 0.04, soft)
        shape = int(2.5 * noise(SMOOTH, fu * 5 + i * 7, fv * 5 + j * 3))
        shade = int(SHADES * hash_noise(i + 30 * shape, j, key + 8)) % SHADES
        return stain + pane * (1 - inner), shade, pane * inner
    if kind == SHELVES:
        book = np.floor(u * 18)
        row = np.floor(v * 3)
        top = 0.55 + 0.35 * hash_noise(book, row, key + 9)
        on = within(fraction(v * 3), top, 3 * soft) * (1 - stroke(v * 3, 0.12, 3 * soft))
        full = hash_noise(np.floor(u * 3), row, key + 5) > 0.25
        fade = 1 / (1 + 10 * soft)
        shade = int(SHADES * hash_noise(book, row, key + 10)) % SHADES
        return 0.7 + stain, shade, on * full * (0.35 + 0.6 * fade)
    return stain + 0.25 * (z < 1.0) * (key & 1), 0, 0.0


@fast_kernel
def skyline(azimuth, style):
    """Return the height, as a tangent, of what stands in front of the sky in a direction."""
    key, kind = style.key, style.far
    if kind == HILLS:
        return 0.02 + 0.2 * max(0.0, noise(ROUGH, azimuth * 1.1 + key, 3.0) - 0.3)
    if kind == TREES:
        crown = noise(ROUGH, azimuth * 9 + key, 5.0) + 0.4 * noise(SMOOTH, azimuth * 60, key)
        return 0.03 + style.tall * (0.3 + 0.7 * crown)
    if kind == TOWN:
        block = np.floor(azimuth * 9 + 0.3 * np.floor(azimuth * 4))
        return 0.03 + style.tall * 1.6 * hash_noise(block, 5, key) * noise(
            SMOOTH, azimuth + key, 1.0
        )
    return 0.004


@fast_kernel
def air_tone(azimuth, rise, style):
    """Return what the open air shows in a direction, by the tangents of azimuth and rise.

    Returns:
        The share of the second distant colour, or -1 for sky; how far up the sky is, and how much
        cloud lies on it, both in [0, 1].
    """
    top = skyline(azimuth, style)
    if rise < top:
        if style.far == TOWN:
            pane = square_wave(azimuth * 90, 0.3) * square_wave(rise * 110, 0.3)
            own = hash_noise(np.floor(azimuth * 9 + 0.3 * np.floor(azimuth * 4)), 8, style.key)
            return 0.15 + 0.6 * own + 0.25 * pane, 0.0, 0.0
        leaf = noise(ROUGH, azimuth * 12, rise * 16)
        return min(1.0, 0.1 + 0.9 * leaf * (0.5 + 0.5 * rise / top)), 0.0, 0.0
    up = max(rise, 0.0)
    spread = 1 / (up + 0.12)
    cloud = noise(ROUGH, azimuth * spread * 0.6 + style.key, spread * 0.5)
    cloud = min(1.0, max(0.0, (cloud - style.clear) * 2.5)) * min(1.0, 4 * up + 0.1)
    return -1.0, min(1.0, 2.2 * up), cloud
