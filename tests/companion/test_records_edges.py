"""Records: messages as they are read, and what a fault put in on purpose had passed without."""

import errno
import hashlib
import json
import math
import os
import re
import sys
import tempfile

import numpy as np
import pytest
from synthetic import make_arrays, make_record

from sparse_ae.companion import records as results


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("../x", "ae8", 1), r"^preset must be a plain name without slashes, not '\.\./x'$"),
        (("smoke", 8, 1), "^method must be a plain name without slashes, not 8$"),
        (("smoke", "ae8", True), "^seed must be an integer from 0 on, not True$"),
        (("smoke", "ae8", -1), "^seed must be an integer from 0 on, not -1$"),
    ],
)
def test_a_place_for_a_record_or_why_not(place, message):
    with pytest.raises(ValueError, match=message):
        results.record_path(*place)


def test_the_digest_of_committed_records_stays():
    """Another would make every record that there is look like one of other settings."""
    text = rb'{"a":{"x":true},"b":[1.5,null,"\u03b3"]}'
    digest = results.settings_digest({"b": [1.5, None, "γ"], "a": {"x": True}})
    assert digest == hashlib.sha256(text).hexdigest()[:16] == "9a70b37322b4ba45"
    with pytest.raises(ValueError, match="Out of range float"):
        results.settings_digest({"a": math.nan})


def test_a_record_is_read_by_people_too(tmp_path):
    path = results.write_record(make_record(), make_arrays(), tmp_path)
    text = path.read_text()
    assert text.startswith('{\n "')
    assert text.endswith("}\n")
    assert text == json.dumps(json.loads(text), indent=1) + "\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1.0}, r"^seed must be an integer from 0 on, not 1\.0$"),
        ({"settings": []}, r"seed-1\.json: field 'settings' must be dict$"),
        ({"schema": True}, r"seed-1\.json: field 'schema' must be int$"),
        ({"provenance": {"x": {1}}}, r"seed-1\.json: the record .* JSON: set \{1\} has no place"),
    ],
)
def test_what_is_wrong_with_a_record(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        results.write_record(make_record() | change, make_arrays(), tmp_path)


def test_a_record_without_metrics_and_what_is_none(tmp_path):
    record = make_record()
    del record["metrics"]
    with pytest.raises(
        ValueError, match=r"seed-1\.json: field 'metrics' lacks or should not have 'AP'$"
    ):
        results.write_record(record, make_arrays(), tmp_path)
    path = results.record_path("smoke", "ae8", 1, tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("[]")
    with pytest.raises(ValueError, match=r"seed-1\.json: expected a JSON object with the fields sch"
                                         r"ema, preset, method, seed, settings, data, "
                                         r"settings_digest, metrics, provenance$"):  # fmt: skip
        results.read_record(path)


@pytest.mark.parametrize("name", ["accuracy_at", "match_score", "persons"])
def test_an_array_that_is_missing_is_named_with_its_file(tmp_path, name):
    arrays = make_arrays()
    del arrays[name]
    message = rf"seed-1\.json: array '{name}' is missing$"
    with pytest.raises(ValueError, match=message):
        results.write_record(make_record(), arrays, tmp_path)
    path = results.write_record(make_record(), make_arrays(), tmp_path).with_suffix(".npz")
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message.replace("json", "npz")):
        results.read_arrays(path)


def test_the_folder_that_is_tried_is_the_runs(tmp_path, monkeypatch):
    tried, usual = [], tempfile.TemporaryFile

    def noted(*arguments, **options):
        tried.append(options["dir"])
        return usual(*arguments, **options)

    monkeypatch.setattr(results.tempfile, "TemporaryFile", noted)
    folder = results.check_writable(tmp_path, "smoke", "ae8")
    assert tried == [folder] == [tmp_path / "smoke" / "ae8"]

    def full(**_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(results.tempfile, "TemporaryFile", full)
    with pytest.raises(OSError, match=rf"results folder {folder} cannot be written to \(No space"):
        results.check_writable(tmp_path, "smoke", "ae8")


def test_detections_beside_a_record_are_none(tmp_path):
    path = results.write_record(make_record(), make_arrays(), tmp_path, detections=b"[]\n")
    assert results.record_files(path)[1] == path.with_name("seed-1.detections.json")
    assert results.record_files(path)[1].read_bytes() == b"[]\n"
    assert [one["seed"] for one in results.read_records("smoke", tmp_path)] == [1]


def test_text_is_utf_8_wherever_it_is_read(tmp_path, monkeypatch):
    record = make_record()
    record["provenance"] = {**record["provenance"], "device": "cpu: naïve"}
    path = results.write_record(record, make_arrays(), tmp_path)
    text = json.dumps(json.loads(path.read_text()), ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    asked, usual = [], type(path).read_text
    monkeypatch.setattr(
        type(path),
        "read_text",
        lambda self, encoding=None: asked.append(encoding) or usual(self, encoding),
    )
    assert results.read_record(path)["provenance"]["device"] == "cpu: naïve"
    assert [name.lower() for name in asked] == ["utf-8"]


def changed(**fields):
    """What writes other values into a record."""
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def without_settings(path):
    record = json.loads(path.read_text())
    del record["settings"]
    path.write_text(json.dumps(record))


def of_an_older_schema(path):
    record = json.loads(path.read_text())
    path.write_text(json.dumps({"schema": 2, "config": record["settings"]}))


def a_folder(path):
    path.unlink()
    path.mkdir()


HALF = dict.fromkeys(results.METRICS, 0.5)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (os.unlink, "no such record; make it with experiments/train.ipynb"),
        (lambda path: path.write_text("half"), "not a whole JSON file (Expecting value: line 1 "
         "column 1 (char 0)); delete it, run again"),
        (a_folder, "cannot be read (Is a directory)"),
        (without_settings, "field 'settings' is missing"),
        (of_an_older_schema, "field 'schema' is 2, this code reads 3"),
        (changed(seed=-2), "seed must be an integer from 0 on, not -2"),
        (changed(method="rve"), "fields preset, method and seed say smoke/rve/seed-1: the file was "
         "moved"),
        (changed(metrics=HALF | {"AR": math.inf}), "field 'metrics.AR' must be finite, or null"),
        (changed(metrics=HALF | {"AR": -(10**309)}), "field 'metrics.AR' must be finite, or null"),
        *((changed(provenance={name: 3}), f"field 'provenance.{name}' must be a text or null")
          for name in ("commit", "date", "device", "data_digest")),
    ],
)  # fmt: skip
def test_why_a_record_cannot_be_read(tmp_path, spoil, message):
    path = results.write_record(make_record(), make_arrays(), tmp_path)
    spoil(path)
    with pytest.raises(ValueError, match=rf"^{re.escape(f'{path}: {message}')}$"):
        results.read_record(path)


def test_settings_without_a_digest_are_told_with_their_file(tmp_path):
    path = results.write_record(make_record(), make_arrays(), tmp_path)
    changed(settings={"x": math.inf})(path)
    message = rf"^{re.escape(str(path))}: field 'settings': Out of range float values"
    with pytest.raises(ValueError, match=message):
        results.read_record(path)


def test_why_arrays_cannot_be_read(tmp_path):
    path = results.write_record(make_record(), make_arrays(), tmp_path).with_suffix(".npz")
    path.write_bytes(path.read_bytes()[:100])
    file = re.escape(str(path))
    with pytest.raises(ValueError, match=rf"^{file}: not a whole npz file \(.+\); run it again$"):
        results.read_arrays(path)
    path.unlink()
    with pytest.raises(
        ValueError, match=rf"^{file}: the record's arrays are missing; run it again$"
    ):
        results.read_arrays(path)


def test_the_largest_number_is_finite(tmp_path):
    record = make_record(AP=sys.float_info.max, AR=-sys.float_info.max)
    read = results.read_record(results.write_record(record, make_arrays(), tmp_path))
    assert read["metrics"]["AP"] == sys.float_info.max == -read["metrics"]["AR"]
