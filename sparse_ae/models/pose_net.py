"""Build PoseNet, a backbone with heads for heatmaps and embeddings; save and load its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from sparse_ae.models.checkpoints import WEIGHTS_FORMAT, LoadReport, build, build_recognised
from sparse_ae.models.lite import LiteNet
from sparse_ae.models.official import NETWORKS, CoupledNet, HigherHRNet
from sparse_ae.models.outputs import PoseOutput
from sparse_ae.models.small import ConvNormReLU, SmallNet, enlarge
from sparse_ae.models.tag_start import start_tags
from sparse_ae.models.weights_files import Contents, read_tensors, write_tensors
from sparse_ae.runtime.files import write_whole

TAG_BIAS = 0.5  # at 0 the gradient of L_s, 1/‖t‖, stalls the push term for hundreds of steps
HEAD_WEIGHT_STD = 1e-3
BACKBONES = {"small": SmallNet, "lite0": LiteNet}


class PoseNet(nn.Module):
    """Pose network: (B, 3, H, W), RGB in [0, 1] minus ½ → heatmaps at H/4 and H/2, tags at H/4.

    The forward pass returns a `PoseOutput`. H and W must be multiples of 32, or of 64
    with six widths.

    Args:
        keypoints: K.
        dim: D, the dimensions of the embeddings (tags); 0 for none.
        widths: five or six numbers of channels of the backbone, fine to coarse.
        depths: residual blocks of "small" at each width but the first; by default one each.
        adapt: whether to have heads for the widths of the heatmaps' peaks (SWAHR).
        offsets: whether to have heads for centres and offsets.
        tag_init: "small" for small weights around the bias TAG_BIAS, or "large" or "orthogonal",
            see `tag_start.start_tags`.
        backbone: "small", or "lite0", which `checkpoints.load_backbone` fills with ImageNet
            weights.

    Raises:
        ValueError: backbone or tag_init is unknown, or the backbone does not take the widths.

    Example:
        >>> import torch
        >>> from sparse_ae.models import PoseNet
        >>> output = PoseNet(keypoints=17, dim=8).eval()(torch.zeros(1, 3, 128, 96))
        >>> [tuple(heatmaps.shape) for heatmaps in output.heatmaps]
        [(1, 17, 32, 24), (1, 17, 64, 48)]
        >>> tuple(output.tags.shape)
        (1, 17, 8, 32, 24)
    """

    mean, std = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)  # of RGB in [0, 1], for `outputs.to_input`

    def __init__(
        self, keypoints: int, dim: int, widths: tuple[int, ...] = (32, 48, 64, 96, 128), *,
        depths: tuple[int, ...] | None = None, adapt: bool = False, offsets: bool = False,
        tag_init: str = "small", backbone: str = "small",
    ) -> None:  # fmt: skip
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"backbone: expected one of {list(BACKBONES)}, got {backbone!r}")
        depths = tuple(depths or (1,) * (len(widths) - 1))
        self.settings = {"keypoints": keypoints, "dim": dim, "widths": list(widths),
                         "depths": list(depths), "adapt": adapt, "offsets": offsets,
                         "backbone": backbone}  # fmt: skip
        self.keypoints, self.dim = keypoints, dim
        if backbone == "small":
            self.backbone = SmallNet(tuple(widths), depths)
        else:
            self.backbone = LiteNet(tuple(widths))
        coarse, fine = self.backbone.coarse_channels, self.backbone.fine_channels
        self.heatmap_head = nn.Conv2d(coarse, keypoints, 1)
        self.tag_head = nn.Conv2d(coarse, keypoints * dim, 1) if dim else None
        self.bridge = nn.Conv2d(coarse + keypoints, fine, 1)
        self.refine = ConvNormReLU(fine, fine)
        self.fine_heatmap_head = nn.Conv2d(fine, keypoints, 1)
        small = [self.heatmap_head, self.fine_heatmap_head]
        if adapt:
            small += [nn.Conv2d(coarse, keypoints, 1), nn.Conv2d(fine, keypoints, 1)]
            self.adapt_head, self.fine_adapt_head = small[2:]
        if offsets:
            small += [nn.Conv2d(coarse, 1, 1), nn.Conv2d(coarse, 2 * keypoints, 1)]
            self.centre_head, self.offset_head = small[2:]
        for head in small:
            nn.init.normal_(head.weight, std=HEAD_WEIGHT_STD)
            nn.init.zeros_(head.bias)
        if dim and tag_init == "small":
            nn.init.normal_(self.tag_head.weight, std=HEAD_WEIGHT_STD)
            nn.init.constant_(self.tag_head.bias, TAG_BIAS)
        elif dim:
            start_tags(self.tag_head, tag_init)

    def forward(self, image: Tensor) -> PoseOutput:
        coarse, fine = self.backbone(image)
        heatmaps = self.heatmap_head(coarse)  # (B, K, H/4, W/4)
        bridge = enlarge(self.bridge(torch.cat([coarse, heatmaps], 1)))
        fine = self.refine(bridge.add_(fine))
        both = (heatmaps, self.fine_heatmap_head(fine))  # the latter (B, K, H/2, W/2)
        tags = adapt = centre = offsets = None
        if self.dim:
            tags = self.tag_head(coarse).unflatten(1, (self.keypoints, self.dim))
        if self.settings["adapt"]:
            adapt = (self.adapt_head(coarse), self.fine_adapt_head(fine))
        if self.settings["offsets"]:
            centre, offsets = self.centre_head(coarse), self.offset_head(coarse)
        return PoseOutput(both, tags, adapt, centre, offsets)


def save_checkpoint(
    model: PoseNet | HigherHRNet | CoupledNet, path: str | Path, testing: Mapping | None = None
) -> None:
    """Write a net's weights as safetensors, with the settings from which to build it again.

    Args:
        model: the net.
        path: the file; an existing one is replaced.
        testing: how to use the net on photos, in plain values (those of
            `evaluation.predictor.Usage`); files without it can be loaded too.

    Raises:
        OSError: the file cannot be written; the message names it.

    Example:
        >>> import tempfile
        >>> from sparse_ae.models import PoseNet, load_checkpoint, save_checkpoint
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_checkpoint(PoseNet(keypoints=17, dim=8), f"{folder}/net.safetensors")
        ...     load_checkpoint(f"{folder}/net.safetensors").dim
        8
    """
    write_whole(Path(path), lambda part: write_weights(model, part, testing))


def write_weights(
    model: PoseNet | HigherHRNet | CoupledNet, path: Path, testing: Mapping | None = None
) -> None:
    """Write a net's weights straight into a file, for `runtime.files.write_together`.

    Unlike `save_checkpoint`, this leaves half a file if it is interrupted.

    Args:
        model: the net.
        path: the file.
        testing: as in `save_checkpoint`.

    Raises:
        OSError: the file cannot be written.
    """
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    metadata = {"format": WEIGHTS_FORMAT, "settings": json.dumps(model.settings)}
    if testing is not None:
        metadata["testing"] = json.dumps(testing)
    write_tensors(path, state, metadata)


def load_checkpoint(path: str | Path) -> PoseNet | HigherHRNet | CoupledNet:
    """Load the network that a weights file holds.

    The file may be one that `save_checkpoint` wrote, or one of HigherHRNet or of the paper's
    released models, which are recognised by names and shapes. Only tensors are read: nothing in
    the file is executed. For a backbone alone see `checkpoints.load_backbone`.

    Args:
        path: the file.

    Returns:
        The network, in evaluation mode.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: the file is none of these, or is damaged.

    Example:
        >>> import tempfile
        >>> from sparse_ae.models import PoseNet, load_checkpoint, save_checkpoint
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_checkpoint(PoseNet(keypoints=14, dim=2), f"{folder}/net.safetensors")
        ...     load_checkpoint(f"{folder}/net.safetensors").keypoints
        14
    """
    return load_with_report(path)[0]


def load_with_report(
    path: str | Path,
) -> tuple[PoseNet | HigherHRNet | CoupledNet, LoadReport]:
    """Load a network as `load_checkpoint` does, and report what was found in the file.

    Args:
        path: the file.

    Returns:
        The network, in evaluation mode, and the `LoadReport`.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: the file is not recognised, or is damaged.
    """
    path = Path(path)
    contents = read_tensors(path)
    if contents.metadata.get("format", "").startswith("sparse_ae/"):
        net = _build_ours(contents, path)
        kind, testing = f"ours, {WEIGHTS_FORMAT}", contents.metadata.get("testing")
        try:
            known = None if testing is None else dict(json.loads(testing))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{path}: testing: no settings: {error}") from error
        return net, LoadReport(path, kind, tuple(contents.tensors), testing=known)
    return build_recognised(contents, path)


def _build_ours(contents: Contents, path: Path) -> PoseNet | HigherHRNet | CoupledNet:
    """Build the network of a file that `save_checkpoint` wrote."""
    if contents.metadata["format"] != WEIGHTS_FORMAT:
        raise ValueError(
            f"{path}: expected weights of format {WEIGHTS_FORMAT}, found "
            f"{contents.metadata['format']}: use the version of sparse_ae that wrote it"
        )
    try:
        settings = dict(json.loads(contents.metadata["settings"]))
        network = settings.pop("network", None)
        make = PoseNet if network is None else NETWORKS[network]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the settings beside the tensors name no net: {error}") from error
    return build(lambda: make(**settings), contents.tensors, path)
