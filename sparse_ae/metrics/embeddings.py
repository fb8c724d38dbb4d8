"""Measure the shape of an image's embeddings: how linear, how sparse, how far apart."""

from __future__ import annotations

from math import exp, lgamma, pi, sqrt
from typing import NamedTuple

import numpy as np

NAN = float("nan")
ROUNDING = 1e-12  # share of the largest value that counts as rounding error


class Linearity(NamedTuple):
    """How close the embeddings of an image are to a line; see `linearity`.

    Attributes:
        first_component: share of the variance on the first principal component, in [1/D, 1].
        correlation: mean absolute Pearson correlation over the pairs of dimensions that vary, in
            [0, 1]; nan if there is no such pair, as at D = 1.
        effective_rank: exp of the entropy of the normalised eigenvalues of the covariance, from 1
            (a line) to D (a ball).
    """

    first_component: float
    correlation: float
    effective_rank: float


def linearity(tags, visible) -> Linearity:
    """Measure how close the embeddings of an image are to a line.

    The visible joints of all people are pooled and centred.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.

    Returns:
        `Linearity`, whose fields are all nan with fewer than two visible joints, or if all points
        are equal up to rounding.

    Raises:
        ValueError: wrong shapes, or visible embeddings that are not finite.

    Source:
        Effective rank: Roy & Vetterli, "The effective rank", 2007, here of the covariance.

    Example:
        >>> import numpy as np
        >>> from sparse_ae.metrics import linearity
        >>> tags = np.arange(6).reshape(2, 3, 1) * [1, -2]  # 2 persons, 3 joints, on one line
        >>> linearity(tags, np.ones((2, 3), bool))
        Linearity(first_component=1.0, correlation=1.0, effective_rank=1.0)
    """
    tags, visible = check_embeddings(tags, visible)
    points = tags[visible]  # (n, D)
    if len(points) < 2:
        return Linearity(NAN, NAN, NAN)
    smallest = ROUNDING * np.abs(points).max()
    points = points - points.mean(axis=0)
    deviation = np.sqrt((points**2).mean(axis=0))  # (D,)
    varying = deviation > smallest
    if not varying.any():
        return Linearity(NAN, NAN, NAN)
    share = np.linalg.svd(points, compute_uv=False) ** 2
    share = share / share.sum()
    positive = share[share > 0]
    rank = np.exp(-(positive * np.log(positive)).sum())
    correlation = NAN
    if varying.sum() > 1:
        unit = points[:, varying] / deviation[varying]
        pairs = np.triu_indices(unit.shape[1], 1)
        correlation = np.abs(unit.T @ unit / len(unit))[pairs].clip(max=1).mean()
    return Linearity(float(share[0]), float(correlation), float(rank))


def sparsity(tags, visible) -> float:
    """Compute the mean Hoyer sparsity of the visible embeddings.

    One embedding t has the sparsity (sqrt D − ‖t‖₁/‖t‖₂) / (sqrt D − 1): 0 if all dimensions have
    the same absolute value, 1 if only one is not zero. Embeddings that are all zero have no
    sparsity and are left out. `hoyer_null` gives the value expected by chance.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.

    Returns:
        The mean over the visible joints, in [0, 1]; nan at D = 1, or where no embedding is left.

    Raises:
        ValueError: wrong shapes, or visible embeddings that are not finite.

    Source:
        Hoyer, "Non-negative matrix factorization with sparseness constraints", JMLR 2004.

    Example:
        >>> from sparse_ae.metrics import sparsity
        >>> tags = [[[0, 0, -5, 0], [2, -2, 2, 2]]]  # 1 person, 2 joints, D = 4
        >>> round(sparsity(tags, [[True, True]]), 3)  # the mean of 1 and 0
        0.5
    """
    tags, visible = check_embeddings(tags, visible)
    points = tags[visible]  # (n, D)
    points = points[(points != 0).any(axis=1)]
    root = np.sqrt(tags.shape[2])
    if root == 1 or not len(points):
        return NAN
    ratio = np.abs(points).sum(axis=1) / np.linalg.norm(points, axis=1)
    return float(((root - ratio) / (root - 1)).mean())


def hoyer_null(dim: int) -> float:
    """Return the expected Hoyer sparsity of a Gaussian vector, a reference for `sparsity`.

    The vector has zero mean and the same variance in each of its D dimensions. Its length and its
    direction are independent, so E[‖t‖₁/‖t‖₂] = E‖t‖₁ / E‖t‖₂ = D·Γ(D/2) / (√π·Γ((D + 1)/2)). This
    is exact except for rounding, below 1e-12: nothing is sampled.

    Args:
        dim: D, the number of dimensions, at least 1.

    Returns:
        The expectation, in (0, 1); nan at D = 1, where sparsity is not defined.

    Raises:
        ValueError: dim is below 1.

    Example:
        >>> from sparse_ae.metrics import hoyer_null
        >>> [round(hoyer_null(dim), 3) for dim in (2, 8)]
        [0.34, 0.274]
    """
    if dim < 1:
        raise ValueError(f"dim: expected a number of dimensions from 1 on, got {dim}")
    if dim == 1:
        return NAN
    ratio = dim * exp(lgamma(dim / 2) - lgamma((dim + 1) / 2)) / sqrt(pi)
    return (sqrt(dim) - ratio) / (sqrt(dim) - 1)


def group_margin(tags, visible, threshold=1.0) -> float:
    """Compute the distance between the two closest people minus the grouping threshold.

    A person is the mean over its visible joints. Scaling up all embeddings enlarges this margin.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.
        threshold: the distance up to which grouping accepts a candidate.

    Returns:
        The margin, negative if two persons are within the threshold of each other; nan with fewer
        than two persons that have a visible joint.

    Raises:
        ValueError: wrong shapes, or visible embeddings that are not finite.

    Example:
        >>> from sparse_ae.metrics import group_margin
        >>> tags = [[[0.0], [2.0]], [[5.0], [7.0]]]  # the means of the 2 persons are 1 and 6
        >>> group_margin(tags, [[True, True], [True, True]], threshold=1.0)
        4.0
    """
    return _closest_distance(*check_embeddings(tags, visible)) - threshold


def group_spread(tags, visible) -> float:
    """Compute the spread within people: the RMS distance of joints to their person's mean.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.

    Returns:
        The spread, pooled over all visible joints of the image; nan without a visible joint.

    Raises:
        ValueError: wrong shapes, or visible embeddings that are not finite.

    Example:
        >>> from sparse_ae.metrics import group_spread
        >>> tags = [[[0.0], [2.0]], [[5.0], [7.0]]]  # each joint is 1 away from its person's mean
        >>> group_spread(tags, [[True, True], [True, True]])
        1.0
    """
    tags, visible = check_embeddings(tags, visible)
    if not visible.any():
        return NAN
    means = person_means(tags, visible)
    return float(np.sqrt(((tags - means[:, None])[visible] ** 2).sum(axis=1).mean()))


def closest_gap(tags, visible) -> float:
    """Compute the distance between the two closest people, divided by the spread within people.

    It does not change if all embeddings are scaled or shifted; scaling changes `group_margin`.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.

    Returns:
        The ratio of that distance to `group_spread`; nan with fewer than two persons that have a
        visible joint, or if no joint differs from its person's mean by more than rounding.

    Raises:
        ValueError: wrong shapes, or visible embeddings that are not finite.

    Example:
        >>> from sparse_ae.metrics import closest_gap
        >>> tags = [[[0.0], [2.0]], [[5.0], [7.0]]]  # means 5 apart, joints 1 from their mean
        >>> closest_gap(tags, [[True, True], [True, True]])
        5.0
    """
    tags, visible = check_embeddings(tags, visible)
    spread = group_spread(tags, visible)
    if not spread > ROUNDING * np.abs(tags[visible]).max(initial=0):  # nan too
        return NAN
    return _closest_distance(tags, visible) / spread


def person_means(tags: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Return (P, D), the mean of each person's visible joints; 0 for a person without any."""
    count = np.maximum(visible.sum(axis=1), 1)[:, None]  # (P, 1)
    return np.where(visible[..., None], tags, 0).sum(axis=1) / count


def _closest_distance(tags: np.ndarray, visible: np.ndarray) -> float:
    """Return the distance between the two closest persons' means, nan with fewer than two."""
    means = person_means(tags, visible)[visible.any(axis=1)]
    if len(means) < 2:
        return NAN
    distance = np.linalg.norm(means[:, None] - means[None], axis=2)
    return float(distance[np.triu_indices(len(means), 1)].min())


def check_embeddings(tags, visible) -> tuple[np.ndarray, np.ndarray]:
    """Return float64 tags (P, K, D) and bool visible (P, K); raise ValueError if invalid."""
    tags, visible = np.asarray(tags, np.float64), np.asarray(visible)
    if tags.ndim != 3 or tags.shape[2] < 1:
        raise ValueError(f"tags: expected (P, K, D), D at least 1, got shape {tags.shape}")
    if visible.shape != tags.shape[:2]:
        raise ValueError(f"visible: expected {tags.shape[:2]}, got shape {visible.shape}")
    visible = visible > 0
    if not np.isfinite(tags[visible]).all():
        raise ValueError("tags: expected finite embeddings where visible, got NaN or infinity")
    return tags, visible
