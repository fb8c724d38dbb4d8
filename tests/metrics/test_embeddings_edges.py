"""Metrics at their edges: two points, one dimension that varies, several embeddings, hidden joints.

Each of these is what a fault put into the code on purpose would have passed without.
"""

import math
import warnings

import numpy as np
import pytest

from sparse_ae.metrics import (
    correctly_grouped,
    group_labels,
    group_margin,
    group_spread,
    grouping_accuracy,
    linearity,
    sparsity,
)

SEEN = np.ones((1, 2), bool)


def test_hidden_joints_have_no_part_in_a_persons_mean():
    tags = np.array([[[0.0], [-7.0]], [[3.0], [5.0]], [[20.0], [22.0]]])
    visible = np.array([[True, False], [True, True], [True, True]])
    assert group_margin(tags, visible) == pytest.approx(4 - 0 - 1)  # not from −3.5, nor from 0.5
    assert group_margin(tags, visible, threshold=0) == pytest.approx(4)


def test_group_spread_by_hand():
    tags = np.array([[[0.0, 0], [6, 8]], [[1, 1], [1, 1]], [[5, 5], [99, 99]]])
    visible = np.array([[True, True], [True, True], [True, False]])
    # two joints five from their mean, three on theirs
    assert group_spread(tags, visible) == pytest.approx(math.sqrt(2 * 25 / 5))
    assert group_spread(10 * tags, visible) == pytest.approx(10 * math.sqrt(10))
    assert group_spread(tags + 3, visible) == pytest.approx(math.sqrt(10))
    tags[2, 1] = np.nan  # hidden: never read
    visible[1] = False  # a person without a joint has no part
    assert group_spread(tags, visible) == pytest.approx(math.sqrt(2 * 25 / 3))
    assert math.isnan(group_spread(tags, visible & False))


def test_two_points_are_a_line():
    first, correlation, rank = linearity([[[1.0, 5, 2], [2, 3, 2]]], SEEN)
    assert (first, correlation, rank) == pytest.approx((1, 1, 1))


def test_one_dimension_that_varies_has_nothing_to_correlate_with():
    tags = np.array([[[1.0, 4, 0.5], [2, 4, 0.5]]])
    first, correlation, rank = linearity(tags, SEEN)
    assert (first, rank) == pytest.approx((1, 1))
    assert math.isnan(correlation)


def test_a_correlation_is_never_above_one():
    """Rounding would leave one a hair above."""
    tags = np.random.default_rng(0).normal(size=(40, 1, 1, 7, 1)) * np.array([1.0, 3.3])
    found = [linearity(one[0], np.ones((1, 7), bool)).correlation for one in tags]
    assert max(found) == 1.0
    assert min(found) > 1 - 1e-12


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_what_counts_as_constant_goes_with_the_size(size):
    """A dimension that varies by 1e-13 of the largest value is constant, by 1e-11 is not."""
    for share, varies in ((1e-13, False), (1e-11, True)):
        tags = size * np.array([[[1.0, 0.0], [-1.0, share]]])
        assert math.isnan(linearity(tags, SEEN).correlation) != varies


def test_sparsity_is_a_mean_over_embeddings():
    tags = np.array([[[1.0, 0, 0], [1, 1, 1]], [[2, 2, 0], [0, 0, 0]]])
    one = (math.sqrt(3) - math.sqrt(2)) / (math.sqrt(3) - 1)
    assert sparsity(tags, np.ones((2, 2), bool)) == pytest.approx((1 + 0 + one) / 3)
    assert math.isnan(sparsity(np.zeros((1, 2, 3)), SEEN))  # none but zeros


def test_nobody_is_in_no_group():
    label = group_labels(np.zeros((2, 3, 4)), np.zeros((2, 3), bool), (0, 1, 2))
    assert label.shape == (2, 3)
    assert (label == -1).all()


def test_the_limit_of_grouping_is_passed_on():
    """Two joints of one person 1.2 apart: two groups with the usual limit of 1, one with 2."""
    tags, visible = np.array([[[0.0], [1.2]]]), np.ones((1, 2), bool)
    assert group_labels(tags, visible, (0, 1)).tolist() == [[0, 1]]
    assert group_labels(tags, visible, (0, 1), tag_threshold=2.0).tolist() == [[0, 0]]
    assert grouping_accuracy(tags, visible, (0, 1)) == 0.5
    assert grouping_accuracy(tags, visible, (0, 1), tag_threshold=2.0) == 1.0


def test_the_usual_seed_is_0():
    tags, visible = np.zeros((6, 3, 2)), np.ones((6, 3), bool)
    usual = group_labels(tags, visible, (0, 1, 2))
    np.testing.assert_array_equal(usual, group_labels(tags, visible, (0, 1, 2), seed=0))
    assert (usual != group_labels(tags, visible, (0, 1, 2), seed=1)).any()
    found = [grouping_accuracy(tags, visible, (0, 1, 2), seed=seed) for seed in range(9)]
    assert len(set(found)) > 1
    assert grouping_accuracy(tags, visible, (0, 1, 2)) == found[0]
    other = next(seed for seed in range(9) if found[seed] != found[0])
    assert grouping_accuracy(tags, visible, (0, 1, 2), seed=other) == found[other]


def test_the_accuracy_of_nobody_is_nan_and_messages_as_they_are_read():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(grouping_accuracy(np.zeros((1, 2, 3)), np.zeros((1, 2)), (0, 1)))
    message = r"^tags: expected finite embeddings where visible, got NaN or infinity$"
    with pytest.raises(ValueError, match=message):
        sparsity([[[np.nan, 1]]], [[1]])
    assert sparsity([[["3", "4"]]], [[1]]) == sparsity([[[3, 4]]], [[1]])  # text that tells


@pytest.mark.filterwarnings("error")
def test_what_is_undefined_is_so_without_a_warning():
    tags = np.array([[[1.0, 4], [2, 4]]])  # one dimension varies: no pair of them to correlate
    assert math.isnan(linearity(tags, SEEN).correlation)
    assert math.isnan(sparsity(tags[..., :1], SEEN))
    assert math.isnan(sparsity(np.zeros((1, 2, 3)), SEEN))


def test_a_person_in_two_groups_is_right_in_the_larger_only():
    """Also the second person, whose smaller group is the last."""
    tags = np.zeros((2, 5, 1))
    tags[1] = [[20], [20], [20], [40], [40]]
    right = correctly_grouped(tags, np.ones((2, 5), bool), range(5))
    assert right.tolist() == [[True] * 5, [True, True, True, False, False]]
    assert right.dtype == bool
    assert correctly_grouped(tags[:0], np.ones((0, 5)), range(5)).shape == (0, 5)
    assert grouping_accuracy(tags, np.ones((2, 5)), range(5)) == 0.8


def test_tags_of_hidden_joints_are_never_read_in_grouping():
    tags, visible = np.zeros((2, 3, 2)), np.array([[True, True, False], [True, False, True]])
    tags[1] = 9
    tags[~visible] = [np.nan, 1e300]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (correctly_grouped(tags, visible, range(3)) == visible).all()
