"""`sparse-ae evaluate` of a run on photos: on the test photos of its preset, and on no others."""

from __future__ import annotations

import json

import pytest
from photos import content, custom_preset

from sparse_ae.cli import main
from sparse_ae.companion.records import read_record, record_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on six photos that is tested on two of them, and what is given to name it."""
    folder = tmp_path_factory.mktemp("photos")
    test = folder / "test.json"
    data = content(6)
    data["images"], data["annotations"] = data["images"][4:], data["annotations"][4:]
    test.write_text(json.dumps(data))
    preset = custom_preset(folder, test_set=[str(test), str(folder / "images")])
    words = ["--preset", str(preset), "--method", "ae8", "--root", str(folder / "runs")]
    assert main(["train", *words]) == 0
    return words, read_record(record_path("custom", "ae8", 0, folder / "runs"))


@pytest.mark.slow
def test_a_run_on_photos_is_evaluated_on_its_test_photos(trained, capsys, monkeypatch):
    words, record = trained
    seen = []
    from sparse_ae.companion import experiment

    evaluate = experiment.evaluate
    monkeypatch.setattr(
        experiment, "evaluate", lambda net, data, *a, **k: seen.append(data) or evaluate(
            net, data, *a, **k))  # fmt: skip
    assert main(["evaluate", *words]) == 0
    (data,) = seen
    assert data.ids.tolist() == [5, 6]
    assert data.annotations.path.name == "test.json"
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    for name in ("AP", "APM", "APL", "AR", "grouping_accuracy"):
        expected = pytest.approx(record["metrics"][name], abs=1e-4, nan_ok=True)
        assert float(printed[name]) == expected
    assert main(["evaluate", *words, "--split", "val"]) == 0
    assert seen[1].ids.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "option",
    [["--size", "128"], ["--scales", "1", "0.5"], ["--no-flip"], ["--bf16"],
     ["--detections", "found.json"], ["--record", "record.json"]],
)  # fmt: skip
def test_options_of_data_are_not_ignored_without_it(trained, option, capsys):
    assert main(["evaluate", *trained[0], *option]) == 1
    assert f"error: {option[0]}: needs --data; to evaluate a run with" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["detections", "record"])
def test_a_folder_in_the_place_of_an_answer_is_told_before_the_work(tmp_path, name, capsys):
    words = ["evaluate", "--data", "coco", "--weights", "none", f"--{name}", str(tmp_path)]
    assert main(words) == 1
    assert f"--{name} {tmp_path}: is a folder; name a file" in capsys.readouterr().err
