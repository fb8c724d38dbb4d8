"""Records: written whole or not at all, read back equal, and refused when they are not records."""

import errno
import itertools
import json
import math
import os
import re
import signal

import numpy as np
import pytest
from synthetic import make_arrays, make_record

from sparse_ae.companion import records as results
from sparse_ae.runtime import files
from sparse_ae.runtime.provenance import REPOSITORY, clean_command, provenance


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
    digest = results.settings_digest({"a": 1, "b": (1.0, 2)})
    assert digest == results.settings_digest({"b": [np.float64(1.0), 2], "a": np.int64(1)})
    assert digest != results.settings_digest({"a": 2, "b": [1.0, 2]})
    assert re.fullmatch("[0-9a-f]{16}", digest)


def test_done_is_what_the_record_says(tmp_path):
    record = make_record()
    path = results.record_path("smoke", "ae8", 1, tmp_path)
    assert not results.is_done(path, record["settings_digest"])
    results.write_record(record, make_arrays(), tmp_path)
    os.utime(path, (0, 0))
    assert results.is_done(path, record["settings_digest"])
    assert not results.is_done(path, results.settings_digest({"steps": 4}))
    path.with_suffix(".npz").write_bytes(path.with_suffix(".npz").read_bytes()[:100])
    assert not results.is_done(path, record["settings_digest"])


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
        ({"settings": {"optim": {"steps": 4}}}, "settings_digest"),
        ({"data": {"test_digest": "1"}}, "settings_digest"),
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


def weights_of(content):
    return lambda part: part.write_bytes(content)


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", range(1, 10))
def test_a_full_disk_leaves_the_old_record_as_it_was(tmp_path, monkeypatch, call):
    """Full at any of the calls that write: file by file, to the disk, into place."""
    path = results.write_record(make_record(), make_arrays(), tmp_path, weights=weights_of(b"old"))
    before, calls = {p.name: p.read_bytes() for p in path.parent.iterdir()}, []

    def counted(function):
        def wrapped(*arguments):
            calls.append(function)
            return full() if len(calls) == call else function(*arguments)

        return wrapped

    for name in ("fsync", "replace"):
        monkeypatch.setattr(files.os, name, counted(getattr(os, name)))
    with pytest.raises(OSError, match=r"^results folder") as error:
        results.write_record(make_record(AP=0.9), make_arrays(), tmp_path,
                             weights=weights_of(b"new"))  # fmt: skip
    message = f"results folder {path.parent} cannot be written to (No space left on device)"
    assert str(error.value) == message
    monkeypatch.undo()
    if call <= 6:  # three files, each on disk and staged: from then on the new one counts
        assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before
    assert results.read_record(path)["metrics"]["AP"] == (0.5 if call <= 6 else 0.9)
    assert path.with_suffix(".safetensors").read_bytes() == (b"old" if call <= 6 else b"new")
    assert len(list(path.parent.iterdir())) == 3


@pytest.mark.slow
def test_a_killed_write_leaves_the_old_record_or_the_new(tmp_path):
    """SIGKILL before each call by which a process changes what is on the disk."""
    outcomes = []
    for call in itertools.count(1):
        root = tmp_path / str(call)
        path = results.write_record(make_record(), make_arrays(4), root, weights=weights_of(b"old"))
        done = killed_before(call, lambda root=root: results.write_record(
            make_record(AP=0.9), make_arrays(5), root, weights=weights_of(b"new")))  # fmt: skip
        new = results.read_record(path)["metrics"]["AP"] == 0.9
        assert len(results.read_arrays(path)["image_id"]) == (5 if new else 4)
        assert path.with_suffix(".safetensors").read_bytes() == (b"new" if new else b"old")
        outcomes.append(new)
        results.write_record(make_record(AP=0.7), make_arrays(6), root, weights=weights_of(b""))
        assert sorted(p.name for p in path.parent.iterdir()) == [
            "seed-1.json", "seed-1.npz", "seed-1.safetensors"]  # fmt: skip
        if done:
            break
    assert outcomes == sorted(outcomes)  # the old one up to some call, the new one from there
    assert outcomes.count(False) >= 6
    assert outcomes.count(True) >= 3


def killed_before(call, function):
    """Call `function` in a process of its own that kills itself before the system call of that
    number; whether it came to its end."""
    child = os.fork()
    if child == 0:
        left = itertools.count(1 - call)

        def counted(original):
            def wrapped(*arguments, **options):
                if next(left) == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*arguments, **options)

            return wrapped

        for name in ("open", "fsync", "replace", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        files.open = counted(open)
        function()
        os._exit(0)
    return os.WIFEXITED(os.waitpid(child, 0)[1])


def test_a_waiting_record_is_told_where_it_cannot_be_put_in_place(tmp_path, monkeypatch):
    path = results.write_record(make_record(), make_arrays(), tmp_path)
    path.rename(files.pending_path(path))
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", full)
        with pytest.raises(OSError, match=r"results folder .* cannot be written to"):
            results.read_record(path)
    assert results.read_record(path)["metrics"]["AP"] == 0.5


def test_what_the_dead_left_half_written_is_removed(tmp_path):
    path = tmp_path / "seed-1.json"
    parts = [path.with_name(f".{path.name}.{number}.part") for number in (2**22 - 1, os.getpid())]
    other = path.with_name(f".seed-10.json.{2**22 - 1}.part")
    for part in (*parts, other):
        part.write_text("half")
    files.write_whole(path, b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([path, other])  # our own was written over
    assert not files.is_alive(2**22 - 1)
    assert files.is_alive(os.getppid())


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
