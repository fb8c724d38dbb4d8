"""Every method beside one base, and what grouping accuracy goes with, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sparse_ae.companion.statistics.bootstrap import (
    RESAMPLES,
    draw_resamples,
    percentile_interval,
    resampled_ap,
    resampled_slopes,
)
from sparse_ae.companion.statistics.curves import common_seeds
from sparse_ae.companion.statistics.measures import Measure, estimate, regression_data
from sparse_ae.companion.statistics.weighted_ap import in_level, rank_detections

QUANTITIES = {
    "AP": Measure("", "AP", "AP", "", ""),
    "AP easy": Measure("", "AP easy", "AP", "easy", ""),
    "AP medium": Measure("", "AP medium", "AP", "medium", ""),
    "AP hard": Measure("", "AP hard", "AP", "hard", ""),
    "hard minus easy": Measure("", "hard minus easy", "AP", "hard − easy", ""),
    "grouping accuracy": Measure("", "grouping accuracy", "image", "grouping_accuracy", ""),
    "the same, hard": Measure("", "the same, hard", "image", "grouping_accuracy", "", level="hard"),
}
MARGINS = {
    "margin": Measure("", "", "image", "group_margin", ""),
    "spread within persons": Measure("", "", "image", "group_spread", ""),
    "margin over spread": Measure("", "", "image", "relative_margin", ""),
    "distance over spread": Measure("", "", "image", "relative_distance", ""),
}
MARGINS |= {f"{name}, hard": one._replace(level="hard") for name, one in MARGINS.items()}
LEVELS = {
    "first component": Measure("", "", "level", "first_component", ""),
    "mean absolute correlation": Measure("", "", "level", "correlation", ""),
    "effective rank": Measure("", "", "level", "effective_rank", ""),
    "grouping accuracy": Measure("", "", "level", "grouping_accuracy", ""),
    "the same, hard": Measure("", "", "level", "grouping_accuracy", "", level="hard"),
    "AP": Measure("", "", "AP", "", ""),
    "AP hard": Measure("", "", "AP", "hard", ""),
}
REGRESSORS = {"first_component": "first component", "group_margin": "group margin"}


def differences(
    arrays: Mapping, methods: Sequence[str], base: str = "ae8", *,
    quantities: Mapping[str, Measure] = QUANTITIES, resamples: int = RESAMPLES,
) -> pd.DataFrame:  # fmt: skip
    """Compare methods with a base, paired by seed and image.

    Args:
        arrays: {(method, seed): arrays}.
        methods: Those to compare; one that shares no seed with the base has no rows.
        base: The method that is subtracted.
        quantities: By name, what is compared.
        resamples: Of the bootstrap.

    Returns:
        A row per method and quantity: method, base, quantity, value (the method's), difference,
        low, high, seeds.
    """
    rows = []
    for method in methods:
        seeds = [] if method == base else common_seeds(arrays, (method, base))
        for name, quantity in quantities.items() if seeds else ():
            found = estimate(quantity._replace(method=method, base=base), arrays, seeds, resamples)
            rows.append((method, base, name, found.method, found.samples[0],
                         *percentile_interval(found.samples), len(seeds)))  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "base", "quantity", "value", "difference", "low",
                                       "high", "seeds"])  # fmt: skip


def levels(
    arrays: Mapping, methods: Sequence[str], *, resamples: int = RESAMPLES
) -> pd.DataFrame:  # fmt: skip
    """Return the value of each of LEVELS for each method.

    Args:
        arrays: {(method, seed): arrays}.
        methods: Those to show.
        resamples: Of the bootstrap.

    Returns:
        A row per method and quantity: method, quantity, value, low, high, seeds. What a method
        does not have, such as embeddings, has no row.
    """
    rows = []
    for method in methods:
        seeds = common_seeds(arrays, [method])
        for name, quantity in LEVELS.items():
            found = estimate(quantity._replace(method=method), arrays, seeds, resamples).samples
            if np.isfinite(found[0]):
                rows.append((method, name, found[0], *percentile_interval(found), len(seeds)))
    return pd.DataFrame(rows, columns=["method", "quantity", "value", "low", "high", "seeds"])


def proportions(
    arrays: Mapping, method: str = "rve", base: str = "ae8", *, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Return how many times the base's average precision a method has.

    Where precision is lower to begin with, points can grow less and proportions more.

    Args:
        arrays: {(method, seed): arrays}.
        method: The numerator.
        base: The denominator.
        resamples: Of the bootstrap, paired by seed and image.

    Returns:
        Rows at "easy", "medium" and "hard" crowds and "hard over easy", the ratio of two ratios:
        at, ratio, low, high. Empty without a common seed.
    """
    seeds, logs = common_seeds(arrays, (method, base)), {}
    for level in ("easy", "medium", "hard") if seeds else ():
        found = []
        for name in (method, base):
            runs = [arrays[name, seed] for seed in seeds]
            counted = in_level(runs[0]["crowd_index"], level)
            draws = draw_resamples(len(seeds), len(counted), resamples)
            found.append(resampled_ap([rank_detections(run) for run in runs], counted, draws))
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample may find nothing
            logs[level] = np.log(found[0]) - np.log(found[1])
    if seeds:
        logs["hard over easy"] = logs["hard"] - logs["easy"]
    rows = [(at, *np.exp([values[0], *percentile_interval(values)])) for at, values in logs.items()]
    return pd.DataFrame(rows, columns=["at", "ratio", "low", "high"])


def regressions(
    arrays: Mapping, methods: Sequence[str], *, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Fit grouping accuracy on each of REGRESSORS, image by image within runs.

    The number of persons and the crowd index are held fixed. Images in which something is
    undefined, such as those of a single person, are left out.

    Args:
        arrays: {(method, seed): arrays}.
        methods: Those to fit.
        resamples: Of the bootstrap.

    Returns:
        Rows of method, regressor, model ("alone", or "together" with the other regressor), slope,
        low, high, images, seeds. A slope is in points per standard deviation.
    """
    rows = []
    for method in methods:
        seeds = common_seeds(arrays, [method])
        runs = [arrays[method, seed] for seed in seeds]
        names = [name for name in REGRESSORS
                 if runs and np.isfinite(np.stack([run[name] for run in runs])).any()
                 and np.nanstd(runs[0][name]) > 0]  # fmt: skip
        models = [("alone", [name]) for name in names] + [("together", names)] * (len(names) > 1)
        for model, chosen in models:
            found, images = _slopes(runs, chosen, resamples)
            for column, name in enumerate(chosen):
                bounds = percentile_interval(found[:, column])
                rows.append((method, name, model, found[0, column], *bounds, images, len(seeds)))
    return pd.DataFrame(rows, columns=["method", "regressor", "model", "slope", "low", "high",
                                       "images", "seeds"])  # fmt: skip


def _slopes(runs: Sequence[Mapping], names: Sequence[str], resamples: int):
    """Return (1 + R, Q) slopes on the named arrays, and how many images count."""
    values, regressors = regression_data(runs, names)
    known = np.isfinite(values) & np.isfinite(regressors).all(2)
    draws = draw_resamples(*values.shape, resamples)
    return resampled_slopes(values, regressors, draws)[:, : len(names)], int(known.any(0).sum())
