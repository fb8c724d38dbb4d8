"""Build the networks of HigherHRNet and of the paper's released code, on top of HRNet.

Layers and parameter names are those of github.com/HRNet/HigherHRNet-Human-Pose-Estimation
(`lib/models/pose_higher_hrnet.py`) and github.com/CR320/CoupledEmbedding (`models/head`): their
weights load as they are. The networks return a `PoseOutput`, as `pose_net.PoseNet` does, but expect
other images: RGB in [0, 1], less `net.mean`, divided by `net.std`, the statistics of ImageNet.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparse_ae.models.hrnet import IMAGENET_MEAN, IMAGENET_STD, BasicBlock, HRNet, init_weights
from sparse_ae.models.outputs import PoseOutput

FINE_BLOCKS = 4  # residual blocks after the deconvolution


def _check_sizes(keypoints: int, dim: int) -> None:
    """Raise ValueError if there is not at least one keypoint and one dimension."""
    if keypoints < 1 or dim < 1:
        raise ValueError(f"keypoints, dim: expected numbers from 1 on, got {keypoints} and {dim}")


def _deconvolution(inputs: int, outputs: int) -> nn.Sequential:
    """Return a deconvolution (B, inputs, h, w) → (B, outputs, 2h, 2w), batch norm and ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class HigherHRNet(HRNet):
    """HigherHRNet: (B, 3, H, W) → heatmaps at H/4 and H/2, embeddings at H/4.

    The backbone's parameters have no prefix, as in the official files.

    Args:
        keypoints: K.
        dim: D, 1 in HigherHRNet.
        width: 32 or 48 as published.
        fine: whether to have the deconvolution, which sees the coarse heatmaps and tags too, and
            the heatmaps at H/2. Without it the net is the HRNet baseline of the same paper.

    Raises:
        ValueError: keypoints, dim or width is below 1.

    Source:
        Cheng et al., "HigherHRNet", CVPR 2020.
    """

    network = "higher_hrnet"
    heads = ("final_layers.", "deconv_layers.")
    mean, std = IMAGENET_MEAN, IMAGENET_STD

    def __init__(self, keypoints: int, dim: int = 1, width: int = 32, *, fine: bool = True):
        _check_sizes(keypoints, dim)
        super().__init__(width)
        self.settings = {"network": self.network, "keypoints": keypoints, "dim": dim,
                         "width": width, "fine": fine}  # fmt: skip
        self.keypoints, self.dim = keypoints, dim
        both = keypoints * (1 + dim)
        heads, deconvolutions = [nn.Conv2d(width, both, 1)], []
        if fine:
            heads.append(nn.Conv2d(width, keypoints, 1))
            # each block has a Sequential of its own, to match the official names
            blocks = (nn.Sequential(BasicBlock(width)) for _ in range(FINE_BLOCKS))
            deconvolutions.append(nn.Sequential(_deconvolution(width + both, width), *blocks))
        self.final_layers = nn.ModuleList(heads)
        self.deconv_layers = nn.ModuleList(deconvolutions)
        init_weights(self.final_layers)
        init_weights(self.deconv_layers)

    def forward(self, image: Tensor) -> PoseOutput:
        x = self.features(image)
        both = self.final_layers[0](x)  # (B, K + K·D, H/4, W/4)
        heatmaps = [both[:, : self.keypoints]]
        for deconvolution, head in zip(self.deconv_layers, self.final_layers[1:], strict=True):
            heatmaps.append(head(deconvolution(torch.cat([x, both], 1))))  # (B, K, H/2, W/2)
        tags = both[:, self.keypoints :].unflatten(1, (self.keypoints, self.dim))
        return PoseOutput(tuple(heatmaps), tags)


class _CoarseHead(nn.Module):
    """Head of `ce_hrnet`: features → heatmaps and embeddings of the features' size."""

    def __init__(self, keypoints: int, dim: int, width: int) -> None:
        super().__init__()
        self.hms_pred_layers = nn.Conv2d(width, keypoints, 1)
        self.tms_pred_layers = nn.Conv2d(width, keypoints * dim, 1)

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        return (self.hms_pred_layers(x),), self.tms_pred_layers(x)


class _FineHead(nn.Module):
    """Head of `ce_hrhrnet`: as `_CoarseHead`, and heatmaps of twice the size.

    The deconvolution sees the features and the coarse heatmaps.
    """

    def __init__(self, keypoints: int, dim: int, width: int) -> None:
        super().__init__()
        self.hms_pred_layers = nn.ModuleList(nn.Conv2d(width, keypoints, 1) for _ in range(2))
        self.tms_pred_layers = nn.Conv2d(width, keypoints * dim, 1)
        self.deconv_layers = _deconvolution(width + keypoints, width)
        self.blocks = nn.Sequential(*(BasicBlock(width) for _ in range(FINE_BLOCKS)))

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        coarse = self.hms_pred_layers[0](x)
        enlarged = self.blocks(self.deconv_layers(torch.cat([x, coarse], 1)))
        return (coarse, self.hms_pred_layers[1](enlarged)), self.tms_pred_layers(x)


class CoupledNet(nn.Module):
    """The paper's networks as released: (B, 3, H, W) → heatmaps and embeddings.

    Args:
        keypoints: K.
        dim: D.
        width: 32 or 48 as released.
        fine: True for `ce_hrhrnet`, with heatmaps at H/4 and H/2; False for `ce_hrnet`, with
            heatmaps at H/4. Embeddings are at H/4.
        tag_bias: initial bias of the embeddings, 0 as released. `pose_net.TAG_BIAS` keeps
            embeddings away from 0, where the gradient of L_s is largest.

    Raises:
        ValueError: keypoints, dim or width is below 1.

    Source:
        github.com/CR320/CoupledEmbedding, `models/head`.
    """

    network = "coupled"
    mean, std = IMAGENET_MEAN, IMAGENET_STD

    def __init__(
        self, keypoints: int, dim: int = 8, width: int = 32, *, fine: bool = True,
        tag_bias: float = 0.0,
    ) -> None:  # fmt: skip
        _check_sizes(keypoints, dim)
        super().__init__()
        self.settings = {"network": self.network, "keypoints": keypoints, "dim": dim,
                         "width": width, "fine": fine}  # fmt: skip
        self.keypoints, self.dim = keypoints, dim
        self.backbone = HRNet(width)
        self.head = (_FineHead if fine else _CoarseHead)(keypoints, dim, width)
        init_weights(self.head)
        nn.init.constant_(self.head.tms_pred_layers.bias, tag_bias)

    def forward(self, image: Tensor) -> PoseOutput:
        heatmaps, tags = self.head(self.backbone(image))
        return PoseOutput(heatmaps, tags.unflatten(1, (self.keypoints, self.dim)))


NETWORKS = {net.network: net for net in (HigherHRNet, CoupledNet)}
