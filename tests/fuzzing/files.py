"""Files with damage: annotations, checkpoints and records, and what reading them has to give."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st
from photos import TRIANGLE, content, person
from safetensors.torch import save
from synthetic import make_arrays, make_record

from sparse_ae import results, runs, tables
from sparse_ae.annotations import ground_truth, read_annotations
from sparse_ae.metrics import keypoint_ap
from sparse_ae.model import PoseNet, load_checkpoint
from sparse_ae.photo_settings import PhotoSettings
from sparse_ae.predict import load
from sparse_ae.regions import counted
from sparse_ae.trials import read_trials
from sparse_ae.weights_files import read_tensors

from .arrays import check_people, in_a_line

JUNK = [None, True, False, 0, 1, 2, -1, 0.5, -0.0, 1e308, float("nan"), float("inf"), 2**31, 2**63,
        10**30, 10**400, "", "x", "1", "..", "../x", "/x", "\0", "\ud800", "<b>", [], {}, [[]],
        [{}], {"id": 1}, [1, 2, 3], [0.5] * 9, "a" * 500]  # fmt: skip

# a rectangle and a dot in 64 × 96 pixels, as pycocotools codes it
CODED = "S81VP1c0VQO000000000000000000000000000000000000000000000000000000000fk2"


@st.composite
def changed_json(draw, make):
    """What `make()` gives, with a few values, keys or entries changed, put twice or left out."""
    data = copy.deepcopy(make())
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3]))):
        places = list(_places(data))
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        how = draw(st.sampled_from(["junk", "junk", "junk", "other", "out", "twice"]))
        if how == "junk":
            holder[key] = draw(st.sampled_from(JUNK))
        elif how == "other":
            inner, name = places[draw(st.integers(0, len(places) - 1))]
            holder[key] = copy.deepcopy(inner[name])
        elif how == "out":
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[f"{key}2"] = holder[key]
    return json.dumps(data).encode()


def _places(data):
    """Every (container, key) in nested lists and dicts."""
    keys = range(len(data)) if isinstance(data, list) else list(data)
    for key in keys:
        yield data, key
        if isinstance(data[key], list | dict):
            yield from _places(data[key])


@st.composite
def damaged(draw, whole: st.SearchStrategy):
    """Bytes with some of them changed, doubled, left out or cut off."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 4]))):
        at = draw(st.integers(0, len(data)))
        near = draw(st.sampled_from([at, min(at, 1500), at % 200, at % 20]))  # headers come first
        how = draw(
            st.sampled_from(["byte", "byte", "byte", "bits", "out", "twice", "number", "cut"])
        )
        if how == "byte":
            data[near : near + 1] = bytes([draw(st.integers(0, 255))])
        elif how == "bits" and near < len(data):
            data[near] ^= 1 << draw(st.integers(0, 7))
        elif how == "out":
            del data[near : near + draw(st.integers(1, 40))]
        elif how == "twice":
            data[near:near] = data[near : near + draw(st.integers(1, 40))]
        elif how == "number":
            data[near : near + 8] = draw(
                st.sampled_from([bytes(8), b"\xff" * 8, struct.pack("<q", 10**12), b"99999999"])
            )
        elif how == "cut":
            del data[at:]
    return bytes(data)


def _told(error: Exception, path: Path, unless: str = "\n") -> bool:
    """A documented error: one line that names the file, without some text; and no result."""
    text = str(error)
    assert "\n" not in text, text
    assert unless not in text, text
    assert path.name in text, text
    assert len(text) < 1500, len(text)
    return False


def _in_a_file(check):
    """Calls check(path) with a file of this ending and content."""

    @functools.wraps(check)
    def wrapped(case: tuple[str, bytes]) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / case[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(case[1])
            return check(path)

    return wrapped


def _people() -> dict:
    """Three photos with a person each, and one with a crowd of every kind of region."""
    data = content(3)
    runs = {"size": [64, 96], "counts": [100, 50, 64 * 96 - 150]}
    for number, segmentation in enumerate(([[1, 1, 9, 1, 9, 9]], runs, [],
                                           {"size": [64, 96], "counts": CODED})):  # fmt: skip
        data["annotations"].append(person(7 + number, 3, iscrowd=1, segmentation=segmentation))
    data["images"][0]["crowdIndex"] = 0.5
    return data


def annotations() -> st.SearchStrategy:
    """Annotation files, their JSON or their bytes changed."""
    changed = changed_json(_people)
    return st.tuples(st.just("people.json"), st.one_of(changed, changed, damaged(changed)))


@_in_a_file
def check_annotations(path: Path) -> bool:
    """Valid: as many photos, names, sizes and lists of regions; persons in order, all numbers
    finite, v of 0, 1 or 2, no side below 0; a mask can be drawn; average precision of the truth is
    from 0 to 1, or not defined. With skip_broken records cannot fail. Or a ValueError."""
    _annotations_are_valid(path, False)
    return _annotations_are_valid(path, True)


def _annotations_are_valid(path: Path, skip: bool) -> bool:
    try:
        found = read_annotations(path, TRIANGLE, skip_broken=skip)
    except ValueError as error:
        return _told(error, path, "skip_broken" if skip else "\n")
    assert len(found) == len(found.names) == len(found.sizes) == len(found.regions)
    assert len(set(found.ids.tolist())) == len(found)
    assert found.first[0] == 0
    assert found.first[-1] == len(found.keypoints) == len(found.boxes)
    assert (np.diff(found.first) >= 0).all()
    assert np.isfinite(found.keypoints).all()
    assert np.isin(found.keypoints[..., 2], (0, 1, 2)).all()
    assert np.isfinite(found.boxes).all()
    assert (found.boxes[:, 2:] >= 0).all()
    assert (found.sizes > 0).all()
    for i, regions in enumerate(found.regions):
        if found.sizes[i].prod() < 1e6:
            assert counted(regions, found.persons(i)[1], np.eye(2, 3), (32, 24)).dtype == bool
    try:
        truth = ground_truth(path, TRIANGLE, crowd=True, skip_broken=skip)
    except ValueError as error:
        return _told(error, path)
    detections = [{**one, "score": 0.5} for one in truth["annotations"]]
    precision = keypoint_ap(truth, detections, TRIANGLE, crowd=True)
    assert all(np.isnan(v) or 0 <= v <= 1 for v in precision.values()), precision
    return True


@functools.cache
def _net() -> PoseNet:
    torch.manual_seed(0)
    return PoseNet(3, 1, (2, 2, 2, 2, 2)).eval()


def _metadata() -> dict:
    """What stands beside the tensors of our files, as values."""
    return {"settings": _net().settings, "testing": PhotoSettings(64, TRIANGLE).to_dict()}


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


@_in_a_file
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
        return _told(error, path)
    if predictor.settings.size > 128 or predictor.settings.max_people > 100:
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
        _told(error, path)


def _record() -> dict:
    record = make_record("rve", 1)
    return record | {"metrics": record["metrics"] | {"AP_hard": None}}


def _signed(record: bytes) -> bytes:
    """The record with the digest that its configuration has."""
    content = json.loads(record)
    if isinstance(content.get("config"), dict):
        with contextlib.suppress(ValueError):  # a configuration that has none
            content["config_digest"] = results.config_digest(content["config"])
    return json.dumps(content).encode()


def _search() -> dict:
    metrics = dict.fromkeys(("AP", "AP_hard", "grouping_accuracy", "first_component"), 0.5)
    runs = [{"seed": 0, "config_digest": "0", "metrics": metrics, "provenance": {}}]
    trial = {"settings": {"steps": 3}, "metrics": metrics, "runs": runs}
    return {"preset": "p", "method": "rve", "trials": [trial, trial], "best": {"steps": 3}}


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **make_arrays())
    return buffer.getvalue()


def records() -> st.SearchStrategy:
    """A run's JSON or arrays, or the record of a search, changed."""
    record, search = changed_json(_record), changed_json(_search)
    record = st.one_of(record, record.map(_signed))
    run = "smoke/rve/seed-1"
    return st.one_of(
        st.tuples(st.just(f"{run}.json"), st.one_of(record, record, damaged(record))),
        st.tuples(st.just(f"{run}.npz"), damaged(st.builds(_npz))),
        st.tuples(st.just("smoke/rve/search.json"), st.one_of(search, search, damaged(search))),
    )


@_in_a_file
def check_record(path: Path) -> bool:
    """Valid: a record, arrays or trials of which every table and note can be made; the arrays are
    plain and have one value an image. Or a ValueError."""
    try:
        if path.suffix == ".npz":
            arrays = results.read_arrays(path)
            assert not any(array.dtype.hasobject for array in arrays.values())
            assert all(len(arrays[n]) == len(arrays["image_id"]) for n in results.PER_IMAGE)
        elif path.stem == "search":
            read_trials(path)
            table = tables.search_table("smoke", path.parents[2])
            assert "<script" not in tables.html_table(table)
        else:
            record = results.read_record(path)
            values = record["metrics"].values()
            assert all(np.isnan(value) or np.isfinite(value) for value in values)
            texts = (tables.html_table(tables.provenance_table([record])),
                     tables.html_table(tables.crowd_table([record])),
                     runs.run_note([record]), runs.source([record]))  # fmt: skip
            assert not any("<b>" in text for text in texts)
    except ValueError as error:
        return _told(error, path)
    return True
