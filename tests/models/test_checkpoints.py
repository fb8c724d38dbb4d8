"""Weights files of others: told from names and shapes, matched whole, and never executed."""

from __future__ import annotations

import json
from collections import OrderedDict

import pytest
import torch
from torch import nn

from sparse_ae.models import PoseNet, load_checkpoint, save_checkpoint
from sparse_ae.models.checkpoints import build, load_backbone
from sparse_ae.models.hrnet import HRNet
from sparse_ae.models.official import CoupledNet, HigherHRNet
from sparse_ae.models.pose_net import load_with_report
from sparse_ae.models.recognition import recognise

WIDTH = 4  # the layers of every width, quick to run
NETS = {
    "higher": lambda: HigherHRNet(5, 1, WIDTH),
    "higher, 2 dimensions": lambda: HigherHRNet(5, 2, WIDTH),
    "higher, coarse": lambda: HigherHRNet(5, 1, WIDTH, fine=False),
    "released": lambda: CoupledNet(5, 8, WIDTH),
    "released, coarse": lambda: CoupledNet(5, 8, WIDTH, fine=False),
}
RANDOM = torch.Generator().manual_seed(0)


def random_net(make) -> nn.Module:
    net = make().eval()
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=RANDOM) * 0.1 + 0.01)
    return net


def same(left: nn.Module, right: nn.Module) -> bool:
    ours, theirs = left.state_dict(), right.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[n], theirs[n]) for n in ours)


def prefixed(state, prefix):
    return OrderedDict((prefix + name, tensor) for name, tensor in state.items())


@pytest.fixture(scope="module")
def higher():
    return random_net(NETS["higher"])


@pytest.fixture(scope="module")
def backbone():
    return random_net(lambda: HRNet(WIDTH))


def saved(path, content):
    torch.save(content, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_the_networks_of_others_are_told_from_names_and_shapes(tmp_path, name):
    net = random_net(NETS[name])
    again, report = load_with_report(saved(tmp_path / "net.pth", net.state_dict()))
    assert type(again) is type(net)
    assert again.settings == net.settings
    assert same(again, net)
    assert not again.training
    assert (len(report.matched), report.left, report.missing) == (len(net.state_dict()), (), ())
    assert f"W{WIDTH} for 5 keypoints, {net.dim} dimensions" in report.kind


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_they_survive_our_own_format(tmp_path, name):
    net = random_net(NETS[name])
    save_checkpoint(net, tmp_path / "net.safetensors")
    again, report = load_with_report(tmp_path / "net.safetensors")
    assert (type(again), again.settings, same(again, net)) == (type(net), net.settings, True)
    assert report.kind == "ours, sparse_ae/1"


@pytest.mark.parametrize("name", ["higher_hrnet_w32_K17", "ce_hrnet_w32_K17", "ce_hrhrnet_w32_K14"])
def test_the_official_names_and_shapes_at_full_size(golden, name):
    found = json.loads((golden / "models" / "state_dict_shapes.json").read_text())[name]
    kind, settings = recognise({n: tuple(shape) for n, shape in found.items()})
    network = "higher_hrnet" if name.startswith("higher") else "coupled"
    assert settings == {
        "network": network, "keypoints": int(name[-2:]), "dim": 1 if network != "coupled" else 8,
        "width": 32, "fine": "ce_hrnet" not in name,
    }  # fmt: skip
    assert name.split("_w32")[0].replace("higher_hrnet", "HigherHRNet") in kind


def wrapped(state):
    scheduler = torch.optim.lr_scheduler.MultiStepLR(
        torch.optim.Adam([nn.Parameter(torch.zeros(1))], 1e-3), [200, 260], 0.1
    )
    trainer = prefixed(state, "net.") | {"criterion.bins": torch.zeros(8)}
    return {
        # HigherHRNet's train.py, and its half precision; the released code's two files; mmpose
        "official": ({"epoch": 3, "model": "pose_higher_hrnet", "state_dict": state,
                      "best_state_dict": state, "perf": 0.6}, 4),
        "half": (prefixed({n: t.half() for n, t in state.items()}, "1."), 0),
        "parallel": ({"state_dict": prefixed(state, "module.1.")}, 0),
        "best": ({"model": state}, 0),
        "trainer": ({"model": trainer, "lr_scheduler": scheduler.state_dict(),
                     "meta": {"epoch": 3, "iter": 0}}, 3),
        "without counters": ({n: t for n, t in state.items() if "num_batches" not in n}, 0),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", ["official", "half", "parallel", "best", "trainer", "without counters"]
)
@pytest.mark.parametrize("legacy", [False, True])
def test_wrappers_and_prefixes_of_official_files(tmp_path, higher, case, legacy):
    content, left = wrapped(higher.state_dict())[case]
    path = tmp_path / "net.pth.tar"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    net, report = load_with_report(path)
    assert len(report.left) == left
    found = net.state_dict()
    for name, tensor in higher.state_dict().items():
        expected = tensor.half() if case == "half" else tensor
        assert torch.equal(found[name], expected.to(tensor.dtype))
    assert all(name.endswith("num_batches_tracked") for name in report.missing)


def imagenet(state):
    return state | {"incre_modules.0.0.conv1.weight": torch.zeros(2, 2, 1, 1),
                    "stage4.2.fuse_layers.1.0.0.0.weight": torch.zeros(8, 4, 3, 3),
                    "classifier.weight": torch.zeros(10, 8)}  # fmt: skip


def top_down(state):
    return state | {"final_layer.weight": torch.zeros(17, WIDTH, 1, 1)}


def mmpose(state):
    return prefixed(state, "backbone.") | {"head.final_layer.weight": torch.zeros(17, WIDTH, 1, 1)}


FILES = {imagenet: ("ImageNet", 3), top_down: ("top-down", 1), mmpose: ("top-down", 1),
         OrderedDict: ("no head that is known", 0)}  # fmt: skip


@pytest.fixture(scope="module", params=["higher", "released", "backbone"])
def fresh(request):
    """A net, and what it holds at first; each test finds it so."""
    net = random_net(NETS.get(request.param, lambda: HRNet(WIDTH)))
    return net, {name: tensor.clone() for name, tensor in net.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("dress", FILES, ids=lambda dress: dress.__name__)
def test_a_backbone_is_filled_and_the_heads_are_left_alone(tmp_path, backbone, dress, fresh):
    net, before = fresh
    net.load_state_dict(before)
    kind, path = FILES[dress][0], saved(tmp_path / "hrnet.pth", dress(backbone.state_dict()))
    report = load_backbone(net.train(), path)
    assert net.training
    assert kind in report.kind
    assert len(report.matched) == len(backbone.state_dict()) == 1752
    assert len(report.left) == FILES[dress][1]
    assert set(report.missing) == set(before) - set(report.matched)
    source = backbone.state_dict()
    for name, tensor in net.state_dict().items():
        expected = source.get(name.removeprefix("backbone."), before[name])
        assert torch.equal(tensor, expected)


def test_the_report_in_words(tmp_path, backbone):
    path = saved(tmp_path / "hrnet.pth", imagenet(backbone.state_dict()))
    assert str(load_backbone(CoupledNet(5, 8, WIDTH, fine=False), path)) == (
        f"{path}: HRNet-W4, pre-trained on ImageNet; 1752 tensors matched, "
        "left: 3 (classifier, incre_modules, stage4), missing: 4 (head)"
    )


def test_the_backbone_of_a_whole_network_serves_too(tmp_path, higher):
    path = saved(tmp_path / "net.pth", higher.state_dict())
    net = CoupledNet(5, 8, WIDTH)
    report = load_backbone(net, path)
    assert {name.split(".")[0] for name in report.left} == {"final_layers", "deconv_layers"}
    assert torch.equal(net.backbone.conv1.weight, higher.conv1.weight)


def test_a_backbone_alone_is_no_network(tmp_path, backbone):
    path = saved(tmp_path / "hrnet.pth", top_down(backbone.state_dict()))
    with pytest.raises(ValueError, match=r"hrnet.pth: .*top-down pose, is a backbone .*load_backb"):
        load_checkpoint(path)
    with pytest.raises(ValueError, match=r"expected a network on top of HRNet .*, got PoseNet on"):
        load_backbone(PoseNet(5, 1, (4, 4, 4, 4, 4)), path)


def changed(state, **changes):
    result = OrderedDict(state)
    for name, value in changes.items():
        if value is None:
            del result[name]
        else:
            result[name] = value
    return result


BN, LAST, CONV = "bn1.running_var", "final_layers.1.weight", "stage2.0.branches.0.0.conv1.weight"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({BN: torch.ones(3)}, r"bn1.running_var: expected \(64,\), found \(3,\)"),
        ({CONV: None}, r"stage2.0.branches.0.0.conv1.weight: expected \(4, 4, 3, 3\), found none"),
        ({"scale_head.weight": torch.ones(2)}, r"scale_head.weight: expected none, found \(2,\)"),
        ({BN: torch.ones(64).int()}, "bn1.running_var: expected dense floating .* torch.int32"),
        ({BN: torch.ones(64).to_sparse()}, "bn1.running_var: expected dense .* torch.sparse_coo"),
        ({BN: torch.ones(64, device="meta")}, "bn1.running_var: expected dense .* on meta"),
        ({BN: torch.full((64,), torch.nan)}, "bn1.running_var: .* not finite"),
        ({LAST: torch.ones(4, 4, 1, 1)}, "final_layers.0.weight: expected a multiple of 4 output"),
        ({LAST: torch.ones(4)}, "final_layers.1.weight: expected the weights of a convolution"),
        ({LAST: torch.ones(10, 4, 1, 1)}, "expected numbers from 1 on, got 10 and 0"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, higher, changes, message):
    path = saved(tmp_path / "net.pth", changed(higher.state_dict(), **changes))
    with pytest.raises(ValueError, match=f"net.pth: the tensors do not fit the net: .*{message}"):
        load_checkpoint(path)


def test_another_width_is_refused_and_the_net_stays_as_it_was(tmp_path, backbone):
    net, path = random_net(lambda: HRNet(2)), saved(tmp_path / "w4.pth", backbone.state_dict())
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    message = r"HRNet-W4, .*does not fit the backbone of the net: .* at transition1.0.0.weight: "
    with pytest.raises(ValueError, match=message + r"expected \(2, 256, 3, 3\), found \(4, 256"):
        load_backbone(net, path)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_no_memory_is_taken_for_a_net_that_does_not_fit(tmp_path):
    def make():
        return nn.Linear(10**9, 10**6)  # four petabytes

    with pytest.raises(ValueError, match=r"first mismatch at weight: expected .*, found none"):
        build(make, {}, tmp_path)
