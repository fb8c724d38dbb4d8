"""Extract features with `SmallNet`, the backbone of the laptop presets.

It is an encoder and decoder with skip connections and about a million parameters, small enough to
be trained on one core in minutes. It returns features at two sizes, as HigherHRNet does at full
scale; the finer ones are for a second set of heatmaps.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

DEEPEST = 100  # most blocks of one size: a weights file that names more would fill the memory


class ConvNormReLU(nn.Sequential):
    """3×3 convolution, batch normalisation, ReLU: (B, inputs, h, w) → (B, outputs, h', w')."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut, as ResNet's basic block; the shape stays."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = ConvNormReLU(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)).add_(x).relu_()


class SmallNet(nn.Module):
    """Backbone: (B, 3, H, W) → features at H/4 (`coarse_channels`) and H/2 (`fine_channels`).

    Args:
        widths: Channels at 1/2, 1/4, 1/8, 1/16, 1/32 and, if there are six, 1/64 of the image's
            size.
        depths: Residual blocks at each size but the first, on the way down; by default one each.

    Raises:
        ValueError: widths and depths do not fit or, in the forward pass, H or W is no multiple of
            the coarsest stride, 32 or 64.
    """

    def __init__(
        self, widths: tuple[int, ...] = (32, 48, 64, 96, 128), depths: tuple[int, ...] | None = None
    ):
        super().__init__()
        depths = depths or (1,) * (len(widths) - 1)
        if len(widths) not in (5, 6) or len(depths) != len(widths) - 1:
            raise ValueError("widths and depths: expected five or six numbers of channels and one "
                             f"number of blocks fewer, got {widths} and {depths}")  # fmt: skip
        if not all(type(depth) is int and 1 <= depth <= DEEPEST for depth in depths):
            raise ValueError(f"depths: expected 1 to {DEEPEST} blocks, got {depths}")
        self.stride = 2 ** len(widths)
        self.fine_channels, self.coarse_channels = widths[:2]
        self.stem = ConvNormReLU(3, widths[0], stride=2)
        self.down = nn.ModuleList(
            nn.Sequential(
                ConvNormReLU(widths[i], width, stride=2),
                *(ResidualBlock(width) for _ in range(depths[i])),
            )
            for i, width in enumerate(widths[1:])
        )
        self.lateral = nn.ModuleList(
            nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(1, len(widths) - 1)
        )
        self.up = nn.ModuleList(ResidualBlock(widths[i]) for i in range(1, len(widths) - 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        if image.shape[2] % self.stride or image.shape[3] % self.stride:
            raise ValueError(f"image: sides must be multiples of {self.stride}, got "
                             f"{tuple(image.shape[2:])}")  # fmt: skip
        levels = [self.stem(image)]  # 1/2
        for stage in self.down:
            levels.append(stage(levels[-1]))  # 1/4, 1/8, 1/16, 1/32; with six widths 1/64
        x = levels[-1]
        for lateral, up, skip in zip(
            reversed(self.lateral), reversed(self.up), reversed(levels[1:-1]), strict=True
        ):
            x = up(enlarge(lateral(x)).add_(skip))
        return x, levels[0]


def enlarge(x: Tensor) -> Tensor:
    """Enlarge maps by two: (B, C, h, w) → (B, C, 2h, 2w), each cell repeated."""
    return F.interpolate(x, scale_factor=2, mode="nearest")
