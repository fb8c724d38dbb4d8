"""Compiled grouping against NumPy and SciPy, to the bit, on thousands of random cases."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from sparse_ae.grouping import group, pair_costs
from sparse_ae.runtime.assignment import assign
from sparse_ae.runtime.distances import distances_from


def random_cost(generator, kind):
    """A cost matrix with many, few or no equal costs, wide or square."""
    rows = int(generator.integers(1, 40 if generator.random() < 0.1 else 13))
    shape = rows, rows + int(generator.integers(0, 10) * generator.integers(0, 2))
    score = generator.random((rows, 1)).astype(np.float32)
    if kind == "any":
        return generator.normal(size=shape)
    if kind == "small integers":
        return generator.integers(0, 3, shape).astype(float)
    if kind == "released":
        near = generator.random(shape) < 0.3
        return np.where(near, generator.integers(0, 2, shape) - score, np.float32(1e5)).astype(
            float
        )
    if kind == "higherhrnet":
        cost = generator.integers(0, 6, shape) * 100.0 - score
        cost[:, shape[0] :] = 1e10
        return cost
    return np.full(shape, 1e5)


KINDS = ["any", "small integers", "released", "higherhrnet", "all equal"]


@pytest.mark.parametrize("kind", KINDS)
def test_assignments_are_those_of_scipy(kind):
    generator = np.random.default_rng(KINDS.index(kind))
    for _ in range(1000):
        cost = random_cost(generator, kind)
        np.testing.assert_array_equal(assign(cost), linear_sum_assignment(cost)[1])


def test_nobody_to_assign():
    assert assign(np.empty((0, 4))).shape == (0,)
    assert assign(np.empty((0, 0))).shape == (0,)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("dim", [1, 2, 7, 8, 9, 16, 23, 128, 129, 300, 1000])
def test_distances_are_those_of_numpy(dim, kind):
    generator = np.random.default_rng(dim)
    tag = generator.normal(size=dim).astype(np.float32)
    means = generator.normal(size=(33, dim)).astype(np.float32)
    difference = tag.astype(kind) - means.astype(kind)
    expected = np.sqrt((difference * difference).sum(axis=1))
    columns = np.ascontiguousarray(means.T)
    found = distances_from(tag, columns, np.empty((dim, 33), kind))
    np.testing.assert_array_equal(found, expected)


def plain_group(xy, score, tag, order, tag_threshold, rule, limit):
    """`group` in NumPy, a joint at a time, with SciPy's solver."""
    candidates = np.concatenate([xy, score[..., None], tag], axis=2)
    kept, people, tags = score > np.float32(0.1), [], []
    for joint in order:
        found = candidates[joint, kept[joint]]
        owners = np.full(len(found), -1)
        if people and len(found):
            sums = np.array([np.cumsum(own, axis=0)[-1] for own in tags])  # one after the other
            means = (sums / np.float32([[len(own)] for own in tags]))[:limit]
            cost, near, new = pair_costs(found[:, 3:], found[:, 2], means, tag_threshold, rule)
            more = max(0, len(found) - len(means))
            cost = np.pad(cost, ((0, 0), (0, more)), constant_values=new)
            near = np.pad(near, ((0, 0), (0, more)))
            rows, owners = linear_sum_assignment(cost)
            owners[~near[rows, owners]] = -1
        for candidate, owner in zip(found, owners, strict=True):
            if owner < 0:
                people.append(np.zeros(candidates.shape[::2], np.float32))
                tags.append([])
            people[owner][joint] = candidate
            tags[owner].append(candidate[3:])
    return np.array(people).reshape(-1, *candidates.shape[::2])


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["released", "higherhrnet"])
@pytest.mark.parametrize("ties", [False, True])
def test_persons_are_those_of_numpy_and_scipy(rule, ties):
    generator = np.random.default_rng(ties)
    for _ in range(600):
        kinds, n = generator.integers(1, 8), generator.integers(0, 12)
        dim = generator.choice([1, 2, 3, 8, 9, 17, 140])
        centres = generator.normal(0, 2, (generator.integers(1, 8), dim))
        tag = centres[generator.integers(0, len(centres), (kinds, n))]
        tag += generator.normal(0, 0.5 / np.sqrt(dim), tag.shape)
        score, xy = generator.random((kinds, n)), generator.random((kinds, n, 2))
        if ties:
            tag, score = np.round(2 * tag) / 2, np.round(4 * score) / 4
        xy, score, tag = (values.astype(np.float32) for values in (xy, score, tag))
        order = generator.permutation(kinds)
        threshold = float(generator.choice([0.5, 0.8, 1.0, 2.0]))
        limit = None if rule == "released" else int(generator.integers(1, 6))
        found = group(xy, score, tag, order, tag_threshold=threshold, rule=rule, max_people=limit)
        expected = plain_group(xy, score, tag, order, threshold, rule, limit)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32
