"""Presets and methods: what is accepted, what is refused and in which words."""

from __future__ import annotations

import pytest

from sparse_ae.settings.config import METHODS, Config
from sparse_ae.settings.presets import PRESETS, load_config, read_search


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.yaml")))
@pytest.mark.parametrize("method", METHODS)
def test_every_preset_fits_every_method(preset, method):
    config = load_config(preset, method, 0)
    assert (config.preset, config.method) == (preset, method)


def test_what_defines_a_method_stays(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("scale_weight: 0.5\nmethods:\n  ae8:\n    pull_weight: 0.25\n")
    plain = load_config(str(path), "ae8", 0)
    assert (plain.scale_weight, plain.focal, plain.scale_aware) == (0.0, False, False)
    assert plain.pull_weight == 0.25
    paper = load_config(str(path), "rve", 0)
    assert (paper.scale_weight, paper.focal, paper.scale_aware) == (0.5, True, True)
    assert paper.pull_weight == Config.pull_weight


def test_both_methods_of_the_reader_get_the_same_data_and_steps():
    left, right = (load_config("reader", method, 0) for method in ("ae8", "rve"))
    for name in ("train_scenes", "test_scenes", "steps", "batch", "widths", "dim", "size",
                 "crowd_seed", "learning_rate", "min_score", "tag_threshold"):  # fmt: skip
        assert getattr(left, name) == getattr(right, name), name


def test_both_methods_of_the_reader_get_the_same_search():
    assert len(read_search("reader", "ae8")[0]) == len(read_search("reader", "rve")[0])


def test_a_preset_on_another(tmp_path):
    path = tmp_path / "upper.yaml"
    path.write_text(
        "base: reader\nsteps: 7\nmethods:\n  ae8: {push_weight: 0.5}\n  rve: {clip: 2.0}\n"
        "runs: {methods: [ae2]}\n"
    )
    below, above = (load_config(preset, "ae8", 1) for preset in ("reader", str(path)))
    assert (above.preset, above.steps, above.push_weight) == ("upper", 7, 0.5)
    assert above.pull_weight == below.pull_weight != Config.pull_weight
    assert above.train_scenes == below.train_scenes
    assert load_config(str(path), "rve", 1).clip == 2.0
    with pytest.raises(ValueError, match="has no search for method 'ae8'"):
        read_search(str(path), "ae8")
