"""Losses: worked out by hand, held against plain loops, and against the peers' own outputs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sparse_ae.losses import (
    gather_tags,
    grouping_loss,
    heatmap_loss,
    scale_code,
    scale_from_tags,
    scale_loss,
)


def random_persons(persons, images=2, kinds=5, dim=3, seed=0, hide=0.3):
    rng = torch.Generator().manual_seed(seed)
    tags = torch.randn(images, persons, kinds, dim, generator=rng, dtype=torch.float64)
    visible = torch.rand(images, persons, kinds, generator=rng) > hide
    scale = torch.rand(images, persons, generator=rng, dtype=torch.float64)
    return tags, visible, scale


def loop_losses(tags, visible, scale):
    """The poster's equations, a person and a joint at a time, for one image."""
    means, pulls, turns = [], [], []
    for n in range(tags.shape[0]):
        seen = [tags[n, k] for k in range(tags.shape[1]) if visible[n, k]]
        if not seen:
            continue
        mean = sum(seen) / len(seen)
        means.append(mean)
        pulls.append(sum(((t - mean) ** 2).sum() for t in seen) / len(seen))
        code = scale_code(scale[n], tags.shape[2])
        turns.append(sum(1 - (t / t.norm() * code).sum() for t in seen) / len(seen))
    pairs = [
        math.exp(-float(((means[n] - means[m]) ** 2).sum()) / 2)
        for n in range(len(means))
        for m in range(n)
    ]
    count = max(len(means), 1)
    push = sum(pairs) / len(pairs) if pairs else 0.0
    return float(sum(pulls)) / count, push, float(sum(turns)) / count


def test_grouping_loss_by_hand():
    # two persons, two joints each, D = 1: means 1 and 3, each joint 1 away from its mean
    tags = torch.tensor([[[[0.0], [2.0]], [[2.0], [4.0]]]])
    visible = torch.ones(1, 2, 2, dtype=torch.bool)
    poster = grouping_loss(tags, visible)
    assert poster.pull.item() == pytest.approx(1.0)
    assert poster.push.item() == pytest.approx(math.exp(-2.0))
    released = grouping_loss(tags, visible, form="released")
    assert released.pull.item() == pytest.approx(1.0)
    assert released.push.item() == pytest.approx(0.5 * math.exp(-4.0))


def test_an_invisible_joint_does_not_count_by_hand():
    tags = torch.tensor([[[[0.0], [2.0], [50.0]]]])
    visible = torch.tensor([[[True, True, False]]])
    loss = grouping_loss(tags, visible)
    assert loss.pull.item() == pytest.approx(1.0)
    assert loss.push.item() == 0.0


def test_scale_code_by_hand():
    # D = 2: centres 0.25 and 0.75; scale 0.5 is 0.25 from both, scale 0 is 0.25 and 0.75 away
    code = scale_code(torch.tensor([0.5, 0.0]), 2)
    assert code[0].tolist() == pytest.approx([math.sqrt(0.5), math.sqrt(0.5)])
    assert code[1].tolist() == pytest.approx([3 / math.sqrt(10), 1 / math.sqrt(10)])


def test_scale_code_is_finite_on_a_bin_in_half_precision():
    code = scale_code(torch.tensor([0.25], dtype=torch.float16), 2)
    assert code.dtype == torch.float32
    assert code[0].tolist() == pytest.approx([1.0, 0.0], abs=1e-6)


def test_scale_loss_by_hand():
    code = scale_code(torch.tensor(0.0), 2)  # (3, 1) / sqrt(10)
    tags = torch.stack([code * 5, -code])[None, None]  # along the code, and against it
    visible = torch.ones(1, 1, 2, dtype=torch.bool)
    scale = torch.zeros(1, 1)
    assert scale_loss(tags, visible, scale).item() == pytest.approx(1.0)  # (0 + 2) / 2
    # released: the mean is 2 · code, its magnitude points along the code
    released = scale_loss(tags, visible, scale, form="released")
    assert released.item() == pytest.approx(0.0, abs=1e-6)


def test_scale_from_tags_by_hand():
    tags = torch.tensor([1.0, -3.0]).view(1, 1, 2, 1, 1)  # centres 0.25 and 0.75
    assert scale_from_tags(tags).item() == pytest.approx((0.25 + 3 * 0.75) / 4)
    assert scale_from_tags(torch.zeros(1, 1, 2, 1, 1)).item() == pytest.approx(0.5)


def test_heatmap_loss_by_hand():
    target = torch.tensor([[[[1.0, 0.25, 0.0]]]])
    pred = torch.tensor([[[[0.5, 0.5, 0.5]]]])
    plain = heatmap_loss(pred, target, focal=False)
    assert plain.item() == pytest.approx((0.25 + 0.0625 + 0.25) / 3)
    # scale = beta / sqrt(0.5): the target to the power 0.5, so 0.25 becomes 0.5
    scale = torch.full_like(target, 0.55 / math.sqrt(0.5))
    assert heatmap_loss(pred, target, scale, focal=False).item() == pytest.approx(0.5 / 3)
    # the weight at |pred| = |1 - pred| = 0.5 is 0.5 everywhere
    assert heatmap_loss(pred, target).item() == pytest.approx(plain.item() / 2)
    mask = torch.tensor([[[0.0, 1.0, 1.0]]])
    masked = heatmap_loss(pred, target, focal=False, mask=mask)
    assert masked.item() == pytest.approx((0.0625 + 0.25) / 3)


@pytest.mark.parametrize("persons", [0, 1, 2, 30])
def test_poster_form_equals_the_loop(persons):
    tags, visible, scale = random_persons(persons, seed=persons)
    rows = [loop_losses(tags[b], visible[b], scale[b]) for b in range(tags.shape[0])]
    pull, push, turn = np.mean(rows, axis=0)
    loss = grouping_loss(tags, visible)
    assert loss.pull.item() == pytest.approx(pull, abs=1e-12)
    assert loss.push.item() == pytest.approx(push, abs=1e-12)
    assert scale_loss(tags, visible, scale).item() == pytest.approx(turn, abs=1e-12)


@pytest.mark.parametrize("form", ["poster", "released"])
def test_invariances(form):
    tags, visible, scale = random_persons(6)
    reference = torch.stack(grouping_loss(tags, visible, form=form))
    turn = scale_loss(tags, visible, scale, form=form)

    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    permuted = grouping_loss(tags[:, order], visible[:, order], form=form)
    assert torch.allclose(torch.stack(permuted), reference)
    again = scale_loss(tags[:, order], visible[:, order], scale[:, order], form=form)
    assert torch.allclose(again, turn)

    shifted = grouping_loss(tags + 7.5, visible, form=form)
    assert torch.allclose(torch.stack(shifted), reference)

    tags, visible, scale = (torch.cat([v, v[:, :2]], 1) for v in (tags, visible, scale))
    visible[:, 6:] = False  # padding
    tags[:, 6:] = float("nan")
    assert torch.allclose(torch.stack(grouping_loss(tags, visible, form=form)), reference)
    assert torch.allclose(scale_loss(tags, visible, scale, form=form), turn)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("form", ["poster", "released"])
def test_half_precision_stays_finite_at_large_spreads(dtype, form):
    tags = (1000 * torch.randn(2, 10, 5, 8)).to(dtype).requires_grad_()
    visible = torch.ones(2, 10, 5, dtype=torch.bool)
    loss = grouping_loss(tags, visible, form=form)
    turn = scale_loss(tags, visible, torch.rand(2, 10).to(dtype), form=form)
    total = loss.pull + loss.push + turn
    assert total.dtype == torch.float32
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(tags.grad).all()


def test_zero_embeddings_have_a_finite_gradient():
    tags = torch.zeros(1, 3, 4, 8, requires_grad=True)
    visible = torch.ones(1, 3, 4, dtype=torch.bool)
    scale_loss(tags, visible, torch.rand(1, 3)).backward()
    assert torch.isfinite(tags.grad).all()


def test_gather_tags_reads_each_joint_kind_at_its_cell():
    maps = torch.arange(2 * 3 * 2 * 4 * 5).float().view(2, 3, 2, 4, 5)
    joints = torch.tensor([[3.9, 1.2], [0.0, 3.0], [99.0, -7.0]])[None, None].expand(2, 1, 3, 2)
    tags = gather_tags(maps, joints)
    assert tags.shape == (2, 1, 3, 2)
    for b in range(2):
        assert tags[b, 0, 0].tolist() == maps[b, 0, :, 1, 3].tolist()
        assert tags[b, 0, 1].tolist() == maps[b, 1, :, 3, 0].tolist()
        assert tags[b, 0, 2].tolist() == maps[b, 2, :, 0, 4].tolist()


def test_wrong_arguments_are_named():
    tags, visible, scale = random_persons(2)
    with pytest.raises(ValueError, match=r"form: expected one of poster, released, got 'paper'"):
        grouping_loss(tags, visible, form="paper")
    with pytest.raises(ValueError, match=r"tags: expected \(B, P, K, D\)"):
        grouping_loss(tags[0], visible)
    with pytest.raises(ValueError, match="visible: expected bool"):
        grouping_loss(tags, visible.float())
    with pytest.raises(ValueError, match=r"scale: expected \(2, 2\)"):
        scale_loss(tags, visible, scale[:, :1])
    with pytest.raises(ValueError, match="negative"):
        scale_loss(tags, torch.ones_like(visible), -scale)
    with pytest.raises(ValueError, match="pred and target"):
        heatmap_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 4))
    with pytest.raises(ValueError, match="joints: expected"):
        gather_tags(torch.zeros(1, 2, 3, 4, 4), torch.zeros(1, 5, 3, 2))


def golden_ae(path):
    data = np.load(path)
    maps = torch.from_numpy(data["tags"]).double().permute(0, 1, 4, 2, 3).requires_grad_()
    height, width = maps.shape[3:]
    cell = torch.from_numpy(data["joint_index"]).long() % (height * width)
    joints = torch.stack([cell % width, cell // width], -1)
    visible = torch.from_numpy(data["visible"]) > 0
    return data, maps, joints, visible


def dense_gradient(data, name, shape):
    """(B, K, D, H, W) from the fixture's list of non-zero places."""
    images, kinds, dim, height, width = shape
    dense = np.zeros((images, kinds * height * width, dim))
    place = data[f"{name}_pos"]
    dense[place[:, 0], place[:, 1]] = data[f"{name}_val"]
    return dense.reshape(images, kinds, height, width, dim).transpose(0, 1, 4, 2, 3)


@pytest.mark.parametrize("case", ["d4_c", "d8_a", "d8_b"])
def test_released_form_equals_the_released_code(golden, case):
    data, maps, joints, visible = golden_ae(golden / f"ae_loss_{case}.npz")
    tags = gather_tags(maps, joints)
    scale = torch.from_numpy(data["box_scale"]).double()
    pull, push = grouping_loss(tags, visible, form="released")
    turn = scale_loss(tags, visible, scale, form="released")
    for name, value in (("pull", pull), ("push", push), ("scale", turn)):
        assert value.item() == pytest.approx(float(data[f"ce_{name}"]), rel=1e-6)
        (gradient,) = torch.autograd.grad(value, maps, retain_graph=True)
        expected = dense_gradient(data, f"ce_grad_{name}", maps.shape)
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("case", ["d1_a", "d1_b", "d1_c"])
def test_released_form_equals_higherhrnet_at_one_dimension(golden, case):
    data, maps, joints, visible = golden_ae(golden / f"ae_loss_{case}.npz")
    images = maps.shape[0]
    pull, push = grouping_loss(gather_tags(maps, joints), visible, form="released")
    for name, value in (("pull", pull), ("push", push)):
        per_image = data[f"higher_exp_{name}"]  # the gradient is of their sum
        assert value.item() == pytest.approx(per_image.mean(), rel=1e-6)
        (gradient,) = torch.autograd.grad(value * images, maps, retain_graph=True)
        expected = dense_gradient(data, f"higher_exp_grad_{name}", maps.shape)
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("case", ["plain", "focal_w1", "focal_w2"])
def test_heatmap_loss_equals_the_released_code(golden, case):
    data = np.load(golden / f"ce_heatmap_loss_{case}.npz")
    total = 0.0
    preds = []
    for i in range(int(data["num_maps"])):
        pred = torch.from_numpy(data[f"pred{i}"]).requires_grad_()
        preds.append(pred)
        total = total + heatmap_loss(
            pred,
            torch.from_numpy(data[f"target{i}"]),
            torch.from_numpy(data[f"scale{i}"]),
            beta=float(data["beta"]),
            focal=bool(data["with_focal"]),
            mask=torch.from_numpy(data[f"mask{i}"]) if bool(data["masked"]) else None,
        )
    assert total.item() == pytest.approx(float(data["loss_float32"]), rel=1e-5)
    total.backward()
    for i, pred in enumerate(preds):
        expected = data[f"grad_pred_float32_{i}"]
        np.testing.assert_allclose(pred.grad.numpy(), expected, rtol=1e-4, atol=1e-9)
