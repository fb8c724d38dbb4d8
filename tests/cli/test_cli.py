"""The console script: what a user types, sees, and is told when it goes wrong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sparse_ae.cli import main
from sparse_ae.companion.records import read_arrays, read_record, record_path
from sparse_ae.settings import load_settings
from sparse_ae.settings.settings import merged
from sparse_ae.training.resume import state_path


@pytest.mark.slow
def test_train_then_evaluate_give_the_same_figures(tmp_path, capsys):
    arguments = ["--preset", "smoke", "--method", "rve", "--seed", "5", "--root", str(tmp_path)]
    assert main(["train", *arguments]) == 0
    path = record_path("smoke", "rve", 5, tmp_path)
    record = read_record(path)
    assert record["settings"]["optim"]["steps"] == 40
    command = "sparse-ae train --preset smoke --method rve --seed 5"
    assert record["provenance"]["command"] == command
    assert record["provenance"]["device"].startswith("cpu")
    assert len(read_arrays(path)["image_id"]) == 24
    names = {file.name for file in path.parent.iterdir()}
    assert names == {"seed-5.json", "seed-5.npz", "seed-5.csv", "seed-5.safetensors"}
    capsys.readouterr()
    assert main(["evaluate", *arguments]) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    for name in ("AP", "AP_hard", "grouping_accuracy", "group_margin", "first_component"):
        assert float(printed[name]) == pytest.approx(record["metrics"][name], abs=1e-4, nan_ok=True)


@pytest.mark.slow
def test_a_made_run_is_not_made_again(tmp_path, capsys):
    arguments = ["train", "--preset", "smoke", "--method", "ae8", "--root", str(tmp_path)]
    assert main(arguments) == 0
    path = record_path("smoke", "ae8", 0, tmp_path)
    before = path.stat().st_mtime_ns
    state = state_path(path)
    state.touch()  # as a kill leaves it that comes just after the record
    assert main([*arguments, "--skip-made"]) == 0
    assert "smoke/ae8/seed-0: made already" in capsys.readouterr().out
    assert not state.exists()
    assert path.stat().st_mtime_ns == before
    path.with_suffix(".npz").unlink()
    assert main([*arguments, "--skip-made"]) == 0
    assert path.stat().st_mtime_ns > before


@pytest.mark.slow
def test_single_settings_are_set_for_a_run(tmp_path, capsys):
    """By section and name, as YAML has values; the record and the command in it say so."""
    arguments = ["--preset", "smoke", "--method", "ae8", "--root", str(tmp_path)]
    given = ["--set", "optim.steps=3", "--set", "data.persons=[1, 2]", "--set", "loss.form=poster",
             "--set", "optim.steps=2"]  # fmt: skip
    assert main(["train", *arguments, *given]) == 0
    path = record_path("smoke", "ae8", 0, tmp_path)
    record = read_record(path)
    changed = {"data": {"persons": [1, 2]}, "loss": {"form": "poster"}, "optim": {"steps": 2}}
    usual = load_settings("smoke", "ae8", 0).to_dict()
    assert record["settings"] == merged(usual, changed)  # of two, the last
    assert record["data"]["test_crowd"]["persons"] == [1, 2]
    assert read_arrays(path)["persons"].max() <= 2
    command = "sparse-ae train --preset smoke --method ae8 --seed 0"
    assert record["provenance"]["command"] == (
        f"{command} --set 'data.persons=[1, 2]' --set loss.form=poster --set optim.steps=2"
    )
    capsys.readouterr()
    assert main(["train", *arguments, *given, "--skip-made"]) == 0
    assert "made already" in capsys.readouterr().out
    assert main(["evaluate", *arguments, *given]) == 0  # on the crowds that it was tested on
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(printed["AP"]) == pytest.approx(record["metrics"]["AP"], abs=1e-4)
    assert main(["verify", str(path)]) == 0


@pytest.mark.parametrize(("given", "message"), [
    ("steps=3", "--set steps=3: expected SECTION.NAME=VALUE, as optim.steps=500"),
    ("optim.steps", "--set optim.steps: expected SECTION.NAME=VALUE"),
    ("optim.=3", "--set optim.=3: expected SECTION.NAME=VALUE"),
    ("optim.steps=", "optim.steps: expected an integer, got None"),
    ("optim.steps=[", "--set optim.steps=[: '[' is no value of YAML"),
    ("optim.steps=many", "optim.steps: expected an integer, got 'many'"),
    ("optim.steps=0", "optim.steps: expected at least 1, got 0"),
    ("optim.learning_rate=1e-3", "expected a number, got '1e-3' (write 1.0e-3, not 1e-3)"),
    ("optim.step=3", "unknown setting 'optim.step': expected one of batch, ema, "),
    ("training.steps=3", "unknown setting 'training': expected one of augment, data, "),
    ("run.method=ae1", "--set run.method=ae1: --preset, --method and --seed say which run it is"),
])  # fmt: skip
def test_a_setting_that_cannot_be_set_is_told(tmp_path, capsys, given, message):
    arguments = ["train", "--preset", "smoke", "--root", str(tmp_path), "--set", given]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_told_before_the_training(tmp_path, capsys):
    (tmp_path / "smoke").write_text("a file where a folder has to be")
    assert main(["train", "--preset", "smoke", "--root", str(tmp_path)]) == 1
    assert "results folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["smoke"]


def test_preview_writes_a_picture(tmp_path, capsys):
    path = tmp_path / "sheet.png"
    assert main(["crowds", "--preset", "smoke", "--preview", str(path)]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_preview_draws_keypoints_on_every_second_scene(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["crowds", "--preset", "smoke", "--count", "3", "--preview"]
    assert main([*arguments, "plain.png"]) == 0
    assert main([*arguments, "--keypoints"]) == 0
    assert capsys.readouterr().out.split() == ["plain.png", "crowds.png"]
    plain, drawn = (cv2.imread(name).astype(int) for name in ("plain.png", "crowds.png"))
    differ = [np.abs(plain - drawn)[:64, 64 * i : 64 * (i + 1)].max() > 0 for i in range(3)]
    assert differ == [False, True, False]


def test_crowds_are_written_once_and_only_of_one_kind(tmp_path, capsys):
    arguments = ["crowds", "--preset", "smoke", "--count", "2", "--out", str(tmp_path)]
    assert main([*arguments, "--jpeg"]) == 0
    paths = [tmp_path / "annotations" / f"person_keypoints_{split}.json"
             for split in ("train", "val", "test")]  # fmt: skip
    assert capsys.readouterr().out.split() == [str(path) for path in paths]
    pictures = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("images/*/*"))
    assert [path.as_posix() for path in pictures] == [
        f"images/{split}/00000{i}.jpg" for split in ("test", "train", "val") for i in (0, 1)
    ]
    assert main([*arguments, "--jpeg", "--split", "val"]) == 0
    assert "complete already, nothing to do" in capsys.readouterr().out
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "manifest.json: split train has images jpeg95, not png; choose another" in error
