"""Figures that compare rendered crowds with photographs, from the counts in `data/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from sparse_ae.companion.figures.style import WIDTH

SETS = {  # name: (label, colour, line style); Paul Tol's "bright" colours
    "ours": ("rendered", "#222222", "-"),
    "coco": ("COCO train2017", "#4477aa", "-"),
    "crowdpose": ("CrowdPose val", "#ee6677", (0, (4, 1.5))),
}
PANELS = {  # name in crowds.statistics: (label of the axis, logarithmic)
    "persons": ("people in an image", False),
    "scale": ("scale of a person, root of box area / image side", False),
    "scale_spread": ("largest / smallest scale in an image", True),
    "crowd_index": ("crowd index of an image", False),
    "hidden": ("share of a person's labelled keypoints that are hidden", False),
    "unlabelled": ("share of a person's keypoints without a label", False),
}
OF_PERSONS = ("scale", "hidden", "unlabelled")  # the others are counts of images


def data_folder() -> Path:
    """Return the repository's `data`, which has the counts of real data sets."""
    return Path(__file__).parents[3] / "data"


def real_statistics() -> dict[str, dict]:
    """Read `crowds.statistics` of COCO train2017 and CrowdPose val, by name."""
    path = data_folder() / "real_statistics.json"
    return json.loads(path.read_text(encoding="utf-8"))["statistics"]


def statistics_figure(ours: Mapping, real: Mapping[str, Mapping]) -> Figure:
    """Show histograms of rendered and of real crowds, as shares of their own images or persons.

    Args:
        ours: Result of `crowds.statistics` for rendered crowds.
        real: The same for real ones, by name.
    """
    figure, axes = plt.subplots(3, 2, figsize=(WIDTH, 8.4), layout="constrained")
    for axis, (name, (label, logarithmic)) in zip(axes.flat, PANELS.items(), strict=True):
        for key, values in {"ours": ours, **real}.items():
            histogram = values["histograms"].get(name)
            if histogram is None:
                continue
            counts, edges = np.array(histogram["counts"]), np.array(histogram["edges"])
            title, colour, style = SETS[key]
            axis.stairs(counts / max(counts.sum(), 1), edges, color=colour, ls=style, lw=1.6,
                        label=title, zorder=3 if key == "ours" else 2)  # fmt: skip
        if logarithmic:
            axis.set_xscale("log", base=2)
            axis.set_xlim(1, 16)
            axis.xaxis.set_major_formatter("{x:g}")
        axis.set(xlabel=label, ylabel=f"share of {'people' if name in OF_PERSONS else 'images'}")
    axes[0, 0].set_xlim(1, 16)
    axes[0, 0].legend()
    return figure


def joint_angles_data() -> dict:
    """Read the results of data/compare_poses.py: distributions of joint angles and distances."""
    return json.loads((data_folder() / "pose_angles.json").read_text(encoding="utf-8"))


def angles_figure(data: Mapping) -> Figure:
    """Show distributions of joint angles in the image, a panel per joint.

    They compare the bank's bodies, seen from all sides, with the people of COCO and CrowdPose.
    """
    figure, axes = plt.subplots(-(-len(data["joints"]) // 3), 3, figsize=(WIDTH, 8.6),
                                layout="constrained", sharex=True)  # fmt: skip
    bins = np.array(data["bins"])
    for axis in axes.flat[len(data["joints"]) :]:
        axis.axis("off")
    for axis, (name, joint) in zip(axes.flat, data["joints"].items(), strict=False):
        for key, (label, colour, style) in SETS.items():
            shares = joint["shares"].get("bank" if key == "ours" else key)
            if shares is not None:
                axis.stairs(np.array(shares), bins, color=colour, ls=style, lw=1.6, label=label,
                            zorder=3 if key == "ours" else 2)  # fmt: skip
        axis.set_title(name.replace("_", " "))
        axis.set(xlim=(-180, 180), xticks=(-180, -90, 0, 90, 180))
    for axis in axes.flat[len(data["joints"]) - 3 : len(data["joints"])]:  # lowest of each column
        axis.set_xlabel("angle in the image, degrees")
        axis.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("share per 10°")
    axes.flat[0].legend(fontsize=8)
    axes.flat[0].set_ylim(top=1.25 * axes.flat[0].get_ylim()[1])  # room for the legend
    return figure
