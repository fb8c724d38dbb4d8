"""A net that starts from another one's weights."""

import pytest
import torch

from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.models.make import make_net
from sparse_ae.settings.sections import ModelSettings

WIDTHS = (4, 4, 4, 4, 4)


@pytest.fixture
def start(tmp_path):
    """A file of a net of three keypoints without embeddings, and its tensors."""
    torch.manual_seed(1)
    net = PoseNet(3, 0, WIDTHS)
    save_checkpoint(net, tmp_path / "start.safetensors")
    return str(tmp_path / "start.safetensors"), net.state_dict()


def test_backbone_and_heads_are_taken_and_embeddings_start_anew(start):
    path, wanted = start
    torch.manual_seed(2)
    net = make_net(ModelSettings(widths=WIDTHS, dim=2, pretrained=path), 3).state_dict()
    assert all(torch.equal(net[name], tensor) for name, tensor in wanted.items())
    torch.manual_seed(2)
    fresh = make_net(ModelSettings(widths=WIDTHS, dim=2), 3).state_dict()
    assert {name for name in net if name not in wanted} == {"tag_head.weight", "tag_head.bias"}
    assert torch.equal(net["tag_head.weight"], fresh["tag_head.weight"])


def test_with_other_keypoints_only_heads_of_other_shapes_start_anew(start):
    path, wanted = start
    net = make_net(ModelSettings(widths=WIDTHS, dim=2, pretrained=path), 5).state_dict()
    same = {name for name in wanted if net[name].shape == wanted[name].shape}
    assert all(torch.equal(net[name], wanted[name]) for name in same)
    assert {name.split(".")[0] for name in set(wanted) - same} == {
        "heatmap_head", "fine_heatmap_head", "bridge"}  # fmt: skip


def test_a_net_that_is_wider_at_its_coarse_levels_keeps_the_fine_ones(start):
    path, wanted = start
    model = ModelSettings(widths=(4, 4, 4, 8, 8, 8), depths=(1, 1, 2, 1, 1), pretrained=path)
    net = make_net(model, 3).state_dict()
    kept = {name for name in wanted if torch.equal(net[name], wanted[name])}
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    assert {name for name in kept - counters if name.startswith("backbone.")} == {
        name for name in wanted if net[name].shape == wanted[name].shape
        and name.startswith("backbone.")} - counters  # fmt: skip
    assert {"backbone.stem.0.weight", "backbone.down.1.1.first.0.weight"} <= kept
    assert "backbone.down.2.0.0.weight" not in kept


def test_another_backbone_is_refused_by_its_first_tensor(start):
    with pytest.raises(
        ValueError, match=r"start.safetensors: does not fit .* backbone.stem.0.weight"
    ):
        make_net(ModelSettings(widths=(8, 4, 4, 4, 4), pretrained=start[0]), 3)


def test_a_file_of_others_fills_the_backbone_that_it_is_of(tmp_path):
    net = PoseNet(3, 2, backbone="lite0")
    torch.save(net.backbone.encoder.state_dict(), tmp_path / "lite0.pth")
    path = str(tmp_path / "lite0.pth")
    made = make_net(ModelSettings(network="lite0", dim=2, pretrained=path), 3)
    for name, tensor in net.backbone.encoder.state_dict().items():
        assert torch.equal(made.backbone.encoder.state_dict()[name], tensor), name
