"""The quantities by which claims are judged and methods compared, and their resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sparse_ae.companion.statistics.bootstrap import (
    Draws,
    draw_resamples,
    mean_over_seeds,
    resampled_means,
    resampled_precisions,
)
from sparse_ae.companion.statistics.weighted_ap import in_level, rank_detections
from sparse_ae.evaluation.evaluation import THRESHOLDS
from sparse_ae.evaluation.measures import pooled_excess

AT = {"AP": slice(None), "AP50": slice(1), "AP75": slice(5, 6)}  # columns of `precisions`
THRESHOLD = 1.0  # that records take the group margin at
LINE = 0.98  # excess of the first component's share from which a run has ended on a line
MINUS = " − "


class Measure(NamedTuple):
    """One quantity by which a claim is judged or methods are compared.

    Attributes:
        claim: Number of the claim, "C1" and so on.
        label: What a table calls it.
        name: A key of AT, "excess_share", or a name for `per_image_values`, which is averaged over
            images.
        method: The method whose runs count.
        base: The method that is subtracted, if any, paired by seed and image.
        sign: +1 if the claim says above `bound`, −1 if below.
        bound: See `sign`.
        level: The images that count, a key of `weighted_ap.LEVELS`, or two joined by " − ": the
            quantity on the first minus that on the second.
        ratio: Whether the quantity's logarithm counts, which makes differences log ratios.
        runs: Which runs of `method` count: "" all; "off" those that did not end on a line;
            "off − on" those minus the others, which are not paired.
        matters: The smallest difference from `bound` that would matter.
        decides: Whether the verdict depends on it; else it is shown beside the others.
    """

    claim: str
    label: str
    name: str
    method: str
    base: str | None = None
    sign: int = 1
    bound: float = 0.0
    level: str = ""
    ratio: bool = False
    runs: str = ""
    matters: float = 0.0
    decides: bool = True


class Estimate(NamedTuple):
    """What the runs say about a measure.

    Attributes:
        samples: (1 + R,) the estimate and its resamples.
        by_seed: (S,) the estimate of each seed alone; empty where runs are not paired.
        base: What is subtracted, nan if nothing is.
        method: What it is subtracted from, nan if nothing is.
        seeds: S, the number of seeds; for "off" and "off − on", the number of runs.
    """

    samples: np.ndarray
    by_seed: np.ndarray
    base: float
    method: float
    seeds: int


def estimate(
    measure: Measure, arrays: Mapping, resamples: int, memory: dict | None = None
) -> Estimate | None:
    """Estimate a measure from the seeds that have a run of all its methods.

    Args:
        measure: What to estimate.
        arrays: {(method, seed): arrays}.
        resamples: Number of bootstrap resamples.
        memory: Keeps precisions of runs, which take most of the time, between calls with the same
            arrays and resamples.

    Returns:
        The estimate; None without such runs, or if they lack the quantity.
    """
    memory, names = {} if memory is None else memory, _methods(measure)
    seeds = common_seeds(arrays, names)
    groups = [[arrays[name, seed] for seed in seeds] for name in names]
    if measure.runs:
        off = [run for run in groups[0] if not is_on_a_line(run)]
        on = [run for run in groups[0] if is_on_a_line(run)]
        groups = [off] if measure.runs == "off" else [off, on]
    if not all(groups):
        return None
    paired, images = measure.runs == "", len(groups[0][0]["image_id"])
    drawn = draw_resamples(1, images, resamples).images
    draws = [Draws(draw_resamples(len(runs), 1, resamples, seed=0 if paired else part).seeds, drawn)
             for part, runs in enumerate(groups)]  # fmt: skip
    known = True
    if paired:  # images count in which all is defined
        known = np.logical_and.reduce([np.isfinite(_stack(runs, measure)) for runs in groups])
    found = [_resampled(measure, *of, known, memory) for of in zip(groups, draws, strict=True)]
    if not np.isfinite([samples[0] for samples in found]).all():
        return None
    alone = np.empty(0)
    if paired:
        each = Draws(np.eye(len(seeds), dtype=np.int64), np.ones((len(seeds), images), np.int64))
        alone = [_resampled(measure, runs, each, known, memory) for runs in groups]
        alone = alone[0] - sum(alone[1:])
    count = len(seeds) if paired else sum(map(len, groups))
    if len(found) == 1:
        return Estimate(found[0], alone, np.nan, np.nan, count)
    return Estimate(found[0] - found[1], alone, found[1][0], found[0][0], count)


def _methods(measure: Measure) -> list[str]:
    return [name for name in (measure.method, measure.base) if name]


def _resampled(
    measure: Measure, runs: Sequence[Mapping], draws: Draws, known, memory: dict
) -> np.ndarray:
    """Return (1 + R,) the measure of one group of runs, on one level or as a difference of two."""

    def at(level: str) -> np.ndarray:
        counted = in_level(runs[0]["crowd_index"], level)
        if measure.name in AT:
            found = _precision(AT[measure.name], runs, level, draws, memory)
        elif measure.name == "excess_share":
            found = _excess(runs, counted, draws)
        else:
            values = np.where(counted & known, _stack(runs, measure), np.nan)
            found = resampled_means(values, draws)
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample may find nothing
            return np.log(found) if measure.ratio else found

    first, *rest = map(at, measure.level.split(MINUS))
    with np.errstate(invalid="ignore"):
        return first - sum(rest)


def _precision(
    columns: slice, runs: Sequence[Mapping], level: str, draws: Draws, memory: dict
) -> np.ndarray:
    """Return (1 + R,) the mean of these columns of `precisions`, on the images of a level."""
    keys = [(id(run), level, len(draws.images)) for run in runs]
    new = [run for run, key in zip(runs, keys, strict=True) if key not in memory]
    counted = in_level(runs[0]["crowd_index"], level)
    parts = resampled_precisions([rank_detections(run) for run in new], counted, draws.images)
    memory.update(zip([(id(run), *keys[0][1:]) for run in new], parts, strict=True))
    return mean_over_seeds([memory[key][:, columns].mean(1) for key in keys], draws)


def _excess(runs: Sequence[Mapping], counted: np.ndarray, draws: Draws) -> np.ndarray:
    """Return (1 + R,) `evaluation.measures.pooled_excess` of the drawn images."""
    share, null = (np.stack([np.asarray(run[name], float) for run in runs])
                   for name in ("first_component", "isotropic_share"))  # fmt: skip
    both = counted & np.isfinite(share) & np.isfinite(null)
    share, null = (resampled_means(np.where(both, values, np.nan), draws)
                   for values in (share, null))  # fmt: skip
    return (share - null) / (1 - null)


def _stack(runs: Sequence[Mapping], measure: Measure) -> np.ndarray:
    """Return (S, I) a quantity per seed and image; zeros for one that single images lack."""
    if measure.name in AT or measure.name == "excess_share":
        return np.zeros((len(runs), len(runs[0]["image_id"])))
    return np.stack([per_image_values(run, measure.name) for run in runs])


def per_image_values(run: Mapping, name: str) -> np.ndarray:
    """Return (I,) a quantity of every image.

    Args:
        run: The arrays of a run.
        name: An array of the run, or "projection_cost", the grouping accuracy lost by projecting
            embeddings onto their first component, or "own_margin", the group margin at the
            threshold that grouped best on the run's validation images.
    """
    if name == "projection_cost":
        return np.asarray(run["grouping_accuracy"], float) - run["projected_accuracy"]
    if name == "own_margin":
        accuracy = run.get("val_accuracy_at", [np.nan])  # records of older code have none
        best = THRESHOLDS[int(np.argmax(accuracy))] if np.isfinite(accuracy).all() else np.nan
        return np.asarray(run["group_margin"], float) + THRESHOLD - best
    return np.asarray(run[name], float)


def is_on_a_line(run: Mapping) -> bool:
    """Return whether a run's embeddings ended on a line, by the pooled excess of their share.

    Args:
        run: The arrays of the run; if the share or its null is nan everywhere, it is off the line.
    """
    share, null = (np.asarray(run[name], float) for name in ("first_component", "isotropic_share"))
    both = np.isfinite(share) & np.isfinite(null)
    return pooled_excess(share[both], null[both]) >= LINE


def common_seeds(arrays: Mapping, methods: Sequence[str]) -> list[int]:
    """Return the seeds that have a run of every one of the methods, in order."""
    found = ({seed for name, seed in arrays if name == method} for method in methods)
    return sorted(set.intersection(*found))


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
