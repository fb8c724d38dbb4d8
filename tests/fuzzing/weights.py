"""Damaged weights files, and what reading them has to give."""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st
from photos import TRIANGLE
from safetensors.torch import save

from sparse_ae.evaluation.predictor import Usage, load
from sparse_ae.models import PoseNet, load_checkpoint
from sparse_ae.models.weights_files import read_tensors

from .arrays import check_people, in_a_line
from .damage import changed_json, damaged, in_a_file, told_of


@functools.cache
def _net() -> PoseNet:
    torch.manual_seed(0)
    return PoseNet(3, 1, (2, 2, 2, 2, 2)).eval()


def _metadata() -> dict:
    """What stands beside the tensors of our files, as values."""
    return {"settings": _net().settings, "testing": Usage(64, TRIANGLE).to_dict()}


def _ours(told: bytes) -> bytes:
    """A file of ours with such metadata, JSON."""
    there = json.loads(told)
    metadata = {name: json.dumps(there.get(name)) for name in there}
    return save(_net().state_dict(), {"format": "sparse_ae/1"} | metadata)


def _torch(legacy: bool) -> bytes:
    """The same tensors as torch.save writes them."""
    buffer = io.BytesIO()
    content = {"state_dict": _net().state_dict(), "epoch": 3}
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def checkpoints() -> st.SearchStrategy:
    """Weights files of three formats, their metadata or bytes changed."""
    ours = changed_json(_metadata).map(_ours)
    theirs = st.sampled_from([False, True]).map(_torch)
    return st.one_of(
        st.tuples(st.just("net.safetensors"), st.one_of(ours, ours, damaged(ours))),
        st.tuples(st.just("net.pth"), damaged(theirs)),
    )


@in_a_file
def check_checkpoint(path: Path) -> bool:
    """Valid: a net in evaluation mode of finite numbers, and with `load` one that finds persons
    in a photo, all of their numbers finite. Or a ValueError."""
    try:
        tensors = read_tensors(path).tensors
        assert all(isinstance(name, str) for name in tensors)
        if path.suffix == ".pth":  # of a net that has no other form than ours
            assert sum(t.numel() for t in tensors.values() if t.layout == torch.strided) < 1e6
            load_or_say(path)
            return True
        net = load_checkpoint(path)
        assert not net.training
        assert all(t.isfinite().all() for t in net.state_dict().values())
        predictor = load(path)
    except ValueError as error:
        return told_of(error, path)
    if predictor.usage.size > 128 or predictor.usage.decode.max_people > 100:
        return True  # would take long
    try:
        people = predictor.predict(np.full((40, 60, 3), 90, np.uint8), min_score=0)
    except ValueError as error:
        return in_a_line(error)
    check_people(people, predictor.skeleton)
    return True


def load_or_say(path: Path) -> None:
    """No net, and why."""
    try:
        load_checkpoint(path)
    except ValueError as error:
        told_of(error, path)
