"""Augmentation: what happens to the image happens to its joints and boxes."""

from __future__ import annotations

import numpy as np
import pytest

from sparse_ae.datasets.augment import (
    aligned_view,
    jitter_colour,
    random_view,
    transform_boxes,
    transform_keypoints,
)
from sparse_ae.datasets.dataset import PoseDataset, Sample, view_scale
from sparse_ae.datasets.pictures import warp
from sparse_ae.settings import AugmentSettings
from sparse_ae.skeleton import CROWDPOSE

SIZE = 65
STILL = AugmentSettings(rotation=0.0, scale=(1.0, 1.0), shift=0.0, flip=0.0, colour=0.0)


def changed(**settings) -> AugmentSettings:
    return STILL.model_copy(update=settings)


class Dots(PoseDataset):
    """One image: a white dot at each of one person's joints."""

    skeleton, ids, sizes, broken, as_crowds = CROWDPOSE, np.array([7]), np.full((1, 2), SIZE), [], 1
    digest = ""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.keypoints = np.zeros((1, len(CROWDPOSE), 3), np.float32)
        places = rng.permutation(7 * 7)[: len(CROWDPOSE)]
        self.keypoints[0, :, 0] = 14 + places % 7 * 6
        self.keypoints[0, :, 1] = 14 + places // 7 * 6
        self.keypoints[0, :, 2] = 2
        self.image = np.zeros((SIZE, SIZE, 3), np.uint8)
        for x, y in self.keypoints[0, :, :2].astype(int):
            self.image[y - 1 : y + 2, x - 1 : x + 2] = 255
        self.boxes = np.array([[14, 14, 36, 36]], np.float32)

    def view(self, index, matrix, mirrored, shape) -> Sample:
        keypoints = transform_keypoints(self.keypoints, matrix, mirrored, CROWDPOSE, shape)
        boxes = transform_boxes(self.boxes, matrix, shape)
        scale = view_scale(matrix, self.boxes, shape)
        image = warp(self.image, matrix, shape)
        return Sample(image, keypoints, boxes, scale, None, matrix, int(self.ids[index]))

    def ground_truth(self):
        raise NotImplementedError


def seen(augment, seed=0, size=SIZE) -> Sample:
    return Dots().random_view(0, size, augment, np.random.default_rng(seed))


def test_a_mirror_by_hand():
    before, after = Dots(), seen(changed(flip=1.0))
    assert np.array_equal(after.image, before.image[:, ::-1])
    left, right = CROWDPOSE.flip_pairs[0]
    x = before.keypoints[0, left, 0]
    assert after.keypoints[0, right, 0] == pytest.approx(SIZE - 1 - x)
    assert after.keypoints[0, right, 1] == pytest.approx(before.keypoints[0, left, 1])


def test_the_identity_changes_nothing():
    whole = Dots()[0]
    for before, after in zip(whole, seen(STILL), strict=True):
        if before is not None:
            np.testing.assert_allclose(after, before, atol=1e-4)
    assert np.array_equal(whole.image, Dots().image)
    assert (whole.id, whole.mask) == (7, None)
    assert whole.scale[0] == pytest.approx(36 / SIZE)
    with pytest.raises(IndexError, match="image 1 of 1"):
        Dots()[1]


@pytest.mark.parametrize("seed", range(5))
def test_joints_stay_on_their_dots(seed):
    after = seen(changed(rotation=30.0, scale=(0.77, 1.1), shift=0.1, flip=0.5), seed)
    visible = after.keypoints[0, after.keypoints[0, :, 2] > 0]
    assert len(visible) > 5
    for x, y, _ in np.rint(visible).astype(int):
        assert after.image[y, x, 0] > 127


def test_a_joint_that_leaves_the_frame_is_unlabelled():
    matrix, dots = np.array([[1.0, 0, 30], [0, 1, 0]]), Dots()
    after = dots.view(0, matrix, False, (SIZE, SIZE))
    gone = dots.keypoints[0, :, 0] + 30 > SIZE - 1
    assert gone.any()
    assert not gone.all()
    assert (after.keypoints[0, gone] == 0).all()
    assert (after.keypoints[0, ~gone, 2] == 2).all()


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
    after = jitter_colour(image, np.random.default_rng(0), 0.3)
    assert (np.diff(after.reshape(-1, 3).astype(int), axis=0) >= 0).all()  # stays monotone
    assert not np.array_equal(after, image)


def test_one_seed_one_view():
    augment = AugmentSettings(rotation=20.0, scale=(0.8, 1.2), shift=0.1, flip=0.5, colour=0.2)
    views = [seen(augment, seed).image for seed in (3, 3, 4)]
    assert np.array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])


def test_views_by_hand():
    rng = np.random.default_rng(0)
    matrix, mirrored = random_view(96, 64, 32, rng, STILL)
    assert not mirrored
    # the middle 64 × 64 pixels, halved: pixel centre 16 + 0.5 goes to 0
    np.testing.assert_allclose(matrix, [[0.5, 0, -8.25], [0, 0.5, -0.25]])
    matrix, mirrored = random_view(64, 64, 64, rng, changed(flip=1.0))
    assert mirrored
    np.testing.assert_allclose(matrix, [[-1, 0, 63], [0, 1, 0]], atol=1e-12)
    matrix, _ = random_view(64, 64, 64, rng, changed(scale=(2.0, 2.0)))  # people get smaller
    np.testing.assert_allclose(matrix, [[0.5, 0, 15.75], [0, 0.5, 15.75]])
    matrix, shape = aligned_view(640, 480, 512)  # 682.7 pixels wide, then a multiple of 64
    assert shape == (704, 512)
    assert matrix[0, 0] == pytest.approx(512 / 480)
    assert aligned_view(480, 640, 512)[1] == (512, 704)
    assert aligned_view(512, 512, 500)[1] == (512, 512)


def test_the_ranges_of_views_are_the_papers():
    """Those of the defaults: ± 30°, 0.75 to 1.5 of the short side, ± 40 of 512 pixels, half
    mirrored."""
    rng, middle = np.random.default_rng(1), np.array([319.5, 239.5])
    drawn = [random_view(640, 480, 512, rng, AugmentSettings())[0] for _ in range(4000)]
    factors = np.array([480 / 512 * np.sqrt(abs(np.linalg.det(m[:, :2]))) for m in drawn])
    assert 1 / 1.5 <= factors.min() < 0.67
    assert 1.32 < factors.max() <= 1 / 0.75
    assert np.mean(1 / factors) == pytest.approx(1.125, abs=0.02)  # uniform in the cut-out's side
    shifts = np.array([m[:, :2] @ middle + m[:, 2] - 255.5 for m in drawn])
    assert 39 < np.abs(shifts).max() <= 40
    angles = np.degrees([np.arctan2(m[1, 0], m[1, 1]) for m in drawn])
    assert 29 < np.abs(angles).max() <= 30
    assert np.mean([np.linalg.det(m[:, :2]) < 0 for m in drawn]) == pytest.approx(0.5, abs=0.03)
