"""Damaged annotations and records, and what reading them has to give."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from photos import TRIANGLE, content, person
from synthetic import make_arrays, make_record

from sparse_ae.companion import records as results
from sparse_ae.companion.run_notes import run_note, source_note
from sparse_ae.companion.tables.formatting import html_table
from sparse_ae.companion.tables.methods import crowd_table, provenance_table, search_table
from sparse_ae.companion.trials import read_trials
from sparse_ae.datasets.annotations import ground_truth, read_annotations
from sparse_ae.datasets.loss_masks import loss_mask
from sparse_ae.metrics import keypoint_ap

from .damage import changed_json, damaged, in_a_file, told_of

# a rectangle and a dot in 64 × 96 pixels, as pycocotools codes it
CODED = "S81VP1c0VQO000000000000000000000000000000000000000000000000000000000fk2"


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


@in_a_file
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
        return told_of(error, path, "skip_broken" if skip else "\n")
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
            assert loss_mask(regions, found.persons(i)[1], np.eye(2, 3), (32, 24)).dtype == bool
    try:
        truth = ground_truth(path, TRIANGLE, crowd=True, skip_broken=skip)
    except ValueError as error:
        return told_of(error, path)
    detections = [{**one, "score": 0.5} for one in truth["annotations"]]
    precision = keypoint_ap(truth, detections, TRIANGLE, crowd=True)
    assert all(np.isnan(v) or 0 <= v <= 1 for v in precision.values()), precision
    return True


def _record() -> dict:
    record = make_record("rve", 1)
    return record | {"metrics": record["metrics"] | {"AP_hard": None}}


def _signed(record: bytes) -> bytes:
    """The record with the digest that its settings and data have."""
    content = json.loads(record)
    recorded = {name: content.get(name) for name in ("settings", "data")}
    if all(isinstance(part, dict) for part in recorded.values()):
        with contextlib.suppress(ValueError):  # settings that have none
            content["settings_digest"] = results.settings_digest(recorded)
    return json.dumps(content).encode()


def _search() -> dict:
    metrics = dict.fromkeys(("AP", "AP_hard", "grouping_accuracy", "first_component"), 0.5)
    runs = [{"seed": 0, "settings_digest": "0", "metrics": metrics, "provenance": {}}]
    tried = {"optim": {"steps": 3}}
    trial = {"settings": tried, "metrics": metrics, "runs": runs}
    return {"preset": "p", "method": "rve", "trials": [trial, trial], "best": tried}


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


@in_a_file
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
            table = search_table("smoke", path.parents[2])
            assert "<script" not in html_table(table)
        else:
            record = results.read_record(path)
            values = record["metrics"].values()
            assert all(np.isnan(value) or np.isfinite(value) for value in values)
            texts = (html_table(provenance_table([record])),
                     html_table(crowd_table([record])),
                     run_note([record]), source_note([record]))  # fmt: skip
            assert not any("<b>" in text for text in texts)
    except ValueError as error:
        return told_of(error, path)
    return True
