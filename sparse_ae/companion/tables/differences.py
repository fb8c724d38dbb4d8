"""Differences between methods, computed by `statistics`, as tables for a page."""

from __future__ import annotations

import pandas as pd

from sparse_ae.companion.knobs import KNOB_SETTINGS
from sparse_ae.companion.statistics.comparisons import QUANTITIES
from sparse_ae.companion.tables.formatting import with_interval
from sparse_ae.settings.methods import ALL


def difference_table(found: pd.DataFrame) -> pd.DataFrame:
    """Make a table of differences in points, a row per quantity and a column per method.

    Args:
        found: Table from `comparisons.differences`, with QUANTITIES.

    Returns:
        Text for a page. A first row counts the seeds if methods have different numbers of them.
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
        found: Table from `comparisons.differences`, with MARGINS.

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


UNCLEAR = "shows no clear change with"
KNOB_WORDS = {
    "scale_spread": "the spread of sizes",
    "crowding": "crowding",
    "occlusion": "occlusion",
}


def growth_table(found: pd.DataFrame) -> pd.DataFrame:
    """Make a table of how a difference grows from a knob's lowest setting to its highest.

    Args:
        found: Table from `curves.knob_extremes`, with columns knob and name.

    Returns:
        Text for a page, in points: a row per knob and method, a column per quantity.
    """
    rows: dict[tuple, dict] = {}
    for row in found[found["at"] == "growth"].itertuples():
        values = [setting.value for setting in KNOB_SETTINGS if setting.knob == row.knob]
        knob = f"{KNOB_WORDS[row.knob]}, from {min(values):g} to {max(values):g}"
        points = (100 * value for value in (row.value, row.low, row.high))
        rows.setdefault((knob, ALL[row.method].label), {})[row.name] = with_interval(*points, 1)
    table = pd.DataFrame.from_dict(rows, orient="index").rename(
        columns=lambda name: name.replace("_", " ")
    )
    if rows:
        table.index = pd.MultiIndex.from_tuples(rows, names=["knob", "method"])
    return table


def knobs_sentence(found: pd.DataFrame, method: str = "rve") -> str:
    """Say what the gain of a method depends on, in Markdown.

    Args:
        found: See `growth_table`.
        method: Method whose gain is described.

    Returns:
        A sentence per quantity: the knobs with which the gain grows, shrinks, or does neither for
        sure, by the 95 % interval of its growth. "" without runs.
    """
    growth = found[(found["at"] == "growth") & (found["method"] == method)]
    sentences = []
    for name, rows in growth.groupby("name", sort=False):
        said: dict[str, list[str]] = {}
        for row in rows.itertuples():
            verb = "grows with" if row.low > 0 else "shrinks with" if row.high < 0 else UNCLEAR
            points = with_interval(*(100 * value for value in (row.value, row.low, row.high)), 1)
            said.setdefault(verb, []).append(f"{KNOB_WORDS[row.knob]} ({points})")
        parts = [f"{verb} {' and '.join(knobs)}" for verb, knobs in said.items()]
        quantity = "average precision" if name == "AP" else name.replace("_", " ")
        sentences.append(f"The gain in {quantity} {', and '.join(parts)}.")
    return " ".join(sentences)
