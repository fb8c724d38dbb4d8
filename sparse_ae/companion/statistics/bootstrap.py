"""Bootstrap over seeds and test images together: what else could the runs have shown?

S seeds, I test images, R resamples. Of I images, I are drawn with replacement, the same for every
method and seed. Of S seeds, S − 1 are drawn with replacement, the same for every method: with as
many as there are, the spread between a handful of seeds would come out too small by a share of 1/S
(Rao and Wu, "Resampling inference with complex survey data", JASA 1988).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from sparse_ae.companion.statistics.weighted_ap import Ranking, average_precision, select_images

RESAMPLES = 10_000
NORMAL = 1.96  # standard errors to each side of a 95 % interval


class Draws(NamedTuple):
    """How often each is drawn: seeds (R, S), images (R, I), int64. The first row draws all once,
    which gives the estimate itself."""

    seeds: np.ndarray
    images: np.ndarray


def draw_resamples(seeds: int, images: int, resamples: int = RESAMPLES, seed: int = 0) -> Draws:
    """`resamples` draws and, before them, the row of ones. ValueError without seeds or images."""
    if seeds < 1 or images < 1:
        raise ValueError(f"expected one seed and one image or more, got {seeds} and {images}")
    rng = np.random.default_rng(seed)
    by_seed = rng.multinomial(max(seeds - 1, 1), np.full(seeds, 1 / seeds), resamples)
    by_image = rng.multinomial(images, np.full(images, 1 / images), resamples)
    whole = (np.ones((1, count), np.int64) for count in (seeds, images))
    return Draws(*map(np.concatenate, zip(whole, (by_seed, by_image), strict=True)))


def resampled_means(values: np.ndarray, draws: Draws) -> np.ndarray:
    """(1 + R,) means of values (S, I), nan where a value is undefined and carries no weight; nan
    for a resample in which none is defined."""
    known = np.isfinite(values)
    images = draws.images.astype(float)
    total = ((draws.seeds @ np.where(known, values, 0.0)) * images).sum(1)
    weight = ((draws.seeds @ known.astype(float)) * images).sum(1)
    return np.divide(total, weight, out=np.full(len(images), np.nan), where=weight > 0)


def resampled_ap(runs: Sequence[Ranking], counted: np.ndarray, draws: Draws) -> np.ndarray:
    """(1 + R,) means over the drawn seeds of the average precision on the drawn images.

    runs: one a seed; counted: (I,) bool, the images that count at all.
    """
    weights = np.ascontiguousarray(draws.images[:, counted])
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the kernel releases the lock
        parts = pool.map(lambda run: average_precision(select_images(run, counted), weights), runs)
    found = np.stack(list(parts), 1)
    return (found * draws.seeds).sum(1) / draws.seeds.sum(1)


def resampled_slopes(values: np.ndarray, regressors: np.ndarray, draws: Draws) -> np.ndarray:
    """(1 + R, Q) least-squares coefficients of values (S, I) on Q regressors (S, I, Q).

    Both are compared within a seed: its means are taken off first. Images with anything undefined
    are left out. nan where the regressors do not determine the coefficients.
    """
    known = np.isfinite(values) & np.isfinite(regressors).all(2)
    both = np.concatenate((regressors, values[..., None]), 2)  # (S, I, Q + 1)
    both = np.where(known[..., None], both, 0.0)
    both -= both.sum(1, keepdims=True) / np.maximum(known.sum(1), 1)[:, None, None]
    both *= known[..., None]
    products = np.einsum("siq,sip->siqp", both, both)  # (S, I, Q + 1, Q + 1)
    images = draws.images.astype(float)
    moments = sum(draws.seeds[:, s, None, None] * np.tensordot(images, products[s], 1)
                  for s in range(len(values)))  # fmt: skip
    found = np.full((len(images), regressors.shape[2]), np.nan)
    for r, moment in enumerate(moments):
        if np.linalg.cond(moment[:-1, :-1]) < 1e10:
            found[r] = np.linalg.solve(moment[:-1, :-1], moment[:-1, -1])
    return found


def percentile_interval(samples: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of (1 + R,) samples, the estimate itself left aside; nan where no resample
    is defined."""
    drawn = samples[1:][np.isfinite(samples[1:])]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def seeds_needed(by_seed: np.ndarray, samples: np.ndarray, bound: float = 0.0) -> float:
    """How many seeds would tell the estimate from `bound`, if it and the spreads stayed as found.

    by_seed: (S,) the same quantity of each seed alone; samples: of `draw`. With V the variance of
    the samples and v that between seeds, n seeds leave V − v/S + v/n. inf where even many seeds do
    not tell, for lack of images; nan with fewer than two seeds.
    """
    if len(by_seed) < 2 or not np.isfinite(by_seed).all():
        return float("nan")
    between = float(np.var(by_seed, ddof=1))
    of_images = max(0.0, float(np.nanvar(samples[1:])) - between / len(by_seed))
    room = ((samples[0] - bound) / NORMAL) ** 2 - of_images
    return float(np.ceil(between / room)) if room > 0 else float("inf")
