"""The book's figures, in one style. All are drawn from records and from scenes rendered anew.

A method has one colour everywhere (`tables.METHOD_COLOURS`); persons take theirs from a second
palette (`overlays.PERSON_COLOURS`). Figures have a white panel, so that they read on a light and
on a dark page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from sparse_ae.companion.figures.embeddings import crowded_example, example_scene, pca_figure
from sparse_ae.companion.figures.overlays import distinct, draw_people, show_image
from sparse_ae.companion.runs import example_run, read_runs
from sparse_ae.companion.tables.tables import METHOD_COLOURS, METHOD_LABELS, number
from sparse_ae.metrics import HARD

LOSSES = {"heatmap": "heatmap, $L_r$", "pull": "pull", "push": "push", "scale": "scale, $L_s$"}


def set_style() -> None:
    """Set matplotlib's defaults, and SVG for figures in a notebook."""
    sns.set_theme(style="ticks", context="notebook", font_scale=0.85)
    plt.rcParams.update({
        "figure.facecolor": "white",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "legend.frameon": False,
        "savefig.bbox": "tight",
        "savefig.pad_inches": 0.12,
        "svg.hashsalt": "sparse_ae",  # the same figure gives the same file
    })  # fmt: skip
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # outside of notebooks
        return
    set_matplotlib_formats("svg")


def write_figures(preset: str, root: str | Path, folder: str | Path) -> list[Path]:
    """The figures of a preset's records as SVG files in `folder`; returns their paths.

    ValueError where a method that the figures compare has no record.
    """
    records, arrays = read_runs(preset, root)
    pair = [example_run(records, method) for method in ("ae8", "rve")]
    if None in pair:
        raise ValueError(f"{root}: the figures need records of ae8 and rve with preset {preset}")
    set_style()
    ae8, rve = ((run, arrays[run["method"], run["seed"]]) for run in pair)
    figures = {
        "embeddings": pca_figure([ae8, rve], crowded_example(ae8[1])),
        "group-margin": margin_figure(records, arrays),
        "training": training_figure(records, arrays),
        "people": example_people_figure(*rve),
    }
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = [Path(folder) / f"{name}.svg" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
    return paths


def margin_figure(records: Sequence[Mapping], arrays: Mapping, methods=("ae8", "rve")) -> Figure:
    """Distributions of the group margin, over all images and over the hard ones, seeds pooled.

    The margin is the smallest distance between two persons' means less grouping's threshold; left
    of the line, two persons lie within the threshold of each other.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharex=True)
    hard_title = f"hard images (crowd index from {HARD} on)"
    for axis, title, hard in zip(axes, ("all test images", hard_title), (False, True), strict=True):
        margins = {method: _margins(records, arrays, method, hard) for method in methods}
        everything = np.concatenate(list(margins.values()))
        edges = np.histogram_bin_edges(everything, 40) if len(everything) else 10
        for method, values in margins.items():
            label = METHOD_LABELS[method]
            if len(values):
                label += f": {np.mean(values < 0):.0%} below, median {number(np.median(values), 2)}"
                sns.histplot(x=values, bins=edges, stat="percent", element="step", alpha=0.25,
                             color=METHOD_COLOURS[method], label=label, ax=axis)  # fmt: skip
                axis.axvline(np.median(values), color=METHOD_COLOURS[method], ls=":", lw=1.5)
        axis.axvline(0, color="black", lw=1.4)
        axis.text(0, 1.005, " threshold", transform=axis.get_xaxis_transform(), fontsize=8)
        axis.set(xlabel="group margin (embedding units)", ylabel="images, %")
        axis.set_title(title, pad=16)
        if len(everything):
            axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=9)
    return figure


def training_figure(records: Sequence[Mapping], arrays: Mapping, methods=("ae8", "rve")) -> Figure:
    """The parts of the loss over the training steps, one run a method, before their weights."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained", sharex=True)
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


def crowd_sheet_figure(scenes: Sequence, columns: int = 4) -> Figure:
    """A contact sheet: scenes side by side with their number of persons and crowd index."""
    rows = -(-len(scenes) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.4 * columns, 2.65 * rows),
                                layout="constrained", squeeze=False)  # fmt: skip
    for axis in axes.flat:
        axis.axis("off")
    for axis, scene in zip(axes.flat, scenes, strict=False):
        show_image(axis, scene.image)
        persons = len(scene.keypoints)
        axis.set_title(f"{persons} person{'s' if persons != 1 else ''}, index "
                       f"{scene.crowd_index:.2f}", fontsize=9)  # fmt: skip
    return figure


def example_people_figure(record, arrays, count: int = 4) -> Figure:
    """The first example scenes of a run with the persons that it decoded, as `distinct` picks."""
    examples = range(min(count, len(arrays["example_id"])))
    images = [example_scene(record, arrays, example).image for example in examples]
    return people_figure(images, [distinct(arrays["example_people"][e]) for e in examples])


def people_figure(images: Sequence[np.ndarray], people: Sequence[np.ndarray]) -> Figure:
    """Pictures (H, W, 3) side by side, each with its decoded persons (M, K, 3), one colour each."""
    figure, axes = plt.subplots(1, len(images), figsize=(3.6 * len(images), 3.6),
                                layout="constrained", squeeze=False)  # fmt: skip
    for axis, image, found in zip(axes[0], images, people, strict=True):
        show_image(axis, image)
        draw_people(axis, found)
    return figure


def _margins(records, arrays, method: str, hard: bool) -> np.ndarray:
    """Group margins of all runs of a method, where they are defined."""
    runs = [arrays[r["method"], r["seed"]] for r in records if r["method"] == method]
    kept = [run["group_margin"][run["crowd_index"] >= (HARD if hard else -np.inf)] for run in runs]
    values = np.concatenate(kept) if kept else np.empty(0)
    return values[np.isfinite(values)]
