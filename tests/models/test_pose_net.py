"""PoseNet: shapes, where it starts, and its weights on disk."""

from __future__ import annotations

import pickle

import pytest
import torch
from safetensors.torch import save_file

from sparse_ae.models import PoseNet, load_checkpoint, save_checkpoint

WIDTHS = (8, 16, 16, 24, 32)


def make(seed=0, **changes):
    torch.manual_seed(seed)
    return PoseNet(**{"keypoints": 14, "dim": 8, "widths": WIDTHS, **changes}).eval()


def test_shapes_and_sizes():
    output = make()(torch.zeros(2, 3, 64, 96))
    assert [tuple(h.shape) for h in output.heatmaps] == [(2, 14, 16, 24), (2, 14, 32, 48)]
    assert output.tags.shape == (2, 14, 8, 16, 24)
    assert make(keypoints=17, dim=1)(torch.zeros(1, 3, 32, 32)).tags.shape == (1, 17, 1, 8, 8)


def test_the_reader_net_is_of_the_promised_size():
    parameters = sum(p.numel() for p in PoseNet(14, 8).parameters())
    assert 300_000 < parameters < 3_000_000


def test_it_starts_with_no_person_and_embeddings_off_zero():
    output = make()(torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert all(h.abs().max() < 0.1 for h in output.heatmaps)
    assert (output.tags - 0.5).abs().max() < 0.1


def test_the_coarse_maps_reach_the_fine_ones():
    net = make()
    image = torch.randn(1, 3, 64, 64)
    before = net(image).heatmaps[1]
    with torch.no_grad():
        net.bridge.bias += 1
    assert not torch.allclose(net(image).heatmaps[1], before)


def test_a_side_that_is_no_multiple_of_32():
    with pytest.raises(ValueError, match=r"multiples of 32, got \(64, 65\)"):
        make()(torch.zeros(1, 3, 64, 65))


def test_weights_survive_the_disk(tmp_path):
    net = make(seed=1)
    save_checkpoint(net, tmp_path / "net.safetensors")
    again = load_checkpoint(tmp_path / "net.safetensors")
    assert not again.training
    image = torch.randn(1, 3, 32, 32)
    for left, right in zip(net(image).heatmaps, again(image).heatmaps, strict=True):
        assert torch.equal(left, right)
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_files_that_are_no_weights_are_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    with pytest.raises(FileNotFoundError, match=r"no weights at .*net.safetensors: train"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ValueError, match=r"net.safetensors is no complete safetensors file"):
        load_checkpoint(path)
    save_checkpoint(make(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"net.safetensors is no complete safetensors file"):
        load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, str(path))
    with pytest.raises(ValueError, match="expected weights of format sparse_ae/1"):
        load_checkpoint(path)
    settings = '{"keypoints": 14, "dim": 8, "widths": [8, 16, 16, 24, 32]}'
    save_file({"a": torch.zeros(1)}, str(path), {"format": "sparse_ae/1", "settings": settings})
    with pytest.raises(ValueError, match="the tensors do not fit the net"):
        load_checkpoint(path)
