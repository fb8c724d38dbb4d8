"""The quantities that claims are judged by, and their resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sparse_ae.companion.statistics.bootstrap import (
    Draws,
    draw_resamples,
    resampled_ap,
    resampled_means,
    resampled_slopes,
)
from sparse_ae.companion.statistics.weighted_ap import in_level, rank_detections

CONTROLS = ("persons", "crowd_index")  # held fixed in a regression
THRESHOLD = 1.0  # that records take the group margin at


class Measure(NamedTuple):
    """One quantity that a claim is judged by, or that methods are compared by.

    Attributes:
        claim: Number of the claim, "C1" and so on.
        label: What a table calls it.
        kind: "level" (a mean over images of `method`, compared with `bound`), "image" (the same,
            method − base), "AP" (average precision, method − base) or "slope" (grouping accuracy on
            `name`, within the runs of a method).
        name: A per-image array; of "AP", a key of `weighted_ap.LEVELS`, or two joined by " − ".
        method: Whose runs.
        base: The method that it is compared with.
        sign: +1 if the claim says above `bound`, −1 if below.
        bound: See `sign`.
        level: The images that count, a key of `weighted_ap.LEVELS`.
    """

    claim: str
    label: str
    kind: str
    name: str
    method: str
    base: str | None = None
    sign: int = 1
    bound: float = 0.0
    level: str = ""


class Estimate(NamedTuple):
    """What the runs say about a measure.

    Attributes:
        samples: (1 + R,) the estimate and its resamples.
        by_seed: (S,) the estimate of each seed alone.
        base: The base's value, nan where nothing is compared.
        method: The method's value, nan where nothing is compared.
    """

    samples: np.ndarray
    by_seed: np.ndarray
    base: float
    method: float


def estimate(measure, arrays: Mapping, seeds: Sequence[int], resamples: int) -> Estimate:
    """Estimate a measure from the runs of some seeds.

    Args:
        measure: A `Measure`.
        arrays: {(method, seed): arrays}.
        seeds: Those with a run of every method that the measure needs.
        resamples: Of the bootstrap.
    """
    runs = {name: [arrays[name, seed] for seed in seeds]
            for name in (measure.method, measure.base) if name}  # fmt: skip
    images = len(runs[measure.method][0]["image_id"])
    draws = draw_resamples(len(seeds), images, resamples)
    alone = Draws(np.eye(len(seeds), dtype=np.int64), np.ones((len(seeds), images), np.int64))
    if measure.kind == "image":  # of images in which both are defined
        base, method = (_stack(runs[name], measure) for name in (measure.base, measure.method))
        both = np.isfinite(base) & np.isfinite(method)
        base, method = (np.where(both, values, np.nan) for values in (base, method))
        levels = (resampled_means(values, Draws(draws.seeds[:1], draws.images[:1]))[0]
                  for values in (base, method))  # fmt: skip
        return Estimate(
            resampled_means(method - base, draws), resampled_means(method - base, alone), *levels
        )
    quantity = {"level": _level, "slope": _slope, "AP": _precision}[measure.kind]
    found = {name: [quantity(measure, part, which) for which in (draws, alone)]
             for name, part in runs.items()}  # fmt: skip
    samples, by_seed = found[measure.method]
    if not measure.base:
        return Estimate(samples, by_seed, np.nan, np.nan)
    base, base_by_seed = found[measure.base]
    return Estimate(samples - base, by_seed - base_by_seed, base[0], samples[0])


def _level(measure, runs: Sequence[Mapping], draws: Draws) -> np.ndarray:
    return resampled_means(_stack(runs, measure), draws)


def _precision(measure, runs: Sequence[Mapping], draws: Draws) -> np.ndarray:
    """Average precision on the images of a level, or its difference between two levels."""
    rankings = [rank_detections(run) for run in runs]
    crowding = runs[0]["crowd_index"]
    first, *rest = (resampled_ap(rankings, in_level(crowding, level), draws)
                    for level in measure.name.split(" − "))  # fmt: skip
    return first - sum(rest)


def _slope(measure, runs: Sequence[Mapping], draws: Draws) -> np.ndarray:
    return resampled_slopes(*regression_data(runs, [measure.name]), draws)[:, 0]


def regression_data(runs: Sequence[Mapping], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return what `bootstrap.resampled_slopes` takes: values (S, I) and regressors (S, I, Q).

    Values are grouping accuracies in points. Regressors are the named arrays and, after them,
    CONTROLS, in standard deviations within their run.
    """
    values = 100 * np.stack([run["grouping_accuracy"] for run in runs]).astype(float)
    regressors = np.stack([np.stack([run[name] for name in (*names, *CONTROLS)], 1)
                           for run in runs]).astype(float)  # fmt: skip
    return values, regressors / np.nanstd(regressors, axis=1, keepdims=True)


def _stack(runs: Sequence[Mapping], measure) -> np.ndarray:
    """(S, I) a quantity per seed and image, nan in images that do not count."""
    counted = in_level(runs[0]["crowd_index"], measure.level)
    return np.where(
        counted, np.stack([per_image_values(run, measure.name) for run in runs]), np.nan
    )


def per_image_values(run: Mapping, name: str) -> np.ndarray:
    """Return (I,) a quantity of every image.

    Args:
        run: The arrays of a run.
        name: An array of the run, or one of two quantities over the spread within persons:
            "relative_margin", the group margin, and "relative_distance", the distance between the
            closest persons (margin plus threshold). Only the second stays the same if all
            embeddings are multiplied by a factor.
    """
    if name not in ("relative_margin", "relative_distance"):
        return np.asarray(run[name], float)
    spread = np.asarray(run["group_spread"], float)
    room = np.asarray(run["group_margin"], float) + THRESHOLD * (name == "relative_distance")
    return np.divide(room, spread, out=np.full(len(spread), np.nan), where=spread > 0)


def check_same_scenes(arrays: Mapping) -> None:
    """Raise ValueError unless all runs were evaluated on the same images."""
    runs = list(arrays.items())
    for (method, seed), run in runs[1:]:
        if not np.array_equal(run["image_id"], runs[0][1]["image_id"]) or not np.allclose(
            run["crowd_index"], runs[0][1]["crowd_index"]
        ):
            raise ValueError(
                f"{method}/seed-{seed} was evaluated on other test scenes than "
                f"{runs[0][0][0]}/seed-{runs[0][0][1]}; delete the older record and run it again"
            )
