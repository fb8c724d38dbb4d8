"""What the runs say about the paper's claims, by rules fixed before the runs were made.

A claim is measured by one or more quantities, each with a 95 % interval: a bootstrap of 10,000
resamples over seeds and test images together (`bootstrap.py`). It is paired: both methods of a
difference have the same seeds and images. Average precision is recomputed for every resample. With
a single seed the interval describes that one run only.

Each measure gets a verdict here, and names the smallest difference that would matter.
`claim_verdicts.py` combines the verdicts of a claim's measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sparse_ae.companion.statistics.bootstrap import RESAMPLES, percentile_interval, seeds_needed
from sparse_ae.companion.statistics.measures import (
    MINUS,
    Estimate,
    Measure,
    check_same_scenes,
    estimate,
)
from sparse_ae.metrics import hoyer_null
from sparse_ae.settings.methods import ALL

REPRODUCED, CONTRADICTED = "reproduced", "contradicted"
NOT_RESOLVED, NOT_TESTED = "not resolved", "not tested by this preset"
NO_RUN = "no run yet"

CLAIMS = {
    "C1": "The dimensions of Associative Embedding's embeddings are highly linearly correlated.",
    "C2": "That leads to wrong identities in grouping.",
    "C3": "With Lₛ, embeddings become multidimensional and sparse.",
    "C4": "The gain is largest in crowded scenes.",
    "C5": "The group margin grows.",
    "C6": "Heatmaps whose width follows the embeddings' scale help.",
}
HARD_EASY = f"hard{MINUS}easy"

MEASURES = (
    # isotropic embeddings have correlations of .82, .60, .48, .37, .29 and .21 with 2, 3, 4, 6, 9
    # and 15 persons
    Measure("C1", "mean absolute correlation, at least 0.7", "correlation", "ae8", bound=0.7),
    Measure("C1", "first component's share in excess of chance, at least 0.5", "excess_share",
            "ae8", bound=0.5),
    Measure("C2", "grouping accuracy that projecting onto the first component costs, above 0",
            "projection_cost", "ae8_scale", runs="off", matters=0.01),
    Measure("C2", "grouping accuracy of runs off the line less that of runs on it, above 0",
            "grouping_accuracy", "ae8", runs="off − on", matters=0.01),
    Measure("C3", "mean absolute correlation, lower", "correlation", "ae8_scale", "ae8", sign=-1,
            matters=0.1),
    Measure("C3", "first component's share in excess of chance, lower", "excess_share",
            "ae8_scale", "ae8", sign=-1, matters=0.1),
    Measure("C3", "Hoyer sparsity, above that of a Gaussian, 0.274", "sparsity", "ae8_scale",
            bound=hoyer_null(8), matters=0.05),
    Measure("C4", "gain in AP on hard less that on easy crowds, above 0", "AP", "rve", "ae8",
            level=HARD_EASY, matters=0.01),
    Measure("C4", "the same of the gain as a log ratio, above 0", "AP", "rve", "ae8",
            level=HARD_EASY, ratio=True, matters=0.05),
    Measure("C4", "the same of the gain in grouping accuracy, above 0", "grouping_accuracy", "rve",
            "ae8", level=HARD_EASY, matters=0.01),
    Measure("C5", "distance of the closest persons over the spread within persons, hard crowds, "
            "higher", "closest_gap", "rve", "ae8", level="hard", matters=0.1),
    Measure("C5", "the paper's margin there, each run at its best threshold", "own_margin", "rve",
            "ae8", level="hard", matters=0.1, decides=False),
    Measure("C6", "AP, higher", "AP", "rve_gamma", "ae8_scale", matters=0.01),
    Measure("C6", "AP50", "AP50", "rve_gamma", "ae8_scale", matters=0.01, decides=False),
    Measure("C6", "AP75", "AP75", "rve_gamma", "ae8_scale", matters=0.01, decides=False),
)  # fmt: skip

# the methods that claims are judged by
METHODS = tuple(dict.fromkeys(name for m in MEASURES for name in (m.method, m.base) if name))


def measure_claims(
    records: Sequence[dict], arrays: Mapping, *, claims=tuple(CLAIMS), resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Measure the claims, with intervals and verdicts.

    Args:
        records: Records of all runs.
        arrays: {(method, seed): arrays}.
        claims: Which claims.
        resamples: Number of bootstrap resamples.

    Returns:
        A row per measure: claim, measured, compared, base, method, difference, low, high, seeds
        (how many would resolve it, nan if it is resolved), verdict, small (whether it is resolved
        and smaller than what matters), decides. Without runs the values are nan. If nothing is
        subtracted, so are base and difference.

    Raises:
        ValueError: If the runs were evaluated on different test scenes.
    """
    check_same_scenes(arrays)
    rows, memory = [], {}
    for measure in (m for m in MEASURES if m.claim in claims):
        names = [name for name in (measure.method, measure.base) if name]
        row = {"claim": measure.claim, "measured": measure.label, "small": False,
               "compared": MINUS.join(ALL[name].label for name in names),
               "decides": measure.decides}  # fmt: skip
        found = estimate(measure, arrays, resamples, memory)
        if found:
            row |= _judged(measure, found)
        else:
            row |= {"verdict": NOT_TESTED if len(records) else NO_RUN}
        rows.append(row)
    names = ["claim", "measured", "compared", "base", "method", "difference", "low", "high",
             "seeds", "verdict", "small", "decides"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def _judged(measure: Measure, found: Estimate) -> dict:
    """Return the numbers and the verdict of a measure."""
    low, high = percentile_interval(found.samples)
    verdict = judge(low, high, measure.bound, measure.sign)
    resolved = verdict != NOT_RESOLVED
    values = {
        "low": low, "high": high, "verdict": verdict,
        "seeds": np.nan if resolved else seeds_needed(found.by_seed, found.samples, measure.bound),
        "small": resolved and abs(found.samples[0] - measure.bound) < measure.matters,
    }  # fmt: skip
    if np.isnan(found.base):
        return values | {"method": found.samples[0]}
    return values | {"base": found.base, "method": found.method, "difference": found.samples[0]}


def judge(low: float, high: float, bound: float = 0.0, sign: int = 1) -> str:
    """Return the verdict of an interval.

    Args:
        low, high: Ends of the interval.
        bound: The claim says that the quantity lies above it (sign 1) or below it (sign −1).
        sign: See `bound`.
    """
    low, high = (low, high) if sign > 0 else (-high, -low)
    if low > sign * bound:
        return REPRODUCED
    return CONTRADICTED if high < sign * bound else NOT_RESOLVED
