"""Read named tensors from a weights file, and nothing but tensors.

Both common formats are read: safetensors, which cannot hold code, and what torch.save writes, a
pickle, from which only tensors and plain containers are taken (`weights_only`). Wrappers and
prefixes in official files are removed.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

WRAPPERS = ("state_dict", "model", "net")  # keys under which training scripts keep the tensors
# module.: data parallel; 1.: HigherHRNet in half precision; net.: the released code's trainer
PREFIXES = ("module.", "net.", "1.", "model.")


class Contents(NamedTuple):
    """What a weights file holds.

    Attributes:
        tensors: tensors by name, without wrappers and prefixes.
        metadata: texts of a safetensors file, by name.
        besides: names of everything else in the file.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    besides: tuple[str, ...]


def read_tensors(path: str | Path) -> Contents:
    """Read the tensors of a file to the CPU, unchanged.

    Args:
        path: a safetensors file, or one that torch.save wrote.

    Returns:
        `Contents`.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: the file is empty, damaged, of another type, or holds anything that would have
            to be executed; the message is one line.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name the weights file in it")
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights at {path}: train a model first (sparse-ae train), or name another file"
        )
    with path.open("rb") as file:
        start = file.read(9)
    if not start:
        raise ValueError(f"{path} is empty: fetch or save it again")
    metadata, besides = {}, ()
    if path.suffix == ".safetensors" or start[8:] == b"{":
        tensors, metadata = _read_safetensors(path)
    elif start.startswith((b"PK", b"\x80")):
        tensors, besides = _unwrap(_read_torch(path), path)
    else:
        raise ValueError(
            f"{path} is no weights file: expected safetensors, or a file that torch.save wrote"
        )
    if not tensors:
        raise ValueError(f"{path} holds no tensors: expected a network's state_dict")
    _check_sizes(tensors, path)
    tensors, others = _without_prefixes(tensors)
    return Contents(tensors, metadata, (*besides, *others))


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write named tensors and texts as a safetensors file.

    An existing file is overwritten piece by piece, so name one that nobody reads yet.

    Args:
        path: the file.
        tensors: tensors by name.
        metadata: texts by name.

    Raises:
        OSError: the file cannot be written.
    """
    # not save_file: it writes under a name of its own first, and a killed process would leave that
    content = save(dict(tensors), dict(metadata))
    with open(path, "wb") as file:
        file.write(content)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the texts of a safetensors file."""
    try:
        with safe_open(str(path), "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no complete safetensors file: {_line(error)}; fetch or save it again"
        ) from error


def _check_sizes(tensors: dict[str, Tensor], path: Path) -> None:
    """Raise ValueError for a tensor with more numbers than the file can hold.

    A tensor can repeat a few numbers without end, and would fill the memory once it is copied.
    """
    there = path.stat().st_size
    for name, tensor in tensors.items():
        if tensor.layout == torch.strided and tensor.device.type == "cpu":
            claimed = tensor.numel() * tensor.element_size()
            if claimed > there:
                raise ValueError(f"{path}: tensor {name} claims {claimed:,} bytes, the file has "
                                 f"{there:,}: fetch or save it again")  # fmt: skip


def _check_archive(path: Path) -> None:
    """Raise ValueError for an archive that grows when unpacked: torch.save compresses nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return  # damaged: torch.load says so
    if claimed > path.stat().st_size:
        raise ValueError(f"{path} claims {claimed:,} bytes and has {path.stat().st_size:,}: it was "
                         "not written by torch.save; fetch or save it again")  # fmt: skip


def _read_torch(path: Path) -> Any:
    """Return what torch.save wrote, if it is tensors and plain containers only."""
    _check_archive(path)
    try:
        with warnings.catch_warnings():  # about other pickle protocols: refused below, or harmless
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # reading a damaged pickle may raise anything
        asked = re.search(r"GLOBAL\s+(\S+)", str(error))
        if asked:
            raise ValueError(
                f"{path} asks for {asked[1]}, which is no tensor, and nothing of it was executed: "
                "name a file with tensors only, as torch.save(net.state_dict(), path) writes it"
            ) from error
        raise ValueError(
            f"{path} is damaged, incomplete or not written by torch.save "
            f"({_line(error)}): fetch or save it again"
        ) from error


def _line(error: Exception) -> str:
    """Return the beginning of an error's text in one line, without torch's advice before it."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.rpartition("WeightsUnpickler error: ")[2]
    return text if len(text) <= 100 else text[:99] + "…"


def _unwrap(data: Any, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the named tensors in what torch.load returned, and the names of everything else."""
    besides: list[str] = []
    while isinstance(data, dict):
        inner = next((key for key in WRAPPERS if isinstance(data.get(key), dict)), None)
        if inner is None:
            break
        besides += [str(key) for key in data if key != inner]
        data = data[inner]
    if not isinstance(data, dict):
        raise ValueError(
            f"{path} holds a {type(data).__name__}: expected named tensors, as "
            "torch.save(net.state_dict(), path) writes them"
        )
    tensors = {key: value for key, value in data.items()
               if isinstance(key, str) and isinstance(value, Tensor)}  # fmt: skip
    return tensors, (*besides, *(str(key) for key in data if key not in tensors))


def _without_prefixes(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Remove the prefixes that training scripts put before all names.

    Return the tensors, and the names of those that are not part of the net.
    """
    besides: list[str] = []
    while True:
        # in the released trainer's files, losses may have tensors beside those of `net.`
        if any(name.startswith("net.") for name in tensors):
            besides += [name for name in tensors if not name.startswith("net.")]
            tensors = {name: t for name, t in tensors.items() if name.startswith("net.")}
        shared = next((p for p in PREFIXES if all(n.startswith(p) for n in tensors)), None)
        if shared is None:
            return tensors, tuple(besides)
        tensors = {name.removeprefix(shared): tensor for name, tensor in tensors.items()}
