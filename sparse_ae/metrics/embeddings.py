"""What the claims are measured by: accuracy, crowding, and the shape of the embeddings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from sparse_ae.grouping import group
from sparse_ae.metrics.average_precision import (
    Matches,
    ap_of_matches,
    keypoint_ap,
    keypoint_matches,
)
from sparse_ae.metrics.crowding import EASY, HARD, crowd_index

__all__ = ["EASY", "HARD", "Linearity", "Matches", "ap_of_matches", "crowd_index",
           "group_margin", "group_spread", "grouped", "grouped_right", "grouping_accuracy",
           "keypoint_ap", "keypoint_matches", "linearity", "sparsity"]  # fmt: skip


class Linearity(NamedTuple):
    """How close embeddings are to a line; see `linearity`."""

    first_component: float
    correlation: float
    effective_rank: float


def group_margin(tags, visible, threshold=1.0) -> float:
    """The room that grouping has: the distance of the two closest persons, less the threshold.

    tags: (P, K, D) embeddings at the ground-truth joints; visible: (P, K) bool; threshold: the
    distance up to which grouping accepts a candidate. A person is the mean over its visible
    joints. Negative: two persons are within the threshold of each other. nan with fewer than two
    persons that have a visible joint. ValueError as `linearity`.
    """
    tags, visible = _embeddings(tags, visible)
    present = visible.any(axis=1)
    tags, visible = tags[present], visible[present]
    if len(tags) < 2:
        return float("nan")
    weight = visible[..., None]  # (P, K, 1)
    means = np.where(weight, tags, 0).sum(axis=1) / weight.sum(axis=1)  # (P, D)
    distance = np.linalg.norm(means[:, None] - means[None], axis=2)
    return float(distance[np.triu_indices(len(means), 1)].min() - threshold)


def group_spread(tags, visible) -> float:
    """How far apart one person's embeddings are: the root of their mean squared distance from the
    person's mean, by which a margin can be divided, since a margin alone grows with any factor.

    tags: (P, K, D); visible: (P, K) bool. nan without a visible joint. ValueError as `linearity`.
    """
    tags, visible = _embeddings(tags, visible)
    if not visible.any():
        return float("nan")
    count = np.maximum(visible.sum(axis=1), 1)[:, None]  # (P, 1)
    means = np.where(visible[..., None], tags, 0).sum(axis=1) / count  # (P, D)
    return float(np.sqrt(((tags - means[:, None])[visible] ** 2).sum(axis=1).mean()))


def linearity(tags, visible) -> Linearity:
    """How close the embeddings of an image are to a line.

    tags: (P, K, D), read where visible; visible: (P, K) bool. All visible joints of all persons
    together are n points, centred. Returns
    first_component: the share of their variance on the first principal component, in [1/D, 1];
    correlation: the mean absolute Pearson correlation over the pairs of dimensions, in [0, 1].
        Pairs with a dimension that does not vary are left out; nan if none is left, as at D = 1;
    effective_rank: exp of the entropy of the normalised eigenvalues of the covariance, from 1 (a
        line) to D (a ball); Roy & Vetterli, "The effective rank", 2007, on the covariance.
    All nan with fewer than two visible joints or if they are all equal (up to rounding).

    ValueError for wrong shapes, or visible embeddings that are not finite.
    """
    tags, visible = _embeddings(tags, visible)
    points = tags[visible]  # (n, D)
    nan = float("nan")
    if len(points) < 2:
        return Linearity(nan, nan, nan)
    spread = 1e-12 * np.abs(points).max()  # what rounding may leave of a constant
    points = points - points.mean(axis=0)
    deviation = np.sqrt((points**2).mean(axis=0))  # (D,)
    varying = deviation > spread
    if not varying.any():
        return Linearity(nan, nan, nan)
    share = np.linalg.svd(points, compute_uv=False) ** 2
    share = share / share.sum()
    positive = share[share > 0]
    rank = np.exp(-(positive * np.log(positive)).sum())

    correlation = nan
    if varying.sum() > 1:
        unit = points[:, varying] / deviation[varying]
        pairs = np.triu_indices(unit.shape[1], 1)
        correlation = np.abs(unit.T @ unit / len(unit))[pairs].clip(max=1).mean()
    return Linearity(float(share[0]), float(correlation), float(rank))


def sparsity(tags, visible) -> float:
    """Mean Hoyer sparsity of the visible embeddings: 0 all dimensions equal, 1 only one not zero.

    tags: (P, K, D); visible: (P, K) bool. Of one embedding t: (sqrt D − ‖t‖₁/‖t‖₂) / (sqrt D − 1),
    Hoyer, JMLR 2004. Embeddings that are all zero have none and are left out. nan at D = 1, or
    where nothing is left. ValueError as `linearity`.
    """
    tags, visible = _embeddings(tags, visible)
    points = tags[visible]  # (n, D)
    points = points[(points != 0).any(axis=1)]
    root = np.sqrt(tags.shape[2])
    if root == 1 or not len(points):
        return float("nan")
    ratio = np.abs(points).sum(axis=1) / np.linalg.norm(points, axis=1)
    return float(((root - ratio) / (root - 1)).mean())


def grouping_accuracy(tags, visible, order, *, tag_threshold=1.0, rule="released", seed=0) -> float:
    """The share of ground-truth keypoints that grouping gives to the right person.

    As `grouped_right`, whose share among the visible joints it is; nan without one.
    """
    right = grouped_right(tags, visible, order, tag_threshold=tag_threshold, rule=rule, seed=seed)
    count = (np.asarray(visible) > 0).sum()
    return float(right.sum() / count) if count else float("nan")


def grouped_right(tags, visible, order, **settings) -> np.ndarray:
    """(P, K) bool: the ground-truth keypoints that grouping gives to the right person.

    As `grouped`, whose groups and the persons are matched one to one so that they share the most
    keypoints. Joints that are not visible are False.
    """
    label = grouped(tags, visible, order, **settings)
    shared = label == np.unique(label[label >= 0])[:, None, None]  # (G, P, K)
    groups, persons = linear_sum_assignment(shared.sum(axis=2), maximize=True)
    right = np.zeros(label.shape, bool)
    right[persons] = shared[groups, persons]
    return right


def grouped(tags, visible, order, *, tag_threshold=1.0, rule="released", seed=0) -> np.ndarray:
    """(P, K) int: the group that each true keypoint ends in, by founding; −1 where not visible.

    tags: (P, K, D) embeddings at the ground-truth joints; visible: (P, K) bool; order,
    tag_threshold, rule: see `grouping.group`. Every visible joint is a candidate of score 1, and
    each joint's candidates are shuffled (by `seed`) before they are grouped: between equal tags
    the solver would otherwise find the right persons by their place in the list. ValueError as
    `linearity` and `grouping.group`.
    """
    tags, visible = _embeddings(tags, visible)
    persons, joints = visible.shape
    label = np.full(visible.shape, -1)
    if not visible.any():
        return label
    generator = np.random.default_rng(seed)
    shuffled = generator.permuted(np.tile(np.arange(persons), (joints, 1)), axis=1)  # (K, P)
    index = np.arange(joints)[:, None]
    owner = np.stack([shuffled, shuffled], axis=2)  # (K, P, 2) the person instead of a position
    groups = group(
        owner,
        visible[shuffled, index],
        tags[shuffled, index],  # read where visible
        order,
        tag_threshold=tag_threshold,
        rule=rule,
    )  # (G, K, 3 + D)
    which, joint = np.nonzero(groups[..., 2])
    label[groups[which, joint, 0].astype(int), joint] = which
    return label


def _embeddings(tags, visible):
    """float64 tags (P, K, D) and bool visible (P, K), checked."""
    tags, visible = np.asarray(tags, np.float64), np.asarray(visible)
    if tags.ndim != 3 or tags.shape[2] < 1:
        raise ValueError(f"tags: expected (P, K, D), D at least 1, got shape {tags.shape}")
    if visible.shape != tags.shape[:2]:
        raise ValueError(f"visible: expected {tags.shape[:2]}, got shape {visible.shape}")
    visible = visible > 0
    if not np.isfinite(tags[visible]).all():
        raise ValueError("tags: expected finite embeddings where visible, got NaN or infinity")
    return tags, visible
