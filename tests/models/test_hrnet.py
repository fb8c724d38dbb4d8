"""HRNet and the peers' networks: their names, their sizes, and what their own code gives."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
import torch

from sparse_ae.models.hrnet import HRNet
from sparse_ae.models.official import NETWORKS, CoupledNet, HigherHRNet

pytestmark = pytest.mark.slow

PEERS = {
    "higher_hrnet_w32_K17": lambda **width: HigherHRNet(17, **width),
    "ce_hrnet_w32_K17": lambda **width: CoupledNet(17, fine=False, **width),
    "ce_hrhrnet_w32_K17": lambda **width: CoupledNet(17, **width),
    "ce_hrnet_w32_K14": lambda **width: CoupledNet(14, fine=False, **width),
    "ce_hrhrnet_w32_K14": lambda **width: CoupledNet(14, **width),
}
# counted in the peers' own networks
PARAMETERS = {
    "higher_hrnet_w32_K17": 28_645_331, "ce_hrnet_w32_K17": 28_540_601,
    "ce_hrhrnet_w32_K17": 28_640_554, "ce_hrnet_w32_K14": 28_539_710,
    "ce_hrhrnet_w32_K14": 28_638_028,
}  # fmt: skip
# channels that do not follow the width: the image's, those of the stem and of the first stage
FIXED_STEM = ("conv1", "bn1", "conv2", "bn2", "layer1")
SMALL = 4  # a width of no published network: the same layers, quick to run


def on_meta(make, **width):
    with torch.device("meta"):
        return make(**width)


def shapes(net) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in net.state_dict().items()}


def peers_shapes(golden, name):
    return json.loads((golden / "models" / "state_dict_shapes.json").read_text())[name]


def widened(name: str, shape: list[int], keypoints: int, tags: int) -> list[int]:
    """The shape at W48 of a tensor with this name and shape at W32."""
    if name.removeprefix("backbone.").split(".")[0] in FIXED_STEM:
        return shape
    fixed = {256} if "transition1" in name else set()
    joined = {32 + keypoints: 48 + keypoints, 32 + keypoints + tags: 48 + keypoints + tags}
    heads = "final_layers" in name or "pred_layers" in name
    first = shape[:1] if heads else [joined.get(n, n * 3 // 2) if n > 4 else n for n in shape[:1]]
    return first + [n if n < 5 or n in fixed else n * 3 // 2 for n in shape[1:]]


def filled(name: str, tensor: torch.Tensor, salt: int) -> torch.Tensor:
    """What the golden data's README says that a tensor of this name holds."""
    if not tensor.is_floating_point():
        return tensor
    draw, shape = np.random.default_rng(zlib.crc32(name.encode()) + salt), tuple(tensor.shape)
    if name.endswith("running_var"):
        values = draw.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        values = draw.normal(0, 0.1, shape)
    elif len(shape) == 1:
        is_weight = name.endswith("weight")
        values = draw.uniform(0.7, 1.3, shape) if is_weight else draw.normal(0, 0.05, shape)
    else:
        values = draw.normal(0, 1, shape) * np.sqrt(0.35 / (np.prod(shape) / shape[0]))
    return torch.from_numpy(values.astype(np.float32))


def in_the_peers_layout(name: str, output) -> list[np.ndarray]:
    if name.startswith("higher"):
        both = torch.cat([output.heatmaps[0], output.tags.flatten(1, 2)], 1)
        return [both.numpy(), output.heatmaps[1].numpy()]
    return [*(h.numpy() for h in output.heatmaps), output.tags.permute(0, 1, 3, 4, 2).numpy()]


@pytest.mark.parametrize("name", PEERS)
def test_names_and_shapes_are_the_peers_own(golden, name):
    assert shapes(on_meta(PEERS[name])) == peers_shapes(golden, name)


@pytest.mark.parametrize("name", PEERS)
def test_outputs_are_the_peers_own(golden, name):
    case = np.load(golden / "models" / f"{name}.npz")
    net = PEERS[name]().eval()
    state = {n: filled(n, tensor, int(case["salt"])) for n, tensor in net.state_dict().items()}
    net.load_state_dict(state)
    drawn = np.random.default_rng(int(case["seed"])).normal(0, 1, (1, 3, *case["size"]))
    with torch.inference_mode():
        output = net(torch.from_numpy(drawn.astype(np.float32)))
    ours = in_the_peers_layout(name, output)
    assert len(ours) == sum(key.startswith("out") for key in case)
    for i, found in enumerate(ours):
        expected = case[f"out{i}"]
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", PEERS)
def test_numbers_of_parameters(name):
    assert sum(p.numel() for p in on_meta(PEERS[name]).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", PEERS)
def test_w48_is_w32_with_half_as_many_channels_again(golden, name):
    keypoints, tags = int(name[-2:]), 17 if name.startswith("higher") else 0
    expected = {n: widened(n, shape, keypoints, tags)
                for n, shape in peers_shapes(golden, name).items()}  # fmt: skip
    assert shapes(on_meta(PEERS[name], width=48)) == expected


def test_w48_has_the_published_number_of_parameters():
    count = sum(p.numel() for p in on_meta(PEERS["higher_hrnet_w32_K17"], width=48).parameters())
    assert round(count / 1e6, 1) == 63.8  # as HigherHRNet gives it


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize(("network", "dim"), [(HigherHRNet, 1), (HigherHRNet, 3), (CoupledNet, 8)])
def test_every_net_gives_the_maps_of_the_house(network, dim, fine):
    net = network(5, dim, SMALL, fine=fine).eval()
    with torch.inference_mode():
        output = net(torch.zeros(2, 3, 64, 96))
    sizes = [(2, 5, 16, 24), (2, 5, 32, 48)][: 1 + fine]
    assert [tuple(h.shape) for h in output.heatmaps] == sizes
    assert output.tags.shape == (2, 5, dim, 16, 24)
    assert (output.adapt, output.centre, output.offsets) == (None, None, None)
    assert NETWORKS[net.settings["network"]] is network


@pytest.mark.parametrize("network", [HigherHRNet, CoupledNet])
def test_every_parameter_learns(network):
    torch.manual_seed(0)
    net = network(5, 2, SMALL)
    for parameter in net.parameters():  # 0.001, as they start, times itself fifty times is nothing
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
    output = net(torch.randn(2, 3, 64, 64))
    loss = output.tags.square().sum() + sum(h.square().sum() for h in output.heatmaps)
    loss.backward()
    idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


def test_tags_start_where_they_are_told_to():
    image = torch.zeros(1, 3, 32, 32)
    with torch.inference_mode():
        at_zero, apart = (CoupledNet(5, 8, SMALL, tag_bias=b).eval()(image) for b in (0.0, 0.5))
    assert at_zero.tags.abs().max() < 0.01
    assert (apart.tags - 0.5).abs().max() < 0.01


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match=r"multiples of 32, got \(64, 80\)"):
        HRNet(SMALL)(torch.zeros(1, 3, 64, 80))
    with pytest.raises(ValueError, match="keypoints, dim: expected numbers from 1 on"):
        HigherHRNet(17, 0, SMALL)
    with pytest.raises(ValueError, match="width: expected"):
        HRNet(0)
