"""The console script: what a user types, sees, and is told when it goes wrong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sparse_ae.cli import main
from sparse_ae.companion.records import read_arrays, read_record, record_path
from sparse_ae.training.resume import state_path


def test_train_then_evaluate_give_the_same_figures(tmp_path, capsys):
    arguments = ["--preset", "smoke", "--method", "rve", "--seed", "5", "--root", str(tmp_path)]
    assert main(["train", *arguments]) == 0
    path = record_path("smoke", "rve", 5, tmp_path)
    record = read_record(path)
    assert record["config"]["steps"] == 40
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
