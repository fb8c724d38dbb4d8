"""The search: every setting on every seed, resumed, the mean AP deciding."""

import json
import re
from types import SimpleNamespace

import pytest

from sparse_ae.companion import search as module
from sparse_ae.settings.presets import load_settings, read_runs, read_search

PRESET = """
data: {size: 64, train_scenes: 4, val_scenes: 4, test_scenes: 4}
runs: {methods: [offset, rve], seeds: [1, 2], search_seeds: [0, 7]}
search:
  rve:
    - {loss: {pull_weight: 1.0e-3}}
    - {loss: {pull_weight: 2.0e-3}}
"""
FIRST, SECOND = ({"loss": {"pull_weight": weight}} for weight in (1e-3, 2e-3))
AP = {(1e-3, 0): 0.5, (1e-3, 7): 0.1, (2e-3, 0): 0.4, (2e-3, 7): 0.4}


@pytest.fixture
def trials(tmp_path, monkeypatch):
    """A preset, and a training that looks its AP up and notes that it was asked."""
    path, asked = tmp_path / "own.yaml", []
    path.write_text(PRESET)

    def fit(settings, split, progress):
        assert not progress
        asked.append((settings.loss.pull_weight, settings.run.seed))
        metrics = dict.fromkeys(module.KEPT, 0.5) | {"AP": AP[asked[-1]], "first_component": 0.9}
        if settings.loss.pull_weight == 2e-3:
            metrics["first_component"] = float("nan")
        assert split == "val"
        return None, SimpleNamespace(metrics=metrics), SimpleNamespace(digest="0")

    monkeypatch.setattr(module, "fit_and_evaluate", fit)
    return str(path), asked, tmp_path


def test_every_setting_on_every_seed_and_the_best_mean(trials):
    preset, asked, folder = trials
    found = module.search(preset, "rve", folder, progress=False)
    assert asked == [(1e-3, 0), (2e-3, 0), (1e-3, 7), (2e-3, 7)]
    assert [trial["metrics"]["AP"] for trial in found["trials"]] == [0.3, 0.4]
    assert [[run["seed"] for run in trial["runs"]] for trial in found["trials"]] == [[0, 7]] * 2
    assert found["best"] == SECOND
    assert "first_component" in found["trials"][0]["metrics"]
    assert "first_component" not in found["trials"][1]["metrics"]
    (path,) = folder.rglob("search.json")
    assert json.loads(path.read_text()) == found


def test_a_search_goes_on_where_it_was_stopped(trials, monkeypatch):
    preset, asked, folder = trials
    real = module.fit_and_evaluate

    def stops(settings, split, progress):
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(settings, split, progress)

    monkeypatch.setattr(module, "fit_and_evaluate", stops)
    with pytest.raises(KeyboardInterrupt):
        module.search(preset, "rve", folder, progress=False)
    (path,) = folder.rglob("search.json")
    half = json.loads(path.read_text())
    assert half["best"] == FIRST  # the only one with both runs
    assert [len(trial["runs"]) for trial in half["trials"]] == [2, 1]
    monkeypatch.setattr(module, "fit_and_evaluate", real)
    assert module.search(preset, "rve", folder, progress=False)["best"] == SECOND
    assert len(asked) == 4


def test_runs_without_an_average_precision_are_kept(trials, monkeypatch):
    preset, _, folder = trials
    monkeypatch.setitem(AP, (1e-3, 0), float("nan"))
    found = module.search(preset, "rve", folder, progress=False)
    assert "AP" not in found["trials"][0]["metrics"]
    assert found["best"] == SECOND


def test_photos_that_are_missing_are_told_before_the_training(tmp_path, monkeypatch):
    from photos import custom_preset

    from sparse_ae.companion import experiment

    def fit(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(experiment, "fit", fit)
    settings = load_settings(custom_preset(tmp_path, val_set=[]), "ae8", 0)
    with pytest.raises(ValueError, match="val_set: missing, as"):
        experiment.fit_and_evaluate(settings, "val", progress=False)


def test_what_a_preset_says_of_its_runs(trials):
    preset, _, folder = trials
    found = read_runs(preset)
    assert (found.methods, found.seeds) == (("offset", "rve"), (1, 2))
    assert read_search(preset, "rve") == ([FIRST, SECOND], (0, 7))
    usual = read_runs("reader")
    assert (usual.methods, usual.seeds) == (("ae8", "rve"), (0,))
    for content, message in (
        ("runs: [ae8]", "runs: expected settings as 'name: value' lines"),
        ("runs: {seeds: 3}", "runs.seeds: expected a list, got 3"),
        ("runs: {seeds: [-1]}", "runs.seeds: expected at least 0, got -1"),
        ("runs: {seeds: [true]}", "runs.seeds: expected an integer, got True"),
        ("runs: {method: [ae8]}", "unknown setting 'runs.method': expected one of methods, search"),
        ("runs: {methods: [ae9]}", "unknown method 'ae9'"),
    ):
        path = folder / "bad.yaml"
        path.write_text(content)
        with pytest.raises(ValueError, match=rf"^bad\.yaml: {re.escape(message)}"):
            load_settings(str(path), "ae8", 0)
