"""The search: every setting on every seed, resumed, the mean AP deciding."""

import json
from types import SimpleNamespace

import pytest

from sparse_ae.companion import search as module
from sparse_ae.settings.presets import load_config, read_runs, read_search

PRESET = """
size: 64
train_scenes: 4
val_scenes: 4
test_scenes: 4
runs: {methods: [offset, rve], seeds: [1, 2], search_seeds: [0, 7]}
search:
  rve:
    - {pull_weight: 1.0e-3}
    - {pull_weight: 2.0e-3}
"""
AP = {(1e-3, 0): 0.5, (1e-3, 7): 0.1, (2e-3, 0): 0.4, (2e-3, 7): 0.4}


@pytest.fixture
def trials(tmp_path, monkeypatch):
    """A preset, and a training that looks its AP up and notes that it was asked."""
    path, asked = tmp_path / "own.yaml", []
    path.write_text(PRESET)

    def fit(config, split, progress):
        assert not progress
        asked.append((config.pull_weight, config.seed))
        metrics = dict.fromkeys(module.KEPT, 0.5) | {"AP": AP[asked[-1]], "first_component": 0.9}
        if config.pull_weight == 2e-3:
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
    assert found["best"] == {"pull_weight": 2e-3}
    assert "first_component" in found["trials"][0]["metrics"]
    assert "first_component" not in found["trials"][1]["metrics"]
    (path,) = folder.rglob("search.json")
    assert json.loads(path.read_text()) == found


def test_a_search_goes_on_where_it_was_stopped(trials, monkeypatch):
    preset, asked, folder = trials
    real = module.fit_and_evaluate

    def stops(config, split, progress):
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(config, split, progress)

    monkeypatch.setattr(module, "fit_and_evaluate", stops)
    with pytest.raises(KeyboardInterrupt):
        module.search(preset, "rve", folder, progress=False)
    (path,) = folder.rglob("search.json")
    half = json.loads(path.read_text())
    assert half["best"] == {"pull_weight": 1e-3}  # the only one with both runs
    assert [len(trial["runs"]) for trial in half["trials"]] == [2, 1]
    monkeypatch.setattr(module, "fit_and_evaluate", real)
    assert module.search(preset, "rve", folder, progress=False)["best"] == {"pull_weight": 2e-3}
    assert len(asked) == 4


def test_what_a_preset_says_of_its_runs(trials):
    preset, _, folder = trials
    assert read_runs(preset) == (("offset", "rve"), (1, 2))
    assert read_search(preset, "rve") == ([{"pull_weight": 1e-3}, {"pull_weight": 2e-3}], (0, 7))
    assert read_runs("reader") == (("ae8", "rve"), (0,))
    for content, message in (
        ("runs: [ae8]", "runs: expected lists under methods, seeds, search_seeds"),
        ("runs: {seeds: 3}", "runs: expected lists"),
        ("runs: {method: [ae8]}", "runs: expected lists"),
        ("runs: {methods: [ae9]}", "unknown method 'ae9'"),
    ):
        path = folder / "bad.yaml"
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            load_config(str(path), "ae8", 0)
