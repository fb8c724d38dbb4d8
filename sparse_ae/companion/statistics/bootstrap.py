"""Bootstrap over seeds and test images together: what else could the runs have shown?

S seeds, I test images, R resamples. From I images, I are drawn with replacement, the same for every
method and seed. From S seeds, S − 1 are drawn with replacement, the same for every method; with S
draws, the spread between a handful of seeds would be too small by a share of 1/S.

Source: Rao and Wu, "Resampling inference with complex survey data", JASA 1988.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from sparse_ae.companion.statistics.weighted_ap import Ranking, precisions, select_images

RESAMPLES = 10_000
NORMAL = 1.96  # standard errors to each side of a 95 % interval


class Draws(NamedTuple):
    """How often each seed and each image is drawn.

    The first row draws all of them once, which gives the estimate itself.

    Attributes:
        seeds: (1 + R, S) int64.
        images: (1 + R, I) int64.
    """

    seeds: np.ndarray
    images: np.ndarray


def draw_resamples(seeds: int, images: int, resamples: int = RESAMPLES, seed: int = 0) -> Draws:
    """Draw the resamples, after a first row of ones.

    Args:
        seeds: S, how many seeds there are.
        images: I, how many test images there are.
        resamples: R.
        seed: Seed of the random generator.

    Raises:
        ValueError: If there is no seed or no image.
    """
    if seeds < 1 or images < 1:
        raise ValueError(f"expected one seed and one image or more, got {seeds} and {images}")
    rng = np.random.default_rng(seed)
    by_seed = rng.multinomial(max(seeds - 1, 1), np.full(seeds, 1 / seeds), resamples)
    by_image = rng.multinomial(images, np.full(images, 1 / images), resamples)
    whole = (np.ones((1, count), np.int64) for count in (seeds, images))
    return Draws(*map(np.concatenate, zip(whole, (by_seed, by_image), strict=True)))


def resampled_means(values: np.ndarray, draws: Draws) -> np.ndarray:
    """Return (1 + R,) means of values over the drawn seeds and images.

    Args:
        values: (S, I); an undefined value is nan and carries no weight.
        draws: The resamples.

    Returns:
        (1 + R,) float, nan for a resample without a defined value.
    """
    known = np.isfinite(values)
    images = draws.images.astype(float)
    total = ((draws.seeds @ np.where(known, values, 0.0)) * images).sum(1)
    weight = ((draws.seeds @ known.astype(float)) * images).sum(1)
    return np.divide(total, weight, out=np.full(len(images), np.nan), where=weight > 0)


def resampled_ap(runs: Sequence[Ranking], counted: np.ndarray, draws: Draws) -> np.ndarray:
    """Return (1 + R,) means over the drawn seeds of the average precision on the drawn images.

    Args:
        runs: One per seed.
        counted: (I,) bool, the images that count at all.
        draws: The resamples.
    """
    found = [part.mean(1) for part in resampled_precisions(runs, counted, draws.images)]
    return mean_over_seeds(found, draws)


def resampled_precisions(
    runs: Sequence[Ranking], counted: np.ndarray, images: np.ndarray
) -> list[np.ndarray]:
    """Return, for each run, (1 + R, 10) `weighted_ap.precisions` on the drawn images that count."""
    weights = np.ascontiguousarray(images[:, counted])
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the kernel releases the lock
        return list(pool.map(lambda run: precisions(select_images(run, counted), weights), runs))


def mean_over_seeds(found: Sequence[np.ndarray], draws: Draws) -> np.ndarray:
    """Return (1 + R,) means over the drawn seeds of each seed's value in every resample."""
    return (np.stack(found, 1) * draws.seeds).sum(1) / draws.seeds.sum(1)


def percentile_interval(samples: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of (1 + R,) samples without the first, which is the estimate.

    It is (nan, nan) where no resample is defined.
    """
    drawn = samples[1:][np.isfinite(samples[1:])]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def seeds_needed(by_seed: np.ndarray, samples: np.ndarray, bound: float = 0.0) -> float:
    """Return how many seeds would distinguish the estimate from `bound`.

    This assumes that the estimate and the spreads stay as found. With V the variance of the samples
    and v the variance between seeds, n seeds leave a variance of V − v/S + v/n.

    Args:
        by_seed: (S,) the same quantity for each seed alone.
        samples: (1 + R,) the estimate and its resamples.
        bound: What the estimate is compared with.

    Returns:
        A whole number; inf where more seeds do not help, for lack of images; nan with fewer than
        two seeds.
    """
    if len(by_seed) < 2 or not np.isfinite(by_seed).all():
        return float("nan")
    between = float(np.var(by_seed, ddof=1))
    of_images = max(0.0, float(np.nanvar(samples[1:])) - between / len(by_seed))
    room = ((samples[0] - bound) / NORMAL) ** 2 - of_images
    return float(np.ceil(between / room)) if room > 0 else float("inf")
