"""Reading weights files: tensors only, and a plain word on everything else."""

from __future__ import annotations

import os
import pickle
import random

import pytest
import torch
from safetensors.torch import save_file

from sparse_ae.model import load_checkpoint
from sparse_ae.pose_nets import HigherHRNet
from sparse_ae.weights_files import read_tensors


@pytest.fixture(scope="module")
def state():
    return HigherHRNet(5, 1, width=4).state_dict()


class Malicious:
    """A pickle that makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle 2", "pickle 5", "named safetensors"])
def test_code_in_a_file_is_never_executed(tmp_path, how):
    trap, path = tmp_path / "executed", tmp_path / "net.pth"
    content = {"state_dict": {"conv1.weight": torch.zeros(1), "x": Malicious(trap)}}
    if how in ("zip", "legacy"):
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    else:
        path = path.with_suffix(".safetensors" if "safe" in how else ".pth")
        path.write_bytes(pickle.dumps(Malicious(trap), protocol=2 if how == "pickle 2" else 5))
    with pytest.raises(ValueError, match=str(path)) as refused:
        load_checkpoint(path)
    assert "\n" not in str(refused.value)
    if how in ("zip", "legacy", "pickle 2"):
        assert "mkdir, which is no tensor, and nothing of it was executed" in str(refused.value)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Malicious(trap)))  # the trap itself works
    assert trap.exists()


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: fetch or save it again"),
        (b"<html>404</html>", "is no weights file: expected safetensors, or a file that torch"),
        ([torch.zeros(1)], "holds a list: expected named tensors"),
        (torch.zeros(1), "holds a Tensor: expected named tensors"),
        ({"epoch": 3}, "holds no tensors"),
        ({"a": torch.zeros(2)}, r"expected weights of format sparse_ae/1, of Hig.* first a \(2,\)"),
    ],
)
def test_files_of_another_type(tmp_path, content, message):
    path = tmp_path / "net.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=f"net.pth:? {message}"):
        load_checkpoint(path)


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(ValueError, match="is a folder: name the weights file in it"):
        load_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no weights at .*none.pth"):
        load_checkpoint(tmp_path / "none.pth")


def test_other_safetensors(tmp_path, state):
    path = tmp_path / "net.safetensors"
    save_file(state, str(path), {"format": "sparse_ae/2"})
    with pytest.raises(
        ValueError, match=r"expected weights of format sparse_ae/1, found sparse_ae"
    ):
        load_checkpoint(path)
    for settings in ("[1]", '{"network": "none"}', "{"):
        save_file(state, str(path), {"format": "sparse_ae/1", "settings": settings})
        with pytest.raises(ValueError, match="the settings beside the tensors name no net"):
            load_checkpoint(path)
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
