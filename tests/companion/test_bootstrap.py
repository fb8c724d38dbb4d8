"""The bootstrap: known answers, and what is drawn together."""

import math

import numpy as np
import pytest
from synthetic import make_matches

from sparse_ae.companion.statistics.bootstrap import (
    Draws,
    draw_resamples,
    percentile_interval,
    resampled_ap,
    resampled_means,
    seeds_needed,
)
from sparse_ae.companion.statistics.weighted_ap import rank_detections


def test_the_first_row_is_the_estimate_and_draws_are_paired_by_their_seed():
    draws = draw_resamples(4, 10, 50)
    assert draws.seeds.shape == (51, 4)
    assert draws.images.shape == (51, 10)
    assert (draws.seeds[0] == 1).all()
    assert (draws.images[0] == 1).all()
    assert (draws.seeds[1:].sum(1) == 3).all()  # one fewer than there are
    assert (draws.images[1:].sum(1) == 10).all()
    assert np.array_equal(draws.images, draw_resamples(4, 10, 50).images)
    assert (draw_resamples(1, 3, 5).seeds == 1).all()
    with pytest.raises(ValueError, match="one seed and one image or more, got 0 and 3"):
        draw_resamples(0, 3)


def test_means_of_a_constant_and_of_nothing():
    values = np.full((3, 50), 0.25)
    values[:, ::3] = np.nan
    assert np.allclose(resampled_means(values, draw_resamples(3, 50, 200)), 0.25)
    assert np.isnan(resampled_means(np.full((2, 5), np.nan), draw_resamples(2, 5, 10))).all()


def test_one_seed_has_the_standard_error_of_the_mean():
    values = np.random.default_rng(0).normal(size=(1, 400))
    found = resampled_means(values, draw_resamples(1, 400, 20000))
    assert found[0] == pytest.approx(values.mean())
    assert found[1:].std() == pytest.approx(values.std() / 20, rel=0.03)


def test_seeds_have_theirs_too():
    """Images that agree, seeds that do not: the variance is that of a mean of five, unbiased."""
    level = np.array([0.1, 0.4, 0.2, 0.9, 0.3])
    found = resampled_means(np.repeat(level[:, None], 30, 1), draw_resamples(5, 30, 40000))
    assert found[1:].var() == pytest.approx(level.var(ddof=1) / 5, rel=0.03)


def test_precisions_weigh_seeds_and_images():
    """A seed that finds everybody in image 0 alone, and one that finds nobody."""
    arrays = make_matches(2)
    found = {**arrays, "match_matched": np.array([1023, 1023, 0, 0, 0, 0], np.uint16)}
    nobody = {**arrays, "match_matched": np.zeros(6, np.uint16)}
    draws = Draws(np.array([[1, 1], [2, 0], [1, 1]]), np.array([[1, 1], [1, 1], [2, 0]]))
    values = resampled_ap(
        [rank_detections(found), rank_detections(nobody)], np.ones(2, bool), draws
    )
    half = 51 / 101  # of the recalls, half of the persons
    assert values[2] == pytest.approx(0.5)
    assert values[1] < half
    assert values[0] == pytest.approx(values[1] / 2)
    only = resampled_ap(
        [rank_detections(found)], np.array([True, False]), Draws(*np.ones((2, 1, 2), int))
    )
    assert only[0] == pytest.approx(1)


def test_no_resample_has_no_interval():
    assert all(math.isnan(bound) for bound in percentile_interval(np.full(6, np.nan)))


def test_seeds_needed_by_hand():
    """Seeds spread by a variance of 0.04 about 0.1, images by none: 1.96² · 0.04 / 0.01 = 15.4."""
    by_seed = 0.1 + 0.2 * np.array([1, -1, 0, 0]) / np.sqrt(2 / 3)
    rng = np.random.default_rng(0)
    samples = np.concatenate(([0.1], rng.normal(0.1, 0.1, 200_000)))
    assert by_seed.var(ddof=1) == pytest.approx(0.04)
    assert seeds_needed(by_seed, samples) in (15, 16)
    wide = np.concatenate(([0.1], rng.normal(0.1, 1, 1000)))  # the images alone hide it
    assert seeds_needed(by_seed, wide) == math.inf
    assert math.isnan(seeds_needed(by_seed[:1], samples))
