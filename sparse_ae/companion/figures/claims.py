"""The claims at a glance: every measure, its interval, and the side of its bound it lies on."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sparse_ae.companion.figures.style import WIDTH
from sparse_ae.companion.statistics.verdicts import CONTRADICTED, MEASURES, REPRODUCED
from sparse_ae.companion.tables.formatting import with_interval

COLOURS = {REPRODUCED: "#009e73", CONTRADICTED: "#d55e00"}
OPEN = "#6e6e6e"  # for a measure that is not resolved
ROW = 0.42  # inches
LINE = 44  # characters of a measure's name per line
REACH = 1.15  # end of the axis, in units of the farthest end of a row's interval


def claims_figure(measured: pd.DataFrame) -> Figure:
    """Draw a row per measure that decides, with the side that the claim states right of the line.

    Every row has its own scale, since measures have different units: its bound lies on the line,
    and the far end of its interval near the panel's edge. The grey band is what would not matter.

    Args:
        measured: Table from `verdicts.measure_claims`. Measures without runs have no row.
    """
    measures = {(m.claim, m.label): m for m in MEASURES}
    rows = [row for row in measured.itertuples() if row.decides and np.isfinite(row.low)]
    figure, axis = plt.subplots(
        figsize=(WIDTH, ROW * max(len(rows), 2) + 0.6), layout="constrained"
    )
    axis.axvline(0, color="#222222", lw=1)
    for place, row in enumerate(rows):
        measure = measures[row.claim, row.measured]
        value = row.method if np.isnan(row.difference) else row.difference
        ends = np.sort(measure.sign * (np.array([row.low, row.high]) - measure.bound))
        scale = max(abs(ends).max(), measure.matters, 1e-12)
        middle = measure.sign * (value - measure.bound) / scale
        colour = COLOURS.get(row.verdict, OPEN)
        axis.barh(place, 2 * measure.matters / scale, left=-measure.matters / scale, height=0.62,
                  color="#ececec", zorder=0)  # fmt: skip
        axis.plot(ends / scale, [place, place], color=colour, lw=2.2, solid_capstyle="butt")
        axis.plot(middle, place, "o", color=colour, ms=6)
        axis.text(REACH + 0.03, place, with_interval(value, row.low, row.high, 3), va="center",
                  fontsize=9)  # fmt: skip
    names = [f"{row.claim}  {textwrap.fill(row.measured.split(',')[0], LINE)}" for row in rows]
    axis.set(xlim=(-REACH, REACH), ylim=(len(rows) - 0.4, -0.6), xticks=[])
    axis.set_yticks(range(len(rows)), names, fontsize=9)
    axis.set_xlabel("←  against the claim        as the claim states  →", fontsize=9)
    axis.grid(False)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.tick_params(length=0)
    return figure
