"""Measures that no stretching changes, and what chance gives: by hand and by simulation."""

import math

import numpy as np
import pytest

from sparse_ae.metrics import closest_gap, group_margin, hoyer_null, linearity, sparsity


def test_correlation_is_the_mean_absolute_one_over_pairs_of_dimensions():
    """C1's first measure, by hand: z = y − x has correlations −1/√2 and 1/√2, x and y have 0."""
    x, y = np.array([1.0, -1, 1, -1]), np.array([1.0, 1, -1, -1])
    tags = np.stack([x, y, y - x], axis=1).reshape(2, 2, 3) + 5
    expected = (0 + math.sqrt(0.5) + math.sqrt(0.5)) / 3
    assert linearity(tags, np.ones((2, 2))).correlation == pytest.approx(expected)
    scaled = linearity(tags * [100, -1, 0.1], np.ones((2, 2)))  # each dimension has its own scale
    assert scaled.correlation == pytest.approx(expected)


def test_closest_gap_by_hand():
    tags = np.array([[[-1.0, 0], [1, 0]], [[3, 4], [99, 99]], [[30, 0], [30, 2]]])
    seen = np.array([[True, True], [True, False], [True, True]])
    # means (0, 0), (3, 4), (30, 1); squared distances to them 1, 1, 0, 1, 1
    assert closest_gap(tags, seen) == pytest.approx(5 / math.sqrt(4 / 5))
    assert math.isnan(closest_gap(tags[:1], seen[:1]))
    assert math.isnan(closest_gap(tags, seen & False))
    assert math.isnan(closest_gap(np.full((2, 3, 2), 0.1) * [[[1]], [[3]]], np.ones((2, 3))))


def test_closest_gap_is_the_margin_over_the_spread_that_stretching_cannot_change():
    generator = np.random.default_rng(4)
    tags, seen = generator.normal(size=(6, 5, 3)), generator.random((6, 5)) < 0.7
    gap = closest_gap(tags, seen)
    assert closest_gap(100 * tags, seen) == pytest.approx(gap)
    assert closest_gap(tags - 12.5, seen) == pytest.approx(gap)
    assert closest_gap(tags[::-1], seen[::-1]) == pytest.approx(gap)
    assert group_margin(100 * tags, seen) > group_margin(tags, seen)  # the paper's margin does


def test_hoyer_null_by_hand():
    """At D = 2 the angle is uniform: E(|cos| + |sin|) = 4/π. At D = 1 there is no sparsity."""
    root = math.sqrt(2)
    assert math.isnan(hoyer_null(1))
    assert hoyer_null(2) == pytest.approx((root - 4 / math.pi) / (root - 1), abs=1e-12)
    # on the sphere each coordinate is uniform in [−1, 1]: E(|x| + |y| + |z|) = 3/2
    assert hoyer_null(3) == pytest.approx((math.sqrt(3) - 1.5) / (math.sqrt(3) - 1), abs=1e-12)
    with pytest.raises(ValueError, match="dim: expected a number of dimensions from 1 on, got 0"):
        hoyer_null(0)


@pytest.mark.parametrize("dim", [2, 8, 64])
def test_hoyer_null_is_the_sparsity_of_gaussian_embeddings(dim):
    tags = np.random.default_rng(dim).normal(size=(100, 200, dim))
    assert hoyer_null(dim) == pytest.approx(sparsity(tags, np.ones((100, 200))), abs=0.006)


def test_closest_gap_of_tiny_embeddings_and_of_rounding_alone():
    generator = np.random.default_rng(5)
    tags, seen = generator.normal(size=(3, 4, 2)), np.ones((3, 4), bool)
    assert closest_gap(1e-15 * tags, seen) == pytest.approx(closest_gap(tags, seen))
    same = np.repeat(np.array([[[1e5 + 0.1, 1e5 / 3]], [[2e5 + 0.1, 1e5 / 7]]]), 3, axis=1)
    spread = (same - same.mean(axis=1, keepdims=True)).std()
    assert spread > 0  # rounding
    assert math.isnan(closest_gap(same, np.ones((2, 3), bool)))
