"""Augmentation: what happens to the image happens to its joints and boxes."""

from __future__ import annotations

import numpy as np
import pytest

from sparse_ae.datasets.augment import (
    Example,
    apply_affine,
    augment,
    jitter_colour,
    random_affine,
    transform_boxes,
)
from sparse_ae.skeleton import CROWDPOSE

SIZE = 65
IDENTITY = {"rotation": 0.0, "zoom": (1.0, 1.0), "shift": 0.0, "flip": 0.0}


@pytest.fixture
def example():
    """A white dot at each of one person's joints."""
    rng = np.random.default_rng(0)
    keypoints = np.zeros((1, len(CROWDPOSE), 3), np.float32)
    places = rng.permutation(7 * 7)[: len(CROWDPOSE)]
    keypoints[0, :, 0], keypoints[0, :, 1] = 14 + places % 7 * 6, 14 + places // 7 * 6
    keypoints[0, :, 2] = 2
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    for x, y in keypoints[0, :, :2].astype(int):
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    return Example(image, keypoints, np.array([[14, 14, 36, 36]], np.float32))


def test_a_mirror_by_hand(example):
    matrix, mirrored = random_affine(SIZE, np.random.default_rng(0), **{**IDENTITY, "flip": 1.0})
    assert mirrored
    result = apply_affine(example, matrix, mirrored, CROWDPOSE)
    assert np.array_equal(result.image, example.image[:, ::-1])
    left, right = CROWDPOSE.flip_pairs[0]
    assert result.keypoints[0, right, 0] == pytest.approx(SIZE - 1 - example.keypoints[0, left, 0])
    assert result.keypoints[0, right, 1] == pytest.approx(example.keypoints[0, left, 1])


def test_the_identity_changes_nothing(example):
    matrix, mirrored = random_affine(SIZE, np.random.default_rng(0), **IDENTITY)
    result = apply_affine(example, matrix, mirrored, CROWDPOSE)
    for before, after in zip(example, result, strict=True):
        np.testing.assert_allclose(after, before, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_joints_stay_on_their_dots(example, seed):
    rng = np.random.default_rng(seed)
    matrix, mirrored = random_affine(SIZE, rng, rotation=30.0, zoom=(0.9, 1.3), shift=0.1, flip=0.5)
    result = apply_affine(example, matrix, mirrored, CROWDPOSE)
    seen = result.keypoints[0, result.keypoints[0, :, 2] > 0]
    assert len(seen) > 5
    for x, y, _ in np.rint(seen).astype(int):
        assert result.image[y, x, 0] > 127


def test_a_joint_that_leaves_the_frame_is_unlabelled(example):
    matrix = np.array([[1.0, 0, 30], [0, 1, 0]])
    result = apply_affine(example, matrix, False, CROWDPOSE)
    gone = example.keypoints[0, :, 0] + 30 > SIZE - 1
    assert gone.any()
    assert not gone.all()
    assert (result.keypoints[0, gone] == 0).all()
    assert (result.keypoints[0, ~gone, 2] == 2).all()


def test_a_box_turned_by_a_right_angle_by_hand():
    matrix = np.array([[0.0, -1, 100], [1, 0, 0]])  # (x, y) → (100 − y, x)
    box = transform_boxes(np.array([[10.0, 20, 30, 5]]), matrix, 101)
    assert box.tolist() == [[75.0, 10.0, 5.0, 30.0]]
    matrix[0, 2] += 50
    outside = transform_boxes(np.array([[10.0, 20, 30, 5]]), matrix, 101)
    assert outside.tolist() == [[100.0, 10.0, 0.0, 30.0]]


def test_colour_by_hand_and_without_spread():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, 2)
    assert np.array_equal(jitter_colour(image, np.random.default_rng(0), 0.0), image)
    changed = jitter_colour(image, np.random.default_rng(0), 0.3)
    assert (np.diff(changed.reshape(-1, 3).astype(int), axis=0) >= 0).all()  # stays monotone
    assert not np.array_equal(changed, image)


def test_one_seed_one_view(example):
    settings = {"rotation": 20.0, "zoom": (0.8, 1.2), "shift": 0.1, "flip": 0.5, "colour": 0.2}
    views = [augment(example, CROWDPOSE, np.random.default_rng(s), **settings) for s in (3, 3, 4)]
    assert np.array_equal(views[0].image, views[1].image)
    assert not np.array_equal(views[0].image, views[2].image)
