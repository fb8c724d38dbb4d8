"""OKS NMS: of detections that nearly coincide the best is kept, by hand and by the definition."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic import PAIR

from sparse_ae.decoding.nms import BOX_AREA, oks_nms
from sparse_ae.skeleton import COCO, CROWDPOSE


def test_a_person_that_is_found_twice_is_one():
    one = np.column_stack([np.arange(14) * 8.0, np.arange(14) * 5.0, np.ones(14)])
    shifted, near = one + np.array([60, 0, 0]), one + np.array([0.5, 0, 0])
    half = one.copy()
    half[7:] = 0
    people = np.stack([one, shifted, near, half])
    assert oks_nms(people, CROWDPOSE).tolist() == [0, 1]
    assert oks_nms(people[1:], CROWDPOSE).tolist() == [0, 1]
    assert oks_nms(np.zeros((0, 14, 3)), CROWDPOSE).tolist() == []


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
def test_the_threshold_by_hand(threshold):
    """Two joints, sigma 0.1, a box of 40 × 10: exp(−d² / (2 · 0.53 · 400 · 0.04)) is the
    similarity of a person that is moved by d."""
    person = np.array([[0.0, 0, 1], [40, 10, 1]])
    apart = np.sqrt(-2 * BOX_AREA * 400 * 0.04 * np.log(threshold))
    for moved, kept in ((0.999, [0]), (1.001, [0, 1])):
        people = np.stack([person, person + np.array([0, moved * apart, 0])])
        assert oks_nms(people, PAIR, threshold).tolist() == kept


def test_only_joints_that_both_have_are_compared():
    left, right = np.array([[[0.0, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]]])
    assert oks_nms(np.stack([left, right]), PAIR).tolist() == [0, 1]  # they share no joint
    both = np.array([[0.0, 0, 1], [30, 30, 1]])
    assert oks_nms(np.stack([both, left]), PAIR).tolist() == [0]
    assert oks_nms(np.stack([both, np.zeros((2, 3))]), PAIR).tolist() == [0, 1]


def test_what_is_kept_is_unlike_and_what_is_not_is_like_a_better_one():
    """The definition, on random people with random joints missing."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 60, (4, 17, 2))[rng.integers(0, 4, 40)] + rng.normal(0, 4, (40, 17, 2))
    found = rng.random((40, 17, 1)) < 0.7
    people = np.concatenate([places * found, found * rng.uniform(0.1, 1, (40, 17, 1))], 2)
    kept = oks_nms(people, COCO).tolist()
    assert 4 <= len(kept) < 30
    assert kept == sorted(kept)

    def similarity(person, other):
        both = (person[:, 2] > 0) & (other[:, 2] > 0)
        seen = person[person[:, 2] > 0, :2]
        area = max(BOX_AREA * np.prod(seen.max(0) - seen.min(0)), 1)
        away = ((person[both, :2] - other[both, :2]) ** 2).sum(1)
        variance = (2 * np.array(COCO.sigmas)[both]) ** 2
        return np.exp(-away / (2 * area * variance)).mean()

    for i, person in enumerate(people):
        better = [similarity(person, people[j]) for j in kept if j < i]
        assert (i in kept) == (max(better, default=0) < 0.5)


def test_a_wider_sigma_joins_what_a_narrow_one_keeps_apart():
    person = np.array([[0.0, 0, 1], [40, 10, 1]])
    people = np.stack([person, person + np.array([6.0, 0, 0])])
    assert oks_nms(people, PAIR).tolist() == [0, 1]
    assert oks_nms(people, dataclasses.replace(PAIR, sigmas=(0.3, 0.3))).tolist() == [0]
