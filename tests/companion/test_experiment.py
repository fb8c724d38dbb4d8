"""A run of every kind of method: its record is whole, and what it holds belongs together."""

import json

import numpy as np
import pytest
from photos import custom_preset

from sparse_ae.companion.experiment import evaluate_weights, is_made, recorded_config, run
from sparse_ae.companion.knobs import PER_IMAGE, SETTINGS, STILL, crowds_of
from sparse_ae.companion.records import (
    MATCHES,
    config_digest,
    read_arrays,
    read_records,
    record_path,
)
from sparse_ae.companion.statistics.weighted_ap import average_precision, ranking
from sparse_ae.models import load_checkpoint
from sparse_ae.runtime.launch import Options
from sparse_ae.settings.presets import load_config

KNOB_SCENES = 2


@pytest.fixture(scope="module", params=["rve", "swahr", "offset"])
def made(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    config = load_config("smoke", request.param, 3, steps=2, knob_scenes=KNOB_SCENES)
    assert not is_made(config, root)
    return config, root, run(config, root, progress=False)


def test_the_record_is_whole(made):
    config, root, record = made
    assert is_made(config, root)
    assert not is_made(load_config("smoke", config.method, 3, steps=2), root)  # without knobs
    metrics = record["metrics"]
    assert np.isfinite(metrics["AP"])
    assert np.isfinite(metrics["grouping_accuracy"])
    assert np.isnan(metrics["first_component"]) == (config.method == "offset")


def test_its_arrays_give_its_average_precision(made):
    config, root, record = made
    arrays = read_arrays(record_path("smoke", config.method, 3, root))
    images = len(arrays["image_id"])
    found = average_precision(ranking(arrays), np.ones((1, images), int))
    assert found[0] == pytest.approx(record["metrics"]["AP"], abs=1e-6)
    assert arrays["accuracy_at"].shape == (images, 9)
    if config.method != "offset":  # the threshold in use is one of the nine
        assert np.allclose(arrays["accuracy_at"][:, 4], arrays["grouping_accuracy"], equal_nan=True)
        assert "accuracy_of_given_centres" not in arrays
    else:
        assert np.isfinite(arrays["accuracy_of_given_centres"]).all()
    assert arrays["failure_counts"].shape == (images, 5)


def test_it_has_every_setting_of_the_knobs(made):
    config, root, _ = made
    arrays = read_arrays(record_path("smoke", config.method, 3, root))
    count = np.bincount(arrays["knob_setting"])
    assert count.tolist() == [KNOB_SCENES] * len(SETTINGS)
    assert all(len(arrays[f"knob_{name}"]) == count.sum() for name in PER_IMAGE)
    knobs = {name: arrays[f"knob_{name}"] for name in MATCHES}
    assert (knobs["match_persons"] == arrays["knob_persons"]).all()
    assert knobs["match_image"].max(initial=0) < count.sum()
    assert np.isfinite(average_precision(ranking(knobs), np.ones((1, count.sum()), int)))


def test_its_weights_are_those_that_were_evaluated(made):
    config, root, record = made
    weights = record_path("smoke", config.method, 3, root).with_suffix(".safetensors")
    again = evaluate_weights(config, weights, progress=False)
    assert again.metrics["AP"] == record["metrics"]["AP"]


def test_a_setting_turns_one_knob():
    config = load_config("laptop", "rve", 1, knob_scenes=KNOB_SCENES)
    still = {**STILL, "split": "test", "size": 128}
    for setting in SETTINGS:
        crowd = crowds_of(setting, config).config.as_dict()
        turned = {name for name, value in still.items() if not np.array_equal(crowd[name], value)}
        assert turned <= {setting.knob}
        assert set(setting.changes) == {setting.knob}


def test_later_settings_leave_older_records_valid():
    """What is at its default is not in a record, so its digest is that of a run before."""
    config = load_config("reader", "rve", 1)
    settings = config.to_dict()
    assert not {"adapt", "offsets", "tag_init", "knob_scenes"} & set(settings)
    assert load_config("reader", "swahr", 1).to_dict()["adapt"] is True
    recorded = recorded_config(config)
    assert config_digest(recorded) != config_digest(
        recorded_config(load_config("reader", "rve", 1, tag_init="large"))
    )


def test_a_run_on_photos_leaves_weights_log_and_record(tmp_path, caplog):
    """Tested on its own test photos, the best of validation; what was left out is listed."""
    preset = custom_preset(tmp_path, steps=3, validate_every=2)
    (tmp_path / "images" / "004.jpg").write_bytes(b"no photo")
    config = load_config(str(preset), "ae8", 1)
    root = tmp_path / "results"
    options = Options(skip_broken=True, workers=1)
    assert not is_made(config, root)
    metrics = run(config, root, options=options, progress=False)["metrics"]
    assert 0 <= metrics["AP"] <= 1
    folder = record_path("custom", "ae8", 1, root).parent
    left = {path.name.removeprefix("seed-1") for path in folder.iterdir()}
    assert left == {".csv", ".safetensors", ".photos.json", ".detections.json"}
    assert load_checkpoint(folder / "seed-1.safetensors").keypoints == 3
    record = json.loads((folder / "seed-1.photos.json").read_text())
    assert record["metrics"]["AP"] == metrics["AP"]
    assert (record["method"], record["settings"]["flip"]) == ("ae8", True)
    assert record["config"]["train_set"] == ["people.json", "images"]  # not where they lie
    assert record["config"]["test_digest"] == record["config"]["train_digest"]
    assert is_made(config, root)
    assert not is_made(load_config(str(preset), "ae8", 1, steps=4), root)
    (folder / "seed-1.photos.json").write_text("[]")
    assert not is_made(config, root)
    assert "left out, 1 in all:" in caplog.text
    assert "004.jpg" in caplog.text
    assert read_records("custom", root) == []  # that of photos is none of crowds


def test_the_weights_that_are_best_on_validation_crowds_are_kept(tmp_path):
    config = load_config("smoke", "ae8", 1, steps=6, validate_every=2)
    assert config.to_dict()["validate_every"] == 2
    run(config, tmp_path, progress=False)
    arrays = read_arrays(record_path("smoke", "ae8", 1, tmp_path))
    assert arrays["validation_step"].tolist() == [2, 4, 6]
    assert np.isfinite(arrays["validation_value"]).all()
    assert not list(tmp_path.rglob("*.resume.safetensors"))


def test_a_run_goes_on_to_its_record(tmp_path, monkeypatch):
    """Interrupted in its evaluation, it does not train again."""
    config = load_config("smoke", "ae8", 2, steps=3)
    whole = run(config, tmp_path / "whole", progress=False)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sparse_ae.companion.experiment.evaluate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(config, tmp_path / "cut", progress=False)
    monkeypatch.setattr("sparse_ae.training.loop.Progress.learn", interrupt)
    record = run(config, tmp_path / "cut", options=Options(resume=True), progress=False)
    assert record["metrics"]["grouping_accuracy"] == whole["metrics"]["grouping_accuracy"]
    assert {path.suffix for path in (tmp_path / "cut").rglob("seed-2*")} == {
        ".json", ".npz", ".csv", ".safetensors"}  # fmt: skip
