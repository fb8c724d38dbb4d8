"""The losses where they are easily wrong: few persons, many, hidden joints, padding, extremes."""

import contextlib
import math

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
from sparse_ae.losses.decorrelation import decorrelation_loss

FORMS = {"poster": (1.0, 0.5), "released": (0.5, 1.0)}  # factor and sharpness of the push
both_forms = pytest.mark.parametrize("form", list(FORMS))


@both_forms
def test_nobody_and_one_person_by_hand(form):
    nobody = grouping_loss(torch.zeros(1, 0, 3, 2), torch.zeros(1, 0, 3, dtype=bool), form=form)
    assert [part.item() for part in nobody] == [0, 0]
    tags = torch.tensor([[[[0.0, 0], [3, 4], [9, 9]]]])  # the mean of the first two: (1.5, 2)
    visible = torch.tensor([[[True, True, False]]])
    one = grouping_loss(tags, visible, form=form)
    assert [part.item() for part in one] == pytest.approx([2.5**2, 0])
    assert scale_loss(tags[:, :0], visible[:, :0], torch.zeros(1, 0), form=form).item() == 0


@both_forms
def test_an_image_counts_as_much_as_another_by_hand(form):
    """Two persons 2 apart beside an image of one person; padding and its tags change nothing."""
    factor, sharpness = FORMS[form]
    tags = torch.tensor([[[[0.0]], [[2.0]]], [[[7.0]], [[math.nan]]]])  # (2, 2, 1, 1)
    visible = torch.tensor([[[True], [True]], [[True], [False]]])
    loss = grouping_loss(tags, visible, form=form)
    assert loss.pull.item() == 0
    assert loss.push.item() == pytest.approx(factor * math.exp(-4 * sharpness) / 2)


@both_forms
def test_thirty_persons_in_a_row_by_hand(form):
    """Neighbours half apart: 30 − d pairs are d/2 from each other. Joints 0.1 beside the mean."""
    factor, sharpness = FORMS[form]
    tags = 0.5 * torch.arange(30.0, dtype=torch.float64)[:, None] + torch.tensor([-0.1, 0.1])
    loss = grouping_loss(tags[None, ..., None], torch.ones(1, 30, 2, dtype=bool), form=form)
    pairs = sum((30 - d) * math.exp(-sharpness * (d / 2) ** 2) for d in range(1, 30))
    assert loss.push.item() == pytest.approx(factor * pairs / (30 * 29 / 2))
    assert loss.pull.item() == pytest.approx(0.01)


def test_the_released_scale_loss_is_of_magnitudes_by_hand():
    code = scale_code(torch.tensor([0.1, 0.6]), 4)  # (2, 4)
    tags = torch.stack([code[0], -code[0]])[None, :, None]  # along the code, and against it
    visible = torch.ones(1, 2, 1, dtype=bool)
    scale = torch.full((1, 2), 0.1)
    assert scale_loss(tags, visible, scale, form="released").item() == pytest.approx(0, abs=1e-6)
    assert scale_loss(tags, visible, scale).item() == pytest.approx(1)
    other = (1 - (code[0] * code[1]).sum().item()) / 2
    turned = scale_loss(tags, visible, torch.tensor([[0.1, 0.6]]), form="released")
    assert turned.item() == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("spread", [1e-4, 1.0, 1000.0])
def test_half_precision_maps_give_finite_losses_and_gradients(dtype, spread):
    """Through the reading of maps too, and equal to float32 on the same numbers."""
    generator = torch.Generator().manual_seed(0)
    maps = (spread * torch.randn(2, 3, 8, 9, 9, generator=generator)).to(dtype)
    joints = torch.randint(0, 9, (2, 6, 3, 2), generator=generator)
    visible = torch.rand(2, 6, 3, generator=generator) < 0.7
    scale = (torch.arange(12).view(2, 6) / 16).to(dtype)  # some exactly on a bin's centre
    results = []
    for given in (maps.clone().requires_grad_(), maps.float().requires_grad_()):
        tags = gather_tags(given, joints)
        pull, push = grouping_loss(tags, visible)
        total = pull + push + scale_loss(tags, visible, scale.to(given.dtype))
        total.backward()
        assert given.grad.isfinite().all()
        assert scale_from_tags(given).isfinite().all()
        results.append((total.item(), given.grad.float()))
    assert math.isfinite(results[0][0])
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    largest = results[1][1].abs().max().item()
    torch.testing.assert_close(results[0][1], results[1][1], rtol=0.01, atol=1e-3 * largest)


@pytest.mark.parametrize("around", [None, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("size", [1e3, 1e4, 6e4])
def test_large_embeddings_give_what_float64_gives(dtype, around, size):
    """In an autocast region too, which would compute products of matrices in half precision."""
    generator = torch.Generator().manual_seed(0)
    maps = (size * (2 * torch.rand(2, 3, 8, 9, 9, generator=generator) - 1)).to(dtype)
    joints = torch.randint(0, 9, (2, 6, 3, 2), generator=generator)
    visible, scale = torch.ones(2, 6, 3, dtype=torch.bool), torch.full((2, 6), 0.3)
    target = torch.zeros(2, 3, 9, 9)
    target[..., 3:6, 3:6] = 0.5
    found = []
    for given in (maps.clone().requires_grad_(), maps.double().requires_grad_()):
        region = torch.autocast("cpu", around or torch.bfloat16, enabled=around is not None)
        with region if given.dtype == dtype else contextlib.nullcontext():
            tags, widths = gather_tags(given, joints), scale_from_tags(given)
            pull, push = grouping_loss(tags, visible, form="released")
            parts = [pull, push, *(scale_loss(tags, visible, scale, form=form) for form in FORMS),
                     heatmap_loss(torch.zeros_like(target), target, widths),
                     widths.mean(), decorrelation_loss(tags, visible)]  # fmt: skip
        sum(parts[:4]).backward()
        assert given.grad.isfinite().all()
        found.append([part.item() for part in parts])
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_the_gradient_of_reading_is_exact_and_can_be_taken_again():
    maps = torch.randn(1, 2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    joints = torch.tensor([[[[1, 2], [3, 0]], [[1, 2], [9, 9]]]])  # two persons in one cell
    assert torch.autograd.gradcheck(lambda maps: gather_tags(maps, joints), maps)
    assert torch.autograd.gradgradcheck(lambda maps: gather_tags(maps, joints) ** 2, maps)


HEAT = torch.full((1, 1, 2, 2), 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gather_tags(torch.zeros(1, 2, 0, 4, 4), torch.zeros(1, 1, 2, 2)), "tag_maps: exp"),
        (lambda: gather_tags(torch.zeros(2, 4, 4), torch.zeros(1, 1, 2, 2)), "tag_maps: expected"),
        (lambda: scale_from_tags(torch.zeros(1, 2, 4, 4)), r"tag_maps: expected \(B, K, D, H, W\)"),
        (lambda: scale_from_tags(torch.zeros(1, 2, 0, 4, 4)), "tag_maps: expected"),
        (lambda: scale_code(torch.zeros(2), 0), "dim: expected a positive number .* got 0"),
        (
            lambda: grouping_loss(torch.zeros(1, 2, 3, 0), torch.ones(1, 2, 3, dtype=bool)),
            r"tags: expected \(B, P, K, D\)",
        ),
        (lambda: heatmap_loss(HEAT, HEAT + 1), r"target: expected heatmaps in \[0, 1\]"),
        (lambda: heatmap_loss(HEAT, HEAT * math.nan), r"target: expected heatmaps in \[0, 1\]"),
        (lambda: heatmap_loss(HEAT, -HEAT), r"target: expected heatmaps in \[0, 1\]"),
        (lambda: heatmap_loss(HEAT, HEAT, -HEAT), "scale: expected positive values"),
        (lambda: heatmap_loss(HEAT, HEAT, HEAT * math.nan), "scale: expected positive values"),
        (lambda: heatmap_loss(HEAT, HEAT, HEAT[0]), r"scale: expected \(1, 1, 2, 2\)"),
        (lambda: heatmap_loss(HEAT, HEAT, mask=HEAT), r"mask: expected \(B, H, W\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_map_with_nan_does_not_pass_silently():
    tags = torch.zeros(1, 1, 2, 2, 2)
    tags[..., 0, 0] = math.nan
    assert scale_from_tags(tags).isnan().sum() == 1
    with pytest.raises(ValueError, match="scale: expected positive values"):
        heatmap_loss(HEAT, HEAT, scale_from_tags(tags))
    assert heatmap_loss(HEAT * math.nan, HEAT).isnan()
