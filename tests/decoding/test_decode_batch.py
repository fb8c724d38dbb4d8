"""Decoding batches, on the host and as on an accelerator, against a search through every cell."""

import numpy as np
import pytest
import torch
from synthetic import PAIR

from sparse_ae.decoding import decode, decode_batch, device_maps, host_maps
from sparse_ae.decoding import people as module
from sparse_ae.decoding.refinement import fill

RULES = ["released", "higherhrnet"]


def maps(seed, images=3, size=(37, 83), dim=3, levels=6):
    """Maps of few different values: peaks and best cells have many equals."""
    generator = np.random.default_rng(seed)
    heatmaps = generator.integers(-1, levels, (images, 2, *size)) / np.float32(levels)
    heatmaps *= generator.random(heatmaps.shape) < 0.02
    tags = generator.integers(-2, 3, (images, 2, dim, *size)) * np.float32(0.5)
    return heatmaps.astype(np.float32), tags.astype(np.float32)


def same(people, others):
    assert len(people) == len(others)
    for one, other in zip(people, others, strict=True):
        for part, another in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, another)


def every_peak(heatmap, min_score, radius, count):
    """x, y, score of the peaks of one map, by looking at every cell; highest first."""
    height, width = heatmap.shape
    found = []
    for y in range(height):
        for x in range(width):
            window = heatmap[
                max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1
            ]
            if heatmap[y, x] > min_score and heatmap[y, x] == window.max():
                found.append((x, y, heatmap[y, x]))
    return sorted(found, key=lambda peak: -peak[2])[:count]  # stable: reading order


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (37, 83), (64, 64)])
@pytest.mark.parametrize("radius", [0, 1, 3])
def test_peaks_are_those_of_every_cell(size, radius):
    heatmaps, tags = maps(size[0] + radius, 1, size)
    xy, score = host_maps.peaks(
        heatmaps[0], host_maps.run_maxima(heatmaps[0]), np.float32(0.1), radius, 7
    )
    crossed, finite = device_maps.candidates(
        *map(torch.from_numpy, (heatmaps, tags)), 0.1, radius, 7
    )
    assert finite.all()
    for k, heatmap in enumerate(heatmaps[0]):
        expected = every_peak(heatmap, np.float32(0.1), radius, 7)
        ours = [(x, y, s) for (x, y), s in zip(xy[k].tolist(), score[k], strict=True) if s > 0]
        assert ours == expected
        theirs = crossed[0, k].numpy()
        theirs = theirs[theirs[:, 2] > 0]
        assert [(int(x), int(y), s) for x, y, s in theirs[:, :3]] == expected
        for (x, y, _), row in zip(expected, theirs, strict=True):
            np.testing.assert_array_equal(row[3:], tags[0, k, :, y, x])


@pytest.mark.parametrize("dim", [1, 3, 4, 5, 8])
@pytest.mark.parametrize("size", [(1, 1), (5, 300), (64, 128)])
def test_refinement_chooses_the_best_of_every_cell(size, dim):
    """The first in reading order of equal ones, however near or far the tags are."""
    heatmaps, tags = maps(dim, 1, size, dim)
    generator = np.random.default_rng(dim)
    spread = np.float32([0, 0.3, 1, 1, 2, 2, 5, 20, 1e6])[:, None]
    means = generator.uniform(-1, 1, (9, dim)).astype(np.float32) * spread
    keypoints, found = np.zeros((9, 2, 3), np.float32), np.zeros((9, 2), bool)
    found[4, 1] = True
    maxima = host_maps.run_maxima(heatmaps[0])
    fill(keypoints, found, heatmaps[0], maxima, tags[0], means, False)
    assert found.all()
    for p in range(9):
        for k in range(2):
            distance = np.zeros(size, np.float32)
            for d in range(dim):
                distance += (tags[0, k, d] - means[p, d]) ** 2
            value = heatmaps[0, k] - np.rint(np.sqrt(distance))
            y, x = np.unravel_index(value.argmax(), size)
            expected = [0, 0, 0] if (p, k) == (4, 1) else [x, y, heatmaps[0, k, y, x]]
            np.testing.assert_array_equal(keypoints[p, k], np.float32(expected))


@pytest.mark.parametrize("size", [(37, 83), (64, 128)])
def test_where_refinement_looks_first_changes_nothing(size):
    heatmaps, tags = (part[0] for part in maps(5, 1, size))
    generator = np.random.default_rng(5)
    means = generator.uniform(-1, 1, (30, 3)).astype(np.float32)
    nowhere, somewhere = np.zeros((2, 30, 2, 3), np.float32)
    somewhere[:, 0] = generator.integers(0, (*size[::-1], 1), (30, 3))
    maxima, results = host_maps.run_maxima(heatmaps), []
    for keypoints, known in ((nowhere, False), (somewhere, True)):
        found = np.zeros((30, 2), bool)
        found[:, 0] = known
        assert fill(keypoints, found, heatmaps, maxima, tags, means, False)
        assert found.all()
        results.append(keypoints[:, 1])
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("dim", [1, 3, 4, 6])
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_refinement_tells_of_any_tag_that_is_not_finite(dim, value):
    heatmaps, tags = (part[0] for part in maps(dim, 1, dim=dim))
    maxima, means = host_maps.run_maxima(heatmaps), np.zeros((2, dim), np.float32)

    def finite():
        keypoints, found = np.zeros((2, 2, 3), np.float32), np.array([[True, False]] * 2)
        return fill(keypoints, found, heatmaps, maxima, tags, means, False)

    assert finite()
    for place in np.ndindex(2, dim):
        for y, x in ((0, 0), (20, 41), (36, 82)):
            kept, tags[(*place, y, x)] = tags[(*place, y, x)], value
            assert not finite()
            tags[(*place, y, x)] = kept


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (64, 128)])
def test_maxima_of_runs_and_what_is_not_finite(size):
    heatmaps = np.random.default_rng(0).normal(0, 1, (2, *size)).astype(np.float32)
    heatmaps[1] = -abs(heatmaps[1])
    starts = np.arange(0, heatmaps[0].size, host_maps.RUN)
    expected = np.maximum.reduceat(heatmaps.reshape(2, -1), starts, axis=1)
    np.testing.assert_array_equal(host_maps.run_maxima(heatmaps), expected)
    for value in (np.nan, -np.nan, np.inf, -np.inf):
        heatmaps[1, -1, -1] = value
        expected[1, -1] = np.nan
        np.testing.assert_array_equal(host_maps.run_maxima(heatmaps), expected)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("workers", [None, 1, 2, 8])
def test_a_batch_is_decoded_as_its_images_are(rule, workers):
    heatmaps, tags = maps(1, images=5)
    heatmaps[2] = 0  # nobody
    alone = [decode(*image, PAIR, rule=rule) for image in zip(heatmaps, tags, strict=True)]
    assert sum(len(people.scores) for people in alone) > 20
    assert len(alone[2].scores) == 0
    same(decode_batch(heatmaps, tags, PAIR, rule=rule, workers=workers), alone)
    assert decode_batch(heatmaps[:0], tags[:0], PAIR, workers=workers) == []


@pytest.mark.parametrize("rule", RULES)
def test_an_accelerator_gives_the_same_and_crosses_twice_a_batch(rule, monkeypatch):
    heatmaps, tags = maps(2, images=5)
    heatmaps[2] = 0
    alone = [decode(*image, PAIR, rule=rule) for image in zip(heatmaps, tags, strict=True)]
    crossed = []
    monkeypatch.setattr(module, "_on_device", lambda _: True)
    monkeypatch.setattr(
        torch.Tensor, "cpu", lambda tensor: crossed.append(tensor.numel()) or tensor
    )
    batch = [torch.from_numpy(part) for part in (heatmaps, tags)]
    same(decode_batch(*batch, PAIR, rule=rule), alone)
    assert len(crossed) == 2  # candidates, then refined joints
    assert sum(crossed) < heatmaps.size / 4
    crossed.clear()
    decode_batch(*batch, PAIR, rule=rule, refine=False)
    assert len(crossed) == 1
    assert decode_batch(batch[0][:0], batch[1][:0], PAIR) == []


@pytest.mark.parametrize("where", [False, True])
@pytest.mark.parametrize("name", ["heatmaps", "tags"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_told(where, name, value, monkeypatch):
    monkeypatch.setattr(module, "_on_device", lambda _: where)
    given = dict(zip(("heatmaps", "tags"), maps(3), strict=True))
    given[name][1, 1, ..., -1, -1] = value
    with pytest.raises(ValueError, match=f"{name}: expected finite values, got NaN or infinity"):
        decode_batch(*map(torch.from_numpy, given.values()), PAIR)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heatmaps": np.zeros((2, 8, 8))}, r"heatmaps: expected \(B, K, H, W\), got shape \(2, 8"),
        ({"tags": np.zeros((2, 2, 8, 8))}, r"tags: expected \(1, 2, D, 8, 8\) to go with heatmaps"),
        ({"tags": np.zeros((3, 2, 1, 8, 8))}, r"tags: expected \(1, 2, D, 8, 8\)"),
        ({"tags": torch.zeros((1, 2, 1, 8, 8), device="meta")}, "tags: expected on cpu"),
        ({"workers": 0}, "workers: expected a whole number from 1 on, got 0"),
    ],
)
def test_bad_batches_are_named(change, message):
    given = {"heatmaps": np.zeros((1, 2, 8, 8)), "tags": np.zeros((1, 2, 1, 8, 8)), **change}
    with pytest.raises(ValueError, match=message):
        decode_batch(given.pop("heatmaps"), given.pop("tags"), PAIR, **given)
