"""Enlarging: the bits of torch's interpolation, by hand, into memory that is used again."""

import math

import pytest
import torch
import torch.nn.functional as F

from sparse_ae.decoding import enlarge as module
from sparse_ae.decoding.enlarge import enlarge_bilinear


def torchs(maps, size):
    return F.interpolate(maps.float().contiguous(), size=size, mode="bilinear", align_corners=False)


def bits(maps):
    return maps.view(torch.int32)


SHAPES = [  # (B, C, h, w), (H, W)
    ((1, 17, 32, 32), (128, 128)), ((2, 5, 13, 10), (137, 91)), ((1, 4, 64, 48), (200, 150)),
    ((2, 8, 31, 33), (300, 301)), ((1, 1, 40, 40), (160, 160)), ((1, 2, 1, 9), (1, 190)),
    ((1, 17, 150, 160), (60, 75)), ((1, 6, 80, 80), (80, 80)), ((3, 3, 32, 32), (128, 128)),
    ((1, 5, 8, 8), (32, 32)), ((0, 4, 32, 32), (128, 128)),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_the_bits_are_torchs(shape, size):
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for given in (
        maps, maps.contiguous(memory_format=torch.channels_last), maps.bfloat16(), maps.half(),
        torch.cat([maps, maps], 1)[:, : shape[1]], maps.transpose(2, 3).clone().transpose(2, 3),
    ):  # fmt: skip
        found = enlarge_bilinear(given, size)
        assert found.is_contiguous()
        assert found.dtype == torch.float32
        assert torch.equal(bits(found), bits(torchs(given, size)))


def test_values_that_are_not_finite_spread_as_in_torch():
    maps = torch.zeros(1, 4, 16, 16)
    maps[0, 0, 3, 4], maps[0, 1, 5, 6], maps[0, 2, 15, 15] = math.nan, math.inf, -math.inf
    for size in ((80, 80), (16, 128)):
        found, expected = enlarge_bilinear(maps, size), torchs(maps, size)
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def test_by_hand():
    """Four times as wide: centres of the small cells lie between the second and third of four."""
    maps = torch.tensor([0.0, 8.0]).view(1, 1, 1, 2).expand(1, 1, 70, 2)
    found = enlarge_bilinear(maps, (140, 8))
    assert (found == torch.tensor([0.0, 0, 1, 3, 5, 7, 8, 8])).all()


def test_memory_can_be_used_again():
    first = enlarge_bilinear(torch.rand(1, 4, 20, 20), (80, 80))
    maps = torch.rand(1, 4, 20, 20)
    again = enlarge_bilinear(maps, (80, 80), out=first)
    assert again.data_ptr() == first.data_ptr()
    assert torch.equal(again, torchs(maps, (80, 80)))
    small = torch.empty(1, 4, 8, 8)  # torch computes it
    assert enlarge_bilinear(maps, (8, 8), out=small) is small
    assert torch.equal(small, torchs(maps, (8, 8)))


def test_compiled_code_computes_it_unless_torch_rounds_otherwise(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("torch was asked")

    maps = torch.rand(1, 4, 20, 20)
    expected = torchs(maps, (80, 80))
    assert module._rounds_as_torch()
    monkeypatch.setattr(module.F, "interpolate", refuse)
    assert torch.equal(enlarge_bilinear(maps, (80, 80)), expected)
    monkeypatch.setattr(module, "_rounds_as_torch", lambda: False)
    with pytest.raises(AssertionError, match="torch was asked"):
        enlarge_bilinear(maps, (80, 80))


def test_gradients_and_float64_are_torchs():
    maps = torch.rand(1, 4, 20, 20, requires_grad=True)
    enlarge_bilinear(maps, (80, 80)).sum().backward()
    assert maps.grad.sum().item() == pytest.approx(4 * 80 * 80)
    assert enlarge_bilinear(maps.detach().double(), (80, 80)).dtype == torch.float64


@pytest.mark.parametrize(
    ("maps", "size", "out", "message"),
    [
        (torch.zeros(4, 8, 8), (80, 80), None, r"maps: expected \(B, C, h, w\), got \(4, 8, 8\)"),
        (torch.zeros(1, 4, 0, 8), (80, 80), None, r"maps: expected \(B, C, h, w\)"),
        (torch.zeros(1, 4, 8, 8), (0, 80), None, r"size: expected two positive numbers"),
        (torch.zeros(1, 4, 8, 8), (80, 80), torch.zeros(1, 4, 80, 81), r"out: expected \(1, 4, 80"),
        (torch.zeros(1, 4, 8, 8), (80, 80), torch.zeros(1, 4, 80, 80).double(), "out: expected"),
        (torch.zeros(1, 4, 8, 8), (80, 80), torch.zeros(1, 80, 80, 4).permute(0, 3, 1, 2), "out: "),
    ],
)
def test_bad_input_is_named(maps, size, out, message):
    with pytest.raises(ValueError, match=message):
        enlarge_bilinear(maps, size, out=out)
