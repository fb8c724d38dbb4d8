"""What the paper could not ask: other dimensions, and differences with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sparse_ae.companion.tables.formatting import METHOD_COLOURS, METHOD_LABELS
from sparse_ae.settings.methods import ALL

DIMENSIONS = {
    name: ALL[name].settings["model"]["dim"] for name in ("ae1", "ae2", "ae4", "ae8", "ae16")
}
IN_FULL = {"the same, hard": "grouping accuracy, hard"}  # where no other column says of what
AS_AXIS = {"first component": "share, or correlation"}  # where two quantities share an axis
PER_CENT = ("grouping accuracy", "the same, hard", "AP", "AP hard")


def dimension_figure(levels: pd.DataFrame, panels: Sequence[Sequence[str]]) -> Figure:
    """Show quantities over the number of dimensions of Associative Embedding, with intervals.

    Args:
        levels: Of `comparisons.levels`.
        panels: The quantities of each panel; the first names its vertical axis.
    """
    figure, axes = _two_beside(len(panels), 3.4)
    for axis, quantities in zip(axes, panels, strict=True):
        for quantity, line in zip(quantities, ("-", "--"), strict=False):
            _by_dimension(axis, levels[levels["quantity"] == quantity], quantity, line)
        axis.set_xscale("log", base=2)
        axis.set_xticks(list(DIMENSIONS.values()), [str(d) for d in DIMENSIONS.values()])
        axis.minorticks_off()
        unit = ", %" if quantities[0] in PER_CENT else ""
        axis.set(
            xlabel="dimensions of an embedding",
            ylabel=AS_AXIS.get(quantities[0], quantities[0]) + unit,
        )
        if len(quantities) > 1 and axis.lines:  # above the panel, where no line is
            axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
    return figure


def _two_beside(panels: int, height: float, **shared) -> tuple[Figure, list[Axes]]:
    """Make a figure with two panels a row, `height` inches each: a page keeps their font size."""
    rows = -(-panels // 2)
    figure, axes = plt.subplots(rows, min(2, panels), figsize=(9, rows * height),
                                layout="constrained", squeeze=False, **shared)  # fmt: skip
    for axis in axes.flat[panels:]:
        axis.axis("off")
    return figure, list(axes.flat[:panels])


def _by_dimension(axis: Axes, found: pd.DataFrame, quantity: str, line: str) -> None:
    found = found[found["method"].isin(DIMENSIONS)]
    if found.empty:
        return
    factor = 100 if quantity in PER_CENT else 1
    found = found.assign(place=found["method"].map(DIMENSIONS)).sort_values("place")
    value, low, high = (factor * found[name] for name in ("value", "low", "high"))
    colour = METHOD_COLOURS["ae8"]
    reach = [(value - low).clip(lower=0), (high - value).clip(lower=0)]  # equal but for rounding
    label = IN_FULL.get(quantity, quantity)
    axis.errorbar(found["place"], value, reach, color=colour, marker="o", ms=4, lw=1.4, ls=line,
                  capsize=2, label=label)  # fmt: skip


def differences_figure(tables: Mapping[str, pd.DataFrame], methods: Sequence[str]) -> Figure:
    """Show differences from the base in points, with 95 % intervals: a panel per quantity.

    Args:
        tables: By quantity, its rows of `comparisons.differences`.
        methods: A row each.
    """
    figure, axes = _two_beside(len(tables), 0.35 * len(methods) + 1, sharey=True)
    for axis, (quantity, table) in zip(axes, tables.items(), strict=True):
        axis.axvline(0, color="black", lw=1)
        for row in table.itertuples():
            if row.method in methods:
                middle, low, high = (100 * value for value in (row.difference, row.low, row.high))
                axis.errorbar([middle], [methods.index(row.method)],
                              xerr=[[max(middle - low, 0)], [max(high - middle, 0)]], fmt="o",
                              ms=5, capsize=3,
                              color=METHOD_COLOURS[row.method])  # fmt: skip
        axis.set_yticks(range(len(methods)), [METHOD_LABELS[name] for name in methods])
        axis.set(
            xlabel=f"{IN_FULL.get(quantity, quantity)}, points", ylim=(len(methods) - 0.5, -0.5)
        )
    return figure
