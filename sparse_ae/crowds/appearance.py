"""What a scene looks like: clothes, skin and hair of its persons, its light, its surroundings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SKINS = np.array([(247, 214, 190), (232, 190, 160), (214, 165, 126), (184, 130, 92), (142, 94, 64),
                 (102, 66, 46), (68, 44, 34)], np.float32)  # fmt: skip
HAIRS = np.array([(28, 24, 22), (52, 36, 26), (92, 62, 38), (142, 104, 62), (204, 172, 112),
                 (150, 66, 32), (176, 176, 176), (228, 226, 222)], np.float32)  # fmt: skip
DYES = np.array([(240, 240, 236), (30, 30, 34), (120, 124, 130), (36, 52, 96), (70, 110, 176),
                 (150, 186, 216), (176, 36, 40), (208, 96, 60), (226, 178, 60), (52, 104, 62),
                 (118, 150, 88), (140, 106, 74), (206, 188, 156), (110, 56, 120), (226, 140, 160),
                 (40, 130, 140)], np.float32)  # fmt: skip
SKIN, HAIR, SHIRT, SECOND, TROUSERS, SHOES = range(6)  # rows of Clothes.colours
PLAIN, HOOPS, STRIPES, CHECKS = range(4)  # patterns of a shirt
SKY = 4  # the wall that is none


class Clothes(NamedTuple):
    """P persons. colours: (P, 6, 3) float32 of 255, rows SKIN to SHOES, SECOND being the other
    colour of the shirt's pattern. hairline to shoe: (P,) where each ends, as in Bodies.along;
    hair_end: (P,) height on the template, metres, down to which hair falls behind."""

    colours: np.ndarray
    pattern: np.ndarray  # (P,) PLAIN, HOOPS, STRIPES or CHECKS
    period: np.ndarray  # (P,) metres
    hairline: np.ndarray  # (P,) lower: more hair
    hair_end: np.ndarray
    collar: np.ndarray
    waist: np.ndarray
    sleeve: np.ndarray
    leg: np.ndarray
    shoe: np.ndarray


class Light(NamedTuple):
    """sun: (3,) unit vector towards the light; strength of direct and of ambient light; how dark a
    shadow is; gain: (3,) colour of the light."""

    sun: np.ndarray
    direct: float
    ambient: float
    shadow: float
    gain: np.ndarray


class Surroundings(NamedTuple):
    """What shading.background draws: kinds and colours of floor and wall, the wall's distance in
    metres (a far one is open air: sky above a skyline), pattern sizes in metres, a random key."""

    floor: int
    wall: int
    distance: float
    colours: np.ndarray  # (4, 3) floor, floor's second, wall, wall's second
    sizes: np.ndarray  # (2,) of floor and wall pattern
    key: int


def dye(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) colours of cloth: a palette, washed out or darkened."""
    colours = DYES[rng.integers(len(DYES), size=count)]
    return np.clip(
        colours * rng.uniform(0.7, 1.1, (count, 1)) + rng.normal(0, 10, (count, 3)), 8, 250
    )


def draw_clothes(rng: np.random.Generator, phenotype: np.ndarray) -> Clothes:
    """Clothes of persons of a phenotype (P, 6): age greys hair, women wear it longer."""
    count, old, female = len(phenotype), phenotype[:, 1], phenotype[:, 0] > 0.5
    tone = rng.uniform(0, len(SKINS) - 1.001, count)
    low, part = tone.astype(int), (tone % 1)[:, None]
    skin = SKINS[low] * (1 - part) + SKINS[low + 1] * part
    natural = rng.choice(6, count, p=(0.24, 0.26, 0.22, 0.13, 0.1, 0.05))
    grey = rng.random(count) < np.clip((old - 0.75) * 3.5, 0, 0.9)
    hair = HAIRS[np.where(grey, rng.integers(6, 8, count), natural)]
    shirt, trousers = dye(rng, count), dye(rng, count) * rng.uniform(0.5, 1, (count, 1))
    one_piece = rng.random(count) < 0.08
    trousers[one_piece] = shirt[one_piece]

    def pick(values, shares):
        return rng.choice(np.array(values), count, p=shares) + rng.normal(0, 0.04, count)

    hair = hair * rng.uniform(0.8, 1.15, (count, 1))
    shoes = dye(rng, count) * rng.choice((0.3, 0.6, 1.0), (count, 1))
    bald, long = rng.random(count) < 0.05, rng.random(count) < np.where(female, 0.6, 0.08)
    colours = np.stack((skin, hair, shirt, dye(rng, count), trousers, shoes), 1)
    return Clothes(
        colours=np.clip(colours, 0, 250).astype(np.float32),
        pattern=rng.choice(4, count, p=(0.62, 0.17, 0.11, 0.1)),
        period=rng.uniform(0.05, 0.16, count),
        hairline=np.where(bald, 9.0, rng.normal(0.95, 0.18, count)),
        hair_end=np.where(long & ~bald, rng.uniform(0.28, 0.5, count), 9.0),
        collar=rng.choice((0.44, 0.47, 0.5, 0.56), count) + rng.normal(0, 0.01, count),
        waist=rng.uniform(-0.06, 0.13, count),
        sleeve=pick((0.12, 0.6, 0.85, 1.92), (0.12, 0.4, 0.08, 0.4)),
        leg=pick((0.45, 0.85, 1.35, 1.93), (0.1, 0.16, 0.08, 0.66)),
        shoe=np.where(rng.random(count) < 0.2, 1.8, 1.97),
    )


def draw_light(rng: np.random.Generator) -> Light:
    """A sun or lamp above, mostly on the camera's side, and the light from everywhere."""
    around, high = rng.uniform(0, 6.2832), rng.uniform(0.75, 1.4)
    sun = np.array([np.cos(around) * np.cos(high), np.sin(around) * np.cos(high), np.sin(high)])
    sun[1] = -abs(sun[1]) if rng.random() < 0.7 else sun[1]  # mostly from the camera's side
    direct = rng.uniform(0.25, 0.75)
    ambient = rng.uniform(0.85, 1.1) - 0.62 * direct
    warm = rng.normal(0, 0.05)
    gain = np.array([1 + warm, 1.0, 1 - warm]) * rng.uniform(0.82, 1.04)
    return Light(sun, direct, ambient, rng.uniform(0.25, 0.9) * direct, gain.astype(np.float32))


def draw_surroundings(rng: np.random.Generator, beyond: float) -> Surroundings:
    """Surroundings whose wall, if any, stands behind a person `beyond` metres away."""
    indoors = rng.random() < 0.55
    ground = np.array([(150, 146, 138), (120, 100, 78), (96, 122, 70), (178, 160, 128),
                       (90, 92, 98), (166, 120, 84), (196, 192, 186)], np.float32)  # fmt: skip
    floor = ground[rng.integers(len(ground))] * rng.uniform(0.75, 1.15)
    wall = dye(rng, 1)[0] * 0.5 + np.array([110, 106, 100]) * rng.uniform(0.7, 1.25)
    sky = np.array([(150, 186, 226), (196, 204, 212), (226, 206, 190), (120, 150, 196)])
    if not indoors:
        wall = sky[rng.integers(len(sky))]
    second = wall * rng.uniform(0.55, 0.9) if indoors else dye(rng, 1)[0] * 0.5 + 40
    colours = np.stack((floor, floor * rng.uniform(0.7, 1.25), wall, second))
    return Surroundings(
        floor=int(rng.integers(4)),
        wall=int(rng.integers(4)) if indoors else SKY,
        distance=float(beyond + rng.uniform(0.8, 6)) if indoors else 60.0,
        colours=np.clip(colours, 10, 245).astype(np.float32),
        sizes=rng.uniform((0.25, 0.5), (1.2, 1.8)),
        key=int(rng.integers(1 << 30)),
    )
