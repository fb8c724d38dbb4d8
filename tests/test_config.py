"""Presets and methods: what is accepted, what is refused and in which words."""

from __future__ import annotations

import pytest

from sparse_ae.config import METHODS, Config
from sparse_ae.presets import PRESETS, load_config, read_search


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
                 "crowd_seed", "learning_rate", "min_score", "max_distance"):  # fmt: skip
        assert getattr(left, name) == getattr(right, name), name


def test_both_methods_of_the_reader_get_the_same_search():
    assert len(read_search("reader", "ae8")[0]) == len(read_search("reader", "rve")[0])


BAD = [
    ("sizes: 3", "unknown setting 'sizes'"),
    ("steps: many", "steps: expected an integer, got 'many'"),
    ("steps: 2.5", "steps: expected an integer, got 2.5"),
    ("steps: 0", "steps: expected a positive number, got 0"),
    ("pull_weight: 1e-3", r"pull_weight: expected a number, got '1e-3' \(write 1.0e-3"),
    ("focal: true", "unknown setting 'focal'"),
    ("learning_rate: .nan", r"bad.yaml: learning_rate: expected a finite number, got nan"),
    ("sigma: -1", "bad.yaml: sigma: expected a positive number, got -1.0"),
    ("widths: [8, 16]", r"bad.yaml: widths: expected five numbers of channels, got \[8, 16\]"),
    ("rule: 1", "rule: expected a name, got 1"),
    ("persons: 3", "persons: expected a list of numbers, got 3"),
    ("persons: [1, 2, 3]", "persons: expected 2 numbers, got 3"),
    ("size: 100", "size: expected a multiple of 32, got 100"),
    ("skeleton: dog", "unknown skeleton 'dog': expected one of coco, crowdpose"),
    ("methods: [rve]", "methods: expected settings under each method's name"),
    ("methods:\n  rev: {}", "unknown method 'rev'"),
    ("methods:\n  rve:\n    wieght: 1", "unknown setting 'wieght'"),
    ("- 1", "expected settings as 'name: value' lines"),
    ("a: [", "is no valid YAML"),
    ("!!python/object/apply:os.system [ls]", "is no valid YAML"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_bad_preset_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_config(str(path), "rve", 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("nowhere", "rve", 0),
            "unknown preset 'nowhere': expected a YAML file or one of .*reader",
        ),
        (("reader", "best", 0), "unknown method 'best': expected one of ae1, ae8, ae8_scale, rve"),
        (("reader", "rve", "x"), "seed: expected an integer, got 'x'"),
        (("reader", "rve", 1.5), "seed: expected an integer, got 1.5"),
        (("reader", "rve", -1), "^seed: expected an integer from 0 on, below 2⁶³, got -1"),
        (("reader", "rve", 2**63), "^seed: expected an integer from 0 on, below 2⁶³, got 9"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_config(*arguments)


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
    path.write_text("base: nowhere\n")
    with pytest.raises(ValueError, match="unknown preset 'nowhere'"):
        load_config(str(path), "ae8", 1)
    (tmp_path / "third.yaml").write_text(f"base: {path}\n")
    with pytest.raises(ValueError, match=r"third.yaml: base upper.yaml has a base itself"):
        load_config(str(tmp_path / "third.yaml"), "ae8", 1)
