"""File names that are no text, and answers that nobody could write: told before the work."""

from __future__ import annotations

import json
import os
import sys

import cv2
import numpy as np
import pytest
from photos import custom_preset

from sparse_ae.cli import main
from sparse_ae.decoding import People
from sparse_ae.evaluation.photo_files import predict_files
from sparse_ae.evaluation.predictor import Predictor, Usage
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.skeleton import CROWDPOSE

ODD = b"caf\xe9.png"  # é as Latin-1 has it


class OnePerson(Predictor):
    """Finds the same person in every photo."""

    def __init__(self):
        super().__init__(None, Usage(64, CROWDPOSE))

    def predict(self, image, *, min_score=0.2):  # noqa: ARG002
        keypoints = np.full((1, 14, 3), 9.0, np.float32)
        return People(keypoints, np.ones(1, np.float32), np.zeros((1, 2), np.float32))


@pytest.fixture
def photos(tmp_path):
    """A folder with two photos, one of which has a name that is not UTF-8."""
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = cv2.imencode(".png", np.full((40, 50, 3), 90, np.uint8))[1].tobytes()
    (folder / "plain.png").write_bytes(picture)
    try:
        with open(os.path.join(os.fsencode(folder), ODD), "wb") as file:
            file.write(picture)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    return folder


def test_a_name_that_is_not_utf_8_does_not_cost_the_results(tmp_path, photos):
    answered = predict_files(
        OnePerson(), sorted(photos.iterdir()), tmp_path / "out", progress=False
    )
    found = json.loads((tmp_path / "out" / "people.json").read_text(encoding="utf-8"))
    assert found == answered.results
    assert len(found) == len(answered.pictures) == 2
    assert {os.path.basename(os.fsencode(one["file_name"])) for one in found} == {ODD, b"plain.png"}


def test_the_command_prints_such_a_name(tmp_path, photos, capfdbinary):
    weights = tmp_path / "net.safetensors"
    save_checkpoint(PoseNet(14, 2, (4, 4, 4, 4, 4)), weights, Usage(64, CROWDPOSE).to_dict())
    os.truncate(os.path.join(os.fsencode(photos), ODD), 60)
    out = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"out-\xe9"))
    sys.stdout.reconfigure(errors="strict")
    assert main(["predict", str(photos), "--weights", str(weights), "--out", out]) == 1
    printed = capfdbinary.readouterr()
    assert rb"out-\udce9" in printed.out
    assert rb"caf\udce9.png: cannot be read" in printed.err
    assert b"1 of 2 photos could not be used" in printed.err


def test_a_folder_in_the_place_of_the_results_is_told_before_a_picture_is_written(tmp_path, photos):
    out = tmp_path / "out"
    (out / "people.json").mkdir(parents=True)
    with pytest.raises(OSError, match=r"people.json: is a folder; name another one with --out"):
        predict_files(OnePerson(), sorted(photos.iterdir()), out, progress=False)
    assert [path.name for path in out.iterdir()] == ["people.json"]


def test_the_command_names_its_own_option(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    path = tmp_path / "coco" / "annotations" / "person_keypoints_val2017.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"images": [{}], "annotations": [], "categories": []}))
    words = ["evaluate", "--data", "coco", "--split", "val", "--weights", "none"]
    assert main(words) == 1
    assert "mend it, or leave it out with --skip-broken\n" in capsys.readouterr().err


def test_a_command_without_that_option_does_not_advise_it(tmp_path, capsys, monkeypatch):
    preset = custom_preset(tmp_path)
    (tmp_path / "images" / "001.jpg").unlink()
    preset.write_text(json.dumps({**json.loads(preset.read_text()), "search": {"ae8": [{}]}}))
    assert (
        main(["search", "--preset", str(preset), "--method", "ae8", "--root", str(tmp_path)]) == 1
    )
    assert capsys.readouterr().err.endswith("people.json: image 1); mend it\n")
    error = ValueError("a.json: broken; mend it, or leave it out with skip_broken=True")

    def check(*_, **__):
        raise error

    monkeypatch.setattr("sparse_ae.companion.verify.verify", check)
    assert main(["verify", "seed-0.json"]) == 2
    assert capsys.readouterr().err == "sparse-ae: cannot verify: a.json: broken; mend it\n"
