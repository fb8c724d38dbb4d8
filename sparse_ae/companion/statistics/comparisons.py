"""Comparisons of every method with a base, and its own values, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sparse_ae.companion.statistics.bootstrap import RESAMPLES, percentile_interval
from sparse_ae.companion.statistics.measures import Measure, estimate

QUANTITIES = {
    "AP": Measure("", "", "AP", ""),
    "AP50": Measure("", "", "AP50", ""),
    "AP75": Measure("", "", "AP75", ""),
    "AP easy": Measure("", "", "AP", "", level="easy"),
    "AP medium": Measure("", "", "AP", "", level="medium"),
    "AP hard": Measure("", "", "AP", "", level="hard"),
    "hard minus easy": Measure("", "", "AP", "", level="hard − easy"),
    "grouping accuracy": Measure("", "", "grouping_accuracy", ""),
    "the same, hard": Measure("", "", "grouping_accuracy", "", level="hard"),
}
MARGINS = {
    "margin": Measure("", "", "group_margin", ""),
    "margin at its own threshold": Measure("", "", "own_margin", ""),
    "spread within persons": Measure("", "", "group_spread", ""),
    "distance over spread": Measure("", "", "closest_gap", ""),
}
MARGINS |= {f"{name}, hard": one._replace(level="hard") for name, one in MARGINS.items()}
RATIOS = {
    "easy": Measure("", "", "AP", "", level="easy", ratio=True),
    "medium": Measure("", "", "AP", "", level="medium", ratio=True),
    "hard": Measure("", "", "AP", "", level="hard", ratio=True),
    "hard over easy": Measure("", "", "AP", "", level="hard − easy", ratio=True),
}


def differences(
    arrays: Mapping, methods: Sequence[str], base: str = "ae8", *,
    quantities: Mapping[str, Measure] = QUANTITIES, resamples: int = RESAMPLES,
) -> pd.DataFrame:  # fmt: skip
    """Compare methods with a base, paired by seed and image.

    Args:
        arrays: {(method, seed): arrays}.
        methods: Methods to compare; one that shares no seed with the base has no rows.
        base: The method that is subtracted.
        quantities: What is compared, by name.
        resamples: Number of bootstrap resamples.

    Returns:
        A row per method and quantity: method, base, quantity, value (the method's), difference,
        low, high, seeds. Quantities that the runs lack have no row.
    """
    rows, memory = [], {}
    for method in methods:
        for name, quantity in quantities.items() if method != base else ():
            quantity = quantity._replace(method=method, base=base)
            found = estimate(quantity, arrays, resamples, memory)
            if found:
                rows.append((method, base, name, found.method, found.samples[0],
                             *percentile_interval(found.samples), found.seeds))  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "base", "quantity", "value", "difference", "low",
                                       "high", "seeds"])  # fmt: skip


def proportions(
    arrays: Mapping, method: str = "rve", base: str = "ae8", *, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Return the ratio of a method's average precision to the base's.

    If precision starts lower, it can grow less in points and more in proportion.

    Args:
        arrays: {(method, seed): arrays}.
        method: The numerator.
        base: The denominator.
        resamples: Number of bootstrap resamples, paired by seed and image.

    Returns:
        Rows at "easy", "medium" and "hard" crowds and "hard over easy", the ratio of two ratios:
        at, ratio, low, high. Empty without a common seed.
    """
    found = differences(arrays, [method], base, quantities=RATIOS, resamples=resamples)
    ratios = np.exp(found[["difference", "low", "high"]])
    return ratios.set_axis(["ratio", "low", "high"], axis=1).assign(at=found["quantity"])
