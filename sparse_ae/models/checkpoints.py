"""Load weights files that others wrote, as a whole network or as a backbone.

`recognition` says which files are known. Only tensors are read: no code in a file is executed.
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
from sparse_ae.models.recognition import (
    Recognised,
    Shapes,
    backbone_prefix,
    recognise,
    shapes_of,
)
from sparse_ae.models.weights_files import Contents, read_tensors

WEIGHTS_FORMAT = "sparse_ae/1"
COUNTER = ".num_batches_tracked"  # of batch normalisation: older files lack it, nothing needs it


class LoadReport(NamedTuple):
    """What a file holds, and what became of its tensors.

    Attributes:
        path: the file.
        kind: kind of network, in words.
        matched: names of the net's tensors that were filled.
        left: names in the file that the net does not have.
        missing: names of the net that the file does not have.
        testing: how to use the net on photos; None if the file does not say.
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


def _summary(names: tuple[str, ...]) -> str:
    """Return the number of names and the parts of the net that they belong to."""
    parts = sorted({name.split(".")[0] for name in names})
    shown = ", ".join(parts[:4]) + (", …" if len(parts) > 4 else "")
    return f"{len(names)} ({shown})" if names else "none"


def first_mismatch(expected: Shapes, tensors: dict[str, Tensor]) -> str | None:
    """Describe the first tensor of a net that a file lacks or has in another shape or type.

    Args:
        expected: shapes of the net's tensors, by name.
        tensors: the file's tensors, by name.

    Returns:
        One line that names the tensor and what was found; None if all tensors fit.
    """
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
    """Build a net and fill it with tensors.

    No memory is allocated for the net before everything fits.

    Args:
        make: function that makes the net.
        tensors: all of the net's tensors, by name; counters of batch normalisation may be missing.
        path: the file, for messages.

    Returns:
        The net on the CPU, in evaluation mode.

    Raises:
        ValueError: a tensor is missing, left over or does not fit; the message names the first.
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
    """Build the whole network that a third party's file holds.

    Args:
        contents: contents of the file.
        path: the file, for messages.

    Returns:
        The net in evaluation mode, and the `LoadReport`.

    Raises:
        ValueError: the file is not recognised, does not fit, or holds only a backbone.
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
    """Recognise a file; raise ValueError, naming it, if that fails."""
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
    """Return the part of a net that pre-trained files hold, and the prefix of its names."""
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


def is_ours(path: str | Path) -> bool:
    """Return whether a weights file is one that `save_checkpoint` wrote."""
    return read_tensors(Path(path)).metadata.get("format", "").startswith("sparse_ae/")


def load_start(net: nn.Module, path: str | Path) -> None:
    """Fill a net from another of our nets, wherever their tensors have the same shape.

    A net with other heads takes the backbone; one that is wider or deeper at its coarse levels
    takes the fine ones. The rest keeps its random first weights.

    Args:
        net: a PoseNet.
        path: a file that `save_checkpoint` wrote, of a PoseNet whose backbone begins with the same
            layer.

    Raises:
        ValueError: the first layer does not fit; `net` is unchanged.
        FileNotFoundError: there is no file.
    """
    path = Path(path)
    tensors = read_tensors(path).tensors
    expected = shapes_of(net.state_dict())
    first = next(name for name in expected if name.startswith("backbone."))
    wrong = first_mismatch({first: expected[first]}, tensors)
    if wrong is not None:
        raise ValueError(f"{path}: does not fit the backbone of the net: first mismatch at {wrong}")
    fitting = {name: tensor for name, tensor in tensors.items()
               if tuple(tensor.shape) == expected.get(name)}  # fmt: skip
    net.load_state_dict(fitting, strict=False)


def load_backbone(net: nn.Module, path: str | Path) -> LoadReport:
    """Fill the backbone of a net from a weights file; heads are neither read nor changed.

    Args:
        net: an HRNet, a HigherHRNet, a CoupledNet, or a PoseNet on top of EfficientNet-Lite0.
        path: a file that holds this backbone in this width: pre-trained on ImageNet, for top-down
            pose, or as part of a whole network.

    Returns:
        The `LoadReport`.

    Raises:
        ValueError: the file does not hold the whole backbone; the message names the first tensor
            that does not fit, and `net` is unchanged.
        FileNotFoundError: there is no file.
    """
    path = Path(path)
    trunk, ours = _trunk(net)
    contents = read_tensors(path)
    found = _recognised(contents, path)
    state = trunk.state_dict()
    expected = shapes_of({n: t for n, t in state.items() if not n.startswith(trunk.heads)})
    theirs = backbone_prefix(contents.tensors)
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
