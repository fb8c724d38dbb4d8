"""The compiled losses against torch: every layout and type that a network gives, and gradients."""

import math

import numpy as np
import pytest
import torch

from sparse_ae.losses import gather_tags, heatmap_loss, scale_from_tags, swahr_loss
from sparse_ae.losses.blocks import from_bfloat16, to_bfloat16
from sparse_ae.losses.vector_math import exp32, log32, power_near_1

LAYOUTS = {
    "contiguous": lambda maps: maps.contiguous(),
    "channels last": lambda maps: maps.contiguous(memory_format=torch.channels_last),
    "half of the channels": lambda maps: torch.cat([maps, maps + 1], 1)[:, : maps.shape[1]],
    "turned": lambda maps: maps.transpose(2, 3).contiguous().transpose(2, 3),
    "every other column": lambda maps: maps.repeat_interleave(2, 3)[..., ::2],
}
layouts = pytest.mark.parametrize("layout", LAYOUTS)
types = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])


def maps(shape=(2, 3, 19, 23), seed=0):
    """Predictions, targets that are 0 in long stretches and tiny in places, scales, a mask."""
    generator = torch.Generator().manual_seed(seed)
    pred, target, scale = (torch.rand(shape, generator=generator) for _ in range(3))
    rows = torch.rand((*shape[:3], 1), generator=generator) < 0.5
    target = torch.where(rows, target ** (1 + 8 * scale.flip(3)), 0)
    mask = torch.rand(shape[0], *shape[2:], generator=generator) < 0.7
    return 1.5 * pred - 0.25, target, 0.2 + 0.8 * scale, mask


def value_and_gradient(loss, *given):
    """The loss and its gradients, computed as given, and with float64: by torch."""
    for kind in (lambda one: one, lambda one: one.double()):
        leaves = [kind(one.detach()).requires_grad_() for one in given]
        value = loss(leaves, kind)
        yield value, torch.autograd.grad(value, leaves)


def same(found, expected, dtype):
    tolerance = 1e-5 if dtype == torch.float32 else 2e-3 if dtype == torch.float16 else 1e-2
    (value, gradients), (right, slopes) = found, expected
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(right.item(), rel=2e-6)
    for one, other in zip(gradients, slopes, strict=True):
        largest = other.abs().max().item()
        torch.testing.assert_close(one.double(), other, rtol=tolerance, atol=1e-4 * largest)


@types
@layouts
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("form", ["plain", "scaled", "focal", "both"])
def test_heatmap_loss(layout, dtype, form, masked):
    pred, target, scale, mask = maps()
    options = {"focal": form in ("focal", "both"), "mask": mask if masked else None, "beta": 0.2}
    scale = scale if form in ("scaled", "both") else None

    def loss(leaves, kind):
        return 3 * heatmap_loss(
            leaves[0], kind(target), None if scale is None else kind(scale), **options
        )

    pred = LAYOUTS[layout](pred.to(dtype))
    same(*value_and_gradient(loss, pred), dtype)


@types
@layouts
@pytest.mark.parametrize("masked", [False, True])
def test_swahr_losses(layout, dtype, masked):
    pred, target, scale, mask = maps(seed=1)

    def loss(leaves, kind):
        parts = swahr_loss(leaves[0], kind(target), leaves[1], mask=mask if masked else None)
        return 3 * parts.heatmap + 0.5 * parts.scale

    same(*value_and_gradient(loss, LAYOUTS[layout](pred.to(dtype)), (scale - 0.6).to(dtype)), dtype)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 1, 7), (2, 3, 300, 1), (1, 2, 16, 16)])
def test_small_and_thin_maps(shape):
    pred, target, scale, mask = maps(shape)
    for layout in LAYOUTS.values():
        same(*value_and_gradient(
            lambda leaves, kind: heatmap_loss(
                leaves[0], kind(target), kind(scale), mask=mask, beta=0.2
            ),
            layout(pred),
        ), torch.float32)  # fmt: skip


def test_no_maps_at_all():
    empty = torch.zeros(0, 3, 4, 4)
    assert heatmap_loss(empty, empty).item() == 0
    assert swahr_loss(empty, empty, empty).heatmap.item() == 0
    assert scale_from_tags(torch.zeros(0, 3, 2, 4, 4)).shape == (0, 3, 4, 4)


@types
@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_gradients_lie_as_the_maps_do(layout, dtype):
    pred, target, scale, _ = maps()
    pred = LAYOUTS[layout](pred.to(dtype)).requires_grad_()
    adapt = scale.to(dtype).requires_grad_()
    tags = LAYOUTS[layout](torch.rand(2, 6, 19, 23).to(dtype)).requires_grad_()
    read = gather_tags(tags.unflatten(1, (3, 2)), torch.zeros(2, 4, 3, 2))
    losses = heatmap_loss(pred, target), sum(swahr_loss(pred, target, adapt)), read.sum()
    for loss, leaf in zip(losses, (pred, pred, tags), strict=True):
        (gradient,) = torch.autograd.grad(loss, leaf)
        assert gradient.stride() == leaf.stride()
        assert gradient.dtype == dtype


def test_the_gradient_can_be_taken_twice_and_is_not_changed_by_its_user():
    pred, target, scale, _ = maps()
    pred.requires_grad_()
    adapt = scale.clone().requires_grad_()
    for loss in (heatmap_loss(pred, target, scale), sum(swahr_loss(pred, target, adapt))):
        (first,) = torch.autograd.grad(loss, pred, retain_graph=True)
        kept = first.clone()
        first.zero_()
        (again,) = torch.autograd.grad(loss, pred, retain_graph=True)
        assert torch.equal(again, kept)
        (twice,) = torch.autograd.grad(2 * loss, pred)
        torch.testing.assert_close(twice, 2 * kept)


@pytest.mark.parametrize("factor", [0.5, 1, 2])
def test_a_factor_of_the_loss_reaches_the_gradient(factor):
    pred, target, scale, _ = maps()
    pred.requires_grad_()
    (plain,) = torch.autograd.grad(heatmap_loss(pred, target, scale), pred)
    (found,) = torch.autograd.grad(factor * heatmap_loss(pred, target, scale), pred)
    torch.testing.assert_close(found, factor * plain)


def test_second_derivatives():
    pred, target, scale, mask = maps((1, 1, 3, 4))
    adapt = scale - 0.5
    for loss in (
        lambda pred: heatmap_loss(pred, target.to(pred.dtype), scale.to(pred.dtype), mask=mask),
        lambda pred: sum(swahr_loss(pred, target.to(pred.dtype), adapt.to(pred.dtype))),
    ):
        found = torch.autograd.functional.hessian(loss, pred)
        expected = torch.autograd.functional.hessian(loss, pred.double())
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-6)
    assert torch.autograd.gradcheck(
        lambda pred: heatmap_loss(pred, target.double(), mask=mask), pred.double().requires_grad_()
    )


def test_what_else_needs_a_gradient_gets_one():
    pred, target, scale, mask = maps()
    mask = mask.float()
    for leaf in (target, scale, mask):
        leaf.requires_grad_()
        (gradient,) = torch.autograd.grad(
            heatmap_loss(pred, target, scale, beta=0.2, mask=mask), leaf
        )
        leaf.requires_grad_(False)
        assert gradient.abs().sum() > 0


def test_nan_outside_of_windows_and_behind_masks():
    """A scale is not read where the target is 0; a prediction is, also where the mask is 0."""
    pred, target, scale, mask = maps()
    poisoned = torch.where(target == 0, math.nan, scale)
    assert heatmap_loss(pred, target, poisoned) == heatmap_loss(pred, target, scale)
    adapt = poisoned.clone().requires_grad_()
    loss = sum(swahr_loss(pred, target, adapt))
    assert loss.isfinite()
    (gradient,) = torch.autograd.grad(loss, adapt)
    assert (gradient[target == 0] == 0).all()
    assert gradient.isfinite().all()
    pred[0, 0][~mask[0]] = math.nan
    for form in ({}, {"focal": False}, {"scale": scale}):
        assert heatmap_loss(pred, target, mask=mask, **form).isnan()


def test_tiny_powers_become_0_as_in_torch():
    """Where it is asked for the targets' gradient, torch computes the loss, in float32."""
    pred, target, scale, mask = maps((2, 3, 40, 50))
    slopes = []
    for needed in (False, True):
        given = pred.clone().requires_grad_()
        loss = heatmap_loss(given, target.clone().requires_grad_(needed), scale / 3, mask=mask)
        slopes.append(torch.autograd.grad(loss, given)[0])
    torch.testing.assert_close(*slopes, rtol=1e-3, atol=1e-8)


def test_the_smallest_and_largest_powers():
    """scale so small that (beta/scale)² is infinite: 1 stays 1, all else becomes 0."""
    target = torch.tensor([[[[1.0, 0.5, 1e-40, 0.0]]]])
    pred = torch.tensor([[[[0.5, 0.5, 0.5, 0.5]]]])
    tiny = torch.full_like(target, 1e-30)
    assert heatmap_loss(pred, target, tiny, focal=False).item() == pytest.approx(0.25)
    large = torch.full_like(target, math.inf)  # every target but 0 becomes 1
    loss = heatmap_loss(torch.ones_like(target), target, large, focal=False)
    assert loss.item() == pytest.approx(0.25)


@types
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "half of the channels"])
@pytest.mark.parametrize("dim", [1, 3, 8])
def test_scale_from_tags(layout, dtype, dim):
    tags = torch.randn(2, 3 * dim, 19, 23, generator=torch.Generator().manual_seed(dim))
    tags[0, :, 0, :5] = 0
    given = LAYOUTS[layout](tags.to(dtype)).unflatten(1, (3, dim))
    found, expected = scale_from_tags(given), scale_from_tags(given.double())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(found[0, :, 0, :5], torch.full((3, 5), 0.5))


@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_embeddings_in_bfloat16_that_share_a_cell_add_their_gradients(layout):
    tags = LAYOUTS[layout](torch.zeros(1, 4, 5, 6, dtype=torch.bfloat16)).requires_grad_()
    joints = torch.tensor([[[[1, 2], [3, 0]], [[1, 2], [5, 4]]]])  # two persons
    weight = torch.tensor([1.0, 2.0, 4.0, 8.0]).view(1, 2, 2, 1).bfloat16()
    (weight * gather_tags(tags.unflatten(1, (2, 2)), joints)).sum().backward()
    expected = torch.zeros(1, 4, 5, 6)
    expected[0, :2, 2, 1], expected[0, 2:, 0, 3], expected[0, 2:, 4, 5] = 5, 2, 8
    torch.testing.assert_close(tags.grad.float(), expected)


def test_bfloat16_is_rounded_as_torch_does():
    bits = np.random.default_rng(0).integers(-(2**31), 2**31, 20_000).astype(np.int32)
    bits[:4] = 0x3F808000, 0x3F818000, 0x7F7FFFFF, 0x7F800000  # halves, the largest, infinity
    values = torch.from_numpy(bits.view(np.float32))
    expected = values.bfloat16()
    ours = np.array([to_bfloat16(value) for value in values.numpy()]).astype(np.int16)
    numbers = torch.from_numpy(ours).view(torch.bfloat16)
    torch.testing.assert_close(numbers, expected, rtol=0, atol=0, equal_nan=True)
    assert [from_bfloat16(one) for one in ours[:4]] == expected[:4].float().tolist()


def test_logarithm_and_exponential():
    generator = np.random.default_rng(0)
    numbers = np.concatenate([generator.random(2000), np.exp(-103 * generator.random(2000)), [1]])
    for x in numbers.astype(np.float32):
        right = np.log(np.float64(x))
        assert log32(x) == pytest.approx(right, rel=3e-7, abs=1e-7)
        assert exp32(np.float32(right)) == pytest.approx(
            max(np.exp(np.float64(np.float32(right))), 1.17549e-38), rel=3e-7
        )
        share = power_near_1(np.float32(1 - right), np.float32(-0.01))
        assert share == pytest.approx((1 - right) ** -0.01, rel=3e-7)
    assert log32(np.float32(0)) == -np.inf
    for x in (-103.9, -104.0, -200.0, -np.inf):  # 0 where float32 has no number so small
        assert (exp32(np.float32(x)) == 0) == (np.float32(np.exp(np.float64(x))) == 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("form", ["plain", "scaled", "focal"])
def test_bad_targets_and_scales_are_refused_however_the_loss_is_computed(dtype, form):
    """float32 is compiled, float64 is torch's."""
    pred, target, scale, _ = (part.to(dtype) for part in maps())
    options = {"focal": form == "focal"}
    scale = scale if form == "scaled" else None
    for wrong in (-0.1, 1.1, math.nan):
        bad = target.clone()
        bad[1, 2, 3, 4] = wrong
        with pytest.raises(ValueError, match=r"^target: expected heatmaps in \[0, 1\]"):
            heatmap_loss(pred, bad, scale, **options)
    for wrong in (0.0, -1.0, math.nan) if form == "scaled" else ():
        bad = torch.full_like(scale, wrong)
        with pytest.raises(ValueError, match=r"^scale: expected positive values"):
            heatmap_loss(pred, target, bad, **options)
    assert heatmap_loss(torch.ones_like(pred), torch.ones_like(pred), scale, **options) == 0


def test_a_factor_of_the_loss_reaches_the_second_derivative():
    pred, target, scale, _ = maps((1, 1, 3, 4))
    pred.requires_grad_()
    loss = heatmap_loss(pred, target, scale)
    once, thrice = (torch.autograd.grad(part, pred, create_graph=True)[0]
                    for part in (loss, 3 * loss))  # fmt: skip
    torch.testing.assert_close(thrice, 3 * once)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_autocast_does_not_round_the_scale_that_tags_tell(dtype):
    tags = torch.rand(1, 2, 8, 5, 6, generator=torch.Generator().manual_seed(3)).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = scale_from_tags(tags)
    torch.testing.assert_close(found, scale_from_tags(tags.double()).float())


def test_a_gradient_of_16_bits_is_rounded_once():
    """A factor of the loss is multiplied before the rounding, not after it."""
    pred, target, scale, _ = maps()
    pred = pred.bfloat16().requires_grad_()
    exact = pred.detach().float().requires_grad_()
    (found,) = torch.autograd.grad(3 * heatmap_loss(pred, target, scale), pred)
    (expected,) = torch.autograd.grad(heatmap_loss(exact, target, scale), exact)
    assert (found == (3 * expected).bfloat16()).float().mean() > 0.99
