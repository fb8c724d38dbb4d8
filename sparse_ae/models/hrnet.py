"""Extract features with HRNet, the backbone of the bottom-up methods at full scale.

Branches at 1/4, 1/8, 1/16 and 1/32 of the image's size run side by side and are summed into each
other repeatedly. The finest one keeps its resolution throughout (Wang et al., "Deep High-Resolution
Representation Learning for Visual Recognition", 2020). W32 and W48 are named after the channels of
the finest branch; each coarser one has twice as many.

Parameters have the names of github.com/HRNet/HigherHRNet-Human-Pose-Estimation
(`lib/models/pose_higher_hrnet.py`), which mmpose, timm and the paper's released code use too:
official weights load as they are.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

STEM_CHANNELS = 64  # for every width
MODULES = {2: 1, 3: 4, 4: 3}  # number of Exchanges in the stage with 2, 3 and 4 branches
BLOCKS = 4  # residual blocks per branch of an Exchange, and of the first stage
WEIGHT_STD = 1e-3  # initial weights of every convolution in HigherHRNet and the released code
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB in [0, 1]


def conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Return a convolution without bias that keeps the size at stride 1, and its batch norm."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def conv_norm_relu(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3×3 convolution without bias, batch normalisation and ReLU."""
    return nn.Sequential(*conv_norm(inputs, outputs, 3, stride), nn.ReLU(inplace=True))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut: (B, C, h, w) → (B, C, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm(channels, channels)
        self.conv2, self.bn2 = conv_norm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(inner)).add_(x), inplace=True)


class Bottleneck(nn.Module):
    """Wider residual block of the first stage: (B, inputs, h, w) → (B, 4 · middle, h, w)."""

    def __init__(self, inputs: int, middle: int) -> None:
        super().__init__()
        outputs = 4 * middle
        self.conv1, self.bn1 = conv_norm(inputs, middle, 1)
        self.conv2, self.bn2 = conv_norm(middle, middle)
        self.conv3, self.bn3 = conv_norm(middle, outputs, 1)
        self.downsample = None
        if inputs != outputs:
            self.downsample = nn.Sequential(*conv_norm(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        inner = F.relu(self.bn1(self.conv1(x)), inplace=True)
        inner = F.relu(self.bn2(self.conv2(inner)), inplace=True)
        return F.relu(self.bn3(self.conv3(inner)).add_(shortcut), inplace=True)


def _resize(source: int, target: int, channels: list[int]) -> nn.Module:
    """Return layers from the size and channels of one branch to those of another."""
    if source == target:
        return nn.Identity()
    inputs, outputs = channels[source], channels[target]
    if source > target:  # a coarser branch: fewer channels first, then enlarged
        enlarge = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*conv_norm(inputs, outputs, 1), enlarge)
    halvings = [conv_norm_relu(inputs, inputs, 2) for _ in range(target - source - 1)]
    return nn.Sequential(*halvings, nn.Sequential(*conv_norm(inputs, outputs, 3, 2)))


class Exchange(nn.Module):
    """Four residual blocks per branch, then each branch becomes the sum of all, resized.

    Args:
        channels: channels of the branches, fine to coarse.
        outputs: number of branches that are returned.
    """

    def __init__(self, channels: list[int], outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(BLOCKS))) for width in channels
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_resize(j, i, channels) for j in range(len(channels)))
            for i in range(outputs)
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        levels = [branch(level) for branch, level in zip(self.branches, levels, strict=True)]
        fused = []
        for resize in self.fuse_layers:
            total = resize[0](levels[0])
            for layer, level in zip(resize[1:], levels[1:], strict=True):
                total = total + layer(level)
            fused.append(F.relu(total, inplace=True))
        return fused


class HRNet(nn.Module):
    """Backbone: (B, 3, H, W) → features (B, width, H/4, W/4).

    The official weights expect RGB in [0, 1], less `IMAGENET_MEAN`, divided by `IMAGENET_STD`.

    Args:
        width: channels of the finest branch; 32 and 48 are the published ones.

    Raises:
        ValueError: width is below 1 or, in the forward pass, H or W is no multiple of 32.
    """

    heads: tuple[str, ...] = ()  # prefixes of the names of a subclass's own parameters

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width: expected a number of channels from 1 on, got {width}")
        self.width = width
        channels = [width * 2**i for i in range(4)]
        self.conv1, self.bn1 = conv_norm(3, STEM_CHANNELS, 3, 2)
        self.conv2, self.bn2 = conv_norm(STEM_CHANNELS, STEM_CHANNELS, 3, 2)
        wide = 4 * STEM_CHANNELS
        self.layer1 = nn.Sequential(
            *(Bottleneck(wide if i else STEM_CHANNELS, STEM_CHANNELS) for i in range(BLOCKS))
        )
        self.transition1 = nn.ModuleList(
            [conv_norm_relu(wide, width), nn.Sequential(conv_norm_relu(wide, 2 * width, 2))]
        )
        self.stage2 = self._stage(2, channels)
        self.transition2 = self._new_branch(2, channels)
        self.stage3 = self._stage(3, channels)
        self.transition3 = self._new_branch(3, channels)
        self.stage4 = self._stage(4, channels, last=1)
        init_weights(self)

    @staticmethod
    def _stage(branches: int, channels: list[int], last: int | None = None) -> nn.Sequential:
        """Return the Exchanges of a stage; the last one returns only `last` branches."""
        outputs = [branches] * (MODULES[branches] - 1) + [last or branches]
        return nn.Sequential(*(Exchange(channels[:branches], count) for count in outputs))

    @staticmethod
    def _new_branch(index: int, channels: list[int]) -> nn.ModuleList:
        """Return the layers before a stage: old branches unchanged, a new one from the coarsest."""
        grown = nn.Sequential(conv_norm_relu(channels[index - 1], channels[index], 2))
        return nn.ModuleList([*(nn.Identity() for _ in range(index)), grown])

    def features(self, image: Tensor) -> Tensor:
        """Compute the features of the finest branch.

        Args:
            image: (B, 3, H, W).

        Returns:
            (B, width, H/4, W/4).

        Raises:
            ValueError: H or W is no multiple of 32.
        """
        if image.shape[2] % 32 or image.shape[3] % 32:
            raise ValueError(f"image: sides must be multiples of 32, got {tuple(image.shape[2:])}")
        x = F.relu(self.bn1(self.conv1(image)), inplace=True)  # 1/2
        x = self.layer1(F.relu(self.bn2(self.conv2(x)), inplace=True))  # 1/4
        levels = self.stage2([layer(x) for layer in self.transition1])
        levels = self.stage3([*levels, self.transition2[2](levels[-1])])
        return self.stage4([*levels, self.transition3[3](levels[-1])])[0]

    def forward(self, image: Tensor) -> Tensor:
        return self.features(image)


def init_weights(net: nn.Module) -> None:
    """Initialise convolutions in place, as HigherHRNet and the released code do.

    Weights are drawn from N(0, 0.001²), biases are 0.

    Args:
        net: any module; its convolutions and transposed convolutions are initialised.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=WEIGHT_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
