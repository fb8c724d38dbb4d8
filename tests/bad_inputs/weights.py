"""Weights files that hold no network, or another one, or claim what they do not have."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from sparse_ae.evaluation.predictor import load
from sparse_ae.models import PoseNet, load_checkpoint, save_checkpoint
from sparse_ae.models.checkpoints import load_backbone
from sparse_ae.models.hrnet import HRNet

from . import Case, with_file

WIDTHS = (4, 4, 4, 4, 4)


def saved(content, name="net.pth"):
    """An attempt to read what torch.save made of something."""

    def attempt(folder: Path) -> None:
        torch.save(content, folder / name)
        load_checkpoint(folder / name)

    return attempt


def read(data: bytes, name="net.pth"):
    """An attempt to read such a file as weights."""
    return with_file(name, data, load_checkpoint)


def ours(tensors=None, testing=None, reader=load_checkpoint, **metadata):
    """An attempt to read a file of ours with other tensors or metadata in it."""

    def attempt(folder: Path) -> None:
        path, net = folder / "net.safetensors", PoseNet(3, 1, WIDTHS)
        state = net.state_dict() | (tensors or {})
        there = {"format": "sparse_ae/1", "settings": json.dumps(net.settings)}
        if testing is not None:
            there["testing"] = testing if isinstance(testing, str) else json.dumps(testing)
        kept = {name: value for name, value in state.items() if value is not None}
        save_file(kept, str(path), there | metadata)
        reader(path)

    return attempt


def settings(**changes):
    """The settings beside the tensors, changed."""
    return json.dumps(PoseNet(3, 1, WIDTHS).settings | changes)


def testing(**changes) -> dict:
    """How a net is used on photos, as a file says it, changed."""
    skeleton = {"name": "triangle", "keypoints": ["a", "b", "c"], "sigmas": [0.1] * 3,
                "flip_pairs": [], "limbs": [], "order": [0, 1, 2]}  # fmt: skip
    decode = {"rule": "released", "min_score": 0.1, "tag_threshold": 1.0, "max_people": 30}
    for inner in (skeleton, decode):
        inner |= {name: changes.pop(name) for name in list(changes) if name in inner}
    return {"size": 64, "skeleton": skeleton, "decode": decode} | changes


def packed(folder: Path) -> None:
    """Read a checkpoint whose archive is packed: a few bytes stand for many."""
    path = folder / "net.pth"
    torch.save({"a": torch.zeros(10_000)}, folder / "plain.pth")
    packed_to = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(folder / "plain.pth") as plain, packed_to as archive:
        for member in plain.infolist():
            archive.writestr(member.filename, plain.read(member))
    load_checkpoint(path)


def of_a_backbone(folder: Path) -> None:
    """Fill the backbone of a net that has none."""
    torch.save(HRNet(2).state_dict(), folder / "hrnet.pth")
    load_backbone(PoseNet(3, 1, WIDTHS), folder / "hrnet.pth")


def without_size(folder: Path) -> None:
    """Use weights on photos that do not say at which size."""
    save_checkpoint(PoseNet(17, 1, WIDTHS), folder / "net.safetensors")
    load(folder / "net.safetensors")


NAN = {"heatmap_head.weight": torch.full((3, 4, 1, 1), torch.nan)}
NONE = "net.safetensors: the settings beside the tensors name no net: "
UNFIT = "net.safetensors: the tensors do not fit the net: "
PHOTOS = "net.safetensors: .*"
DEEP = "[" * 100_000
CASES = [
    Case("weights: missing", lambda folder: load_checkpoint(folder / "no.pth"),
         r"no weights at .*no.pth: train a model first \(sparse-ae train\), or name another file"),
    Case("weights: a folder", load_checkpoint, "is a folder: name the weights file in it"),
    Case("weights: empty", read(b""), "net.pth is empty: fetch or save it again"),
    Case("weights: a web page", read(b"<html>404</html>"), "net.pth is no weights file: expected"),
    Case("weights: an archive of nothing", read(b"PK nonsense"), "net.pth is damaged, incomplete"),
    Case("weights: half a safetensors file", read(b"\xff" * 8 + b"{", "net.safetensors"),
         "net.safetensors is no complete safetensors file: .*; fetch or save it again"),
    Case("weights: a list", saved([torch.zeros(1)]), "net.pth holds a list: expected named tensor"),
    Case("weights: a tensor", saved(torch.zeros(1)), "net.pth holds a Tensor: expected named tens"),
    Case("weights: no tensors", saved({"epoch": 3}), "net.pth holds no tensors: expected a networ"),
    Case("weights: of something else", saved({"a": torch.zeros(2)}),
         r"net.pth: expected weights of format sparse_ae/1, of Hig.* first a \(2,\)"),
    Case("weights: one number many times", saved({"a": torch.zeros(1).expand(10**6)}),
         "net.pth: tensor a claims 4,000,000 bytes, the file has .*: fetch or save it again"),
    Case("weights: a packed archive", packed, "net.pth claims .* bytes and has .*: it was not wri"),
    Case("weights: another format", ours(format="sparse_ae/2"),
         "net.safetensors: expected weights of format sparse_ae/1, found sparse_ae/2: use the ver"),
    Case("weights: settings cut short", ours(settings="{"), NONE),
    Case("weights: settings without end", ours(settings=DEEP), NONE),
    Case("weights: no settings", ours(settings="[1]"), NONE),
    Case("weights: another network", ours(settings='{"network": "best"}'), NONE),
    Case("weights: a setting too many", ours(settings=settings(colour=3)), f"{UNFIT}.*colour"),
    Case("weights: no joints", ours(settings=settings(keypoints=-1)), UNFIT),
    Case("weights: joints in words", ours(settings=settings(keypoints="many")), UNFIT),
    Case("weights: more dimensions than numbers", ours(settings=settings(dim=10**12)), UNFIT),
    Case("weights: six widths", ours(settings=settings(widths=[4] * 6)), f"{UNFIT}widths and d"),
    Case("weights: blocks without end", ours(settings=settings(depths=[1, 10**30, 1, 1])),
         f"{UNFIT}depths: expected 1 to 100 blocks, got .1, 1000"),
    Case("weights: no blocks", ours(settings=settings(depths=[0, 1, 1, 1])), f"{UNFIT}depths: exp"),
    Case("weights: NaN", ours(NAN), f"{UNFIT}.*heatmap_head.weight: .*not finite"),
    Case("weights: one tensor missing", ours({"refine.0.weight": None}),
         f"{UNFIT}first mismatch at refine.0.weight: expected .*, found none"),
    Case("weights: one tensor too many", ours({"more": torch.ones(2)}),
         rf"{UNFIT}first mismatch at more: expected none, found \(2,\)"),
    Case("weights: whole numbers", ours({"refine.0.weight": torch.ones(4, 4, 3, 3).int()}),
         f"{UNFIT}.*refine.0.weight: expected dense floating point numbers"),
    Case("backbone: of a net without", of_a_backbone, "net: expected a network on top of HRNet or"),
    Case("photos: without a size", without_size,
         r"net.safetensors: does not say at which size it was trained: name it \(--size\)"),
    Case("photos: settings cut short", ours(testing="{", reader=load), f"{PHOTOS}testing: no sett"),
    Case("photos: settings without end", ours(testing=DEEP, reader=load), f"{PHOTOS}testing: no s"),
    Case("photos: no skeleton", ours(testing={"size": 64}, reader=load),
         f"{PHOTOS}usage: missing or unknown: 'skeleton'"),
    *(Case(f"photos: {name} {str(value)[:12]}", ours(testing=testing(**{name: value}), reader=load),
           f"{PHOTOS}{message}")
      for name, value, message in (
          ("size", 10**9, "size: expected 1 to 8192 pixels"),
          ("rule", "best", "rule: expected 'released' or 'higherhrnet', got 'best'"),
          ("max_people", -1, "max_people: expected at least 1, got -1"),
          ("colour", 3, "usage: missing or unknown: .*colour"),
          ("sigmas", ["a"] * 3, "usage: missing or unknown: "),
          ("sigmas", [0.1] * 2, "skeleton 'triangle': 3 keypoints but 2 sigmas"),
          ("keypoints", [1, 2, 3], "skeleton: name and keypoints must be strings"),
          ("order", [0, 1, 1], r"skeleton 'triangle': order must name each of 0..2 once"),
          ("flip_pairs", [[0, 9]], r"skeleton 'triangle': \(0, 9\) names no keypoint"),
          ("limbs", [[0, 1, 2]], r"skeleton 'triangle': \(0, 1, 2\) names no keypoint"),
      )),
]  # fmt: skip
