"""Headwear with a mesh of its own: tied hair and the brims of hats."""

from __future__ import annotations

import numpy as np

from sparse_ae.crowds.camera.portable import snap
from sparse_ae.crowds.people.appearance import BEANIE, BUN, CAP, COLUMN, NO_HAT, NO_TAIL
from sparse_ae.crowds.people.garments import BRIM_ANGLES, TAIL_ANGLES, TAIL_RINGS, unit
from sparse_ae.runtime.kernels import kernel


@kernel
def under_hat(back, z):
    """Return whether a hat covers a point of the template's head."""
    return z > brim_level(back)


@kernel
def brim_level(back):
    """Return the height, metres, of a hat's edge `back` metres behind the template's axis."""
    return 0.668 - 0.22 * back


@kernel
def skull_frame(dressed, anchors):
    """Return the frame of a posed head.

    Returns:
        (4, 3) the middle of the skull; then its axes to the left, back and up, each as long as a
        metre on the template's head.
    """
    marks = np.zeros((4, 3))
    for group in range(4):
        for v in anchors.skull[group]:
            for c in range(3):
                marks[group, c] += dressed[v, c] / len(anchors.skull[group])
    across = marks[0] - marks[1]
    size = np.sqrt((across * across).sum()) / anchors.head[1, 0]
    left, up = unit(across), marks[2] - marks[3]
    up = unit(up - (up * left).sum() * left)
    frame = np.zeros((4, 3))
    frame[0] = (marks[0] + marks[1] + marks[2] + marks[3]) / 4
    frame[1], frame[2], frame[3] = left * size, np.cross(up, left) * size, up * size
    return frame


@kernel
def place_on_head(dressed, v, frame, origin, x, y, z):
    """Place vertex v at a point of the template's head."""
    x, y, z = x - origin[0], y - origin[1], z - origin[2]
    for c in range(3):
        dressed[v, c] = frame[0, c] + x * frame[1, c] + y * frame[2, c] + z * frame[3, c]
    dressed[v, 2] = max(dressed[v, 2], 0.0)


@kernel
def place_tied_hair(dressed, anchors, template, style, who):
    """Place a bun, or a ponytail that falls from the back of the head."""
    kind = style[who, COLUMN.tail]
    if kind == NO_TAIL:
        return
    frame = skull_frame(dressed, anchors)
    thick = 0.03 + 0.5 * style[who, COLUMN.hair]
    for ring in range(TAIL_RINGS):
        share = ring / (TAIL_RINGS - 1)
        if kind == BUN:
            y, z = 0.075, 0.715 + thick * snap(np.cos(np.pi * share))
            radius = thick * snap(np.sin(np.pi * share))
        else:
            y, z = 0.05 + 0.06 * snap(np.sin(np.pi * min(1.0, 0.2 + share))), 0.7 - 0.25 * share
            radius = 0.75 * thick * snap(np.sin(np.pi * (0.1 + 0.88 * share)))
        for a in range(TAIL_ANGLES):
            v = anchors.starts[1] + ring * TAIL_ANGLES + a
            place_on_head(dressed, v, frame, anchors.head[0], radius * template[v, 0],
                y + radius * template[v, 1], z)  # fmt: skip


@kernel
def place_brim(dressed, anchors, template, style, who):
    """Place the visor of a cap, or a brim all around."""
    kind = style[who, COLUMN.hat]
    if kind in (NO_HAT, BEANIE):
        return
    frame, middle = skull_frame(dressed, anchors), anchors.head[0]
    for a in range(BRIM_ANGLES):
        inner, outer = anchors.starts[2] + a, anchors.starts[2] + BRIM_ANGLES + a
        x, y = template[inner, 0], template[inner, 1]
        ahead = max(0.0, -y - 0.25) / 0.75
        width = 0.085 * np.sqrt(ahead) if kind == CAP else 0.06
        for v, radius in (
            (inner, anchors.brim[a] + 0.006),
            (outer, anchors.brim[a] + 0.01 + width),
        ):
            back = middle[1] + radius * y
            z = brim_level(max(back, -0.15)) + 0.004 - 0.2 * (radius - anchors.brim[a])
            place_on_head(dressed, v, frame, middle, middle[0] + radius * x, back, z)
