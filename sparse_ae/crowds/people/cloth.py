"""Which garment a point of a dressed body shows, and how bright its cloth is there.

Points x, y, z lie on the template, in metres. `along` is the point's coordinate of Bodies.along,
and `cut` is the person's row of Clothes.table() as a tuple.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.crowds.camera.texture import SMOOTH, fast_kernel, fraction, hash_noise, noise
from sparse_ae.crowds.people.appearance import (
    ACCENT,
    BAND,
    CHECKS,
    COLUMN,
    EMBLEM,
    HAIR,
    HAT,
    HOOPS,
    MOTTLED,
    NO_HAT,
    OPEN,
    SECOND,
    SHIRT,
    SHOES,
    SKIN,
    SLEEVES,
    STRIPES,
    TROUSERS,
    WORDS,  # fmt: skip
)
from sparse_ae.crowds.people.bodies import ARM, HEAD, LEG, TRUNK
from sparse_ae.crowds.people.garments import BRIM, SKIRT, TAIL, THIGH
from sparse_ae.crowds.people.headwear import under_hat

FOLD = 0.3  # share of the brightness that folds add or take


@fast_kernel
def garment_at(part, along, x, y, z, cut):
    """Return the row of Clothes.colours that a point of a dressed body shows.

    Args:
        part: One of bodies.HEAD to LEG, or of garments.SKIRT, TAIL and BRIM.
        along: The point's coordinate of Bodies.along.
        x: Metres on the template, to the left.
        y: Metres on the template, to the back.
        z: Metres on the template, upwards.
        cut: The person's row of Clothes.table(), as a tuple.
    """
    if part == HEAD:
        if cut[COLUMN.hat] != NO_HAT and under_hat(y, z):
            return HAT
        if along > cut[COLUMN.hairline] or bearded(x, y, z, cut):
            return HAIR
        return SKIN
    if part in (TAIL, BRIM):
        return HAIR if part == TAIL else HAT
    if part == TRUNK:
        if y > 0.0 and z > cut[COLUMN.hair_end] and abs(x) < 0.13 - 0.2 * (0.55 - z):
            return HAIR
        if along <= cut[COLUMN.waist]:
            return ACCENT if cut[COLUMN.stripe] and on_side_stripe(x, y, 0.0) else TROUSERS
        opening = 1.5 * max(0.0, abs(x) - 0.07)  # a round neckline
        if along > cut[COLUMN.collar] + opening:
            return SKIN
    elif part == ARM:
        if along >= cut[COLUMN.sleeve]:
            return SKIN
    elif part == LEG:
        if along > cut[COLUMN.shoe]:
            return SHOES
        if z < cut[COLUMN.waist]:
            if along >= cut[COLUMN.leg]:
                return SKIN
            return ACCENT if cut[COLUMN.stripe] and on_side_stripe(x, y, along) else TROUSERS
    elif cut[COLUMN.skirt] == TROUSERS:
        return TROUSERS
    return shirt_colour(part, along, x, y, z, cut)


@fast_kernel
def bearded(x, y, z, cut):
    """Return whether a beard covers a point of the template's head."""
    if not cut[COLUMN.beard] or y > 0.0 or z > 0.605 - 0.25 * (y + 0.1) or z < 0.525:
        return False
    return abs(x) > 0.026 or z < 0.56 or z > 0.58


@fast_kernel
def on_side_stripe(x, y, along):
    """Return whether a point of the template's leg or hip is where a side stripe may run."""
    return abs(y + 0.005) < 0.016 and abs(x) > 0.11 + 0.035 * along


@fast_kernel
def shirt_colour(part, along, x, y, z, cut):
    """Return the row of colours that a shirt, dress or coat shows at a point, by its pattern."""
    kind, period = cut[COLUMN.pattern], cut[COLUMN.period]
    hoop = fraction((0.28 * along if part == ARM else z) / period) < 0.5
    stripe = fraction((y if part == ARM else x) / period) < 0.4
    marked = False
    if kind == HOOPS:
        marked = hoop
    elif kind == STRIPES:
        marked = stripe
    elif kind == CHECKS:
        marked = hoop != stripe
    elif kind == MOTTLED:
        tone = noise(SMOOTH, 0.7 * (x + y) / period, 0.7 * z / period + cut[COLUMN.key])
        if tone > 0.68:
            return ACCENT
        marked = tone < 0.45
    elif kind == SLEEVES:
        marked = part == ARM
    elif part == ARM:
        return SHIRT
    elif kind == BAND:
        marked = 0.22 < z < 0.24 + period
    elif kind == OPEN and y < 0:
        edge = abs(x) - 0.012 - 0.25 * period * (1 + z)
        if abs(edge) < 0.005:
            return ACCENT
        return SECOND if edge < 0 and part != SKIRT else SHIRT
    elif kind == EMBLEM and y < 0.0:
        wide = 0.35 + 0.3 * (int(cut[COLUMN.key]) % 3)
        marked = (x * wide) ** 2 + (z - 0.31) ** 2 < (0.35 * period + 0.02) ** 2
    elif kind == WORDS:
        return ACCENT if on_letter(x, z, cut) else SHIRT
    return SECOND if marked else SHIRT


@fast_kernel
def on_letter(x, z, cut):
    """Return whether a point of the chest or back is on a letter, which is drawn as a bar."""
    row = (0.4 - z) / (0.03 + 0.3 * cut[COLUMN.period])
    if not 0 < row < 1 + int(cut[COLUMN.key]) % 3 or abs(x) > 0.1 or fraction(row) > 0.62:
        return False
    letter = x / 0.022
    word = hash_noise(np.floor(letter), np.floor(row), int(cut[COLUMN.key]))
    return word > 0.15 and fraction(letter) < 0.35 + 0.5 * word


@fast_kernel
def skirt_to_template(x, y, along, top, hem):
    """Return where a point of a skirt, at cosine x and sine y, would be on the template."""
    return 0.17 * x, -0.14 * y, -THIGH * (top + along * (hem - top))


@fast_kernel
def face_tone(x, y, z, glasses):
    """Return the brightness of a point of the face, and how much redder it is than skin.

    Eyes, brows, nose, mouth and glasses differ from 1, 0.
    """
    if y > -0.07:
        return (0.2, 0.0) if glasses and abs(z - 0.652) < 0.004 and y < 0.0 else (1.0, 0.0)
    u, v = (abs(x) - 0.032) / 0.014, (z - 0.647) / 0.008
    if glasses:
        rim = np.sqrt((u * 0.65) ** 2 + (v * 0.42) ** 2)
        if 0.85 < rim < 1.15 or (abs(x) < 0.012 and abs(v) < 0.4):
            return 0.18, 0.0
    if u * u + v * v < 1:
        return (0.16, 0.0) if abs(u) < 0.5 else (1.25, -0.08)
    if u * u + ((z - 0.672) / 0.006) ** 2 < 1.4:
        return 0.45, 0.0
    if (x / 0.026) ** 2 + ((z - 0.571) / 0.008) ** 2 < 1:
        return (0.45, 0.0) if abs(z - 0.571) < 0.0015 else (0.78, 0.16)
    if abs(x) < 0.016 and 0.594 < z < 0.602:
        return 0.72, 0.0
    return 1.0, 0.0


@fast_kernel
def cloth_tone(row, part, along, x, y, z, cut):
    """Return the brightness at a point of the template, 1 if plain, and how much redder it is.

    The tone draws the face, folds, seams, belt, cuffs and soles.

    Args:
        row: The row of Clothes.colours, of `garment_at`.
        part: One of bodies.HEAD to LEG, or of garments.SKIRT, TAIL and BRIM.
        along: The point's coordinate of Bodies.along.
        x: Metres on the template, to the left.
        y: Metres on the template, to the back.
        z: Metres on the template, upwards.
        cut: The person's row of Clothes.table(), as a tuple.
    """
    if row == SKIN and part == HEAD:
        return face_tone(x, y, z, cut[COLUMN.glasses] > 0)
    return texture(row, part, along, x, y, z, cut), 0.0


@fast_kernel
def texture(row, part, along, x, y, z, cut):
    """Return the brightness of hair, cloth and skin below the face."""
    key = cut[COLUMN.key]
    if row == SKIN:
        return 0.97 + 0.06 * noise(SMOOTH, x * 20 + key, z * 20)
    if row == HAIR:
        strand = noise(SMOOTH, (x + key) * 90, z * 9 + y * 30)
        return 0.75 + 0.5 * strand
    if row == SHOES:
        white = int(cut[COLUMN.key]) & 3
        return (1.9 if white == 0 else 0.6) if z < -0.848 else 1.0
    if part == SKIRT:
        pleats = noise(SMOOTH, x * 45 + key, y * 45) - 0.5
        return 1 + 1.6 * FOLD * pleats * min(1.0, 0.3 + 0.7 * along)
    bend = 1.0
    if part in (ARM, LEG):  # wrinkles run across the limb, most of them at elbow and knee
        bend = 0.5 + 1.2 * max(0.0, 1 - abs(along - 1) / 0.5) + max(0.0, 0.6 - along)
        end = cut[COLUMN.sleeve] if part == ARM else cut[COLUMN.leg]
        if 0.03 < end - along < 0.055:
            return 0.72
    elif part == TRUNK:
        bend = 0.5 + 1.1 * max(0.0, 1 - abs(z - cut[COLUMN.waist]) / 0.14)
        below = z - cut[COLUMN.waist]
        if -0.028 < below < 0.004:  # the belt or the hem of the shirt
            return 0.45 if int(cut[COLUMN.key]) & 4 else 0.8
        if abs(z - cut[COLUMN.collar] + 0.012) < 0.006 and abs(x) < 0.08:
            return 0.78
    fold = noise(SMOOTH, x * 11 + z * 4 + key, z * 24 + 14 * y - x * 7) - 0.5
    return 1 + 1.7 * FOLD * bend * fold
