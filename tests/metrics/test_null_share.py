"""The first component's share in excess of isotropic people: facts, invariances, edges."""

import math

import numpy as np
import pytest

from sparse_ae.metrics import (
    excess_share,
    expected_share,
    isotropic_share,
    linearity,
    spread_ratio,
)

pytestmark = pytest.mark.slow


def isotropic(generator, persons, ratio=0.1, joints=12, dim=8):
    """Tags of one image of the null model."""
    means = generator.normal(size=(persons, 1, dim))
    return means + ratio * generator.normal(size=(persons, joints, dim))


@pytest.mark.parametrize(("persons", "share"), [(2, 0.98), (4, 0.58), (6, 0.46), (9, 0.38)])
def test_isotropic_people_have_a_share_by_chance_and_no_excess(persons, share):
    """FACTS: these shares say nothing; what is measured in images agrees with the expectation."""
    generator = np.random.default_rng(persons)
    images = [isotropic(generator, persons) for _ in range(400)]
    seen = np.ones((persons, 12), bool)
    measured = np.mean([linearity(tags, seen).first_component for tags in images])
    assert measured == pytest.approx(share, abs=0.012)
    assert expected_share([12] * persons, 8, 0.1) == pytest.approx(share, abs=0.012)
    null = np.mean([isotropic_share(tags, seen) for tags in images])
    assert null == pytest.approx(measured, abs=0.012)
    excess = [excess_share(tags, seen) for tags in images]
    assert np.mean(excess) == pytest.approx(0, abs=0.035)  # 0.21 / sqrt(400) twice, and the null's


@pytest.mark.parametrize("ratio", [0.3, 1, 30])
def test_no_excess_either_at_other_ratios_and_with_hidden_joints(ratio):
    generator = np.random.default_rng(7)
    excess = []
    for _ in range(200):
        persons = generator.integers(2, 12)
        seen = generator.random((persons, 14)) < generator.random((persons, 1))
        seen[:2, :2] = True
        excess.append(excess_share(isotropic(generator, persons, ratio, joints=14), seen))
    assert np.mean(excess) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize(
    ("counts", "dim", "within", "between"),
    [([1, 2, 5], 3, 0.5, 2.0), ([1, 17, 17], 8, 1.0, 1.0), ([2, 2], 8, 1.0, 1.0)],
)
def test_the_null_equals_a_plain_simulation_of_joints(counts, dim, within, between):
    """Without Wishart's law, cache, angles or interpolation: joint by joint, scaled to W and B."""
    generator = np.random.default_rng(3)
    persons, joints = len(counts), sum(counts)
    owner = np.repeat(range(persons), counts)
    true = between - within * np.mean(1 / np.array(counts))
    mean_of = (owner == np.arange(persons)[:, None]) / np.array(counts)[:, None]  # (P, n)
    shares = []
    for _ in range(6000):
        points = generator.normal(size=(persons, dim))[owner] * math.sqrt(true)
        points += generator.normal(size=(joints, dim)) * math.sqrt(within)
        means = mean_of @ points
        around = points - means[owner]
        around *= math.sqrt(within * (joints - persons) / (around**2).sum())
        apart = means - means.mean(axis=0)
        apart *= math.sqrt(between * (persons - 1) / (apart**2).sum())
        values = np.linalg.eigvalsh(np.cov((apart[owner] + around).T))
        shares.append(values[-1] / values.sum())
    expected = pytest.approx(np.mean(shares), abs=0.007)
    ratio = math.sqrt(within / true)
    assert expected_share(counts, dim, ratio, draws=6000) == expected
    assert expected_share(counts, dim, ratio) == expected


def test_a_line_exceeds_the_null_by_all_there_is():
    generator = np.random.default_rng(0)
    for persons in (2, 3, 8):
        line = isotropic(generator, persons, dim=1) * generator.normal(size=8) + 3
        assert excess_share(line, np.ones((persons, 12))) == pytest.approx(1, abs=1e-9)


def test_half_way_to_the_line_by_hand(monkeypatch):
    tags = np.array([[[3.0, 0], [-3, 0]], [[0, 1], [0, -1]]])  # share 0.9
    monkeypatch.setattr("sparse_ae.metrics.null_share.isotropic_share", lambda *_, **__: 0.8)
    assert excess_share(tags, np.ones((2, 2))) == pytest.approx(0.5)


def test_spread_ratio_by_hand():
    tags = np.array([[[0.0, 0], [2, 0]], [[9, 0], [99, 99]], [[5, 5], [5, 5]]])
    seen = np.array([[True, True], [True, False], [False, False]])
    # within: 1 + 1 over 3 − 2; means 1 and 9: 16 + 16 over 2 − 1, less 2 · (1/2 + 1) / 2
    assert spread_ratio(tags, seen) == pytest.approx(math.sqrt(2 / (32 - 1.5)))
    assert spread_ratio(tags[:1], seen[:1]) == math.inf  # nobody else
    assert spread_ratio(tags, np.eye(3, 2, dtype=bool)) == 0  # one joint each
    assert spread_ratio([[[0.0], [2]], [[2], [0]]], np.ones((2, 2))) == math.inf  # equal means


def test_spread_ratio_finds_the_ratio_of_the_model():
    generator = np.random.default_rng(5)
    seen = generator.random((400, 12)) < 0.3
    assert spread_ratio(isotropic(generator, 400, 0.7), seen) == pytest.approx(0.7, rel=0.04)


@pytest.mark.parametrize("metric", [excess_share, isotropic_share])
def test_neither_order_padding_shift_stretch_nor_turn_matters(metric):
    generator = np.random.default_rng(1)
    tags = isotropic(generator, 5, 0.4, dim=3)
    seen = generator.random((5, 12)) < 0.6
    expected = pytest.approx(metric(tags, seen), abs=1e-9)
    assert metric(tags[::-1], seen[::-1]) == expected
    assert metric(7 * tags - 12, seen) == expected
    assert metric(tags @ np.linalg.qr(generator.normal(size=(3, 3)))[0], seen) == expected
    padded = np.concatenate([tags, np.full_like(tags, np.nan)])
    assert metric(padded, np.concatenate([seen, np.zeros_like(seen)])) == expected
    drawn = metric(tags, seen, draws=512)
    assert metric(tags, seen, draws=512, seed=1) != drawn == metric(tags, seen, draws=512)


def test_the_share_is_continuous_in_the_ratio_and_ends_with_one_cloud():
    ratios = np.tan(np.linspace(0, math.pi / 2, 300, endpoint=False))
    shares = [expected_share([3, 4, 5], 4, ratio, draws=200) for ratio in (*ratios, math.inf)]
    assert np.abs(np.diff(shares)).max() < 0.01
    assert shares[-1] == pytest.approx(expected_share([12], 4, 1, draws=6000), abs=0.03)


@pytest.mark.parametrize(("joints", "dim"), [(12, 4), (5, 4), (4, 8)])
def test_one_person_or_one_joint_each_is_one_isotropic_cloud(joints, dim):
    cloud = np.random.default_rng(2).normal(size=(3000, joints, dim))
    alone = [linearity(points[None], np.ones((1, joints))).first_component for points in cloud]
    expected = pytest.approx(np.mean(alone), abs=0.006)
    assert expected_share([joints], dim, 0.5, draws=6000) == expected
    assert expected_share([joints], dim, 0, draws=6000) == expected
    assert expected_share([1] * joints, dim, 9, draws=6000) == expected


def test_nothing_to_exceed_is_nan():
    tags = np.random.default_rng(0).normal(size=(2, 3, 4))
    seen = np.ones((2, 3), bool)
    nothing = [
        excess_share(tags, seen & False),
        isotropic_share(tags, seen & False),
        excess_share(np.full((2, 3, 4), 0.1), seen),  # linearity is nan
        excess_share(tags[..., :1], seen),  # D = 1: on a line by definition
        excess_share(tags, seen & ([True, False, False],)),  # two joints
        excess_share(np.repeat(tags[:, :1], 3, axis=1), seen),  # two points
        expected_share([1], 8, 0.1),
    ]
    assert np.isnan(nothing).all()
    assert isotropic_share(tags[..., :1], seen) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: excess_share(np.ones((2, 3)), np.ones(2)), r"tags: expected \(P, K, D\)"),
        (lambda: isotropic_share(np.eye(3)[None], np.ones((1, 3)), draws=0), "draws: expected a"),
        (lambda: expected_share([3, 0], 8, 1), r"counts, dim: expected .* got \[3, 0\] and 8"),
        (lambda: expected_share([3], 0, 1), r"counts, dim: expected .* got \[3\] and 0"),
        (lambda: expected_share([3], 8, -1), "ratio: expected a number from 0 to inf, got -1"),
        (lambda: expected_share([3], 8, math.nan), "ratio: expected .* got nan"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
