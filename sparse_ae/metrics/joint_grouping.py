"""Group the ground-truth joints by their embeddings, and count how many land in the right person.

Detection plays no part here, so every error is due to the embeddings or to grouping.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import linear_sum_assignment

from sparse_ae.grouping import group
from sparse_ae.metrics.embeddings import check_embeddings


def grouping_accuracy(tags, visible, order, *, tag_threshold=1.0, rule="released", seed=0) -> float:
    """Compute the share of ground-truth keypoints that grouping gives to the right person.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.
        order: the K joint indices in the order in which grouping visits them.
        tag_threshold: the largest embedding distance (L2) at which a joint joins a person.
        rule: "released" or "higherhrnet"; see `grouping.group`.
        seed: for shuffling the candidates; see `group_labels`.

    Returns:
        The share of the visible joints, in [0, 1]; nan without a visible joint.

    Raises:
        ValueError: as in `linearity` and `grouping.group`.

    Example:
        >>> from sparse_ae.metrics import grouping_accuracy
        >>> tags = [[[0.0], [0.1], [0.0], [9.0]], [[9.1], [9.0], [9.0], [0.1]]]
        >>> visible = [[True] * 4] * 2  # the last joint of each looks like the other person's
        >>> grouping_accuracy(tags, visible, order=range(4))
        0.75
    """
    right = correctly_grouped(
        tags, visible, order, tag_threshold=tag_threshold, rule=rule, seed=seed
    )
    count = (np.asarray(visible) > 0).sum()
    return float(right.sum() / count) if count else float("nan")


def correctly_grouped(tags, visible, order, **settings) -> np.ndarray:
    """Mark the ground-truth keypoints that grouping gives to the right person.

    The groups of `group_labels` and the persons are matched one to one, with the matching that
    shares the most keypoints.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.
        order: the K joint indices in the order in which grouping visits them.
        **settings: tag_threshold, rule and seed of `group_labels`.

    Returns:
        (P, K) bool; False for joints that are not visible.

    Raises:
        ValueError: as in `linearity` and `grouping.group`.

    Example:
        >>> from sparse_ae.metrics import correctly_grouped
        >>> tags = [[[0.0], [0.1], [0.0]], [[9.0], [9.0], [0.1]]]
        >>> visible = [[True, True, False], [True, True, True]]
        >>> correctly_grouped(tags, visible, order=range(3)).tolist()
        [[True, True, False], [True, True, False]]
    """
    label = group_labels(tags, visible, order, **settings)
    shared = label == np.arange(label.max(initial=-1) + 1)[:, None, None]  # (G, P, K)
    groups, persons = linear_sum_assignment(shared.sum(axis=2), maximize=True)
    right = np.zeros(label.shape, bool)
    right[persons] = shared[groups, persons]
    return right


def group_labels(tags, visible, order, *, tag_threshold=1.0, rule="released", seed=0) -> np.ndarray:
    """Return the group that each ground-truth keypoint ends in.

    Every visible joint is a candidate of score 1. The candidates of each joint are shuffled before
    grouping; otherwise the solver would match equal tags to the right people by their position in
    the list.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.
        order: the K joint indices in the order in which grouping visits them.
        tag_threshold: the largest embedding distance (L2) at which a joint joins a person.
        rule: "released" or "higherhrnet"; see `grouping.group`.
        seed: for shuffling.

    Returns:
        (P, K) int, groups numbered in the order in which they start; −1 where not visible.

    Raises:
        ValueError: as in `linearity` and `grouping.group`.

    Example:
        >>> from sparse_ae.metrics import group_labels
        >>> tags = [[[0.0], [0.1]], [[9.0], [9.0]], [[5.0], [5.0]]]
        >>> label = group_labels(tags, [[True, True], [True, False], [True, True]], order=range(2))
        >>> label[1, 1].item(), (label[:, 0] == label[:, 1]).tolist()
        (-1, [True, False, True])
    """
    tags, visible = check_embeddings(tags, visible)
    persons, joints = visible.shape
    label = np.full(visible.shape, -1)
    if not visible.any():
        return label
    shuffled, owner, index = _shuffled(persons, joints, seed)
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


@lru_cache(maxsize=64)
def _shuffled(persons: int, joints: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return shuffled persons for each joint (K, P), the same twice (K, P, 2), and joints (K, 1).

    The doubled array stands for positions.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permuted(np.tile(np.arange(persons), (joints, 1)), axis=1)
    return shuffled, np.stack([shuffled, shuffled], axis=2), np.arange(joints)[:, None]
