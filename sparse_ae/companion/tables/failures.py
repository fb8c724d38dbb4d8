"""How often each kind of error occurs, among all decoded persons or at equal precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sparse_ae.companion.tables.formatting import METHOD_LABELS
from sparse_ae.companion.tables.methods import mean_and_range
from sparse_ae.metrics.errors import KINDS, count_errors_at
from sparse_ae.settings.methods import ALL


def failure_table(
    records: Sequence[dict], arrays: Mapping, precision: float | None = None
) -> pd.DataFrame:
    """Make a table of errors per 100 people of the test images.

    Args:
        records: Of all runs.
        arrays: {(method, seed): arrays}.
        precision: Count only decoded persons above the score at which the run has this precision
            (`score_at_precision`). A method that decodes more persons makes more errors; at equal
            precision they can be compared. By default all decoded persons count.

    Returns:
        Text for a page: by method and kind (`errors.KINDS`), the mean (range) over the seeds whose
        records can be counted.
    """
    needed, rows = "failure_counts" if precision is None else "found_owner", {}
    for method in (name for name in ALL if any(r["method"] == name for r in records)):
        runs = [run for (name, _), run in arrays.items() if name == method and needed in run]
        if runs:
            rates = np.stack([_counts(run, precision) / run["persons"].sum() for run in runs])
            rows[METHOD_LABELS[method]] = {kind: mean_and_range(rates[:, column])
                                           for column, kind in enumerate(KINDS)}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=KINDS).rename_axis("method")


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
        The score; infinite if no decoded persons are so often right.
    """
    order = np.argsort(-run["match_score"], kind="stable")
    counted = (run["match_skipped"][order] & 1) == 0
    right = ((run["match_matched"][order] & 1) > 0) & counted
    share = np.cumsum(right) / np.maximum(np.cumsum(counted), 1)
    enough = np.flatnonzero(share >= precision)
    return float(run["match_score"][order][enough[-1]]) if len(enough) else np.inf
