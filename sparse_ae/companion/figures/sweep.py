"""The scale loss over its weight, in every form: what a search on validation crowds gave."""

from __future__ import annotations

from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sparse_ae.companion.run_notes import seeds_in_words
from sparse_ae.companion.tables.formatting import METHOD_COLOURS
from sparse_ae.companion.trials import read_trials

FORMS = {  # scale_form: label, dash, marker
    "released": ("released, magnitudes", "-", "o"),
    "released-signed": ("released, signed", "--", "s"),
    "poster-absolute": ("poster, magnitudes", "-.", "^"),
    "poster": ("poster, signed", ":", "D"),
}
QUANTITIES = {
    "first_component": "first component",
    "sparsity": "Hoyer sparsity",
    "grouping_accuracy": "grouping accuracy",
    "AP": "AP",
}
PER_CENT = ("grouping_accuracy", "AP")


def read_sweep(root: str | Path, preset: str = "sweep") -> pd.DataFrame:
    """Read every run of the sweep.

    Args:
        root: Folder of all records.
        preset: Name of the sweep's preset.

    Returns:
        Columns form ("" without the loss), weight, seed, commit, data_digest, and the figures of
        QUANTITIES on validation crowds. Empty if nothing was searched.

    Raises:
        ValueError: If a file is no record of a search.
    """
    rows = []
    for method in ("ae8", "ae8_scale"):
        path = Path(root) / preset / method / "search.json"
        trials, _ = read_trials(path)
        try:
            rows += [_row(trial["settings"], run) for trial in trials for run in trial["runs"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: no record of a search: {error!r}") from None
    return pd.DataFrame(
        rows, columns=["form", "weight", "seed", "commit", "data_digest", *QUANTITIES]
    )


def _row(settings: dict, run: dict) -> dict:
    return {
        "form": settings.get("loss", {}).get("scale_form", ""),
        "weight": float(settings.get("loss", {}).get("scale_weight", 0.0)),
        "seed": run["seed"],
        **{name: run["provenance"][name] for name in ("commit", "data_digest")},
        **{name: run["metrics"][name] for name in QUANTITIES},
    }


def sweep_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Make a table of what `sweep_figure` shows, a row per form and weight.

    Args:
        runs: Of `read_sweep`.

    Returns:
        Text for a page: means over seeds, and the range if there are several.
    """
    rows = []
    for (form, weight), found in runs.groupby(["form", "weight"]):
        row = {"form": FORMS[form][0] if form else "without Lₛ", "weight": f"{weight:g}"}
        for name, label in QUANTITIES.items():
            factor, digits, unit = (100, 1, ", %") if name in PER_CENT else (1, 3, "")
            values = factor * found[name]
            ends = f" ({values.min():.{digits}f} to {values.max():.{digits}f})"
            row[label + unit] = f"{values.mean():.{digits}f}{ends if len(found) > 1 else ''}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("form") if rows else pd.DataFrame()


def sweep_source(runs: pd.DataFrame) -> str:
    """Say in HTML which runs the sweep is made of, and the command that repeats them."""
    if runs.empty:
        return '<p class="made-of">No run yet of the preset <code>sweep</code>.</p>'
    commits, data = (
        ", ".join(sorted({escape(str(one)[:7]) for one in runs[name]}))
        for name in ("commit", "data_digest")
    )
    return (
        f'<p class="made-of">Made of {len(runs)} short runs of the preset <code>sweep</code>: '
        f"{seeds_in_words(sorted(set(runs['seed'])))}; commit {commits}; validation crowds {data}. "
        "All again: <code>sparse-ae search --preset sweep --method ae8 ae8_scale</code></p>"
    )


def sweep_figure(runs: pd.DataFrame) -> Figure:
    """Show the quantities over the weight, a panel each: a line per form through means over seeds.

    A mark is a run. The band across is the range of the runs without the loss.

    Args:
        runs: Of `read_sweep`.
    """
    figure, axes = plt.subplots(2, 2, figsize=(8.0, 5.6), layout="constrained", sharex=True)
    for axis, (name, label) in zip(axes.flat, QUANTITIES.items(), strict=True):
        factor, unit = (100, ", %") if name in PER_CENT else (1, "")
        _without(axis, factor * runs.loc[runs["form"] == "", name])
        for form in FORMS:
            found = runs[runs["form"] == form]
            _over_weight(axis, found["weight"], factor * found[name], form)
        axis.set(xscale="log", ylabel=label + unit)
    for axis in axes[1]:
        axis.set_xlabel("weight of $L_s$")
    lines, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=3)
    return figure


def _without(axis: Axes, values: pd.Series) -> None:
    if len(values):
        axis.axhspan(values.min(), values.max(), color=METHOD_COLOURS["ae8"], alpha=0.15, lw=0)
        axis.axhline(values.mean(), color=METHOD_COLOURS["ae8"], lw=1.2, label="without $L_s$")


def _over_weight(axis: Axes, weights: pd.Series, values: pd.Series, form: str) -> None:
    if not len(values):
        return
    label, dash, marker = FORMS[form]
    colour = METHOD_COLOURS["ae8_scale"] if "signed" not in label else "#444444"
    means = values.groupby(weights).mean()
    axis.plot(means.index, means, color=colour, ls=dash, lw=1.5, marker=marker, ms=4, label=label)
    axis.plot(weights, values, color=colour, ls="", marker=marker, ms=2.5, alpha=0.6)
