"""Banks of bodies, folders of written crowds, and photographs' layouts, that are others."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np

from sparse_ae.crowds.imitate import read_photos
from sparse_ae.crowds.people.bodies import bodies_path, load_bodies
from sparse_ae.datasets.crowd_folder import read_manifest

from . import Case, command, with_file

PERSON = {"image_id": 1, "keypoints": [5, 5, 2] * 14, "bbox": [1, 1, 9, 9]}
LAYOUT = {"images": [{"id": 1, "width": 96, "height": 64}], "annotations": [PERSON]}


def bank(**changes):
    """An attempt to read a bank of bodies with arrays in another's place."""

    def attempt(folder: Path) -> None:
        with np.load(bodies_path()) as file:
            small = {name: file[name] for name in file.files if name != "steps"}
        np.savez(folder / "bodies.npz", steps=np.zeros((1, 1, 3), np.int16), **small | changes)
        load_bodies(folder / "bodies.npz")

    return attempt


def members(**content: bytes):
    """An attempt to read a bank whose archive has these files."""

    def attempt(folder: Path) -> None:
        with zipfile.ZipFile(folder / "bodies.npz", "w") as archive:
            for name, data in content.items():
                archive.writestr(f"{name}.npy", data)
        load_bodies(folder / "bodies.npz")

    return attempt


def layouts(content, name="layout.json"):
    """An attempt to read a layout with one to three persons an image."""
    return with_file(name, content, lambda path: read_photos(str(path), 1, 3))


def person(**changes) -> dict:
    """A layout whose person is changed."""
    return LAYOUT | {"annotations": [PERSON | changes]}


def manifest(content):
    """An attempt to read a manifest."""
    return with_file("manifest.json", content, lambda path: read_manifest(path.parent))


ADVICE = r"; restore it with `git checkout data/bodies.npz` or build it: data/make_bodies.py"
OTHERS = "choose another folder"
WRITE = ("crowds", "--preset", "smoke", "--count", "1", "--out", "{}")
CASES = [
    Case("bodies: missing", lambda folder: load_bodies(folder / "b.npz"),
         f"b.npz: no such file{ADVICE}"),
    Case("bodies: a folder", load_bodies, f"cannot be read .Is a directory.{ADVICE}"),
    Case("bodies: text", with_file("b.npz", "hello", load_bodies), f"no .npz of .*{ADVICE}"),
    Case("bodies: something else", members(images=b"\x93NUMPY"), f"no .npz of pl.*{ADVICE}"),
    Case("bodies: no array", members(magic=b"hello"), f"bodies.npz: no .npz of plain .*{ADVICE}"),
    Case("bodies: another format", bank(format=np.array(7)), f"format 7, expected 1{ADVICE}"),
    Case("bodies: objects", bank(families=np.array([{}], object)), "holds Python objects"),
    Case("bodies: NaN", bank(quantum=np.float32("nan"), joints=np.zeros((1, 19, 3), np.float32)),
         "bodies.npz: array .*"),
    Case("manifest: a list", manifest([]), f"manifest.json: not a manifest of crowds; {OTHERS}"),
    Case("manifest: cut short", manifest('{"splits": {'), f"manifest.json: not a mani.*; {OTHERS}"),
    Case("manifest: splits that are none", manifest({"splits": {"val": 3}}), f"manif.*; {OTHERS}"),
    Case("folder: of other crowds", lambda folder: (
        (folder / "manifest.json").write_text(json.dumps({"splits": {"train": {"count": 5}}})),
        command(*WRITE)(folder)), f"manifest.json: split train has .*; {OTHERS}, or delete this o"),
    Case("folder: photos of somebody else", lambda folder: (
        (folder / "images" / "train").mkdir(parents=True), command(*WRITE)(folder)),
        f"images/train: not in manifest.json; {OTHERS}, or delete it"),
    Case("layouts: missing", lambda folder: read_photos(str(folder / "no.json"), 1, 3),
         r"layouts .*no.json: cannot be read \(No such file"),
    Case("layouts: something else", layouts({"images": 3}), "layouts .*layout.json: expected COCO"),
    Case("layouts: nobody", layouts(LAYOUT | {"annotations": []}), "no image with 1 to 3 labelled"),
    Case("layouts: ragged joints", layouts(person(keypoints=[1, 2])), "layouts .*: expected COCO'"),
    Case("layouts: five joints", layouts(person(keypoints=[5, 5, 2] * 5)), "expected COCO's or Cr"),
    Case("layouts: NaN", layouts(person(keypoints=[float("nan"), 1, 2] * 14)), "image 1: NaN or i"),
    Case("layouts: no box", layouts(person(bbox=[])), "layouts .*: expected COCO's .*image 1: a p"),
    Case("layouts: no height", layouts(LAYOUT | {"images": [{"id": 1, "width": 9, "height": 0}]}),
         "layouts .*layout.json: expected COCO's .*no width and height"),
    Case("layouts: no gzip", layouts("[]", "a.json.gz"), "layouts .*a.json.gz: cannot be read"),
    Case("layouts: damaged gzip", layouts(gzip.compress(b"[]" * 99)[:-9] + b"123456789", "a.gz"),
         "layouts .*a.gz: cannot be read"),
]  # fmt: skip
