"""Differences between methods, computed by `statistics`, as tables of a page."""

from __future__ import annotations

import pandas as pd

from sparse_ae.companion.knobs import KNOB_SETTINGS
from sparse_ae.companion.statistics.comparisons import QUANTITIES
from sparse_ae.companion.tables.formatting import with_interval
from sparse_ae.settings.methods import ALL


def difference_table(found: pd.DataFrame) -> pd.DataFrame:
    """Make a table of differences in points, a row per quantity and a column per method.

    Args:
        found: Of `comparisons.differences`, with QUANTITIES.

    Returns:
        Text for a page. A first row counts the seeds, where methods differ in them.
    """
    columns: dict[str, dict] = {}
    counts = found["seeds"].nunique() > 1
    for row in found.itertuples():
        column = columns.setdefault(ALL[row.method].label, {"seeds": row.seeds} if counts else {})
        points = (100 * value for value in (row.difference, row.low, row.high))
        column[row.quantity] = with_interval(*points, 1)
    names = [*(["seeds"] if counts else []), *QUANTITIES]
    return pd.DataFrame(columns, index=names).rename_axis("difference of")


def margin_table(found: pd.DataFrame) -> pd.DataFrame:
    """Make a table of differences in the group margin and its parts, a column per method.

    Args:
        found: Of `comparisons.differences`, with MARGINS.

    Returns:
        Text for a page, in embedding units or without a unit: a row per quantity, on all images or
        on hard ones.
    """
    rows: dict[tuple, dict] = {}
    for row in found.itertuples():
        name, _, level = row.quantity.partition(", ")
        text = with_interval(row.difference, row.low, row.high, 3)
        rows.setdefault((name, level or "all"), {})[ALL[row.method].label] = text
    table = pd.DataFrame.from_dict(rows, orient="index")
    if rows:
        table.index = pd.MultiIndex.from_tuples(rows, names=["more of", "in crowds"])
    return table


def ends_table(found: pd.DataFrame, knob: str) -> pd.DataFrame:
    """Make a table of the differences at the lowest and highest setting of a knob, in points.

    Args:
        found: Of `curves.knob_extremes`, with columns knob and name.
        knob: Which knob.

    Returns:
        Text for a page, by quantity and method.
    """
    low, high = (f"{end(s.value for s in KNOB_SETTINGS if s.knob == knob):g}" for end in (min, max))
    columns = {"lowest": f"at {low}", "highest": f"at {high}", "growth": f"{high} minus {low}"}
    rows: dict[tuple, dict] = {}
    for row in found[found["knob"] == knob].itertuples():
        key = (row.name.replace("_", " "), ALL[row.method].label)
        points = (100 * value for value in (row.value, row.low, row.high))
        rows.setdefault(key, {})[columns[row.at]] = with_interval(*points, 1)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns.values()))
    if rows:
        table.index = pd.MultiIndex.from_tuples(rows, names=["difference of", "method"])
    return table
