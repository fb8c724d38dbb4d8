"""SWAHR's losses: by hand, against a plain computation, and against its own code's output."""

import math

import numpy as np
import pytest
import torch

from sparse_ae.losses.swahr import swahr_loss


def maps(seed=0, shape=(2, 3, 8, 9)):
    generator = torch.Generator().manual_seed(seed)
    pred, target, scale = (
        torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    return pred, torch.where(target > 0.5, target, 0), 2 * scale - 1


def test_equals_swahr_in_value_and_gradient(golden):
    data = np.load(golden / "swahr_loss.npz")
    pred, scale, target = (torch.from_numpy(data[k]).double() for k in ("pred", "scale_raw", "gt"))
    pred.requires_grad_()
    scale.requires_grad_()
    mask = torch.from_numpy(data["mask"])
    for part in ("heatmap", "scale"):
        for i, expected in enumerate(data[f"{part}_loss"]):
            one = slice(i, i + 1)
            loss = swahr_loss(pred[one], target[one], scale[one], mask=mask[one])
            assert getattr(loss, part).item() == pytest.approx(expected, rel=1e-6)
    images = len(pred)
    sum(swahr_loss(pred, target, scale, mask=mask)).mul(images).backward()
    for value, name in ((pred, "grad_pred"), (scale, "grad_scale")):
        np.testing.assert_allclose(value.grad.numpy(), data[name], rtol=1e-6, atol=1e-12)


def test_by_hand():
    target = torch.tensor([[[[math.exp(-1), 0.0]]]], dtype=torch.float64)
    pred = torch.full_like(target, 0.5)  # the weight is 0.5 everywhere
    scale = torch.tensor([[[[0.5, 9.0]]]], dtype=torch.float64)  # the second is not read
    adapted = math.exp(-1) * (1 - 0.5 + 0.125)
    loss = swahr_loss(pred, target, scale)
    assert loss.heatmap.item() == pytest.approx(0.5 * ((0.5 - adapted) ** 2 + 0.25) / 2)
    assert loss.scale.item() == pytest.approx(0.25 / 2)
    masked = swahr_loss(pred, target, scale, mask=torch.tensor([[[0, 1]]]))
    assert masked.heatmap.item() == pytest.approx(0.5 * 0.25 / 2)
    assert masked.scale.item() == 0


def test_without_adaptation_it_is_a_weighted_square():
    pred, target, scale = maps()
    share = target**0.01
    weight = share * (1 - pred).abs() + (1 - share) * pred.abs()
    plain = (weight * (pred - target) ** 2).mean()
    assert swahr_loss(pred, target, 0 * scale).heatmap.item() == pytest.approx(plain.item())


def test_half_precision_is_computed_in_float32():
    pred, target, scale = (value.half() for value in maps())
    half = swahr_loss(pred, target, scale)
    full = swahr_loss(pred.float(), target.float(), scale.float())
    assert [value.dtype for value in half] == [torch.float32] * 2
    assert [value.item() for value in half] == [value.item() for value in full]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pred": torch.zeros(3, 4)}, r"pred: expected \(B, K, H, W\), got \(3, 4\)"),
        ({"target": torch.zeros(2, 3, 8, 8)}, r"target: expected \(2, 3, 8, 9\) as pred"),
        ({"scale": torch.zeros(2, 3, 1, 1)}, r"scale: expected \(2, 3, 8, 9\) as pred"),
        ({"target": torch.full((2, 3, 8, 9), 1.5)}, r"target: expected heatmaps in \[0, 1\]"),
        ({"target": torch.full((2, 3, 8, 9), math.nan)}, r"target: expected heatmaps in \[0, 1\]"),
    ],
)
def test_bad_input_is_named(change, message):
    pred, target, scale = maps()
    given = {"pred": pred, "target": target, "scale": scale, **change}
    with pytest.raises(ValueError, match=message):
        swahr_loss(**given)
    with pytest.raises(ValueError, match=r"mask: expected \(B, H, W\) of the maps, got \(2, 3\)"):
        swahr_loss(pred, target, scale, mask=torch.zeros(2, 3))
