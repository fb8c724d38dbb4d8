"""What the runs say about the paper's claims, by a rule fixed before the runs were made.

A claim is measured by one or more quantities, each with a 95 % interval: a bootstrap of 10,000
resamples over seeds and test images together (`bootstrap.py`). It is paired: both methods of a
difference have the same seeds and images. Average precision is computed anew for every resample.
With a single seed the interval speaks about that one run.

"reproduced": all intervals of a claim lie on the claimed side. "contradicted": one lies wholly on
the other side. Otherwise "not resolved at this scale", with the number of seeds that would resolve
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sparse_ae.companion.statistics.bootstrap import RESAMPLES, percentile_interval, seeds_needed
from sparse_ae.companion.statistics.measures import Measure, check_same_scenes, estimate
from sparse_ae.settings.methods import ALL

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


MEASURES = (
    Measure("C1", "first component's share, at least 0.9", "level", "first_component", "ae8",
            bound=0.9),
    Measure("C2", "grouping accuracy, points per standard deviation of the first component, lower",
            "slope", "first_component", "ae8", sign=-1),
    Measure("C2", "the same per standard deviation of the group margin, higher", "slope",
            "group_margin", "ae8"),
    Measure("C3", "first component's share, lower", "image", "first_component", "ae8_scale", "ae8",
            sign=-1),
    Measure("C3", "Hoyer sparsity, higher", "image", "sparsity", "ae8_scale", "ae8"),
    Measure("C4", "AP on hard crowds, higher", "AP", "hard", "rve", "ae8"),
    Measure("C4", "AP on hard minus AP on easy crowds, higher", "AP", "hard − easy", "rve", "ae8"),
    Measure("C5", "group margin in hard crowds, higher", "image", "group_margin", "rve", "ae8",
            level="hard"),
    Measure("C5", "the same over the spread within persons, higher", "image", "relative_margin",
            "rve", "ae8", level="hard"),
    Measure("C6", "AP, higher", "AP", "", "rve", "ae8_scale"),
)  # fmt: skip

# the methods that claims are judged by
METHODS = tuple(dict.fromkeys(name for m in MEASURES for name in (m.method, m.base) if name))


def measure_claims(
    records: Sequence[dict], arrays: Mapping, *, claims=tuple(CLAIMS), resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Measure the claims, with intervals and verdicts.

    Args:
        records: Of all runs.
        arrays: {(method, seed): arrays}.
        claims: Which claims.
        resamples: Of the bootstrap.

    Returns:
        A row per measure: claim, measured, compared, base, method, difference, low, high, seeds
        (how many would resolve it, nan if it is resolved), verdict. Without runs the values are
        nan. A level has no base and no difference.

    Raises:
        ValueError: If the runs were evaluated on different test scenes.
    """
    check_same_scenes(arrays)
    rows = []
    for measure in (m for m in MEASURES if m.claim in claims):
        methods = [measure.method, *([measure.base] if measure.base else [])]
        row = {"claim": measure.claim, "measured": measure.label,
               "compared": " − ".join(ALL[name].label for name in methods)}  # fmt: skip
        seeds = sorted(set.intersection(*({seed for name, seed in arrays if name == method}
                                          for method in methods)))  # fmt: skip
        if not seeds:
            tried = {record["method"] for record in records}
            row |= {"verdict": NOT_TESTED if tried else NO_RUN}
        else:
            row |= _judged(measure, estimate(measure, arrays, seeds, resamples))
        rows.append(row)
    names = ["claim", "measured", "compared", "base", "method", "difference", "low", "high",
             "seeds", "verdict"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def _judged(measure: Measure, found) -> dict:
    """The numbers and the verdict of a measure."""
    low, high = percentile_interval(found.samples)
    verdict = judge(low, high, measure.bound, measure.sign)
    open_ = verdict == NOT_RESOLVED
    needed = seeds_needed(found.by_seed, found.samples, measure.bound) if open_ else np.nan
    values = {"low": low, "high": high, "seeds": needed, "verdict": verdict}
    if measure.base:
        return values | {"base": found.base, "method": found.method, "difference": found.samples[0]}
    return values | {"method": found.samples[0]}


def judge(low: float, high: float, bound: float = 0.0, sign: int = 1) -> str:
    """Return the verdict of an interval.

    Args:
        low: Of the interval.
        high: Of the interval.
        bound: The claim says that the quantity lies above it (sign 1) or below it (sign −1).
        sign: See `bound`.
    """
    low, high = (low, high) if sign > 0 else (-high, -low)
    if low > sign * bound:
        return REPRODUCED
    return CONTRADICTED if high < sign * bound else NOT_RESOLVED


def combine_verdicts(parts: Sequence[str]) -> str:
    """Return the verdict of a claim, from the verdicts of its measures."""
    parts = list(parts)
    if not parts:
        return NOT_TESTED
    for verdict in (NO_RUN, NOT_TESTED, CONTRADICTED):
        if verdict in parts:
            return verdict
    return REPRODUCED if set(parts) == {REPRODUCED} else NOT_RESOLVED
