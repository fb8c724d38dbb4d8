"""The look of people: colours, cuts and patterns of their clothes; their skin and hair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.portable import snap, weighted_indices

SKINS = np.array([(250, 222, 202), (240, 202, 176), (226, 180, 146), (204, 154, 116),
                  (172, 120, 84), (136, 92, 64), (100, 66, 48), (68, 46, 36)],
                 np.float32)  # fmt: skip
HAIRS = np.array([(26, 23, 22), (48, 34, 26), (84, 58, 38), (132, 96, 60), (196, 164, 108),
                  (142, 68, 36), (164, 162, 160), (222, 220, 214)], np.float32)  # fmt: skip
NEUTRALS = np.array([(238, 238, 234), (226, 222, 212), (34, 34, 37), (22, 22, 26),
                     (128, 130, 133), (78, 80, 86), (38, 48, 76), (62, 80, 112), (88, 110, 146),
                     (196, 178, 148), (122, 102, 78), (84, 86, 66)], np.float32)  # fmt: skip
DYES = np.array([(54, 92, 156), (134, 170, 206), (170, 44, 46), (196, 92, 62), (214, 170, 78),
                 (54, 98, 66), (118, 140, 92), (104, 58, 108), (212, 142, 156), (48, 128, 136),
                 (116, 40, 52), (228, 206, 190)], np.float32)  # fmt: skip
DENIM = np.array([(46, 58, 86), (66, 86, 120), (104, 126, 156), (30, 34, 46)], np.float32)
SKIN, HAIR, SHIRT, SECOND, TROUSERS, SHOES, ACCENT, HAT = range(8)  # rows of Clothes.colours
PATTERNS = ("plain", "hoops", "stripes", "checks", "mottled", "emblem", "words", "band", "sleeves",
            "open")  # fmt: skip
PLAIN, HOOPS, STRIPES, CHECKS, MOTTLED, EMBLEM, WORDS, BAND, SLEEVES, OPEN = range(10)
SIDE_STRIPE = 1  # value of Clothes.stripe
NO_TAIL, BUN, PONYTAIL = range(3)
NO_HAT, BEANIE, CAP, BRIMMED = range(4)
BEYOND = 9.0  # beyond every coordinate: the end of anything that a person does not have


class Clothes(NamedTuple):
    """The clothes of P persons.

    collar, waist, sleeve, leg, shoe and hairline say where a garment or the hair ends, on the scale
    of `Bodies.along`.
    """

    colours: np.ndarray  # (P, 8, 3) float32 on a scale of 255, rows SKIN to HAT
    pattern: np.ndarray  # (P,) pattern of the shirt, index into PATTERNS
    period: np.ndarray  # (P,) period of the pattern, metres
    stripe: np.ndarray  # (P,) SIDE_STRIPE down the trousers, or 0
    hairline: np.ndarray  # (P,) where hair begins; lower gives more hair
    hair_end: np.ndarray  # (P,) height to which hair falls behind, metres above the pelvis
    hair: np.ndarray  # (P,) thickness of the hair, metres
    tail: np.ndarray  # (P,) NO_TAIL, BUN or PONYTAIL
    hat: np.ndarray  # (P,) NO_HAT, BEANIE, CAP or BRIMMED
    beard: np.ndarray  # (P,) bool
    glasses: np.ndarray  # (P,) bool
    collar: np.ndarray
    waist: np.ndarray
    sleeve: np.ndarray
    leg: np.ndarray
    shoe: np.ndarray
    shirt_gap: np.ndarray  # (P,) metres between skin and shirt
    leg_gap: np.ndarray  # (P,) metres between skin and trousers
    skirt_top: np.ndarray  # (P,) where a skirt or the tails of a coat begin: 0 hip, 1 knee, 2 ankle
    hem: np.ndarray  # (P,) where they end; hem <= skirt_top means that there is none
    flare: np.ndarray  # (P,) metres by which the hem is wider
    skirt: np.ndarray  # (P,) row of colours: SHIRT for a dress, coat or loose shirt, else TROUSERS
    key: np.ndarray  # (P,) random number that selects folds, prints and spots

    def table(self) -> np.ndarray:
        """Return (P, 22) float64: all fields but the colours, field `name` in column COLUMN.name.

        Kernels take one array faster than many.
        """
        return snap(np.stack([np.asarray(values, float) for values in self[1:]], 1))


COLUMN = Clothes(*range(-1, len(Clothes._fields) - 1))


def draw_cloth_colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw (count, 3) colours of cloth; more than half are white, black, grey, navy or earth.

    Args:
        rng: The generator to draw from.
        count: Number of colours.

    Returns:
        (count, 3) on a scale of 255.
    """
    neutral = (rng.random(count) < 0.55)[:, None]
    colours = np.where(neutral, NEUTRALS[rng.integers(len(NEUTRALS), size=count)],
                       DYES[rng.integers(len(DYES), size=count)])  # fmt: skip
    faded = (colours[:, :1] + colours[:, 1:2] + colours[:, 2:]) / 3
    colours = faded + (colours - faded) * rng.uniform(0.6, 1.15, (count, 1))
    colours = colours * rng.uniform(0.75, 1.1, (count, 1)) + rng.normal(0, 6, (count, 3))
    return np.minimum(np.maximum(colours, 8), 248)


def draw_colours(rng: np.random.Generator, old: np.ndarray) -> np.ndarray:
    """Draw (P, 8, 3) float32 colours, rows SKIN to HAT; age greys hair."""
    count = len(old)
    tone = rng.uniform(0, len(SKINS) - 1.001, count)
    low, part = tone.astype(int), (tone % 1)[:, None]
    skin = SKINS[low] * (1 - part) + SKINS[low + 1] * part
    natural = weighted_indices(rng, (0.26, 0.27, 0.22, 0.12, 0.09, 0.04), count)
    natural = np.where(tone > 4, natural % 2, natural)
    grey = rng.random(count) < np.clip((old - 0.75) * 3.5, 0, 0.9)
    hair = HAIRS[np.where(grey, rng.integers(6, 8, count), natural)]
    hair = hair * rng.uniform(0.8, 1.15, (count, 1))
    denim = DENIM[rng.integers(len(DENIM), size=count)] * rng.uniform(0.8, 1.2, (count, 1))
    blue = (rng.random(count) < 0.42)[:, None]
    trousers = np.where(
        blue, denim, draw_cloth_colours(rng, count) * rng.uniform(0.45, 1, (count, 1))
    )
    shoes = draw_cloth_colours(rng, count) * rng.choice((0.3, 0.6, 1.0), (count, 1))
    second = draw_cloth_colours(rng, count)
    paler = np.clip(second + 90, 0, 245)
    shirt = draw_cloth_colours(rng, count)
    alike = np.abs(second - shirt).max(1, keepdims=True) < 45
    rows = (skin, hair, shirt, np.where(alike, paler, second), trousers, shoes,
            draw_cloth_colours(rng, count), draw_cloth_colours(rng, count))  # fmt: skip
    return np.clip(np.stack(rows, 1), 0, 250).astype(np.float32)


def draw_clothes(rng: np.random.Generator, phenotype: np.ndarray) -> Clothes:
    """Draw the clothes of persons.

    Args:
        rng: Generator of this scene's clothes.
        phenotype: (P, 6) in [0, 1], as in Bodies: age greys hair, women wear it longer more often.
    """
    count, old, female = len(phenotype), phenotype[:, 1], phenotype[:, 0] > 0.5
    child = old < 0.4
    colours = draw_colours(rng, old)

    def pick(values, shares, spread=0.04):
        return np.array(values)[weighted_indices(rng, shares, count)] + rng.normal(0, spread, count)

    skirts = draw_skirts(rng, female)
    bald = (rng.random(count) < 0.12) & (old > 0.5) & ~female
    long = (rng.random(count) < np.where(female, 0.62, 0.08)) & ~bald
    tied = long & (rng.random(count) < 0.4)
    hair = np.where(rng.random(count) < 0.12, rng.uniform(0.03, 0.045, count),
                    rng.uniform(0.006, 0.024, count))  # fmt: skip
    hat = weighted_indices(rng, (0.82, 0.06, 0.08, 0.04), count)
    coat = skirts["skirt"] == SHIRT
    sleeve = pick((0.12, 0.55, 0.85, 1.92), (0.09, 0.42, 0.07, 0.42))
    wool = rng.random(count) < 0.3  # thick cloth
    shirt_gap = np.where(wool & (sleeve > 1), rng.uniform(0.012, 0.028, count),
                         rng.uniform(0.004, 0.015, count))  # fmt: skip
    leg = pick((0.35, 0.8, 1.35, 1.93), (0.08, 0.17, 0.07, 0.68))
    tight = rng.random(count) < np.where(female, 0.4, 0.12)
    leg_gap = np.where(tight, rng.uniform(0.002, 0.006, count), rng.uniform(0.009, 0.03, count))
    return Clothes(
        colours=colours,
        pattern=weighted_indices(
            rng, (0.42, 0.09, 0.05, 0.08, 0.06, 0.08, 0.06, 0.04, 0.04, 0.08), count
        ),
        period=rng.uniform(0.035, 0.14, count),
        stripe=(rng.random(count) < 0.1).astype(np.int64),
        hairline=np.where(
            bald, np.where(rng.random(count) < 0.5, 2.1, BEYOND), rng.normal(0.85, 0.18, count)
        ),
        hair_end=np.where(long & ~tied, rng.uniform(0.26, 0.5, count), BEYOND),
        hair=np.where(bald, 0.004, hair),
        tail=np.where(tied, rng.integers(1, 3, count), NO_TAIL),
        hat=hat,
        beard=(rng.random(count) < 0.3) & ~female & ~child,
        glasses=rng.random(count) < 0.14,
        collar=rng.choice((0.44, 0.47, 0.5, 0.56), count) + rng.normal(0, 0.01, count),
        waist=np.where(coat, 0.0, rng.uniform(-0.07, 0.12, count)),
        sleeve=sleeve,
        leg=leg,
        shoe=np.array((1.55, 1.85, 1.97, 2.02))[
            weighted_indices(rng, (0.08, 0.17, 0.4, 0.35), count)
        ],
        shirt_gap=shirt_gap,
        leg_gap=leg_gap,
        key=rng.integers(1 << 10, size=count),
        **skirts,
    )


def draw_skirts(rng: np.random.Generator, female: np.ndarray) -> dict:
    """Draw skirts, dresses, coats and loose shirts, for those who wear one."""
    count = len(female)
    kind = np.where(female, weighted_indices(rng, (0.48, 0.16, 0.14, 0.08, 0.14), count),
                    weighted_indices(rng, (0.64, 0.0, 0.0, 0.1, 0.26), count))  # fmt: skip
    none, gown, coat, loose = kind == 0, kind == 2, kind == 3, kind == 4
    hem = np.array((0.62, 0.95, 1.3, 1.75))[weighted_indices(rng, (0.2, 0.42, 0.23, 0.15), count)]
    hem = np.where(coat, rng.uniform(0.5, 1.15, count), hem + rng.normal(0, 0.05, count))
    hem = np.where(loose, rng.uniform(0.3, 0.46, count), hem)
    top = np.where(coat | loose, -0.02, rng.uniform(-0.32, -0.1, count))
    flare = np.where(coat | loose, rng.uniform(0.01, 0.03, count),
                     rng.choice((0.01, 0.05, 0.12), count))  # fmt: skip
    row = np.where(gown | coat | loose, SHIRT, TROUSERS)
    return {
        "skirt_top": np.where(none, 0.0, top),
        "hem": np.where(none, -1.0, hem),
        "flare": flare,
        "skirt": row,
    }
