"""Curves of measured quantities over crowding, a knob, the grouping threshold, and training.

Every point has a 95 % interval from the `bootstrap`; differences are paired by seed and image.
Tables are long: one row per method and place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from sparse_ae.companion.knobs import KNOB_SETTINGS
from sparse_ae.companion.statistics.bootstrap import (
    Draws,
    draw_resamples,
    percentile_interval,
    resampled_ap,
    resampled_means,
)
from sparse_ae.companion.statistics.measures import common_seeds
from sparse_ae.companion.statistics.weighted_ap import rank_detections, select_images
from sparse_ae.evaluation.evaluation import THRESHOLDS

EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 3.0)  # of the crowd index; 0.2 and 0.8 are CrowdPose's
RESAMPLES = 2000  # of each point
FEWEST = 20  # images that a point needs
COLUMNS = ["method", "place", "value", "low", "high", "images", "seeds"]


def average_precision_by_crowding(
    arrays: Mapping, methods: Sequence[str], base: str | None = None, *, edges=EDGES,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:  # fmt: skip
    """Compute AP in bins of the crowd index.

    Args:
        arrays: {(method, seed): arrays}.
        methods: Methods to show.
        base: The method to subtract, if any.
        edges: Edges of the bins; a bin with fewer than FEWEST images is left out.
        resamples: Number of bootstrap resamples.

    Returns:
        Columns COLUMNS; place is the mean crowd index of the bin's images.
    """
    rows = []
    for low, high in pairwise(edges):

        def inside(run, low=low, high=high):
            return (low <= run["crowd_index"]) & (run["crowd_index"] < high)

        def place(run, inside=inside):
            return float(run["crowd_index"][inside(run)].mean())

        rows += _points(arrays, methods, base, inside, place, resamples)
    return pd.DataFrame(rows, columns=COLUMNS)


def by_knob_setting(
    arrays: Mapping, knob: str, methods: Sequence[str], base: str | None = None, *,
    name: str = "AP", resamples: int = RESAMPLES,
) -> pd.DataFrame:  # fmt: skip
    """Compute AP, or a per-image quantity, over the settings of a knob.

    Args:
        arrays: {(method, seed): arrays}.
        knob: Knob of `knobs.KNOB_SETTINGS`.
        methods: Methods to show.
        base: The method to subtract, if any.
        name: "AP" or one of `knobs.PER_IMAGE`.
        resamples: Number of bootstrap resamples.

    Returns:
        Columns COLUMNS; place is the knob's value. Empty where the runs have no such crowds.

    Raises:
        ValueError: For an unknown knob.
    """
    if knob not in {setting.knob for setting in KNOB_SETTINGS}:
        names = ", ".join(dict.fromkeys(setting.knob for setting in KNOB_SETTINGS))
        raise ValueError(f"knob: expected one of {names}, got {knob!r}")
    own, rows = _knob_runs(arrays), []
    for index, setting in enumerate(KNOB_SETTINGS):
        if setting.knob == knob:
            rows += _points(own, methods, base, lambda run, i=index: run["setting"] == i,
                            lambda _, value=setting.value: value, resamples, name,
                            fewest=1)  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def knob_extremes(
    arrays: Mapping, knob: str, methods: Sequence[str], base: str, *, name: str = "AP",
    resamples: int = RESAMPLES,
) -> pd.DataFrame:  # fmt: skip
    """Compare methods with a base at the lowest and the highest setting of a knob.

    Both ends draw the same seeds, but images separately, since their images differ.

    Args:
        arrays: {(method, seed): arrays}.
        knob: Knob of `knobs.KNOB_SETTINGS`.
        methods: Methods to compare.
        base: The method that is subtracted.
        name: "AP" or one of `knobs.PER_IMAGE`.
        resamples: Number of bootstrap resamples.

    Returns:
        Columns method, at ("lowest", "highest", or "growth" from one to the other), value, low,
        high.
    """
    own, rows = _knob_runs(arrays), []
    settings = [index for index, setting in enumerate(KNOB_SETTINGS) if setting.knob == knob]
    for method in methods:
        seeds = [] if method == base else common_seeds(own, (method, base))
        if not seeds:
            continue
        found = {}
        for place, index in (("lowest", settings[0]), ("highest", settings[-1])):
            counted = own[method, seeds[0]]["setting"] == index
            images = draw_resamples(len(seeds), int(counted.sum()), resamples, seed=index).images
            draws = Draws(draw_resamples(len(seeds), 1, resamples).seeds, images)
            more, less = (_samples([own[other, seed] for seed in seeds], counted, name, draws)
                          for other in (method, base))  # fmt: skip
            found[place] = more - less
        found["growth"] = found["highest"] - found["lowest"]
        rows += [
            (method, at, samples[0], *percentile_interval(samples)) for at, samples in found.items()
        ]
    return pd.DataFrame(rows, columns=["method", "at", "value", "low", "high"])


def _knob_runs(arrays: Mapping) -> dict:
    """Return the runs with knob crowds: their arrays, named without "knob_"."""
    return {run: {key.removeprefix("knob_"): values for key, values in found.items()
                  if key.startswith("knob_")}
            for run, found in arrays.items() if "knob_setting" in found}  # fmt: skip


def accuracy_by_threshold(
    arrays: Mapping, methods: Sequence[str], *, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Compute grouping accuracy at each threshold of the distance between embeddings.

    The thresholds are `evaluation.THRESHOLDS`.

    Args:
        arrays: {(method, seed): arrays}.
        methods: Methods to show; one without embeddings has no rows.
        resamples: Number of bootstrap resamples.

    Returns:
        Columns COLUMNS.
    """
    rows = []
    for method in methods:
        seeds = common_seeds(arrays, [method])
        runs = [arrays[method, seed]["accuracy_at"] for seed in seeds]
        for column, threshold in enumerate(THRESHOLDS):
            values = np.array([run[:, column] for run in runs], float)
            if values.size and np.isfinite(values).any():
                found = resampled_means(values, draw_resamples(*values.shape, resamples))
                bounds = percentile_interval(found)
                rows.append((method, threshold, found[0], *bounds, values.shape[1], len(seeds)))
    return pd.DataFrame(rows, columns=COLUMNS)


def over_training(arrays: Mapping, methods: Sequence[str], name: str) -> pd.DataFrame:
    """Return an array over training steps, such as line_first_component, as a long table.

    Columns are method, seed, step, value: one row per method, seed and step.
    """
    rows = [(method, seed, step, value) for (method, seed), run in arrays.items()
            if method in methods and name in run
            for step, value in zip(run["step"], run[name], strict=True)]  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "seed", "step", "value"])


def _points(arrays, methods, base, inside, place, resamples, name="AP", fewest=FEWEST) -> list:
    """Return rows of the methods at one place, from the images that `inside` selects."""
    rows = []
    for method in methods:
        pair = [method] if base is None else [method, base]
        seeds = common_seeds(arrays, pair)
        if not seeds or method == base:
            continue
        runs = {other: [arrays[other, seed] for seed in seeds] for other in pair}
        counted = inside(runs[method][0])
        images = int(counted.sum())
        if images < fewest:
            continue
        draws = draw_resamples(len(seeds), images, resamples)
        found, *less = (_samples(runs[other], counted, name, draws) for other in pair)
        found = found - sum(less)
        rows.append((method, place(runs[method][0]), found[0], *percentile_interval(found), images,
                     len(seeds)))  # fmt: skip
    return rows


def _samples(runs: Sequence[Mapping], counted: np.ndarray, name: str, draws: Draws) -> np.ndarray:
    """Return (1 + R,) `name` on the images that count, from which the draws choose."""
    if name != "AP":
        return resampled_means(np.array([run[name][counted] for run in runs], float), draws)
    everything = np.ones(int(counted.sum()), bool)
    return resampled_ap(
        [select_images(rank_detections(run), counted) for run in runs], everything, draws
    )
