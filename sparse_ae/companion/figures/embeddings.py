"""Embeddings on their first two principal components, and the group margins of all images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sparse_ae.companion.figures.scenes import (
    crowd_tested_on,
    enlarge_points,
    people_to_show,
    sharp_scene,
    show_image,
    show_scene,
)
from sparse_ae.companion.figures.style import WIDTH, person_colour
from sparse_ae.companion.tables.formatting import METHOD_COLOURS, METHOD_LABELS, number
from sparse_ae.evaluation.drawing import draw_people
from sparse_ae.metrics import HARD, correctly_grouped, linearity
from sparse_ae.skeleton import get_skeleton


def pca_figure(runs: Sequence[tuple[Mapping, Mapping]], example: int = 0) -> Figure:
    """Show one scene, and each run's embeddings of its joints on their first two components.

    A dot is a joint and a large ring a person's mean, in the person's colour; a small black ring
    marks a joint that grouping gives to another person or to nobody. Both axes have the same unit,
    which makes a line look like a line. The bar is as long as grouping's threshold.

    Args:
        runs: (record, arrays) pairs.
        example: Number of the example scene.
    """
    columns = len(runs) + 1 if len(runs) < 3 else 2
    rows = -(-(len(runs) + 1) // columns)
    size = WIDTH / columns
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 1.12 * size * rows),
                                layout="constrained", squeeze=False)  # fmt: skip
    record, arrays = runs[-1]
    number = int(arrays["example_id"][example])
    scene, _ = sharp_scene(crowd_tested_on(record), number)
    show_scene(axes[0, 0], scene)
    axes[0, 0].set_title(f"test scene {number}, crowd index {scene.crowd_index:.2f}", fontsize=9)
    for axis, run in zip(axes.flat[1:], runs, strict=False):
        share, wrong, joints = _draw_example(axis, *run, example)
        told = f"{share:.1%} on one axis, {wrong} of {joints} joints wrong"
        axis.set_title(f"{_label(run[0])}\n{told}", fontsize=8)
    for axis in axes.flat[len(runs) + 1 :]:
        axis.axis("off")
    return figure


def finding_figure(runs: Sequence[tuple[Mapping, Mapping]], example: int) -> Figure:
    """Show the finding at a glance: the people found in a scene, and each run's embeddings of it.

    Text is large and axes are bare, for a page that is also read on phones.

    Args:
        runs: (record, arrays) pairs; the last one's people are drawn.
        example: Number of the example scene.
    """
    figure, axes = plt.subplots(1, len(runs) + 1, figsize=(WIDTH, 2.75), layout="constrained")
    record, arrays = runs[-1]
    skeleton = get_skeleton(record["settings"]["data"]["skeleton"])
    scene, factor = sharp_scene(crowd_tested_on(record), int(arrays["example_id"][example]))
    found = people_to_show(arrays["example_people"][example], skeleton)
    drawn = draw_people(scene.image, enlarge_points(found, factor), skeleton)
    show_image(axes[0], drawn, interpolation="none")
    axes[0].set_title(f"people found by\n{_label(record)}", fontsize=12)
    for axis, run in zip(axes[1:], runs, strict=True):
        share, _, _ = _draw_example(axis, *run, example)
        axis.set(xlabel="", ylabel="", xticks=[], yticks=[])
        axis.set_title(f"{_label(run[0])}:\n{100 * share:.0f} % on one line", fontsize=12)
    return figure


def _draw_example(axis: Axes, record: Mapping, arrays: Mapping, example: int):
    """Draw a run's embeddings of an example scene; wrongly grouped joints are ringed.

    Returns:
        The first component's share, the number of wrongly grouped joints, and that of all joints.
    """
    tags, visible = arrays["example_tags"][example], arrays["example_visible"][example]
    threshold = record["settings"]["decode"]["tag_threshold"]
    order = get_skeleton(record["settings"]["data"]["skeleton"]).order
    wrong = visible & ~correctly_grouped(tags, visible, order, tag_threshold=threshold)
    draw_embeddings(axis, tags, visible, threshold, wrong=wrong)
    share = linearity(tags, visible).first_component
    return share, int(wrong.sum()), int(visible.sum())


def _label(record: Mapping) -> str:
    """Return the name of a run's method."""
    return METHOD_LABELS.get(record["method"], record["method"])


def draw_embeddings(axis: Axes, tags, visible, threshold: float = 1.0, wrong=None) -> None:
    """Draw embeddings of the visible joints on their first two principal components.

    Args:
        axis: Axes to draw on.
        tags: (P, K, D) embeddings.
        visible: (P, K) bool.
        threshold: Grouping threshold, the length of the bar.
        wrong: (P, K) bool, joints to ring.
    """
    tags, visible = np.asarray(tags, float), np.asarray(visible, bool)
    centre = tags[visible].mean(0)
    _, _, basis = np.linalg.svd(tags[visible] - centre, full_matrices=False)
    flat = (tags - centre) @ basis[:2].T  # (P, K, 2), or (P, K, 1) at D = 1
    flat = np.concatenate([flat, np.zeros((*flat.shape[:2], 2 - flat.shape[2]))], axis=2)
    for person in np.flatnonzero(visible.any(1)):
        colour = person_colour(person)
        points = flat[person, visible[person]]
        axis.scatter(*points.T, s=16, color=colour, alpha=0.75, linewidths=0, zorder=3)
        axis.scatter(*points.mean(0), s=95, facecolors="none", edgecolors=colour, linewidths=1.8,
                     zorder=4)  # fmt: skip
    if wrong is not None and np.any(wrong):
        axis.scatter(*flat[np.asarray(wrong, bool)].T, s=44, facecolors="none", edgecolors="black",
                     linewidths=0.9, zorder=5)  # fmt: skip
    span = 1.12 * np.abs(flat[visible]).max() + 1e-9
    axis.set(xlim=(-span, span), ylim=(-span, span), aspect="equal")
    axis.set(xlabel="first component (embedding units)", ylabel="second component")
    if threshold < 1.8 * span:
        y = -0.86 * span
        axis.plot([-0.9 * span, -0.9 * span + threshold], [y, y], color="black", lw=2)
        axis.text(-0.9 * span, y + 0.04 * span, "grouping threshold", fontsize=8)


def margin_figure(records: Sequence[Mapping], arrays: Mapping, methods=("ae8", "rve")) -> Figure:
    """Show distributions of the group margin, over all images and over the hard ones, seeds pooled.

    The margin is the smallest distance between two persons' means minus grouping's threshold. Left
    of the line, two persons are within the threshold of each other.

    Args:
        records: Records of all runs.
        arrays: {(method, seed): arrays}.
        methods: Methods to show.
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.6), layout="constrained", sharex=True)
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


def _margins(records, arrays, method: str, hard: bool) -> np.ndarray:
    """Return the group margins of all runs of a method, where they are defined."""
    runs = [arrays[r["method"], r["seed"]] for r in records if r["method"] == method]
    kept = [run["group_margin"][run["crowd_index"] >= (HARD if hard else -np.inf)] for run in runs]
    values = np.concatenate(kept) if kept else np.empty(0)
    return values[np.isfinite(values)]
