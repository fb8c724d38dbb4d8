"""Comparisons of methods, computed by `statistics.comparisons`, as tables of a page."""

from __future__ import annotations

import pandas as pd

from sparse_ae.companion.knobs import KNOB_SETTINGS
from sparse_ae.companion.statistics.comparisons import QUANTITIES, REGRESSORS
from sparse_ae.companion.tables.formatting import with_interval
from sparse_ae.settings.methods import ALL


def difference_table(found: pd.DataFrame) -> pd.DataFrame:
    """`comparisons.differences` of QUANTITIES, in points: a row a quantity, a column a method, and
    a row of how many seeds where methods differ in it."""
    columns: dict[str, dict] = {}
    counts = found["seeds"].nunique() > 1
    for row in found.itertuples():
        column = columns.setdefault(ALL[row.method].label, {"seeds": row.seeds} if counts else {})
        points = (100 * value for value in (row.difference, row.low, row.high))
        column[row.quantity] = with_interval(*points, 1)
    names = [*(["seeds"] if counts else []), *QUANTITIES]
    return pd.DataFrame(columns, index=names).rename_axis("difference of")


def margin_table(found: pd.DataFrame) -> pd.DataFrame:
    """`comparisons.differences` of MARGINS, in embedding units or none: a row a quantity, on all
    images or on hard ones, a column a method."""
    rows: dict[tuple, dict] = {}
    for row in found.itertuples():
        name, _, level = row.quantity.partition(", ")
        text = with_interval(row.difference, row.low, row.high, 3)
        rows.setdefault((name, level or "all"), {})[ALL[row.method].label] = text
    table = pd.DataFrame.from_dict(rows, orient="index")
    if rows:
        table.index = pd.MultiIndex.from_tuples(rows, names=["more of", "in crowds"])
    return table


def regression_table(found: pd.DataFrame) -> pd.DataFrame:
    """`comparisons.regressions`: the slopes, alone and together, by method and regressor."""
    rows: dict[tuple, dict] = {}
    for row in found.itertuples():
        key = (ALL[row.method].label, REGRESSORS[row.regressor])
        rows.setdefault(key, {})[row.model] = with_interval(row.slope, row.low, row.high, 2)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["alone", "together"])
    if rows:
        table.index = pd.MultiIndex.from_tuples(rows, names=["method", "per deviation of"])
    return table.fillna("–")


def ends_table(found: pd.DataFrame, knob: str) -> pd.DataFrame:
    """`curves.knob_extremes` of one knob for a page, in points: by quantity and method."""
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
