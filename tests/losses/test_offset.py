"""Targets and loss of the baseline `offset`: by hand, against plain loops, by invariance."""

import math

import numpy as np
import pytest
import torch

from sparse_ae.losses.offset import BETA, RADIUS, offset_loss, offset_targets, person_centres
from sparse_ae.targets import heatmap_targets

SIZE = 8


def one_person():
    """Centre (3.5, 2.5), that of the cell in column 3 and row 2; the third joint is not seen."""
    joints = np.array([[[2.0, 2.0], [5.0, 3.0], [np.nan, np.nan]]])
    return joints, np.array([[True, True, False]]), np.array([0.25])  # 2 cells large


def crowd(rng, persons=4, joints=5):
    places = rng.uniform(1, SIZE - 1, (persons, 1, 2)) + rng.normal(0, 1, (persons, joints, 2))
    return places, rng.random((persons, joints)) < 0.8, rng.uniform(0.2, 0.6, persons)


def test_centres_are_means_of_visible_joints():
    joints, visible, _ = one_person()
    centres = person_centres(np.repeat(joints, 2, 0), np.array([visible[0], [False] * 3]))
    np.testing.assert_array_equal(centres[0], [3.5, 2.5])
    assert np.isnan(centres[1]).all()
    assert person_centres(np.zeros((0, 3, 2)), np.zeros((0, 3))).shape == (0, 2)


def test_one_person_by_hand():
    targets = offset_targets(*one_person(), SIZE, sigma=1.0)
    assert [part.dtype for part in targets] == [np.float32] * 3
    assert [part.shape for part in targets] == [(8, 8), (6, 8, 8), (3, 8, 8)]
    assert targets.centre[2, 3] == targets.centre.max() == 1
    assert targets.centre[3, 3] == pytest.approx(math.exp(-0.5))
    assert RADIUS == 2  # columns 1 to 5, rows 0 to 4
    expected = np.zeros((8, 8))
    expected[:5, 1:6] = 1 / 2
    np.testing.assert_array_equal(targets.weight, [expected, expected, 0 * expected])
    # from the centre of the cell in column 3, row 2, and of that in column 1, row 0
    np.testing.assert_array_equal(targets.offsets[:, 2, 3], [-1.5, -0.5, 1.5, 0.5, 0, 0])
    np.testing.assert_array_equal(targets.offsets[:, 0, 1], [0.5, 1.5, 3.5, 2.5, 0, 0])
    assert not targets.offsets[:, expected == 0].any()


def test_cells_go_to_the_nearest_centre_and_ties_to_the_smaller():
    visible = np.ones((2, 1), bool)
    joints = np.array([[[2.5, 3.5]], [[4.5, 3.5]]])  # a joint is its person's centre
    for scale in ([0.5, 0.25], [0.25, 0.5]):
        weight = offset_targets(joints, visible, np.array(scale), SIZE, sigma=1.0).weight[0]
        first, second = (1 / (8 * one) for one in scale)
        # columns 0 to 4 are near the first, 2 to 6 near the second; 3 is as near to both
        row = [first, first, first, max(first, second), second, second, second, 0]
        np.testing.assert_allclose(weight[3], row)
    same = np.array([[[2.5, 3.5]], [[2.5, 3.5]]])
    weight = offset_targets(same, visible, np.array([0.5, 0.25]), SIZE, sigma=1.0).weight
    assert set(np.unique(weight)) == {0, 1 / 2}


def test_against_a_plain_loop():
    joints, visible, scale = crowd(np.random.default_rng(3))
    targets = offset_targets(joints, visible, scale, SIZE, sigma=1.5)
    centres = person_centres(joints, visible)
    drawn = heatmap_targets(centres[:, None], visible.any(1)[:, None], SIZE, sigma=1.5)[0]
    np.testing.assert_array_equal(targets.centre, drawn)
    offsets, weight = np.zeros((10, SIZE, SIZE)), np.zeros((5, SIZE, SIZE))
    for row in range(SIZE):
        for column in range(SIZE):
            cell = np.array([column + 0.5, row + 0.5])
            near = [
                (np.linalg.norm(centre - cell), person)
                for person, centre in enumerate(centres)
                if (abs(np.floor(centre) - [column, row]) <= 2).all()
                and (centre >= 0).all() and (centre < SIZE).all()
            ]  # fmt: skip
            for k in range(5):
                if near and visible[min(near)[1], k]:
                    person = min(near)[1]
                    offsets[2 * k : 2 * k + 2, row, column] = joints[person, k] - cell
                    weight[k, row, column] = 1 / max(SIZE * scale[person], 1)
    np.testing.assert_allclose(targets.offsets, offsets, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(targets.weight, weight, rtol=1e-6)


def test_order_of_persons_and_padding_do_not_matter():
    joints, visible, scale = crowd(np.random.default_rng(5))
    expected = offset_targets(joints, visible, scale, SIZE, sigma=1.0)
    turned = offset_targets(joints[::-1], visible[::-1], scale[::-1], SIZE, sigma=1.0)
    empty = np.full_like(joints[:1], np.nan), np.zeros((1, 5), bool), [np.nan]
    parts = zip((joints, visible, scale), empty, strict=True)
    padded = offset_targets(*(np.concatenate(part) for part in parts), SIZE, sigma=1.0)
    for part, other, third in zip(expected, turned, padded, strict=True):
        np.testing.assert_array_equal(part, other)
        np.testing.assert_array_equal(part, third)


@pytest.mark.parametrize("persons", [0, 2])
def test_nobody(persons):
    joints, visible = np.zeros((persons, 3, 2)), np.zeros((persons, 3), bool)
    targets = offset_targets(joints, visible, np.zeros(persons), SIZE, sigma=1.0)
    assert not any(part.any() for part in targets)


def test_tiny_persons_and_those_outside():
    joints = np.array([[[3.5, 3.5]], [[-0.5, 3.5]]])
    weight = offset_targets(joints, np.ones((2, 1)), [0.0, 0.5], SIZE, sigma=1.0).weight
    assert set(np.unique(weight[0, :, 1:6])) == {0, 1}  # as if a cell large
    assert not weight[0, :, 0].any()  # near the one outside only


def test_wrong_targets_are_named():
    joints, visible, scale = one_person()
    bad = np.where(np.isnan(joints), 0, joints)
    bad[0, 0, 0] = np.inf
    for arguments, name in [
        ((joints[0], visible, scale, SIZE), "joints"), ((bad, visible, scale, SIZE), "joints"),
        ((joints, visible[:, :2], scale, SIZE), "visible"),
        ((joints, visible, scale[:0], SIZE), "scale"), ((joints, visible, [-1.0], SIZE), "scale"),
        ((joints, visible, [np.nan], SIZE), "scale"), ((joints, visible, scale, 0), "size"),
        ((joints, visible, scale, (8, 8)), "size"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            offset_targets(*arguments, sigma=1.0)
    with pytest.raises(ValueError, match=r"^sigma: expected"):
        offset_targets(joints, visible, scale, SIZE, sigma=0)


def maps(seed=0):
    generator = torch.Generator().manual_seed(seed)
    pred, target = (torch.randn(2, 6, 4, 5, generator=generator).double() for _ in range(2))
    weight = torch.rand(2, 3, 4, 5, generator=generator).double()
    return pred, target + pred, torch.where(weight > 0.5, weight, 0)


def test_loss_by_hand():
    pred, target = torch.zeros(1, 4, 1, 2), torch.zeros(1, 4, 1, 2)
    pred[0, :, 0, 0] = torch.tensor([0.05, -1.0, 0.5, 7.0])
    weight = torch.tensor([[[[2.0, 0.0]], [[0.0, 1.0]]]])
    # joint 0 counts in the first cell, joint 1 in the second, where it is right: 4 entries
    expected = 2 * (0.05**2 * 9 / 2 + 1 - 1 / 18) / 4
    assert pytest.approx(1 / 9) == BETA
    assert offset_loss(pred, target, weight).item() == pytest.approx(expected)


def test_loss_and_gradient_against_a_plain_loop():
    pred, target, weight = maps()
    pred.requires_grad_()
    loss = offset_loss(pred, target, weight)
    loss.backward()
    total, count, gradient = 0.0, 0, torch.zeros_like(pred)
    for place in np.ndindex(*pred.shape):
        image, channel, *cell = place
        w = weight[(image, channel // 2, *cell)].item()
        error = (pred[place] - target[place]).item()
        size = abs(error)
        total += w * (4.5 * size**2 if size < 1 / 9 else size - 1 / 18)
        gradient[place] = w * (9 * error if size < 1 / 9 else math.copysign(1, error))
        count += w > 0
    assert loss.item() == pytest.approx(total / count)
    torch.testing.assert_close(pred.grad, gradient / count)
    assert (
        pred.grad.unflatten(1, (3, 2))[(weight == 0)[:, :, None].expand(2, 3, 2, 4, 5)] == 0
    ).all()


def test_no_weight_no_loss_and_nothing_read():
    pred = torch.full((2, 6, 4, 5), torch.nan, requires_grad=True)
    loss = offset_loss(pred, torch.zeros(2, 6, 4, 5), torch.zeros(2, 3, 4, 5))
    loss.backward()
    assert loss.item() == 0
    assert not pred.grad.any()
    empty = offset_loss(torch.zeros(0, 6, 4, 5), torch.zeros(0, 6, 4, 5), torch.zeros(0, 3, 4, 5))
    assert empty.item() == 0


def test_half_precision_is_computed_in_float32():
    pred, target, weight = (value.bfloat16() for value in maps())
    half = offset_loss(pred, target, weight)
    assert half.dtype == torch.float32
    full = offset_loss(pred.float(), target.float(), weight.float())
    torch.testing.assert_close(half, full, rtol=0, atol=0)
    assert offset_loss(*maps()).dtype == torch.float64


def test_wrong_losses_are_named():
    pred, target, weight = maps()
    for arguments, name in [
        ((pred[0], target, weight), "pred"), ((pred[:, :5], target, weight), "pred"),
        ((pred, target[:1], weight), "target"), ((pred, target, pred), "weight"),
        ((pred, target, -weight), "weight"), ((pred, target, weight * torch.nan), "weight"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            offset_loss(*arguments)
