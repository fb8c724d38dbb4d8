"""A run of every kind of method: its record is whole, and what it holds belongs together."""

import shlex

import numpy as np
import pytest
from flat import flat_settings

from sparse_ae.cli import main
from sparse_ae.companion.experiment import command_of, evaluate_weights, identity, is_made, run
from sparse_ae.companion.knobs import KNOB_DEFAULTS, KNOB_SETTINGS, PER_IMAGE, knob_crowds
from sparse_ae.companion.records import MATCHES, read_arrays, record_path, settings_digest
from sparse_ae.companion.statistics.weighted_ap import average_precision, rank_detections
from sparse_ae.runtime.launch import Options
from sparse_ae.runtime.provenance import clean_command

pytestmark = pytest.mark.slow

KNOB_SCENES = 2


@pytest.fixture(scope="module", params=["rve", "swahr", "offset"])
def made(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    settings = flat_settings("smoke", request.param, 3, steps=2, knob_scenes=KNOB_SCENES)
    assert not is_made(settings, root)
    return settings, root, run(settings, root, progress=False)


def arrays_of(made):
    """The arrays beside the record."""
    settings, root, _ = made
    return read_arrays(record_path("smoke", settings.run.method, 3, root))


def test_the_record_is_whole(made):
    settings, root, record = made
    method = settings.run.method
    assert is_made(settings, root)
    assert not is_made(flat_settings("smoke", method, 3, steps=2), root)  # without knobs
    metrics = record["metrics"]
    assert np.isfinite(metrics["AP"])
    assert np.isfinite(metrics["grouping_accuracy"])
    assert np.isnan(metrics["first_component"]) == (method == "offset")


def test_its_arrays_give_its_average_precision(made):
    settings, _, record = made
    arrays = arrays_of(made)
    images = len(arrays["image_id"])
    found = average_precision(rank_detections(arrays), np.ones((1, images), int))
    assert found[0] == pytest.approx(record["metrics"]["AP"], abs=1e-6)
    assert arrays["accuracy_at"].shape == (images, 9)
    if settings.run.method != "offset":  # the threshold in use is one of the nine
        assert np.allclose(arrays["accuracy_at"][:, 4], arrays["grouping_accuracy"], equal_nan=True)
        assert "accuracy_of_given_centres" not in arrays
    else:
        assert np.isfinite(arrays["accuracy_of_given_centres"]).all()
    assert arrays["failure_counts"].shape == (images, 5)


def test_accuracy_on_validation_crowds_is_kept_by_threshold(made):
    """The threshold of grouping can be chosen by it, and the test crowds are not asked."""
    settings, root, _ = made
    at = arrays_of(made)["val_accuracy_at"]
    assert at.shape == (9,)
    weights = record_path("smoke", settings.run.method, 3, root).with_suffix(".safetensors")
    again = evaluate_weights(settings, weights, "val", progress=False)
    if settings.run.method != "offset":
        assert at[4] == pytest.approx(again.metrics["grouping_accuracy"], abs=1e-6)
        assert np.isfinite(at).all()


def test_it_has_every_value_of_the_knobs(made):
    arrays = arrays_of(made)
    count = np.bincount(arrays["knob_setting"])
    assert count.tolist() == [KNOB_SCENES] * len(KNOB_SETTINGS)
    assert all(len(arrays[f"knob_{name}"]) == count.sum() for name in PER_IMAGE)
    knobs = {name: arrays[f"knob_{name}"] for name in MATCHES}
    assert (knobs["match_persons"] == arrays["knob_persons"]).all()
    assert knobs["match_image"].max(initial=0) < count.sum()
    assert np.isfinite(average_precision(rank_detections(knobs), np.ones((1, count.sum()), int)))


def test_its_weights_are_those_that_were_evaluated(made):
    settings, root, record = made
    weights = record_path("smoke", settings.run.method, 3, root).with_suffix(".safetensors")
    again = evaluate_weights(settings, weights, progress=False)
    assert again.metrics["AP"] == record["metrics"]["AP"]


def test_one_knob_is_turned_at_a_time():
    data = flat_settings("laptop", "rve", 1).data
    still = {**KNOB_DEFAULTS, "split": "test", "size": 128}
    for turned in KNOB_SETTINGS:
        crowd = knob_crowds(turned, data, KNOB_SCENES).config.as_dict()
        differ = {name for name, value in still.items() if not np.array_equal(crowd[name], value)}
        assert differ <= {turned.knob}
        assert set(turned.changes) == {turned.knob}


def test_a_record_says_of_every_setting_what_it_was():
    """So a default that is changed later makes no older record look like a new one."""
    settings = flat_settings("reader", "rve", 1)
    recorded = identity(settings)
    assert recorded["settings"] == settings.to_dict()
    assert set(recorded["settings"]["optim"]) == set(type(settings.optim).model_fields)
    assert recorded["settings"]["model"]["swahr_head"] is False
    assert flat_settings("reader", "swahr", 1).to_dict()["model"]["swahr_head"] is True
    assert set(recorded["data"]) == {"train_digest", "test_digest", "train_crowd", "test_crowd"}
    for other in ({"tag_init": "large"}, {"ema": 0.9}, {"occlusion": 0.3}):
        different = identity(flat_settings("reader", "rve", 1, **other))
        assert settings_digest(recorded) != settings_digest(different), other


def test_the_recorded_command_makes_the_run_again(tmp_path, monkeypatch):
    """Also where settings are not those of the preset: small numbers, lists and texts."""
    values = {"steps": 2, "learning_rate": 1e-5, "persons": (1, 3), "form": "poster", "ema": 0.5,
              "scale_form": "released-signed", "crowding": ((0.0, 0.5),)}  # fmt: skip
    settings = flat_settings("smoke", "rve", 4, **values)
    command = command_of(settings)
    assert command.startswith("sparse-ae train --preset smoke --method rve --seed 4 --set ")
    assert command.count("--set ") == len(values)
    assert clean_command(shlex.split(command)) == command  # as provenance writes it
    assert command_of(flat_settings("smoke", "ae8")) == (
        "sparse-ae train --preset smoke --method ae8 --seed 0"
    )
    asked = []
    monkeypatch.setattr(
        "sparse_ae.companion.experiment.run", lambda settings, *_, **__: asked.append(settings)
    )
    assert main([*shlex.split(command)[1:], "--root", str(tmp_path)]) == 0
    assert asked == [settings]
    assert command_of(settings.override({"run": {"preset": "my-own"}})) == (
        "sparse-ae train --preset my-own --method rve --seed 4"  # which is nowhere to compare with
    )


def test_the_weights_that_are_best_on_validation_crowds_are_kept(tmp_path):
    settings = flat_settings("smoke", "ae8", 1, steps=6, validate_every=2)
    assert settings.to_dict()["optim"]["validate_every"] == 2
    run(settings, tmp_path, progress=False)
    arrays = read_arrays(record_path("smoke", "ae8", 1, tmp_path))
    assert arrays["validation_step"].tolist() == [2, 4, 6]
    assert np.isfinite(arrays["validation_value"]).all()
    assert not list(tmp_path.rglob("*.resume.safetensors"))


def test_a_run_goes_on_to_its_record(tmp_path, monkeypatch):
    """Interrupted in its evaluation, it does not train again."""
    settings = flat_settings("smoke", "ae8", 2, steps=3)
    whole = run(settings, tmp_path / "whole", progress=False)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sparse_ae.companion.experiment.evaluate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(settings, tmp_path / "cut", progress=False)
    monkeypatch.setattr("sparse_ae.training.loop.TrainState.learn", interrupt)
    record = run(settings, tmp_path / "cut", options=Options(resume=True), progress=False)
    assert record["metrics"]["grouping_accuracy"] == whole["metrics"]["grouping_accuracy"]
    assert {path.suffix for path in (tmp_path / "cut").rglob("seed-2*")} == {
        ".json", ".npz", ".csv", ".safetensors"}  # fmt: skip
