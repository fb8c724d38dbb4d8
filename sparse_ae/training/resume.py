"""Save and read the state of an unfinished run: one safetensors file of tensors and a JSON header.

Reading it executes no code. The file lies beside the run's future record and is called
`seed-<n>.resume.safetensors`. It is written under another name first, so it is always whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from sparse_ae import __version__
from sparse_ae.models.weights_files import read_tensors, write_tensors
from sparse_ae.runtime.files import remove_parts, write_whole
from sparse_ae.runtime.values import short_repr

FORMAT = "sparse_ae/resume 1"
ADVICE = "delete it to start anew, or run without --resume"


def state_path(record: Path) -> Path:
    """Return the path of a run's state, beside its record."""
    return record.with_suffix(".resume.safetensors")


def write_state(
    path: Path, settings: Mapping, header: Mapping, tensors: Mapping[str, Tensor]
) -> None:
    """Write a state; it replaces an older one.

    Args:
        path: The file.
        settings: Settings of the run, plain values.
        header: Everything else that is not a tensor, plain values.
        tensors: Tensors by name.

    Raises:
        OSError: The file cannot be written. The older state is then still there, and whole.
    """
    text = {"settings": settings, "versions": _versions(), **header}
    metadata = {"format": FORMAT, "header": json.dumps(text)}
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, lambda part: write_tensors(part, whole, metadata))


def remove_state(path: Path) -> None:
    """Remove a state and what a killed run left of one."""
    path.unlink(missing_ok=True)
    remove_parts(path.parent, path.name)


def read_state(path: Path, settings: Mapping) -> tuple[dict, dict[str, Tensor]]:
    """Return header and tensors of the state of a run with these settings.

    Raises:
        ValueError: The file is damaged or cut short; or its settings, or its versions of sparse_ae
            or torch, differ from this run's, which would change the result. The message names the
            file, the reason and what to do.
    """
    try:
        contents = read_tensors(path)
        found = contents.metadata.get("format")
        if found != FORMAT:
            raise ValueError(f"{path}: expected a state of format {FORMAT}, got {found}")
        header = json.loads(contents.metadata["header"])
        if not all(isinstance(header[part], dict) for part in ("versions", "settings")):
            raise ValueError(f"{path}: no state of a run")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = str(error) if str(path) in str(error) else f"{path}: no state of a run ({error!r})"
        raise ValueError(f"{reason}; {ADVICE}") from None
    for package, version in _versions().items():
        if header["versions"].get(package) != version:
            raise ValueError(
                f"{path}: written with {package} {header['versions'].get(package)}, this is "
                f"{version}: go on with the other version, or {ADVICE}"
            )
    wanted, theirs = flat(json.loads(json.dumps(settings))), flat(header["settings"])
    for name in sorted({*wanted, *theirs}):
        if wanted.get(name) != theirs.get(name):
            raise ValueError(
                f"{path}: the state of a run with {name} {short_repr(theirs.get(name))}, this one "
                f"has {short_repr(wanted.get(name))}: set it back, or {ADVICE}"
            )
    return header, contents.tensors


def flat(values: Mapping, before: str = "") -> dict:
    """Return nested values by their names joined with dots."""
    found = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def _versions() -> dict[str, str]:
    return {"sparse_ae": __version__, "torch": str(torch.__version__)}


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with a prefix before their names."""
    return {f"{prefix}{name}": value for name, value in tensors.items()}


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names have a prefix, without the prefix."""
    return {name.removeprefix(prefix): value for name, value in tensors.items()
            if name.startswith(prefix)}  # fmt: skip


def optimizer_state(optimizer: Optimizer) -> tuple[list[dict], dict[str, Tensor]]:
    """Return an optimiser's groups and tensors.

    The groups are plain values without their parameters. A tensor's name has the number of its
    parameter, as "optimizer.3.exp_avg".
    """
    state = optimizer.state_dict()
    groups = [{k: v for k, v in group.items() if k != "params"} for group in state["param_groups"]]
    tensors = {f"optimizer.{number}.{name}": value
               for number, values in state["state"].items()
               for name, value in values.items()}  # fmt: skip
    return groups, tensors


def restore_optimizer(
    optimizer: Optimizer, groups: list[dict], tensors: Mapping[str, Tensor]
) -> None:
    """Put what `optimizer_state` returned into an optimiser of the same parameters.

    Moments get the memory layout of their parameters, because the fused step reads both in one
    order.
    """
    for group, saved in zip(optimizer.param_groups, groups, strict=True):
        for name, value in saved.items():
            group[name] = tuple(value) if isinstance(value, list) else value
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in part_of(tensors, "optimizer.").items():
        number, _, name = key.partition(".")
        parameter = parameters[int(number)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        else:  # the optimiser's step count, a scalar
            value = value.to(parameter.device)
        optimizer.state[parameter][name] = value.detach()
