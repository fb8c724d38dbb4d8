"""Records of runs on photos: read, refused, and shown."""

import json

from sparse_ae.companion.tables.photo_tables import (
    photo_source,
    precision_table,
    read_photo_records,
    wrong_table,
)
from sparse_ae.evaluation.evaluate_photos import SCHEMA

RECORD = {
    "schema": SCHEMA,
    "data": "annotations/<people>.json",
    "weights": {"file": "seed-1.safetensors", "sha256": "abcdef0123"},
    "settings": {"size": 384},
    "metrics": {"AP": 0.125, "APM": None},
    "wrong": {"photos": 2, "persons": 5, "found": 1, "missed": 3, "twice": 4},
    "provenance": {"commit": "0123456789"},
}


def written(root, method="ae8", **changes):
    folder = root / "photos" / method
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "seed-1.photos.json"
    path.write_text(json.dumps({**RECORD, **changes}), encoding="utf-8")
    return path


def test_tables_by_hand(tmp_path):
    written(tmp_path, "rve", metrics={"AP": 0.5, "APM": 0.25})
    written(tmp_path)
    (tmp_path / "photos" / "rve" / "seed-1.json").write_text("{}")  # a run on crowds: not read
    records = read_photo_records("photos", tmp_path)
    assert [record["method"] for record in records] == ["ae8", "rve"]
    table = precision_table(records)
    assert table.loc["AE, D = 8"].tolist() == ["12.5", "–"]
    assert table.loc["RVE (the paper)", "APM"] == "25.0"
    wrong = wrong_table(records[:1])["AE, D = 8"]
    assert wrong["missed: no joint near"] == 3
    assert wrong.index.tolist()[0] == "photos"
    assert "two persons merged" not in wrong  # what a record does not have is not made up


def test_what_a_table_is_made_of_is_said_and_escaped(tmp_path):
    written(tmp_path)
    note = photo_source(read_photo_records("photos", tmp_path))
    assert "&lt;people&gt;.json at 384 pixels, commit 0123456, weights abcdef0" in note
    assert "No such run yet" in photo_source([])
    assert read_photo_records("nothing", tmp_path) == []
