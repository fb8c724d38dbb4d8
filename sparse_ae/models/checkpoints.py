"""Weights files of others: which network a file holds, told from its names and shapes alone.

Recognised: HigherHRNet, the paper's released models, and HRNet pre-trained on ImageNet or for
top-down pose, which give a backbone. Tensors are all that is read: no code in a file is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sparse_ae.models.hrnet import HRNet
from sparse_ae.models.lite import Lite0
from sparse_ae.models.official import NETWORKS
from sparse_ae.models.weights_files import Contents, read_tensors

WEIGHTS_FORMAT = "sparse_ae/1"
WIDTH_FROM = "transition1.0.0.weight"  # (width, 256, 3, 3)
COUNTER = ".num_batches_tracked"  # of batch normalisation: older files lack it, nothing needs it
# what stands beside the backbone in files of HRNet-Image-Classification and of timm
IMAGENET_PARTS = ("classifier.", "incre_modules.", "head.0.0.0.")
# and in top-down files: the official ones, mmpose's, older and newer
TOP_DOWN_PARTS = ("final_layer.", "keypoint_head.final_layer.", "head.final_layer.")
Shapes = dict[str, tuple[int, ...]]


class LoadReport(NamedTuple):
    """What a file was taken for, and what became of its tensors.

    matched: names of the net that were filled; left: names in the file that are not; missing: names
    of the net that are not in the file; testing: how to use the net on photos, if the file tells.
    """

    path: Path
    kind: str
    matched: tuple[str, ...]
    left: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    testing: dict[str, Any] | None = None

    def __str__(self) -> str:
        return (f"{self.path}: {self.kind}; {len(self.matched)} tensors matched, "
                f"left: {_summary(self.left)}, missing: {_summary(self.missing)}")  # fmt: skip


class Recognised(NamedTuple):
    """kind: in words; settings: of the network, None where the file is a backbone only."""

    kind: str
    settings: dict[str, Any] | None


def _summary(names: tuple[str, ...]) -> str:
    parts = sorted({name.split(".")[0] for name in names})
    shown = ", ".join(parts[:4]) + (", …" if len(parts) > 4 else "")
    return f"{len(names)} ({shown})" if names else "none"


def shapes_of(tensors: dict[str, Tensor]) -> Shapes:
    """The shape of every tensor, by name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def recognise(shapes: Shapes) -> Recognised | None:
    """What a file with tensors of these names and shapes holds; None where it is none of these.

    ValueError where the names are those of a network, but its sizes contradict each other.
    """
    if "_conv_stem.weight" in shapes and "_blocks.15._bn2.weight" in shapes:
        return Recognised("EfficientNet-Lite0, pre-trained on ImageNet", None)
    prefix = _backbone_prefix(shapes)
    if prefix + WIDTH_FROM not in shapes:
        return None
    width = _outputs(shapes, prefix + WIDTH_FROM)
    if "head.tms_pred_layers.weight" in shapes:
        fine = "head.hms_pred_layers.0.weight" in shapes
        heatmaps = "head.hms_pred_layers" + (".0" if fine else "") + ".weight"
        keypoints = _outputs(shapes, heatmaps)
        dim = _share(shapes, "head.tms_pred_layers.weight", keypoints)
        settings = {"network": "coupled", "keypoints": keypoints, "dim": dim}
        name = f"the paper's {'ce_hrhrnet' if fine else 'ce_hrnet'}"
    elif not prefix and "final_layers.0.weight" in shapes:
        fine = "final_layers.1.weight" in shapes
        both = _outputs(shapes, "final_layers.0.weight")
        # without fine heatmaps nothing tells K from D: HigherHRNet's own D is 1
        keypoints = _outputs(shapes, "final_layers.1.weight") if fine else both // 2
        dim = _share(shapes, "final_layers.0.weight", keypoints) - 1
        settings = {"network": "higher_hrnet", "keypoints": keypoints, "dim": dim}
        name = "HigherHRNet" if fine else "the HRNet baseline of HigherHRNet"
    else:
        return Recognised(f"HRNet-W{width}, {_pretraining(shapes)}", None)
    kind = f"{name}-W{width} for {keypoints} keypoints, {dim} dimensions"
    return Recognised(kind, {**settings, "width": width, "fine": fine})


def _backbone_prefix(names) -> str:
    return "backbone." if any(name.startswith("backbone.") for name in names) else ""


def _pretraining(names) -> str:
    if any(name.startswith(IMAGENET_PARTS) for name in names):
        return "pre-trained on ImageNet"
    if any(name.startswith(TOP_DOWN_PARTS) for name in names):
        return "pre-trained for top-down pose"
    return "with no head that is known"


def _outputs(shapes: Shapes, name: str) -> int:
    """The number of output channels of a convolution."""
    shape = shapes.get(name)
    if shape is None or len(shape) != 4 or not shape[0]:
        raise ValueError(f"{name}: expected the weights of a convolution, found {shape or 'none'}")
    return shape[0]


def _share(shapes: Shapes, name: str, keypoints: int) -> int:
    """Output channels of a convolution for each keypoint."""
    share, rest = divmod(_outputs(shapes, name), keypoints)
    if rest:
        raise ValueError(
            f"{name}: expected a multiple of {keypoints} output channels, one or more for each "
            f"keypoint, found {shapes[name]}"
        )
    return share


def first_mismatch(expected: Shapes, tensors: dict[str, Tensor]) -> str | None:
    """The first tensor of a net that a file lacks or has in another shape or type, in words."""
    for name, shape in expected.items():
        if name.endswith(COUNTER):
            continue
        found = tensors.get(name)
        if found is None:
            return f"{name}: expected {shape}, found none"
        if tuple(found.shape) != shape:
            return f"{name}: expected {shape}, found {tuple(found.shape)}"
        if not found.is_floating_point() or found.is_sparse or found.is_meta:
            words = f"{found.dtype}, {found.layout}, on {found.device}"
            return f"{name}: expected dense floating point numbers, found {words}"
        if not found.isfinite().all():
            return f"{name}: {shape}, holds values that are not finite"
    return None


def build(make: Callable[[], nn.Module], tensors: dict[str, Tensor], path: Path) -> nn.Module:
    """The net that `make` returns, filled with all of `tensors`, in evaluation mode.

    ValueError names the first tensor that does not fit, either way round. No memory is taken for
    the net before everything fits.
    """
    try:
        with torch.device("meta"):
            net = make()
        expected = shapes_of(net.state_dict())
        wrong = first_mismatch(expected, tensors)
        surplus = next((name for name in tensors if name not in expected), None)
        if wrong is None and surplus is not None:
            wrong = f"{surplus}: expected none, found {tuple(tensors[surplus].shape)}"
        if wrong is None:
            counters = {n: torch.tensor(0) for n in expected if n.endswith(COUNTER)}
            net.to_empty(device="cpu").load_state_dict(counters | tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path}: the tensors do not fit the net: {reason}") from error
    if wrong is not None:
        raise ValueError(f"{path}: the tensors do not fit the net: first mismatch at {wrong[:300]}")
    return net.eval()


def build_recognised(contents: Contents, path: Path) -> tuple[nn.Module, LoadReport]:
    """The whole network that a file of others holds, in evaluation mode, and what was matched.

    ValueError where the file is not recognised, does not fit, or is a backbone only.
    """
    found = _recognised(contents, path)
    if found.settings is None:
        raise ValueError(
            f"{path}: {found.kind}, is a backbone without heads for embeddings: fill a network "
            "with it by load_backbone(net, path)"
        )
    settings = dict(found.settings)
    network = NETWORKS[settings.pop("network")]
    net = build(lambda: network(**settings), contents.tensors, path)
    missing = tuple(name for name in net.state_dict() if name not in contents.tensors)
    return net, LoadReport(path, found.kind, tuple(contents.tensors), contents.besides, missing)


def _recognised(contents: Contents, path: Path) -> Recognised:
    shapes = shapes_of(contents.tensors)
    try:
        found = recognise(shapes)
    except ValueError as error:
        raise ValueError(f"{path}: the tensors do not fit the net: {error}") from error
    if found is None:
        name, shape = next(iter(shapes.items()))
        raise ValueError(
            f"{path}: expected weights of format {WEIGHTS_FORMAT}, of HigherHRNet, of the paper's "
            f"released models or of HRNet; found {len(shapes)} tensors, the first {name} {shape}"
        )
    return found


def _trunk(net: nn.Module) -> tuple[nn.Module, str]:
    """The part of a net that pre-trained files hold, and what stands before its names."""
    if isinstance(net, HRNet):
        return net, ""
    backbone = getattr(net, "backbone", None)
    if isinstance(backbone, HRNet):
        return backbone, "backbone."
    if isinstance(getattr(backbone, "encoder", None), Lite0):
        return backbone.encoder, "backbone.encoder."
    raise ValueError(
        "net: expected a network on top of HRNet or EfficientNet-Lite0, "
        f"got {type(net).__name__} on top of {type(backbone).__name__}"
    )


def load_backbone(net: nn.Module, path: str | Path) -> LoadReport:
    """Fill the backbone of `net` from a weights file, and leave the heads of both alone.

    net: an HRNet, a HigherHRNet, a CoupledNet, or a PoseNet on top of EfficientNet-Lite0; the file:
    any that holds that backbone in that width, pre-trained on ImageNet, for top-down pose, or as
    part of a whole network. The whole backbone must be there: ValueError names the first tensor
    that does not fit, and `net` is then unchanged.
    """
    path = Path(path)
    trunk, ours = _trunk(net)
    contents = read_tensors(path)
    found = _recognised(contents, path)
    state = trunk.state_dict()
    expected = shapes_of({n: t for n, t in state.items() if not n.startswith(trunk.heads)})
    theirs = _backbone_prefix(contents.tensors)
    tensors = {
        name.removeprefix(theirs): tensor for name, tensor in contents.tensors.items()
        if name.startswith(theirs) and name.removeprefix(theirs) in expected
    }  # fmt: skip
    wrong = first_mismatch(expected, tensors)
    if wrong is not None:
        raise ValueError(
            f"{path}: {found.kind}, does not fit the backbone of the net: first mismatch at {wrong}"
        )
    trunk.load_state_dict(tensors, strict=False)
    matched = {ours + name: None for name in tensors}
    left = [name for name in contents.tensors if name.removeprefix(theirs) not in tensors]
    missing = tuple(name for name in net.state_dict() if name not in matched)
    return LoadReport(path, found.kind, tuple(matched), (*left, *contents.besides), missing)
