"""Reading weights files: tensors only, and a plain word on everything else."""

from __future__ import annotations

import random

import pytest
import torch
from safetensors.torch import save_file

from sparse_ae.models import load_checkpoint
from sparse_ae.models.official import HigherHRNet
from sparse_ae.models.weights_files import read_tensors


@pytest.fixture(scope="module")
def state():
    return HigherHRNet(5, 1, width=4).state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("legacy", [False, True])
def test_incomplete_files_are_refused_in_one_line(tmp_path, state, legacy):
    path = tmp_path / "net.pth"
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    whole = path.read_bytes()
    for length in (1, 3, 50, 5_000, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"net.pth is (damaged|no weights file)") as refused:
            read_tensors(path)
        assert "\n" not in str(refused.value)


def test_other_safetensors(tmp_path, state):
    path = tmp_path / "net.safetensors"
    save_file(state, str(path), {"format": "pt"})  # as others save them
    assert isinstance(load_checkpoint(path), HigherHRNet)
    renamed = path.rename(tmp_path / "net.pth")
    assert read_tensors(renamed).tensors.keys() == state.keys()
    assert torch.equal(read_tensors(renamed).tensors["conv1.weight"], state["conv1.weight"])


def test_prefixes_go_only_where_all_tensors_have_them(tmp_path):
    path, one = tmp_path / "net.pth", torch.ones(1)
    torch.save({"module.a": one, "module.net.b": one, "module.c": one}, path)
    tensors, _, besides = read_tensors(path)
    assert (tuple(tensors), besides) == (("b",), ("a", "c"))
    torch.save({"1.a": one, "2.b": one, "epoch": 3}, path)
    assert read_tensors(path)[::2] == ({"1.a": one, "2.b": one}, ("epoch",))


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_damaged_files_give_tensors_or_one_line(tmp_path, kind):
    path = tmp_path / ("net.safetensors" if kind == "safetensors" else "net.pth")
    small = {f"a{i}.weight": torch.ones(3, 2) for i in range(5)}
    if kind == "safetensors":
        save_file(small, str(path))
    else:
        torch.save({"state_dict": small}, path, _use_new_zipfile_serialization=kind == "zip")
    whole, draw, refused = path.read_bytes(), random.Random(0), []
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(draw.choice((1, 2, 8))):
            damaged[draw.randrange(min(len(whole), 1200))] = draw.randrange(256)
        path.write_bytes(damaged)
        try:
            read_tensors(path)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert all(path.name in message and "\n" not in message for message in refused)
