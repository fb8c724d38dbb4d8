"""Grouping: by hand, by invariance, and against the groups that the peers' own code forms."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from sparse_ae.grouping import group, pair_costs

PEERS = {"released": "ce", "higherhrnet": "higher"}
both_rules = pytest.mark.parametrize("rule", list(PEERS))


def candidates(*joints):
    """xy, score, tag of lists of (score, tag values) per joint; x is the number in the list."""
    n = max(map(len, joints))
    dim = len(np.atleast_1d(next(tag for joint in joints for _, tag in joint)))
    xy, score = np.zeros((len(joints), n, 2)), np.zeros((len(joints), n))
    tag = np.zeros((len(joints), n, dim))
    xy[..., 0] = np.arange(n)
    for k, joint in enumerate(joints):
        for i, (value, embedding) in enumerate(joint):
            score[k, i], tag[k, i] = value, embedding
    return xy, score, tag


def crowd(seed=0, persons=4, joints=5, dim=3):
    """Persons whose tags are 10 apart, joints missing here and there, in random order."""
    generator = np.random.default_rng(seed)
    tag = 10 * np.arange(persons)[None, :, None] + generator.uniform(
        -0.2, 0.2, (joints, persons, dim)
    )
    score = np.where(
        generator.random((joints, persons)) < 0.2, 0, generator.uniform(0.2, 1, (joints, persons))
    )
    xy = generator.uniform(0, 50, (joints, persons, 2))
    place = generator.permuted(np.tile(np.arange(persons), (joints, 1)), axis=1)
    index = np.arange(joints)[:, None]
    return xy[index, place], score[index, place], tag[index, place]


def as_set(persons):
    """Persons without their order."""
    return sorted(person.tobytes() for person in persons)


def load(data, rule):
    """Candidates, order, groups and whether they depend on the solver, of the rule's peer."""
    peer = PEERS[rule]
    parts = [data[f"{peer}_topk_{name}"] for name in ("loc", "val", "tag")]
    return *parts, data[f"{peer}_order"], data[f"{peer}_grouped"], data[f"{peer}_solver_dependent"]


@both_rules
def test_agrees_with_the_peers(decode_case, rule):
    *parts, order, theirs, solver_dependent = load(decode_case, rule)
    ours = group(*parts, order, rule=rule, max_people=30)
    if solver_dependent:  # assignments of equal cost: the same joints, put together otherwise
        count = (ours[..., 2] > 0).sum(axis=(0, 1))
        assert count == (parts[1] > 0.1).sum()
        assert abs(len(ours) - len(theirs)) <= 0.1 * len(theirs)
    else:
        np.testing.assert_array_equal(ours, theirs.reshape(ours.shape))


@both_rules
def test_the_peers_assignments_are_as_cheap_as_ours(decode_case, rule):
    """Step by step, the peer's choice has the lowest total cost by our costs and limits."""
    xy, score, tag, order, theirs, _ = load(decode_case, rule)
    checked = 0
    for step, joint in enumerate(order):
        earlier = theirs[:, order[:step]] if len(theirs) else np.zeros((0, step, 3))
        before = np.flatnonzero((earlier[..., 2] > 0).any(axis=1))[
            : 30 if rule != "released" else None
        ]
        keep = score[joint] > 0.1
        if not len(before) or not keep.any():
            continue
        means = np.stack([p[p[:, 2] > 0, 3:].mean(axis=0) for p in earlier[before]])
        cost, near, padding = pair_costs(tag[joint, keep], score[joint, keep], means, 1.0, rule)
        extra = max(0, len(cost) - len(before))
        cost = np.pad(cost.astype(float), ((0, 0), (0, extra)), constant_values=padding)
        chosen = np.pad(~near, ((0, 0), (0, extra)), constant_values=True)  # who founds a person
        for row, place in enumerate(xy[joint, keep]):
            owner = [
                n
                for n, p in enumerate(before)
                if theirs[p, joint, 2] > 0 and (theirs[p, joint, :2] == place).all()
            ]
            if owner:
                chosen[row] = np.arange(cost.shape[1]) == owner[0]
        best = cost[linear_sum_assignment(cost)].sum()
        their_cost = np.where(chosen, cost, 1e13)
        assert their_cost[linear_sum_assignment(their_cost)].sum() == pytest.approx(best, abs=1e-2)
        checked += 1
    assert checked or not len(theirs)


def test_released_rule_by_hand():
    people = group(
        *candidates([(0.9, 0.0), (0.8, 5.0)], [(0.7, 5.5), (0.6, 0.2), (0.5, 9.0), (0.1, 0.0)]),
        (0, 1),
    )  # fmt: skip
    assert people.shape == (3, 2, 4)
    np.testing.assert_allclose(people[0], [[0, 0, 0.9, 0], [1, 0, 0.6, 0.2]])
    np.testing.assert_allclose(people[1], [[1, 0, 0.8, 5], [0, 0, 0.7, 5.5]])
    np.testing.assert_allclose(people[2], [[0, 0, 0, 0], [2, 0, 0.5, 9]])  # near nobody


def test_the_limit_belongs_to_the_released_rule_only():
    far = candidates([(0.9, 0.0)], [(0.9, 1.0)])
    assert len(group(*far, (0, 1))) == 1
    assert len(group(*far, (0, 1), rule="higherhrnet")) == 2
    assert len(group(*far, (0, 1), tag_threshold=0.9)) == 2
    assert len(group(*far, (0, 1), tag_threshold=1.1, rule="higherhrnet")) == 1


def test_the_mean_of_a_person_moves_with_its_joints():
    people = group(*candidates([(1, 0.0)], [(1, 0.8)], [(1, 1.3)], [(1, 1.8)]), range(4))
    assert len(people) == 2  # means 0, 0.4 and 0.7; 1.8 is 1.1 away from that
    assert (people[0, :, 2] > 0).tolist() == [True, True, True, False]


def test_a_higher_score_takes_the_only_place():
    """One person, two candidates at rounded distance 0: the cost is less by the score."""
    for rule in PEERS:
        tags = [(0.5, 0.1), (0.9, 0.3)]
        people = group(*candidates([(1, 0.0)], tags), (0, 1), rule=rule)
        assert people[0, 1, 2] == np.float32(0.9)
        assert len(people) == 2


def test_far_candidates_split_persons_only_without_a_cost_limit():
    """In HigherHRNet the lowest total sends the near candidate 0.2 away from its person at 0."""
    tags = candidates([(1, 0.0), (1, 1.6)], [(1, 0.2), (1, -4.4)])
    people = group(*tags, (0, 1))
    assert len(people) == 3
    assert (people[0, :, 2] > 0).all()
    assert len(group(*tags, (0, 1), rule="higherhrnet")) == 4


@both_rules
def test_equal_tags_found_persons_of_their_own(rule):
    assert len(group(*candidates([(0.9, 1.0), (0.8, 1.0)]), (0,), rule=rule)) == 2


def test_only_the_first_persons_take_joints_in_higherhrnet():
    tags = candidates([(1, 0.0), (1, 10.0)], [(1, 10.0)])
    assert len(group(*tags, (0, 1), rule="higherhrnet")) == 2
    assert len(group(*tags, (0, 1), rule="higherhrnet", max_people=1)) == 3
    assert len(group(*tags, (0, 1), max_people=1)) == 2


@both_rules
def test_nothing_found(rule):
    people = group(np.zeros((3, 2, 2)), np.zeros((3, 2)), np.zeros((3, 2, 4)), range(3), rule=rule)
    assert people.shape == (0, 3, 7)
    empty = group(np.zeros((3, 0, 2)), np.zeros((3, 0)), np.zeros((3, 0, 4)), range(3), rule=rule)
    assert empty.shape == (0, 3, 7)


@pytest.mark.slow
@both_rules
def test_the_order_of_candidates_does_not_matter(rule):
    xy, score, tag = crowd()
    place = np.random.default_rng(1).permutation(xy.shape[1])
    ours = group(xy, score, tag, range(5), rule=rule)
    shuffled = group(xy[:, place], score[:, place], tag[:, place], range(5), rule=rule)
    assert len(ours) == 4
    assert as_set(ours) == as_set(shuffled)


@both_rules
def test_padding_and_shifted_tags_change_nothing(rule):
    xy, score, tag = crowd(2)
    ours = group(xy, score, tag, range(5), rule=rule)
    wide = [np.concatenate([part, np.zeros_like(part)], axis=1) for part in (xy, score, tag)]
    wide[2][:, 4:] = np.nan  # not read where the score is too low
    np.testing.assert_array_equal(group(*wide, range(5), rule=rule), ours)
    moved = group(xy, score, tag + np.float32(64), range(5), rule=rule)
    np.testing.assert_array_equal(moved[..., :3], ours[..., :3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": np.ones(2)}, r"score: expected \(K, N\), got shape \(2,\)"),
        ({"score": np.full((2, 3), np.nan)}, "score: expected numbers"),
        ({"xy": np.ones((2, 2, 2))}, r"xy: expected \(2, 3, 2\).* got shape \(2, 2, 2\)"),
        ({"xy": np.full((2, 3, 2), np.inf)}, "xy: expected finite"),
        ({"tag": np.ones((3, 2, 1))}, r"tag: expected \(2, 3, D\).* got shape \(3, 2, 1\)"),
        ({"tag": np.ones((2, 3, 0))}, "tag: expected .*D at least 1"),
        ({"tag": np.full((2, 3, 1), np.nan)}, "tag: expected finite"),
        ({"order": (0, 0)}, r"order: expected each of the K = 2 joints .* got \(0, 0\)"),
        ({"rule": "greedy"}, "rule: expected one of released, higherhrnet, got 'greedy'"),
        ({"min_score": -0.1}, "min_score: expected .* got -0.1"),
        ({"tag_threshold": 0}, "tag_threshold: expected .* got 0"),
        ({"max_people": 0}, "max_people: expected .* got 0"),
    ],
)  # fmt: skip
def test_bad_input_is_named(change, message):
    good = {"xy": np.ones((2, 3, 2)), "score": np.ones((2, 3)), "tag": np.ones((2, 3, 1))}
    with pytest.raises(ValueError, match=message):
        group(**{**good, "order": (0, 1), **change})
