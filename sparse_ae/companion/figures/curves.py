"""Curves, differences and levels in the methods' colours, most from the tables of `statistics`."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from html import escape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sparse_ae.companion.completed_runs import example_run
from sparse_ae.companion.figures.style import WIDTH
from sparse_ae.companion.tables.formatting import METHOD_COLOURS, METHOD_LABELS
from sparse_ae.metrics import EASY, HARD

IN_FULL = {"the same, hard": "grouping accuracy, hard"}  # where no other column gives the context
KNOB_LABELS = {
    "scale_spread": "largest to smallest person in a scene",
    "crowding": "crowd index asked for",
    "occlusion": "share of people with a thing in front",
}


def draw_curves(axis: Axes, table: pd.DataFrame, factor: float = 1.0) -> None:
    """Draw a line with dots and a band per method; `switched` finds them by their gid.

    Where differences are drawn, the caller adds the line at 0: `axis.axhline(0)`.

    Args:
        axis: Axes to draw on.
        table: Table from `statistics.curves`.
        factor: Factor for the values.
    """
    for method, part in table.groupby("method", sort=False):
        part = part.sort_values("place")
        colour = METHOD_COLOURS[method]
        axis.plot(part["place"], factor * part["value"], color=colour, marker="o", ms=4, lw=1.6,
                  label=METHOD_LABELS[method], gid=f"method-{method}")  # fmt: skip
        axis.fill_between(part["place"], factor * part["low"], factor * part["high"],
                          color=colour, alpha=0.15, lw=0, gid=f"method-{method}")  # fmt: skip


def switched(figure: Figure, alt: str) -> str:
    """Return a figure of `draw_curves` as HTML in which a reader switches methods on and off.

    A row of checkboxes replaces the legend. Style sheets alone do the switching, so it works
    without JavaScript; a browser that cannot do it shows every line.

    Args:
        figure: The figure, which is closed.
        alt: What the picture shows, for those who cannot see it.
    """
    names = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for legend in list(figure.legends):
        legend.remove()
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    drawn = file.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<(metadata|style)\b.*?</\1>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'<g id="method-(\w+)">', r'<g data-method="\1">', drawn)
    drawn = re.sub(r'<g id="[^"]*">', "<g>", drawn)  # other figures on the page have it too
    drawn = drawn.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
    methods = {label: method for method, label in METHOD_LABELS.items()}
    boxes, rules = [], []
    for label in names:
        method = methods[label]
        boxes.append(
            f'<label><input type="checkbox" value="{method}" checked autocomplete="off">'
            f'<i style="background: {METHOD_COLOURS[method]}"></i>{escape(label)}</label>'
        )
        rules.append(f'.switched:has([value="{method}"]:not(:checked)) [data-method="{method}"]')
    return (
        f"<style>{', '.join(rules)} {{ display: none }}</style>"
        f'<div class="switched"><fieldset><legend>Show</legend>{"".join(boxes)}</fieldset>'
        f"{drawn}</div>"
    )


def crowding_figure(levels: pd.DataFrame, gains: pd.DataFrame) -> Figure:
    """Show AP over the crowd index, and its difference from one method's.

    Args:
        levels: Table from `curves.average_precision_by_crowding`.
        gains: The same with a base.
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 4), layout="constrained", sharex=True)
    for axis, table, label in zip(axes, (levels, gains), ("AP, %", "difference of AP, points"),
                                  strict=True):  # fmt: skip
        draw_curves(axis, table, 100)
        for bound in (EASY, HARD):
            axis.axvline(bound, color="#333333", lw=1.6, ls=":")
        axis.set(xlabel="crowd index (mean of the bin)", ylabel=label)
    axes[1].axhline(0, color="black", lw=1)
    _legend(figure, axes)
    return figure


def knob_figure(
    tables: Mapping[str, pd.DataFrame], label: str, factor: float = 100.0, *,
    apart: Sequence[str] = (),
) -> Figure:  # fmt: skip
    """Show a quantity over the settings of knobs, a panel per knob.

    Args:
        tables: Tables from `curves.by_knob_setting`, by knob.
        label: Label of the vertical axis, which the panels share.
        factor: Factor for the values.
        apart: Methods so far from the others that they get a second row of panels with an axis of
            their own.
    """
    known = {name for table in tables.values() for name in table["method"]}
    groups = [[name for name in known if name not in apart]]
    groups += [[name for name in apart if name in known]] if known & set(apart) else []
    heights = (3.1, 2.3)[: len(groups)]
    figure, axes = plt.subplots(len(groups), len(tables), figsize=(WIDTH, sum(heights)
                                + 0.7), layout="constrained", sharex="col", sharey="row",
                                squeeze=False, height_ratios=heights)  # fmt: skip
    for row, methods in zip(axes, groups, strict=True):
        for axis, (knob, table) in zip(row, tables.items(), strict=True):
            _draw_knob(axis, table[table["method"].isin(methods)], knob, factor)
            axis.set(xlabel=KNOB_LABELS[knob])
            axis.label_outer()
    if len(groups) > 1:
        figure.supylabel(label, fontsize=plt.rcParams["axes.labelsize"])
    else:
        axes[0, 0].set_ylabel(label)
    _legend(figure, axes[:, 0])
    return figure


def _draw_knob(axis: Axes, table: pd.DataFrame, knob: str, factor: float) -> None:
    """Draw the curves of one panel, and a line at 0 where a band reaches below it."""
    draw_curves(axis, table, factor)
    if knob == "scale_spread":
        places = sorted(set(table["place"]))
        axis.set_xscale("log")
        axis.set_xticks(places, [f"{place:g}" for place in places])
        axis.minorticks_off()
    if len(table) and (table["low"] < 0).any():
        axis.axhline(0, color="black", lw=1)


def threshold_figure(table: pd.DataFrame, used: float = 1.0) -> Figure:
    """Show grouping accuracy over the threshold of grouping, on a logarithmic axis.

    Args:
        table: Table from `curves.accuracy_by_threshold`.
        used: The threshold that evaluation takes.
    """
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    draw_curves(axis, table, 100)
    axis.axvline(used, color="black", lw=1)
    places = sorted(set(table["place"]))
    axis.set_xscale("log")
    axis.set_xticks(places, [f"{place:g}" for place in places])
    axis.minorticks_off()
    axis.set(xlabel="threshold of grouping (distance of embeddings)", ylabel="grouping accuracy, %")
    _legend(figure, [axis], ranked_at=used)
    return figure


def over_training_figure(tables: Sequence[tuple[str, pd.DataFrame]]) -> Figure:
    """Show measures over the training steps, a panel per measure and a line per run.

    Args:
        tables: (label, table of `curves.over_training`) per panel; methods keep the table's order.
    """
    figure, axes = plt.subplots(1, len(tables), figsize=(WIDTH, 3.4),
                                layout="constrained", squeeze=False)  # fmt: skip
    for axis, (label, table) in zip(axes[0], tables, strict=True):
        named = set()
        for (method, _), part in table.groupby(["method", "seed"], sort=False):
            name = METHOD_LABELS[method] if method not in named else None
            axis.plot(part["step"], part["value"], color=METHOD_COLOURS[method], lw=1.2, alpha=0.8,
                      label=name)  # fmt: skip
            named.add(method)
        axis.set(xlabel="training step", ylabel=label)
        if named:
            axis.set_xscale("log")  # most changes come early
            axis.xaxis.set_major_formatter("{x:g}")
    _legend(figure, axes[0], ranked_at=None)
    return figure


def differences_figure(tables: Mapping[str, pd.DataFrame], methods: Sequence[str]) -> Figure:
    """Show differences from the base in points, with 95 % intervals: a panel per quantity.

    Args:
        tables: Rows of `comparisons.differences`, by quantity.
        methods: Methods, one row each.
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


def _two_beside(panels: int, height: float, **shared) -> tuple[Figure, list[Axes]]:
    """Make a figure with two panels per row, each `height` inches, so a page keeps font sizes."""
    rows = -(-panels // 2)
    figure, axes = plt.subplots(rows, min(2, panels), figsize=(WIDTH, rows * height),
                                layout="constrained", squeeze=False, **shared)  # fmt: skip
    for axis in axes.flat[panels:]:
        axis.axis("off")
    return figure, list(axes.flat[:panels])


LADDER = ("ae8", "ae8_scale", "rve_gamma", "rve")  # AE, + L_s, + Γ, + W
LADDER_LABELS = ("AE", "+ Lₛ", "+ Γ", "+ W")
LADDER_METRICS = {"AP": "AP, %", "AP75": "AP75, %", "grouping_accuracy": "grouping accuracy, %"}


def ladder_figure(records: Sequence[Mapping]) -> Figure:
    """Show what each step from Associative Embedding to the paper's method adds, per metric.

    A small dot is a run, and the runs of a seed are joined; a large dot is the mean.

    Args:
        records: Records of all runs.
    """
    figure, axes = plt.subplots(1, len(LADDER_METRICS), figsize=(WIDTH, 3.2), layout="constrained")
    for axis, (metric, label) in zip(axes, LADDER_METRICS.items(), strict=True):
        found = {(r["method"], r["seed"]): 100 * r["metrics"].get(metric, np.nan) for r in records
                 if r["method"] in LADDER}  # fmt: skip
        for seed in sorted({seed for _, seed in found}):
            values = [found.get((method, seed), np.nan) for method in LADDER]
            axis.plot(values, color="#999999", lw=0.8, marker="o", ms=2.5)
        for place, method in enumerate(LADDER):
            runs = [value for (other, _), value in found.items() if other == method]
            if runs:
                axis.plot(place, np.mean(runs), "o", color=METHOD_COLOURS[method], ms=8, zorder=3)
        axis.set_xticks(range(len(LADDER)), LADDER_LABELS)
        axis.set(ylabel=label, xlim=(-0.4, len(LADDER) - 0.6))
    return figure


def validation_figure(arrays: Mapping, methods: Sequence[str]) -> Figure:
    """Show average precision on validation crowds over the training steps, a line per run.

    Args:
        arrays: {(method, seed): arrays}, with validation_step and validation_value.
        methods: Methods to show.
    """
    figure, axis = plt.subplots(figsize=(6.0, 3.4), layout="constrained")
    named = set()
    for (method, _), run in sorted(arrays.items(), key=lambda item: str(item[0])):
        if method in methods and "validation_step" in run:
            label = METHOD_LABELS[method] if method not in named else None
            axis.plot(run["validation_step"], 100 * run["validation_value"], marker="o", ms=3,
                      lw=1.2, color=METHOD_COLOURS[method], label=label)  # fmt: skip
            named.add(method)
    axis.set(xlabel="training step", ylabel="AP on validation crowds, %")
    if named:
        _legend(figure, [axis])
    return figure


def _legend(figure: Figure, axes, ranked_at: float | None = np.inf) -> None:
    """Draw one legend below all panels, from the highest line to the lowest, row by row.

    A method's line is taken from the panel with the most methods, and its height at the point
    nearest `ranked_at` on the horizontal axis; None keeps the order of drawing.
    """
    found = [axis.get_legend_handles_labels() for axis in axes]
    handles = {}
    for lines, labels in sorted(found, key=lambda both: -len(both[1])):
        handles |= {label: line for label, line in zip(labels, lines, strict=True)
                    if label not in handles}  # fmt: skip
    if not handles:
        return
    names = list(handles)
    if ranked_at is not None:
        height = {name: _height(handles[name], ranked_at) for name in names}
        names.sort(key=height.get, reverse=True)
    columns = min(3, len(names))
    down = [name for column in range(columns) for name in names[column::columns]]
    figure.legend([handles[name] for name in down], down, loc="outside lower center",
                  ncols=columns)  # fmt: skip


def _height(line, place: float) -> float:
    """Return the value of a line at its point nearest `place`."""
    x, y = line.get_data()
    return float(y[np.abs(x - min(place, x.max())).argmin()])


LOSSES = {"heatmap": "heatmap, $L_r$", "pull": "pull", "push": "push", "scale": "scale, $L_s$"}


def training_figure(records: Sequence[Mapping], arrays: Mapping, methods=("ae8", "rve")) -> Figure:
    """Show the parts of the loss, unweighted, over the training steps, one run per method.

    Args:
        records: Records of all runs.
        arrays: {(method, seed): arrays}.
        methods: Methods to show.
    """
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 5), layout="constrained", sharex=True)
    for axis, (name, title) in zip(axes.flat, LOSSES.items(), strict=True):
        for method in methods:
            run = example_run(records, method)
            curve = arrays[method, run["seed"]] if run else {}
            if np.any(np.nan_to_num(curve.get(f"loss_{name}", 0.0))):  # 0 or nan: not trained
                axis.plot(curve["step"], curve[f"loss_{name}"], color=METHOD_COLOURS[method],
                          label=METHOD_LABELS[method], lw=1.4)  # fmt: skip
        axis.set(title=title, ylabel="loss")
        if axis.lines and min(np.nanmin(line.get_ydata()) for line in axis.lines) > 0:
            axis.set_yscale("log")
    for axis in axes[1]:
        axis.set_xlabel("training step")
    if axes[0, 0].lines:
        figure.legend(handles=axes[0, 0].lines, loc="outside lower center", ncols=len(methods))
    return figure
