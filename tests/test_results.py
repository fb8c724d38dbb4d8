"""Records: written whole or not at all, read back equal, and refused when they are not records."""

import json
import math
import os
import re

import numpy as np
import pytest
from synthetic import make_arrays, make_record

from sparse_ae import results
from sparse_ae.provenance import REPOSITORY, clean_command, provenance


def test_round_trip(tmp_path):
    arrays = make_arrays() | {"example_tags": np.ones((1, 2, 3, 8), np.float32)}
    path = results.write_record(make_record(AP=np.float32(0.25)), arrays, tmp_path)
    assert path == tmp_path / "smoke" / "ae8" / "seed-1.json"
    record = results.read_record(path)
    assert math.isnan(record["metrics"]["AP_hard"])
    assert record["metrics"]["AP"] == 0.25
    assert json.loads(path.read_text())["metrics"]["AP_hard"] is None
    back = results.read_arrays(path)
    assert set(back) == set(arrays)
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)
    assert sorted(p.name for p in path.parent.iterdir()) == ["seed-1.json", "seed-1.npz"]


def test_records_are_sorted_by_method_and_seed(tmp_path):
    assert results.read_records("smoke", tmp_path) == []
    for method, seed in (("rve", 2), ("ae8", 10), ("ae8", 9)):
        results.write_record(make_record(method, seed), make_arrays(), tmp_path)
    found = [(r["method"], r["seed"]) for r in results.read_records("smoke", tmp_path)]
    assert found == [("ae8", 9), ("ae8", 10), ("rve", 2)]


def test_digest_depends_on_content_alone():
    digest = results.config_digest({"a": 1, "b": (1.0, 2)})
    assert digest == results.config_digest({"b": [np.float64(1.0), 2], "a": np.int64(1)})
    assert digest != results.config_digest({"a": 2, "b": [1.0, 2]})
    assert re.fullmatch("[0-9a-f]{16}", digest)


def test_done_is_what_the_record_says(tmp_path):
    record = make_record()
    path = results.record_path("smoke", "ae8", 1, tmp_path)
    assert not results.is_done(path, record["config_digest"])
    results.write_record(record, make_arrays(), tmp_path)
    os.utime(path, (0, 0))
    assert results.is_done(path, record["config_digest"])
    assert not results.is_done(path, results.config_digest({"steps": 4}))
    path.with_suffix(".npz").write_bytes(path.with_suffix(".npz").read_bytes()[:100])
    assert not results.is_done(path, record["config_digest"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"schema": 99}, "schema"),
        ({"seed": "1"}, "seed"),
        ({"seed": True}, "seed"),
        ({"method": "../ae8"}, "method"),
        ({"metrics": {"AP": 0.5}}, "metrics"),
        ({"metrics": dict.fromkeys(results.METRICS, "high")}, "metrics.AP"),
        ({"metrics": dict.fromkeys(results.METRICS, math.inf)}, "JSON"),
        ({"config": {"steps": 4}}, "config_digest"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_record_is_refused_and_leaves_nothing(tmp_path, change, field):
    with pytest.raises(ValueError, match=field) as error:
        results.write_record(make_record() | change, make_arrays(), tmp_path)
    assert "\n" not in str(error.value)
    assert list(tmp_path.rglob("*")) == []


def test_bad_arrays_are_refused(tmp_path):
    for name, array in (("persons", np.zeros(3)), ("example_tags", np.array([None, {}]))):
        with pytest.raises(ValueError, match=name):
            results.write_record(make_record(), make_arrays() | {name: array}, tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_an_unwritable_folder_ends_in_one_line(tmp_path):
    (tmp_path / "smoke").write_text("a file where the folder should be")
    for attempt in (
        lambda: results.check_writable(tmp_path, "smoke", "ae8"),
        lambda: results.write_record(make_record(), make_arrays(), tmp_path),
    ):
        with pytest.raises(OSError, match=r"results folder .* cannot be written to") as error:
            attempt()
        assert "\n" not in str(error.value)


def test_a_failing_disk_leaves_neither_record_nor_temporaries(tmp_path, monkeypatch):
    path = results.write_record(make_record(), make_arrays(), tmp_path)
    calls = []

    def fail_second(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        os.rename(source, target)

    monkeypatch.setattr(results.os, "replace", fail_second)
    with pytest.raises(OSError, match="No space left"):
        results.write_record(make_record(AP=0.9), make_arrays(), tmp_path)
    assert not path.exists()  # the old record does not stand beside the new arrays
    assert [p.name for p in path.parent.iterdir()] == ["seed-1.npz"]
    assert not results.is_done(path, make_record()["config_digest"])


def test_provenance_names_no_folder_of_this_machine():
    command = (
        f"papermill {REPOSITORY}/experiments/train.ipynb /elsewhere/x/out.ipynb --log=/a/b/c -p n 1"
    )
    made = provenance("abc", command)
    assert made["command"] == "papermill experiments/train.ipynb out.ipynb --log=c -p n 1"
    assert made["data_digest"] == "abc"
    assert made["packages"]["numpy"] == np.__version__
    assert made["device"].startswith(("cpu: ", "cuda: "))
    assert made["cores"] >= 1
    assert str(REPOSITORY) not in json.dumps(made, allow_nan=False)


def test_a_relative_path_in_a_command_stays():
    assert clean_command(["python", "a/b.py", "--out", "c d"]) == "python a/b.py --out 'c d'"
