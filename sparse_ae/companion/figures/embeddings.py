"""Embeddings of a scene's joints on their first two principal components, a colour a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sparse_ae.companion.figures.overlays import person_colour, show_scene
from sparse_ae.companion.tables.tables import METHOD_LABELS
from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.metrics import HARD, correctly_grouped, linearity
from sparse_ae.skeleton import get_skeleton


def example_scene(record: Mapping, arrays: Mapping, example: int):
    """The test scene that a run's example number `example` shows, rendered anew."""
    crowd = CrowdConfig(**record["data"]["test_crowd"])
    return render_scene(crowd, int(arrays["example_id"][example]))


def crowded_example(arrays: Mapping) -> int:
    """The first example scene that is hard and has four persons or more; else the most crowded.

    Figures of a single scene show this one: chosen by the scene, not by what came out.
    """
    crowding = arrays["crowd_index"][arrays["example_id"]]
    hard = (crowding >= HARD) & (arrays["persons"][arrays["example_id"]] >= 4)
    return int(np.argmax(hard if hard.any() else crowding))


def pca_figure(runs: Sequence[tuple[Mapping, Mapping]], example: int = 0) -> Figure:
    """One scene, and each run's joint embeddings of it on their first two components.

    runs: (record, arrays) each. Dots are joints and large rings persons' means, coloured by person;
    small black rings are joints that grouping gives to another person or to nobody. Both axes have
    the same unit, so that a line looks like a line; the bar is as long as grouping's threshold.
    """
    columns = len(runs) + 1 if len(runs) < 3 else 2
    rows = -(-(len(runs) + 1) // columns)
    size = 3.7 if rows == 1 else 4.3
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, 1.12 * size * rows),
                                layout="constrained", squeeze=False)  # fmt: skip
    scene = example_scene(*runs[0], example)
    show_scene(axes[0, 0], scene)
    axes[0, 0].set_title(f"test scene {int(runs[0][1]['example_id'][example])}, "
                         f"crowd index {scene.crowd_index:.2f}")  # fmt: skip
    for axis, (record, arrays) in zip(axes.flat[1:], runs, strict=False):
        tags, visible = arrays["example_tags"][example], arrays["example_visible"][example]
        threshold = record["settings"]["decode"]["tag_threshold"]
        order = get_skeleton(record["settings"]["data"]["skeleton"]).order
        right = correctly_grouped(tags, visible, order, tag_threshold=threshold)
        draw_embeddings(axis, tags, visible, threshold, wrong=visible & ~right)
        share = linearity(tags, visible).first_component
        label = METHOD_LABELS.get(record["method"], record["method"])
        count = int((visible & ~right).sum())
        axis.set_title(f"{label}\n{share:.1%} on the first component,\n"
                       f"{count} of {int(visible.sum())} joints wrong", fontsize=9.5)  # fmt: skip
    for axis in axes.flat[len(runs) + 1 :]:
        axis.axis("off")
    return figure


def draw_embeddings(axis: Axes, tags, visible, threshold: float = 1.0, wrong=None) -> None:
    """Embeddings (P, K, D) of the visible joints on their first two principal components; those
    that `wrong` (P, K) marks are ringed."""
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
