"""How often each kind of error occurs, among all decoded persons or at equal precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sparse_ae.companion.tables.formatting import METHOD_LABELS, number
from sparse_ae.companion.tables.methods import mean_and_range
from sparse_ae.metrics.errors import KINDS, count_errors_at
from sparse_ae.settings.methods import ALL

WORDS = {
    "twice": "people found twice",
    "swapped": "people with a joint of somebody else",
    "missed": "people missed",
    "merged": "several people found as one",
    "split": "people found in parts",
}  # of each kind of error


def failure_table(
    records: Sequence[dict], arrays: Mapping, precision: float | None = None
) -> pd.DataFrame:
    """Make a table of errors per 100 people of the test images.

    Args:
        records: Records of all runs.
        arrays: {(method, seed): arrays}.
        precision: Count only decoded persons above the score at which the run has this precision
            (`score_at_precision`). A method that decodes more persons makes more errors; at equal
            precision they can be compared. By default all decoded persons count.

    Returns:
        Text for a page: by method and kind (`errors.KINDS`), the mean (range) over the seeds whose
        records can be counted.
    """
    rows = {}
    for method in (name for name in ALL if any(r["method"] == name for r in records)):
        rates = _error_rates(arrays, method, precision)
        if len(rates):
            rows[METHOD_LABELS[method]] = {kind: mean_and_range(rates[:, column])
                                           for column, kind in enumerate(KINDS)}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=KINDS).rename_axis("method")


def commonest_errors(arrays: Mapping, precision: float | None = None) -> str:
    """Say in a sentence which two kinds of error are most frequent, by the mean of AE and RVE.

    Args:
        arrays, precision: See `failure_table`.

    Returns:
        The kinds with their number per 100 people under either method; "" without runs of both.
    """
    runs = [_error_rates(arrays, method, precision) for method in ("ae8", "rve")]
    if not all(map(len, runs)):
        return ""
    rates = 100 * np.stack([of.mean(0) for of in runs])  # (2, kinds)
    first, second = np.argsort(-rates.mean(0))[:2]
    (ae, rve), (ae_next, rve_next) = rates[:, first], rates[:, second]
    return (f"The most frequent error is {WORDS[KINDS[first]]}: {number(ae)} per 100 people under "
            f"Associative Embedding, {number(rve)} under the paper's method. Next come "
            f"{WORDS[KINDS[second]]}: {number(ae_next)} and {number(rve_next)}.")  # fmt: skip


def _error_rates(arrays: Mapping, method: str, precision: float | None) -> np.ndarray:
    """Return errors per person of a method's runs that can be counted: (runs, kinds)."""
    needed = "failure_counts" if precision is None else "found_owner"
    runs = [run for (name, _), run in arrays.items() if name == method and needed in run]
    return np.array([_counts(run, precision) / run["persons"].sum() for run in runs])


def _counts(run: Mapping, precision: float | None) -> np.ndarray:
    if precision is None:
        return run["failure_counts"].sum(0)
    return count_errors_at(run, score_at_precision(run, precision))


def score_at_precision(run: Mapping[str, np.ndarray], precision: float) -> float:
    """Return the lowest score above which a run has a precision, at a similarity of 0.5.

    Args:
        run: Arrays of the run.
        precision: The share of decoded persons that find a true one; those that do not count in
            average precision do not count here.

    Returns:
        The score; infinite if no score gives this precision.
    """
    order = np.argsort(-run["match_score"], kind="stable")
    counted = (run["match_skipped"][order] & 1) == 0
    right = ((run["match_matched"][order] & 1) > 0) & counted
    share = np.cumsum(right) / np.maximum(np.cumsum(counted), 1)
    enough = np.flatnonzero(share >= precision)
    return float(run["match_score"][order][enough[-1]]) if len(enough) else np.inf
