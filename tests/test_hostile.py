"""Nothing in a file runs, takes the memory, or becomes markup of a page."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import hostile
import numpy as np
import pytest
import torch
from photos import TRIANGLE, content, write
from PIL import Image
from synthetic import make_arrays, make_record

from sparse_ae.companion import records as results
from sparse_ae.companion.run_notes import cost_note, run_note, source_note
from sparse_ae.companion.tables.formatting import html_table
from sparse_ae.companion.tables.methods import provenance_table, search_table
from sparse_ae.crowds.imitate import read_photos
from sparse_ae.crowds.people.bodies import load_bodies
from sparse_ae.datasets.keypoint_dataset import KeypointDataset
from sparse_ae.evaluation.photo_files import read_picture
from sparse_ae.models import load_checkpoint
from sparse_ae.settings import load_settings
from sparse_ae.skeleton import read_skeleton
from sparse_ae.training.resume import read_state

SECONDS, MEGABYTES = 1.0, 200.0  # of a refusal, at most
HOUSE = Path(__file__).parents[1]
SCRIPT = "<script>alert(1)</script>"
EVIL = f"{SCRIPT}<img src=x onerror=alert(1)>[a](javascript:alert(1))`$x$"


class Malicious:
    """A pickle that makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle 2", "pickle 5", "named safetensors"])
def test_code_in_weights_is_never_executed(tmp_path, how):
    trap, path = tmp_path / "executed", tmp_path / "net.pth"
    there = {"state_dict": {"conv1.weight": torch.zeros(1), "x": Malicious(trap)}}
    if how in ("zip", "legacy"):
        torch.save(there, path, _use_new_zipfile_serialization=how == "zip")
    else:
        path = path.with_suffix(".safetensors" if "safe" in how else ".pth")
        path.write_bytes(pickle.dumps(Malicious(trap), protocol=2 if how == "pickle 2" else 5))
    with pytest.raises(ValueError, match=str(path)) as refused:
        load_checkpoint(path)
    assert "\n" not in str(refused.value)
    if how in ("zip", "legacy", "pickle 2"):
        assert "mkdir, which is no tensor, and nothing of it was executed" in str(refused.value)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Malicious(trap)))  # noqa: S301  (the trap itself works)
    assert trap.exists()


@pytest.mark.parametrize("name", ["record", "bodies", "state", "layouts", "a pickle alone"])
def test_code_in_other_files_is_never_executed(tmp_path, name):
    trap, path = tmp_path / "executed", tmp_path / "seed-1.npz"
    trapped = np.array([Malicious(trap), None], object)
    np.savez(path, **make_arrays() | {"persons": trapped})
    if name != "record" and name != "bodies":
        path.write_bytes(pickle.dumps(Malicious(trap)))
    read = {
        "record": results.read_arrays, "a pickle alone": results.read_arrays,
        "bodies": load_bodies, "state": lambda file: read_state(file, {}),
        "layouts": lambda file: read_photos(str(file), 1, 2),
    }[name]  # fmt: skip
    with pytest.raises(ValueError, match=r"seed-1\.npz"):
        read(path)
    assert not trap.exists()


@pytest.mark.parametrize("read", [read_skeleton, lambda path: load_settings(path, "rve", 0)])
@pytest.mark.parametrize(
    "tag", ["object/apply:os.mkdir [{}]", "object/new:os.mkdir [{}]", "name:os.mkdir", "module:os"]
)
def test_a_tag_in_yaml_names_nothing(tmp_path, read, tag):
    trap, path = tmp_path / "executed", tmp_path / "a.yaml"
    path.write_text(f"name: !!python/{tag.format(trap)}\n")
    with pytest.raises(ValueError, match=r"a\.yaml.*could not determine a constructor"):
        read(path)
    assert not trap.exists()


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What reading each of the files that claim too much said, took and held."""
    folder = tmp_path_factory.mktemp("hostile")
    path = os.pathsep.join([str(HOUSE), str(HOUSE / "tests"), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run([sys.executable, str(HOUSE / "tests" / "hostile.py"), str(folder)],
                         env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
                         check=False)  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measured in a fork, on Linux")
@pytest.mark.parametrize("name", hostile.FILES)
def test_a_claim_is_refused_before_memory_is_taken(measured, name):
    found = measured[name]
    assert re.search(hostile.FILES[name][2], found["said"])
    assert name in found["said"]
    assert "\n" not in found["said"]
    assert len(found["said"]) < 1200
    assert found["seconds"] < SECONDS, "of processor time"
    assert found["grown"] < MEGABYTES


def evil_record(**changes) -> dict:
    """A record whose texts are markup."""
    record = make_record("rve", 1)
    told = dict.fromkeys(("commit", "date", "device", "data_digest"), EVIL)
    return record | {"provenance": record["provenance"] | told, **changes}


def shown(text: str, markdown: bool = False) -> None:
    """Nothing of the markup is left, and something of its text is."""
    assert not re.search(r"<(script|img)", text), text
    assert not (markdown and "[a](javascript" in text), text
    assert "&lt;script" in text


def test_texts_of_a_record_are_shown_as_they_are_written(tmp_path, monkeypatch):
    results.write_record(evil_record(), make_arrays(), tmp_path)
    monkeypatch.setenv("SPARSE_AE_PRESET", "smoke")
    monkeypatch.setenv("SPARSE_AE_SEED", "1")
    records = results.read_records("smoke", tmp_path)
    for record in records:
        record["settings"]["optim"]["steps"] = 4
    shown(html_table(provenance_table(records), index=False))
    shown(run_note(records), markdown=True)
    shown(cost_note(records, tmp_path), markdown=True)
    for text in (source_note(records), source_note([evil_record(preset=EVIL, method=EVIL)])):
        shown(text)
    monkeypatch.setenv("SPARSE_AE_EVIDENCE", EVIL)
    shown(source_note([]))


def test_a_search_has_no_texts_but_names_of_settings(tmp_path):
    metrics = dict.fromkeys(("AP", "AP_hard", "grouping_accuracy"), 0.5)
    trial = {"settings": {"optim": {EVIL: 1.0}}, "metrics": metrics, "runs": []}
    (tmp_path / "p" / "rve").mkdir(parents=True)
    content = json.dumps({"trials": [trial], "best": {}})
    (tmp_path / "p" / "rve" / "search.json").write_text(content)
    shown(html_table(search_table("p", tmp_path), index=False))


def test_data_in_a_page_cannot_end_its_script(monkeypatch):
    monkeypatch.syspath_prepend(HOUSE / "book" / "_ext")
    in_script = importlib.import_module("page_data").in_script
    data = {"name": "</script><!--<script>", EVIL: [1.5, None]}
    assert "<" not in in_script(data)
    assert json.loads(in_script(data)) == data


def test_photos_may_be_links_within_their_folder(tmp_path):
    """What leads out is refused (bad_inputs.pictures); the folder itself may be a link."""
    path = write(tmp_path, content())
    photo = tmp_path / "images" / "002.jpg"
    photo.rename(photo.with_name("kept.jpg"))
    photo.symlink_to("kept.jpg")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "images")
    data = KeypointDataset(path, tmp_path / "elsewhere", TRIANGLE)
    assert [sample.id for sample in data] == [1, 2, 3]


def test_no_other_program_is_started_for_a_picture(tmp_path, monkeypatch):
    """Pillow would start Ghostscript for PostScript, whatever the file is called."""
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **_: started.append(words))
    monkeypatch.setattr(subprocess, "check_call", lambda *words, **_: started.append(words))
    path = tmp_path / "a.eps"
    Image.new("RGB", (8, 8)).save(path)
    renamed = path.rename(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"a\.jpg: no picture that Pillow can read, of the kinds"):
        read_picture(renamed)
    assert not started
