"""Recognise which network a weights file holds, from the names and shapes of its tensors alone.

Known are HigherHRNet, the paper's released models, and two kinds of backbone: HRNet, pre-trained on
ImageNet or for top-down pose, and EfficientNet-Lite0, pre-trained on ImageNet.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

WIDTH_FROM = "transition1.0.0.weight"  # (width, 256, 3, 3)
# prefixes of what is not backbone in files of HRNet-Image-Classification and of timm
IMAGENET_PARTS = ("classifier.", "incre_modules.", "head.0.0.0.")
# and in top-down files: the official ones, and those of mmpose, older and newer
TOP_DOWN_PARTS = ("final_layer.", "keypoint_head.final_layer.", "head.final_layer.")
Shapes = dict[str, tuple[int, ...]]


class Recognised(NamedTuple):
    """What a file holds.

    Attributes:
        kind: kind of network, in words.
        settings: settings of the network; None if the file holds only a backbone.
    """

    kind: str
    settings: dict[str, Any] | None


def shapes_of(tensors: dict[str, Tensor]) -> Shapes:
    """Return the shape of every tensor, by name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def recognise(shapes: Shapes) -> Recognised | None:
    """Recognise the network that tensors of these names and shapes belong to.

    Args:
        shapes: shapes of all tensors, by name.

    Returns:
        The kind and, for a whole network, its settings; None if the network is not known.

    Raises:
        ValueError: the names are known, but the sizes contradict each other.
    """
    if "_conv_stem.weight" in shapes and "_blocks.15._bn2.weight" in shapes:
        return Recognised("EfficientNet-Lite0, pre-trained on ImageNet", None)
    prefix = backbone_prefix(shapes)
    if prefix + WIDTH_FROM not in shapes:
        return None
    width = _outputs(shapes, prefix + WIDTH_FROM)
    if "head.tms_pred_layers.weight" in shapes:
        fine = "head.hms_pred_layers.0.weight" in shapes
        heatmaps = "head.hms_pred_layers" + (".0" if fine else "") + ".weight"
        keypoints = _outputs(shapes, heatmaps)
        dim = _channels_per_keypoint(shapes, "head.tms_pred_layers.weight", keypoints)
        settings = {"network": "coupled", "keypoints": keypoints, "dim": dim}
        name = f"the paper's {'ce_hrhrnet' if fine else 'ce_hrnet'}"
    elif not prefix and "final_layers.0.weight" in shapes:
        fine = "final_layers.1.weight" in shapes
        both = _outputs(shapes, "final_layers.0.weight")
        # without fine heatmaps K and D cannot be told apart: take HigherHRNet's own D, which is 1
        keypoints = _outputs(shapes, "final_layers.1.weight") if fine else both // 2
        dim = _channels_per_keypoint(shapes, "final_layers.0.weight", keypoints) - 1
        settings = {"network": "higher_hrnet", "keypoints": keypoints, "dim": dim}
        name = "HigherHRNet" if fine else "the HRNet baseline of HigherHRNet"
    else:
        return Recognised(f"HRNet-W{width}, {_pretraining(shapes)}", None)
    kind = f"{name}-W{width} for {keypoints} keypoints, {dim} dimensions"
    return Recognised(kind, {**settings, "width": width, "fine": fine})


def backbone_prefix(names) -> str:
    """Return the prefix of the backbone's names in a file, "backbone." or nothing."""
    return "backbone." if any(name.startswith("backbone.") for name in names) else ""


def _pretraining(names) -> str:
    """Return in words what a backbone was trained for."""
    if any(name.startswith(IMAGENET_PARTS) for name in names):
        return "pre-trained on ImageNet"
    if any(name.startswith(TOP_DOWN_PARTS) for name in names):
        return "pre-trained for top-down pose"
    return "with no head that is known"


def _outputs(shapes: Shapes, name: str) -> int:
    """Return the number of output channels of a convolution."""
    shape = shapes.get(name)
    if shape is None or len(shape) != 4 or not shape[0]:
        raise ValueError(f"{name}: expected the weights of a convolution, found {shape or 'none'}")
    return shape[0]


def _channels_per_keypoint(shapes: Shapes, name: str, keypoints: int) -> int:
    """Return how many output channels of a convolution belong to each keypoint."""
    share, rest = divmod(_outputs(shapes, name), keypoints)
    if rest:
        raise ValueError(
            f"{name}: expected a multiple of {keypoints} output channels, one or more for each "
            f"keypoint, found {shapes[name]}"
        )
    return share
