"""What the runs at hand say of the paper's claims, by a rule fixed before the runs were made.

A claim is measured by one or two quantities, each with a 95 % interval:

- per-image quantities: a paired bootstrap (2,000 resamples, seeded). Seeds and test images are
  drawn with replacement, the same images for both methods; the quantity is the mean over both.
- average precision, which no single image has: Student's t over the differences paired by seed,
  from three seeds on; fewer give no interval.

"reproduced": all of a claim's intervals lie on the claimed side. "contradicted": one lies wholly
on the other side. Otherwise "not resolved at this scale".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from sparse_ae.metrics import HARD
from sparse_ae.tables import (
    METHOD_LABELS,
    number,
    paired_difference,
    paired_seeds,
    t_interval,
    three_digits,
)

RESAMPLES = 2000
REPRODUCED, CONTRADICTED = "reproduced", "contradicted"
NOT_RESOLVED, NOT_TESTED = "not resolved at this scale", "not tested by this preset"
NO_RUN = "no run yet"

CLAIMS = {
    "C1": "The dimensions of Associative Embedding's embeddings are highly linearly correlated.",
    "C2": "That leads to wrong identities in grouping.",
    "C3": "With Lₛ, embeddings become multidimensional and sparse.",
    "C4": "The gain is largest in crowded scenes.",
    "C5": "The group margin grows.",
    "C6": "Heatmaps whose width follows the embeddings' scale help.",
}


class Measure(NamedTuple):
    """One quantity that a claim is judged by.

    kind: "level" (of ae8, against `bound`), "image" (rve − ae8, over images) or "AP" (rve − ae8,
    over seeds). sign: +1 if the claim says above `bound`, −1 if below.
    """

    claim: str
    label: str
    kind: str
    name: str
    sign: int = 1
    bound: float = 0.0
    hard: bool = False


MEASURES = (
    Measure("C1", "first component's share under AE, at least 0.9", "level", "first_component",
            bound=0.9),
    Measure("C3", "first component's share, lower", "image", "first_component", sign=-1),
    Measure("C3", "Hoyer sparsity, higher", "image", "sparsity"),
    Measure("C4", "AP on hard crowds, higher", "AP", "AP_hard"),
    Measure("C4", "AP on hard minus AP on easy crowds, higher", "AP", "AP_hard − AP_easy"),
    Measure("C5", "group margin in hard crowds, higher", "image", "group_margin", hard=True),
)  # fmt: skip


def measurements(records: Sequence[dict], arrays: Mapping) -> pd.DataFrame:
    """One row a measure: claim, measured, ae8, rve, difference, low, high, verdict (numbers).

    arrays: {(method, seed): the run's arrays}. Where runs are missing, values are nan.
    Raises ValueError if the runs were evaluated on different test scenes.
    """
    _check_same_scenes(arrays)
    rows = []
    for measure in MEASURES:
        if measure.kind == "AP":
            ae8, rve, difference, low, high = _over_seeds(records, measure)
        else:
            ae8, rve, difference, low, high = _over_images(records, arrays, measure)
        verdict = judge(low, high, measure.bound, measure.sign)
        if np.isnan(ae8) and np.isnan(rve):
            verdict = NO_RUN
        rows.append((measure.claim, measure.label, ae8, rve, difference, low, high, verdict))
    names = ["claim", "measured", "ae8", "rve", "difference", "low", "high", "verdict"]
    return pd.DataFrame(rows, columns=names)


def judge(low: float, high: float, bound: float = 0.0, sign: int = 1) -> str:
    """The verdict of an interval on the claim that a quantity lies above (sign 1) `bound`."""
    low, high = (low, high) if sign > 0 else (-high, -low)
    if low > sign * bound:
        return REPRODUCED
    return CONTRADICTED if high < sign * bound else NOT_RESOLVED


def verdicts(records: Sequence[dict], arrays: Mapping, claims=tuple(CLAIMS)) -> pd.DataFrame:
    """The claims with their verdicts as text for a page: indexed by claim, verdict and measure
    (a claim that the methods at hand cannot test has one row that says so)."""
    measured = measurements(records, arrays)
    index, rows = [], []
    for claim in claims:
        part = measured[measured["claim"] == claim]
        verdict = _combine(part["verdict"])
        for row in part.itertuples():
            index.append((f"{claim}. {CLAIMS[claim]}", verdict, row.measured))
            values = (three_digits(row.ae8), three_digits(row.rve), number(row.difference, 3, "+"))
            rows.append((*values, _interval(row.low, row.high)))
        if part.empty:
            index.append((f"{claim}. {CLAIMS[claim]}", verdict, "needs methods that are not run"))
            rows.append(("",) * 4)
    methods = [METHOD_LABELS["ae8"], METHOD_LABELS["rve"]]
    table = pd.DataFrame(rows, columns=[*methods, "difference", "95 % interval"])
    table.index = pd.MultiIndex.from_tuples(index, names=["claim", "verdict", "measured by"])
    return table


def gains(records: Sequence[dict]) -> str:
    """A sentence for a page: what average precision gains in all and on hard, medium and easy
    crowds, paired by seed, in points with 95 % intervals; empty without a pair of runs."""
    if not paired_seeds(records):
        return ""
    places = {"AP": "in all", "AP_hard": "on hard crowds", "AP_medium": "on medium ones",
              "AP_easy": "on easy ones"}  # fmt: skip
    parts = []
    for metric, where in places.items():
        values = 100 * paired_difference(records, metric)
        low, high = (number(bound, 1, "+") for bound in t_interval(values))
        interval = f" [{low}, {high}]" if np.isfinite(t_interval(values)).all() else ""
        parts.append(f"{number(values.mean(), 1, '+')}{interval} {where}")
    return f"In points of average precision the difference is {', '.join(parts)}."


def bootstrap(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """(R,) means of (S, I) values when seeds S and images I are drawn with replacement.

    nan marks images where the value is undefined; they carry no weight. A resample in which no
    value is defined is nan.
    """
    seeds, images = values.shape
    draw = np.random.default_rng(seed)
    by_seed = draw.multinomial(seeds, np.full(seeds, 1 / seeds), resamples).astype(float)
    by_image = draw.multinomial(images, np.full(images, 1 / images), resamples).astype(float)
    known = np.isfinite(values)
    total = ((by_seed @ np.where(known, values, 0.0)) * by_image).sum(1)
    weight = ((by_seed @ known.astype(float)) * by_image).sum(1)
    return np.divide(total, weight, out=np.full(resamples, np.nan), where=weight > 0)


def _over_images(records, arrays, measure: Measure):
    """ae8, rve, difference, low, high of a per-image quantity."""
    if measure.kind == "level":
        seeds = sorted(r["seed"] for r in records if r["method"] == "ae8")
    else:
        seeds = paired_seeds(records)
    if not seeds:
        return (np.nan,) * 5
    ae8, rve = (_stack(arrays, method, seeds, measure) for method in ("ae8", "rve"))
    judged = ae8 if measure.kind == "level" else rve - ae8
    if not np.isfinite(judged).any():
        return (np.nan,) * 5
    low, high = np.nanquantile(bootstrap(judged), (0.025, 0.975))
    both = np.isfinite(ae8) & np.isfinite(rve)
    means = [x[both].mean() if both.any() else np.nan for x in (ae8, rve)]
    if measure.kind == "level":
        means[0] = np.nanmean(ae8)
    difference = np.nan if measure.kind == "level" else means[1] - means[0]
    return *means, difference, low, high


def _over_seeds(records, measure: Measure):
    """ae8, rve, difference, low, high of an average precision or a difference of two."""
    names = measure.name.split(" − ")
    seeds = paired_seeds(records)
    if not seeds:
        return (np.nan,) * 5
    levels = []
    for method in ("ae8", "rve"):
        runs = [r["metrics"] for r in records if r["method"] == method and r["seed"] in seeds]
        first, *rest = (np.mean([run[name] for run in runs]) for name in names)
        levels.append(first - sum(rest))
    gains = [paired_difference(records, name) for name in names]
    difference = gains[0] - sum(gains[1:])
    return *levels, difference.mean(), *t_interval(difference)


def _stack(arrays, method, seeds, measure: Measure) -> np.ndarray:
    """(S, I) a quantity per seed and image, nan in the images that do not count."""
    runs = [arrays.get((method, seed)) for seed in seeds]
    images = len(next(run for run in arrays.values())["image_id"])
    rows = [np.full(images, np.nan) if run is None else np.array(run[measure.name], float)
            for run in runs]  # fmt: skip
    if measure.hard:
        rows = [row if run is None else np.where(run["crowd_index"] >= HARD, row, np.nan)
                for row, run in zip(rows, runs, strict=True)]  # fmt: skip
    return np.stack(rows)


def _check_same_scenes(arrays: Mapping) -> None:
    """ValueError unless all runs were evaluated on the same images."""
    runs = list(arrays.items())
    for (method, seed), run in runs[1:]:
        if not np.array_equal(run["image_id"], runs[0][1]["image_id"]) or not np.allclose(
            run["crowd_index"], runs[0][1]["crowd_index"]
        ):
            raise ValueError(
                f"{method}/seed-{seed} was evaluated on other test scenes than "
                f"{runs[0][0][0]}/seed-{runs[0][0][1]}; delete the older record and run it again"
            )


def _combine(parts: Sequence[str]) -> str:
    """A claim's verdict from those of its measures."""
    parts = list(parts)
    if not parts:
        return NOT_TESTED
    for verdict in (NO_RUN, CONTRADICTED):
        if verdict in parts:
            return verdict
    return REPRODUCED if set(parts) == {REPRODUCED} else NOT_RESOLVED


def _interval(low: float, high: float) -> str:
    return (
        f"{three_digits(low)} to {three_digits(high)}" if np.isfinite(low) else "none: too few runs"
    )
