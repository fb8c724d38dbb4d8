"""The fitted first share agrees with simulations, inside of its bounds and at their ends."""

import json
import math

import numpy as np
import pytest

from sparse_ae.metrics import expected_share
from sparse_ae.metrics.null_fit import WEIGHTS, bracket, fitted_share, is_fitted
from sparse_ae.metrics.null_share import simulated_shares

# visible joints, dimensions, ratio of spreads; the mean share of 40,000 simulated images, whose
# standard error is at most 0.0006
SIMULATED = [
    ([12, 12], 8, 0.1, 0.9843),
    ([17, 17], 16, 0.6, 0.6265),
    ([9, 14], 3, 0.3, 0.9029),
    ([17, 12, 5], 8, 0.1, 0.7482),
    ([3, 17, 10], 2, 0.5, 0.79),
    ([14, 14, 14, 14], 4, 0.2, 0.674),
    ([8, 3, 15, 17], 8, 0.05, 0.6553),
    ([17, 17, 17, 17, 17], 16, 0.3, 0.3988),
    ([3, 5, 8, 11, 14, 17], 8, 0.8, 0.3568),
    ([12, 12, 12, 12, 12, 12, 12, 12, 12], 8, 0.1, 0.3817),
    ([17, 15, 13, 11, 9, 7, 5, 4, 3, 3], 12, 0.25, 0.3448),
    ([17], 8, 0.5, 0.2986),
    ([3, 3, 3], 4, 2.0, 0.5127),
]  # fmt: skip


@pytest.mark.parametrize(("counts", "dim", "ratio", "share"), SIMULATED)
def test_the_fit_agrees_with_simulations(counts, dim, ratio, share):
    assert is_fitted(counts, dim)
    assert expected_share(counts, dim, ratio) == pytest.approx(share, abs=0.0035)


def test_the_fit_has_no_bias_over_crowds():
    off = [expected_share(*crowd) - share for *crowd, share in SIMULATED]
    assert np.sqrt(np.mean(np.square(off))) < 0.0015
    assert abs(np.mean(off)) < 0.001


@pytest.mark.slow
def test_typical_crowds_that_the_net_has_not_seen():
    generator = np.random.default_rng(11)
    off, noise = [], []
    for _ in range(60):
        counts = generator.integers(3, 18, generator.integers(2, 11))
        dim, angle = int(generator.integers(2, 17)), generator.uniform(0, math.pi / 2)
        shares = simulated_shares(counts, dim, angle, 4000, generator)
        within = math.sin(angle) ** 2
        off.append(fitted_share(counts.tolist(), dim, within, 1 - within) - shares.mean())
        noise.append(shares.std() / math.sqrt(4000))
    off, noise = np.abs(off), np.array(noise)
    assert (off < 0.0035 + 2.5 * noise).all()
    assert np.sqrt((off**2).mean() - (noise**2).mean()) < 0.001


@pytest.mark.parametrize("dim", [2, 5, 16])
@pytest.mark.parametrize("persons", [2, 3, 7, 12])
def test_the_lower_bound_is_the_mean_square_of_simulated_shares(persons, dim):
    """With as many joints for everybody, E Σ s²; the first share lies between it and its root."""
    low, high, inputs = bracket([5] * persons, dim, 0.3, 0.7)
    generator = np.random.default_rng(persons)
    points = generator.normal(size=(4000, persons - 1, dim))
    around = generator.normal(size=(4000, 4 * persons, dim))
    for rows, total in ((points, 5 * 0.7 * (persons - 1)), (around, 0.3 * 4 * persons)):
        rows *= np.sqrt(total / (rows**2).sum(axis=(1, 2), keepdims=True))
    points = np.concatenate([points, around], axis=1)
    scatter = points.transpose(0, 2, 1) @ points
    shares = scatter / np.trace(scatter, axis1=1, axis2=2)[:, None, None]
    assert low == pytest.approx((shares**2).sum((1, 2)).mean(), abs=0.006)
    assert low < fitted_share([5] * persons, dim, 0.3, 0.7) < high
    assert high == pytest.approx(math.sqrt(low))
    assert (np.abs(inputs) <= 1.0001).all()


def test_two_persons_without_a_spread_within_are_a_line():
    assert fitted_share([4, 9], 8, 0, 2) == pytest.approx(1, abs=1e-12)


def test_no_order_and_no_scale_matters():
    share = fitted_share([3, 9, 17], 8, 0.2, 0.8)
    assert fitted_share([17, 3, 9], 8, 2, 8) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("counts", [[5, 5], [3, 4, 5], [1, 17, 2, 9], [12] * 12])
def test_the_fit_has_no_jumps_and_stays_a_share(counts):
    within = np.linspace(0, 1, 300)
    shares = np.array([fitted_share(counts, 4, w, 1 - w) for w in within])
    assert np.abs(np.diff(shares)).max() < 0.03
    assert (shares >= 1 / 4).all()
    assert (shares <= 1).all()


@pytest.mark.parametrize(
    ("counts", "dim"),
    [([5] * 13, 8), ([18, 3], 8), ([5, 5], 17), ([5, 5], 1), ([1] * 5, 8), ([2, 1], 8)],
)
def test_other_crowds_are_simulated(counts, dim):
    assert not is_fitted(counts, dim)
    assert expected_share(counts, dim, 0.5) == expected_share(counts, dim, 0.5, draws=512)


def test_the_file_is_small_and_says_what_made_it():
    assert WEIGHTS.stat().st_size < 50_000
    assert json.loads(WEIGHTS.read_text("utf-8"))["made_by"].count("benchmarks/null_share.py") == 1
