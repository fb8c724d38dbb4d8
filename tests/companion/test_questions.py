"""What the paper could not ask: runs of two presets together, their tables and figures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from synthetic import make_arrays, make_record

from sparse_ae.cli import main
from sparse_ae.companion import cached_tables
from sparse_ae.companion.completed_runs import read_with_base
from sparse_ae.companion.figures import curves as curve_figures
from sparse_ae.companion.records import write_record
from sparse_ae.companion.run_notes import source_note
from sparse_ae.companion.statistics import comparisons
from sparse_ae.companion.verify import flat
from sparse_ae.settings import load_settings

IMAGES = 60


def made(accuracy, spread=0.0, **arrays):
    """A run with this grouping accuracy, more by `spread` on one half of the images."""
    values = np.where(np.arange(IMAGES) % 2, accuracy, accuracy + spread)
    usual = {"crowd_index": np.linspace(0, 1.6, IMAGES), "grouping_accuracy": values}
    return make_arrays(IMAGES, **usual, **arrays)


@pytest.fixture
def root(tmp_path):
    """Two runs of evening, two of questions, and one of evening on other crowds."""
    runs = [("evening", "ae8", 1, 0.5), ("evening", "ae8_scale", 1, 0.75),
            ("evening", "rve", 2, 0.1), ("questions", "ae4", 1, 0.25),
            ("questions", "ae8", 1, 0.9)]  # fmt: skip
    for preset, method, seed, accuracy in runs:
        record = make_record(method, seed) | {"preset": preset}
        if method == "rve":
            record["provenance"] = {**record["provenance"], "data_digest": "other"}
        write_record(record, made(accuracy), tmp_path)
    return tmp_path


def test_runs_of_two_presets_stand_together(root):
    records, arrays = read_with_base("questions", root)
    assert [(r["preset"], r["method"]) for r in records] == [
        ("questions", "ae4"), ("questions", "ae8"), ("evening", "ae8_scale")]  # fmt: skip
    # its own run of ae8 counts, and rve saw other crowds
    assert set(arrays) == {("ae4", 1), ("ae8", 1), ("ae8_scale", 1)}
    assert arrays["ae8", 1]["grouping_accuracy"][0] == 0.9
    note = source_note(records)
    assert "2 runs of the preset <code>questions</code>, 1 run of the preset" in note
    assert "train --preset evening --method ae8_scale --seed 1" in note
    alone, _ = read_with_base("evening", root)
    assert {record["preset"] for record in alone} == {"evening"}
    assert read_with_base("line", root) == ([], {})  # nothing of its own: nothing beside it
    assert read_with_base("long-gone", root) == ([], {})


def test_a_preset_that_stands_on_another_has_tables_of_its_own(root, monkeypatch, capsys):
    monkeypatch.setattr(cached_tables, "TABLES", {
        name: lambda _, arrays: comparisons.differences(arrays, ["ae4"], resamples=50)
        for name in cached_tables.TABLES
    })  # fmt: skip
    assert main(["summarise", "--preset", "questions", "--root", str(root)]) == 0
    written = sorted(path.stem for path in (root / "questions" / "summary").iterdir())
    assert written == sorted(cached_tables.TABLES_WITH_BASE)
    assert not (root / "evening" / "summary").exists()
    assert "over_scale.csv" in capsys.readouterr().out
    for own in ("evening", "photos"):  # photos has the base's settings, and an ae8 of its own
        assert "verdicts" in cached_tables.table_names(own)


@pytest.mark.parametrize(
    ("asked", "method", "like", "apart"),
    [
        ("questions", "ae8_narrow", "ae8_scale", {"sigma"}),
        ("questions", "rve_w", "ae8_scale", {"focal"}),
        ("questions", "ae4", "ae8", {"dim"}),
        ("questions", "ae8_orthogonal", "ae8", {"tag_init"}),
        ("questions", "ae8_decorrelated", "ae8", {"decorrelate", "decorrelate_weight"}),
        ("evening", "rve_gamma", "ae8_scale", {"scale_aware"}),
        ("questions", "gamma_centred", "rve_gamma", {"beta"}),
    ],
)
def test_a_method_asks_one_thing(asked, method, like, apart):
    """What differs from the method that it is compared with, its loss weights included."""
    one, other = (
        flat(load_settings(preset, name, 1).to_dict())
        for preset, name in ((asked, method), ("evening", like))
    )
    differ = {name for name in one if one[name] != other[name]} - {
        "run.preset",
        "run.method",
        "report.knob_scenes",
    }
    assert {name.partition(".")[2] for name in differ} == apart


def test_differences_stand_in_their_row():
    arrays = {("ae8", 1): made(0.5), ("ae8_log", 1): made(0.75), ("ae8_large", 1): made(0.25)}
    found = comparisons.differences(arrays, ("ae8_log", "ae8_large"), resamples=20)
    table = found[found["quantity"] == "the same, hard"]
    methods = ("ae8_large", "ae8_log", "ae8_decorrelated")
    figure = curve_figures.differences_figure({"the same, hard": table}, methods)
    axis = figure.axes[0]
    dots = {(line.get_xdata()[0], line.get_ydata()[0]) for line in axis.lines[1:]
            if len(line.get_xdata()) == 1}  # fmt: skip
    assert dots == {(25.0, 1), (-25.0, 0)}
    assert axis.get_xlabel() == "grouping accuracy, hard, points"
    assert axis.get_yticklabels()[0].get_text() == "AE, larger start"
    plt.close(figure)
