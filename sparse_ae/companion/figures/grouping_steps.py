"""Grouping, one kind of joint after another: the candidates of each step, and its choice.

These figures mark single joints in a table of distances, which no drawing of skeletons can show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from sparse_ae.companion.figures.style import person_colour
from sparse_ae.grouping import FAR, group, pair_costs
from sparse_ae.skeleton import Skeleton


class Step(NamedTuple):
    """One kind of joint: its candidates, and the P persons made before.

    Attributes:
        joint: Index of the kind.
        owner: (n,) the true person of each candidate.
        distance: (n, P) between the embeddings of candidate and person.
        cost: (n, P) from `grouping.pair_costs`.
        near: (n, P) bool, whether the distance lets a candidate join, whatever the cost.
        chosen: (n,) the person that each joined; P and above for a new one.
        main: (P,) the true person that most of each person's joints belong to.
    """

    joint: int
    owner: np.ndarray
    distance: np.ndarray
    cost: np.ndarray
    near: np.ndarray
    chosen: np.ndarray
    main: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """(n,) bool: joined a person mostly of its owner's joints, or made the first such one."""
        main = np.append(self.main, -1)[np.minimum(self.chosen, len(self.main))]
        return np.where(main < 0, ~np.isin(self.owner, self.main), main == self.owner)


def grouping_steps(tags, visible, order: Sequence[int], *, tag_threshold=1.0) -> list[Step]:
    """Follow `grouping.group`, rule "released", on the true joints of one image.

    Every visible joint is a candidate of score 1. Each step is `group` with one more kind of joint.

    Args:
        tags: (P, K, D) embeddings.
        visible: (P, K) bool.
        order: Order of the K kinds.
        tag_threshold: Grouping threshold.
    """
    tags, visible = np.asarray(tags, np.float32), np.asarray(visible, bool)
    persons, kinds = visible.shape
    owner = np.tile(np.arange(persons), (kinds, 1))  # (K, P)
    where = np.stack([owner, owner], axis=2)  # the person instead of a position
    steps, before = [], np.zeros((0, kinds, 3 + tags.shape[2]), np.float32)
    for count, joint in enumerate(order, 1):
        score = np.zeros((kinds, persons))
        score[list(order[:count])] = visible.T[list(order[:count])]
        after = group(where, score, np.where(visible[..., None], tags, 0).transpose(1, 0, 2), order,
                      tag_threshold=tag_threshold)  # fmt: skip
        candidates = np.flatnonzero(visible[:, joint])
        found = before[..., 2] > 0
        means = (before[..., 3:] * found[..., None]).sum(1) / found.sum(1).clip(min=1)[:, None]
        own = tags[candidates, joint]
        distance = np.linalg.norm(own[:, None] - means[None], axis=2)
        cost, near, _ = pair_costs(own, np.ones(len(own), np.float32), means, tag_threshold)
        taken = {int(after[row, joint, 0]): row for row in np.flatnonzero(after[:, joint, 2])}
        chosen = np.array([taken[person] for person in candidates], int)
        main = np.array([np.bincount(row[seen, 0].astype(int)).argmax()
                         for row, seen in zip(before, found, strict=True)], int)  # fmt: skip
        steps.append(Step(int(joint), candidates, distance, cost, near, chosen, main))
        before = after
    return steps


def step_figure(steps: Sequence[Step], skeleton: Skeleton) -> Figure:
    """Show the steps of grouping, one panel below the other.

    A row is a candidate, a column a person found so far, both in the colour of their true person;
    the last column makes a new person. Numbers are distances. White cells are pairs that may join;
    hatched ones are as cheap, but refused for their distance; grey ones cost too much. A frame
    marks the choice: black if right, red and dashed if wrong.

    Args:
        steps: Steps from `grouping_steps`.
        skeleton: The K joints.
    """
    columns = max(len(step.main) for step in steps) + 1
    heights = [0.34 * len(step.owner) + 0.9 for step in steps]
    figure, axes = plt.subplots(len(steps), 1, figsize=(0.42 * columns + 0.6, sum(heights)),
                                squeeze=False, layout="constrained",
                                height_ratios=heights)  # fmt: skip
    for axis, step in zip(axes[:, 0], steps, strict=True):
        _draw_step(axis, step)
        axis.set(title=skeleton.keypoints[step.joint].replace("_", " "), ylabel="candidates")
    axes[-1, 0].set_xlabel("persons found so far")
    return figure


def _draw_step(axis: Axes, step: Step) -> None:
    rows, columns = step.distance.shape
    dear = np.concatenate([step.cost >= FAR, np.zeros((rows, 1), bool)], axis=1)
    axis.imshow(dear, cmap=ListedColormap(["#ffffff", "#cccccc"]), vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere((step.cost < FAR) & ~step.near):
        axis.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="#f4f4f4",
                                     edgecolor="#bbbbbb", hatch="////", lw=0))  # fmt: skip
    for row in range(rows):
        for column in range(columns):
            axis.text(column, row, f"{step.distance[row, column]:.1f}", ha="center", va="center",
                      fontsize=8)  # fmt: skip
        corner = (min(step.chosen[row], columns) - 0.45, row - 0.42)
        colour, line = ("black", "-") if step.right[row] else ("#cc0000", "--")
        axis.add_patch(plt.Rectangle(corner, 0.9, 0.84, fill=False, lw=1.8, edgecolor=colour,
                                     ls=line))  # fmt: skip
    axis.set_xticks(range(columns + 1), ["●"] * columns + ["new"])
    axis.set_yticks(range(rows), ["●"] * rows)
    ticks = [*axis.get_xticklabels()[:columns], *axis.get_yticklabels()]
    for tick, person in zip(ticks, [*step.main, *step.owner], strict=True):
        tick.set_color(person_colour(int(person)))
    axis.tick_params(length=0)
    axis.grid(False)
