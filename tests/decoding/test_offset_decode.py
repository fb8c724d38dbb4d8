"""Decoding of the baseline `offset`: perfect maps give the persons back; matching by hand."""

import numpy as np
import pytest
import torch

from sparse_ae.decoding.offset import (
    LEAST,
    REACH,
    group_by_offset,
    offset_decode,
    offset_grouping_accuracy,
    pose_size,
    regress,
    regress_at,
)
from sparse_ae.losses.offset import offset_targets
from sparse_ae.targets import heatmap_targets

SIDE, STRIDE, KINDS = 128, 4, 5
PLACES = np.array([[24, 24], [72, 24], [104, 72], [24, 96], [72, 88]])  # far from each other


def scene(rng, persons, spread=9.0):
    """Persons apart from each other: joints (P, K, 2) in image cells and the maps that say so."""
    middle = rng.permutation(PLACES)[:persons, None]
    joints = middle + np.clip(rng.normal(0, spread, (persons, KINDS, 2)), -16, 16)
    visible = np.ones((persons, KINDS), bool)
    scale = pose_size(joints) / SIDE
    targets = offset_targets(joints / STRIDE, visible, scale, SIDE // STRIDE, sigma=1.0)
    small = torch.from_numpy(targets.centre)[None, None]
    centre = torch.nn.functional.interpolate(small, scale_factor=STRIDE, mode="bilinear")[0, 0]
    heatmaps = heatmap_targets(joints, visible, SIDE, sigma=2.0)
    return joints, heatmaps, centre.numpy(), targets.offsets


def in_order(poses, joints):
    """The decoded poses in the order of the true persons: for each, that with the next middle."""
    middles, wanted = poses[..., :2].mean(axis=1), joints.mean(axis=1)
    return poses[np.linalg.norm(middles - wanted[:, None], axis=2).argmin(axis=1)]


@pytest.mark.parametrize("persons", [1, 2, 3, 4, 5])
def test_perfect_maps_give_the_persons_back(persons):
    joints, heatmaps, centre, offsets = scene(np.random.default_rng(persons), persons)
    found = regress(centre, offsets)
    assert found.keypoints.shape == joints.shape
    np.testing.assert_allclose(in_order(found.keypoints, joints), joints, atol=1e-3)
    np.testing.assert_allclose(found.size, pose_size(found.keypoints))
    people = offset_decode(heatmaps, centre, offsets)
    assert people.tags.shape == (persons, 0)
    # a peak is a quarter of a cell from the centre of the joint's cell
    places = in_order(people.keypoints, joints)[..., :2]
    np.testing.assert_allclose(places, joints, atol=0.75)
    np.testing.assert_array_equal(people.keypoints[..., 2], 1)
    np.testing.assert_allclose(people.scores, found.score)
    assert [part.dtype for part in people] == [np.float32] * 3


def test_tensors_and_arrays_are_the_same():
    _, *maps = scene(np.random.default_rng(7), 3)
    tensors = (torch.from_numpy(part).requires_grad_() for part in maps)
    for part, other in zip(offset_decode(*maps), offset_decode(*tensors), strict=True):
        np.testing.assert_array_equal(part, other)


def test_peaks_mend_what_is_regressed_badly():
    rng = np.random.default_rng(11)
    joints, heatmaps, centre, offsets = scene(rng, 4)
    noisy = offsets + rng.normal(0, 0.5, offsets.shape).astype(np.float32)  # 2 image cells
    rough = np.abs(in_order(regress(centre, noisy).keypoints, joints) - joints)
    people = offset_decode(heatmaps, centre, noisy)
    mended = np.abs(in_order(people.keypoints, joints)[..., :2] - joints)
    assert rough.mean() > 1
    assert mended.max() < 0.76


def plain(persons=2, kinds=1):
    """Maps of 16×16 that hold a centre for each person at (4.25, 4.25) and (8.25, 8.25), whose
    joints are all regressed at (6, 6) and (10, 10); and no heat."""
    heatmaps, centre = np.zeros((kinds, 16, 16), np.float32), np.zeros((16, 16), np.float32)
    centre[4, 4] = 0.5
    centre[8, 8] = 0.25 if persons == 2 else 0
    return heatmaps, centre, np.zeros((2 * kinds, 4, 4), np.float32)


def test_one_peak_goes_to_one_person():
    heatmaps, centre, offsets = plain()
    heatmaps[0, 8, 8] = 0.75  # (8.25, 8.25): 3.2 cells from the first, 2.5 from the second
    people = offset_decode(heatmaps, centre, offsets, reach=4)
    np.testing.assert_allclose(people.keypoints, [[[6, 6, LEAST]], [[8.25, 8.25, 0.75]]])
    np.testing.assert_allclose(people.scores, [0.5 * LEAST, 0.25 * 0.75], rtol=1e-6)
    heatmaps[0, 14, 14] = 0.5  # with a second peak, 6 cells from the second person
    people = offset_decode(heatmaps, centre, offsets, reach=8)
    np.testing.assert_allclose(people.keypoints[:, 0, :2], [[8.25, 8.25], [14.25, 14.25]])
    # where that is too far; and where it is in reach, but one person alone costs less: 3.2 + 6.0
    # against 2.5 + 6.2
    for reach in (5, 6.2):
        people = offset_decode(heatmaps, centre, offsets, reach=reach)
        np.testing.assert_allclose(people.keypoints[:, 0, :2], [[6, 6], [8.25, 8.25]])


def test_reach_is_relative_to_the_person():
    heatmaps, centre, offsets = plain(1, kinds=2)
    offsets[0] = -1  # the joints at (2, 6) and (6, 6), so that the person is 4 cells large
    heatmaps[1, 6, 7] = 0.5  # at (7.25, 6.25): 1.27 cells away, 0.32 of the size
    for reach, place in [(REACH, [6, 6]), (0.33, [7.25, 6.25])]:
        people = offset_decode(heatmaps, centre, offsets, reach=reach)
        np.testing.assert_allclose(people.keypoints[0, :, :2], [[2, 6], place])


def test_a_joint_outside_stays_there():
    heatmaps, centre, offsets = plain(1)
    offsets[0], heatmaps[0, 6, 15] = 3, 0.05  # too faint for a peak
    people = offset_decode(heatmaps, centre, offsets)
    np.testing.assert_allclose(people.keypoints, [[[18, 6, 0.05]]])


def test_twins_are_left_out():
    heatmaps, centre, offsets = plain(kinds=3)
    offsets[0], offsets[3] = 4, 4  # 16 cells to the right, 16 down
    offsets[:, 2, 2] -= 1  # the second centre's joints are then the first's, but
    for moved, expected in [(0, 1), (1, 1), (2, 2), (3, 2)]:  # for so many
        other = offsets.copy()
        other[2 * np.arange(moved), 2, 2] += 1
        assert len(regress(centre, other).score) == expected
    assert regress(centre, offsets).score == [0.5]
    assert len(offset_decode(heatmaps, centre, offsets).scores) == 1


def test_most_people_are_the_highest():
    _, centre, offsets = plain()
    np.testing.assert_array_equal(regress(centre, offsets).score, [0.5, 0.25])
    np.testing.assert_array_equal(regress(centre, offsets, max_people=1).score, [0.5])
    np.testing.assert_array_equal(regress(centre, offsets, min_score=0.25).score, [0.5])
    centre[4:6, 4:6] = 0.5  # four peaks of the one person
    np.testing.assert_array_equal(regress(centre, offsets, max_people=2).score, [0.5, 0.25])


def test_nobody_is_no_person():
    heatmaps, centre, offsets = plain()
    people = offset_decode(heatmaps, 0 * centre, offsets)
    assert [part.shape for part in people] == [(0, 1, 3), (0,), (0, 0)]
    assert regress(0 * centre, offsets).keypoints.shape == (0, 1, 2)


def test_offsets_are_those_of_the_centre_s_cell():
    offsets = np.arange(2 * 2 * 3, dtype=float).reshape(2, 2, 3)  # of a map of 4×6
    poses = regress_at([[0, 0], [5.9, 3.9], [2, 1], [-3, 9]], offsets, (4, 6))
    cell = np.array([[0, 0], [2, 1], [1, 0], [0, 1]])  # column, row
    value = 3 * cell[:, 1] + cell[:, 0]
    expected = (cell + 0.5 + np.stack([value, value + 6], axis=1)) * 2
    np.testing.assert_allclose(poses[:, 0], expected)
    np.testing.assert_array_equal(pose_size([[[0, 0], [3, 7]], [[1, 1], [1, 1]]]), [7, 1])


def test_wrong_maps_are_named():
    heatmaps, centre, offsets = plain()
    nan = np.float32(np.nan)
    for arguments, name in [
        ((heatmaps[0], centre, offsets), "heatmaps"), ((heatmaps, centre[1:], offsets), "centre"),
        ((heatmaps, centre, offsets[:1]), "offsets"),
        ((heatmaps, centre, offsets[:, :3]), "offsets"),
        ((heatmaps * nan, centre, offsets), "heatmaps"),
        ((heatmaps, centre * nan, offsets), "centre"),
        ((heatmaps, centre, offsets * nan), "offsets"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            offset_decode(*arguments)
    for wrong in ({"nms": 4}, {"nms": 0}, {"max_people": 0}, {"min_score": -1}, {"reach": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            offset_decode(heatmaps, centre, offsets, **wrong)


def row_of(*places):
    """(P, 2, 2) persons of two joints, 10 apart, the first at x = place."""
    return np.array([[[x, 0.0], [x, 10.0]] for x in places])


def test_grouping_by_hand():
    regressed, size = row_of(0, 10), np.array([10.0, 10.0])
    joints, visible = row_of(9, 1, 4), np.ones((3, 2), bool)
    joints[2, 1] = [5.5, 10]  # nearer to the second
    # limit 3: the persons at 9 and 1 are near, the third is out of reach; it takes no one's place
    owner = group_by_offset(regressed, size, joints, visible)
    np.testing.assert_array_equal(owner, [[1, 1], [0, 0], [-1, -1]])
    assert offset_grouping_accuracy(regressed, size, joints, visible) == 4 / 6
    # with a wider limit and the second person's last joint unseen, the third's goes to person 0
    visible[1, 1] = False
    owner = group_by_offset(regressed, size, joints, visible, reach=0.6)
    np.testing.assert_array_equal(owner, [[1, 1], [0, -1], [-1, 0]])
    assert offset_grouping_accuracy(regressed, size, joints, visible, reach=0.6) == 3 / 5


def test_grouping_does_not_depend_on_the_order():
    rng = np.random.default_rng(2)
    joints, visible = rng.uniform(0, 40, (6, 5, 2)), rng.random((6, 5)) < 0.8
    regressed = joints[:5] + rng.normal(0, 5, (5, 5, 2))
    size = pose_size(regressed)
    owner = group_by_offset(regressed, size, joints, visible)
    assert (owner[~visible] == -1).all()
    for joint in range(5):  # one to one
        taken = owner[owner[:, joint] >= 0, joint]
        assert len(set(taken)) == len(taken)
    order, other = rng.permutation(6), rng.permutation(5)
    np.testing.assert_array_equal(
        group_by_offset(regressed, size, joints[order], visible[order]), owner[order]
    )
    turned = group_by_offset(regressed[other], size[other], joints, visible)
    np.testing.assert_array_equal(np.where(turned >= 0, other[turned], -1), owner)


@pytest.mark.parametrize("sides", [np.ones(40), np.arange(40) % 2 * 2 - 1])
def test_equal_persons_are_told_apart_neither_by_the_list_nor_by_their_side(sides):
    joints = np.zeros((2, 40, 2))
    joints[0, :, 0], joints[1, :, 0] = sides, -sides
    regressed, size, visible = np.zeros((2, 40, 2)), np.full(2, 40.0), np.ones((2, 40), bool)
    accuracy = [
        offset_grouping_accuracy(regressed, size, joints, visible, seed=seed) for seed in range(20)
    ]
    assert np.mean(accuracy) < 0.7  # the better of two guesses; 1 would know what it cannot
    owner = group_by_offset(regressed, size, joints, visible)
    turned = group_by_offset(regressed, size, joints[::-1], visible)
    np.testing.assert_array_equal(turned, owner[::-1])


def test_grouping_without_persons():
    joints, visible = row_of(0, 10), np.ones((2, 2), bool)
    nobody, none = np.zeros((0, 2, 2)), np.zeros(0)
    np.testing.assert_array_equal(group_by_offset(nobody, none, joints, visible), -np.ones((2, 2)))
    assert offset_grouping_accuracy(nobody, none, joints, visible) == 0
    assert np.isnan(offset_grouping_accuracy(nobody, none, joints, ~visible))
    hidden = np.where(np.arange(2)[:, None, None] == 1, np.nan, joints)
    visible[1] = False
    assert offset_grouping_accuracy(joints, [10.0, 10.0], hidden, visible) == 1
    for arguments, name in [
        ((nobody[:, :1], none, joints, visible), "regressed"),
        ((nobody, [1.0], joints, visible), "person_size"),
        ((joints, [0, 1], joints, visible), "person_size"),
        ((hidden, [1, 1], joints, visible), "regressed"),
        ((joints, [1, 1], hidden, ~visible), "joints"),
        ((joints, [1, 1], joints[0], visible), "joints"),
        ((joints, [1, 1], joints, visible[0]), "visible"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            group_by_offset(*arguments)
