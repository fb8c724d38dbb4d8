"""Grouping at its edges: what a pair costs, types, the lowest score, messages as they are read.

Each of these is what a fault put into the code on purpose would have passed without.
"""

import numpy as np
import pytest

from sparse_ae.grouping import group, pair_costs

TAGS = np.float32([[0.0], [0.45], [0.8], [3.0]])
SCORES = np.float32([0.5, 0.75, 0.25, 1.0])
MEANS = np.float32([[0.0]])


def lists(*joints):
    """xy, score, tag of (score, tag) pairs per joint."""
    score = np.array([[one[0] for one in joint] for joint in joints])
    tag = np.array([[[one[1]] for one in joint] for joint in joints])
    return np.zeros((*score.shape, 2)), score, tag


@pytest.mark.parametrize("limit", [0.5, 1.0, 2.0])
def test_what_a_pair_costs_by_hand(limit):
    """The released rule: distances in units of the limit, rounded; beyond it nobody goes."""
    cost, near, new = pair_costs(TAGS, SCORES, MEANS, limit)
    rounded = {0.5: [0, 1, 2, 6], 1.0: [0, 0, 1, 3], 2.0: [0, 0, 0, 2]}[limit]
    expected = [new if r > 1 else r - s for r, s in zip(rounded, SCORES, strict=True)]
    np.testing.assert_array_equal(cost[:, 0], np.float32(expected))
    np.testing.assert_array_equal(near[:, 0], TAGS[:, 0] <= limit)
    assert cost.dtype == np.float32


def test_the_usual_limit_and_rule():
    for found, usual in zip(
        pair_costs(TAGS, SCORES, MEANS),
        pair_costs(TAGS, SCORES, MEANS, 1.0, "released"),
        strict=True,
    ):
        np.testing.assert_array_equal(found, usual)


def test_what_a_pair_costs_under_higherhrnets_rule_by_hand():
    cost, near, new = pair_costs(TAGS, SCORES, MEANS, 0.8, "higherhrnet")
    np.testing.assert_array_equal(cost[:, 0], np.float64([-0.5, -0.75, 99.75, 299]))
    np.testing.assert_array_equal(near[:, 0], [True, True, False, False])  # 0.8 in float32 is more
    assert new > 299
    assert cost.dtype == np.float64
    # a hair more than a half, which float32 cannot tell from it
    apart = np.float32([[0.5 + 2**-24], [1.0]])
    cost = pair_costs(apart, SCORES[:2], np.float32([[0.0]]), 1.0, "higherhrnet")[0]
    assert cost[0, 0] == np.round(np.float64(apart[0, 0])) * 100 - 0.5


def test_persons_are_float32_whatever_came():
    for kind in (np.float16, np.float64, int):
        xy, score, tag = (np.asarray(one, kind) for one in lists([(1, 2), (1, 9)], [(1, 2)] * 2))
        assert group(xy, score, tag, (0, 1)).dtype == np.float32


def test_a_score_has_to_be_more_than_the_lowest():
    xy, score, tag = lists([(0.5, 0.0), (0.25, 9.0), (0.0, 20.0)])
    assert len(group(xy, score, tag, (0,), min_score=0.25)) == 1
    assert len(group(xy, score, tag, (0,), min_score=0)) == 2
    tag[0, 1] = np.nan  # a candidate that is left out is never read
    assert len(group(xy, score, tag, (0,), min_score=0.25)) == 1
    with pytest.raises(ValueError, match=r"^tag: expected finite candidates, got NaN or infinity$"):
        group(xy, score, tag, (0,), min_score=0.2)


def test_messages_as_they_are_read():
    xy, score, tag = lists([(1.0, 0)], [(1.0, 0)], [(1.0, 0)])
    with pytest.raises(
        ValueError,
        match=r"^order: expected each of the K = 3 joints 0\.\.2 once, got \(0, 1, 1\)$",
    ):
        group(xy, score, tag, (0, 1, 1))
    score[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"^score: expected numbers, got NaN$"):
        group(xy, score, tag, (0, 1, 2))


def test_tags_are_compared_in_float32():
    """As in the released code: there 1 + 10⁻⁹ is 1, and so is 1 + 2⁻²⁴, the sum of two tags."""
    assert len(group(*lists([(1, 0)], [(1, 1 + 1e-9)]), (0, 1))) == 1
    assert len(group(*lists([(1, 1)], [(1, 2**-24)], [(1, -0.5)]), (0, 1, 2))) == 1  # the mean: ½
    assert len(group(*lists([(1, 0)], [(1, 1 + 1e-6)]), (0, 1))) == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_score": np.inf}, r"min_score: expected a number from 0 on, got inf"),
        ({"tag_threshold": np.inf}, r"tag_threshold: expected a positive number, got inf"),
        ({"max_people": 1.5}, r"max_people: expected a whole number from 1 on, got 1\.5"),
        ({"max_people": 2**31}, r"max_people: expected a whole number from 1 on, got 2147483648"),
        ({"score": [[np.inf]]}, r"score: expected finite candidates, got NaN or infinity"),
        ({"xy": [[[0, 1e300]]]}, r"xy: expected finite candidates, got NaN or infinity"),
        ({"tag": [[[1.1e15]]]}, r"tag: expected numbers up to 1e\+15, got larger ones"),
        ({"xy": [[[0, -1.1e15]]]}, r"xy: expected numbers up to 1e\+15, got larger ones"),
    ],
)
def test_numbers_beyond_what_can_be_meant_are_named(change, message):
    good = {"xy": [[[0, 0]]], "score": [[1]], "tag": [[[0]]], "order": (0,)}
    with pytest.raises(ValueError, match=f"^{message}$"):
        group(**{**good, **change})


@pytest.mark.parametrize("rule", ["released", "higherhrnet"])
def test_the_largest_numbers_that_can_be_meant(rule):
    xy, score, tag = lists([(1e15, 1e15), (1, -1e15)], [(1, 1e15), (1, -1e15)])
    xy[..., 1] = -1e15
    people = group(xy, score, tag, (0, 1), rule=rule, max_people=2**31 - 1)
    assert people[..., 3].tolist() == [[np.float32(1e15)] * 2, [np.float32(-1e15)] * 2]


def test_an_embedding_exactly_at_the_threshold():
    """The released code lets it join, HigherHRNet does not."""
    one, nobody = np.float32([[1.0]]), np.float32([[0.0]])
    assert pair_costs(one, SCORES[:1], nobody, 1.0, "released")[1].all()
    assert not pair_costs(one, SCORES[:1], nobody, 1.0, "higherhrnet")[1].any()
    # the released code compares float32: 0.1 there is more than 0.1
    xy, score = np.zeros((2, 1, 2), np.float32), np.ones((2, 1), np.float32)
    tags = np.float32([[[0.0]], [[0.1]]])
    assert len(group(xy, score, tags, (0, 1), tag_threshold=0.1)) == 1
    far = {"tag_threshold": 1e8 + 1, "rule": "higherhrnet"}  # float64 there: more than 1e8
    assert len(group(xy, score, 1e9 * tags, (0, 1), **far)) == 1
