"""Make the network that a run's settings name."""

from __future__ import annotations

from sparse_ae.models.checkpoints import is_ours, load_backbone, load_start
from sparse_ae.models.lite import imagenet_weights
from sparse_ae.models.official import NETWORKS, CoupledNet, HigherHRNet
from sparse_ae.models.pose_net import TAG_BIAS, PoseNet
from sparse_ae.settings.sections import ModelSettings


def make_net(model: ModelSettings, keypoints: int) -> PoseNet | HigherHRNet | CoupledNet:
    """Make the network of the settings, with weights from torch's generator or from a file.

    Args:
        model: Which network, with which heads, and the weights to start from.
        keypoints: Number of keypoints, K.

    Raises:
        ValueError: The network lacks heads that the settings ask for, or the weights do not fit.
    """
    if model.network in NETWORKS:
        net = _make_hrnet(model, keypoints)
    else:
        net = PoseNet(
            keypoints, model.dim, model.widths, depths=model.depths, adapt=model.swahr_head,
            offsets=model.offset_heads, tag_init=model.tag_init, backbone=model.network,
        )  # fmt: skip
    if model.pretrained == "imagenet":
        load_backbone(net, imagenet_weights())
    elif model.pretrained and isinstance(net, PoseNet) and is_ours(model.pretrained):
        load_start(net, model.pretrained)
    elif model.pretrained:
        load_backbone(net, model.pretrained)
    return net


def _make_hrnet(model: ModelSettings, keypoints: int) -> HigherHRNet | CoupledNet:
    """Make HigherHRNet or the paper's network."""
    if model.swahr_head or model.offset_heads or model.tag_init != "small":
        raise ValueError(f"network {model.network!r} has no such heads as the method needs")
    started = {"tag_bias": TAG_BIAS} if model.network == "coupled" else {}
    return NETWORKS[model.network](
        keypoints, model.dim, model.network_width, fine=model.high_res_heatmaps, **started
    )
