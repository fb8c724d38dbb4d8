"""Differences and regressions of runs that were made so, and the tables kept of them."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
from synthetic import make_arrays, make_matches, make_record

from sparse_ae.companion import cached_tables
from sparse_ae.companion.completed_runs import (
    EVIDENCE,
    core_hours,
    read_evidence,
    read_runs,
    read_with_base,
)
from sparse_ae.companion.records import read_records, write_record
from sparse_ae.companion.run_notes import cost_note, source_note
from sparse_ae.companion.statistics import comparisons
from sparse_ae.companion.tables.differences import difference_table, margin_table
from sparse_ae.runtime.provenance import REPOSITORY

IMAGES = 80
CROWDING = np.linspace(0, 1.6, IMAGES)
FEW = {"resamples": 200}


def made(method, seed, **arrays):
    """A run whose accuracy falls by a point for every percent of linearity, and nothing else."""
    draw = np.random.default_rng([seed, len(method)])
    line = draw.uniform(0.8, 1.0, IMAGES)
    usual = {
        "crowd_index": CROWDING,
        "persons": draw.integers(2, 9, IMAGES).astype(float),
        "first_component": line,
        "group_margin": draw.normal(0, 1, IMAGES),
        "grouping_accuracy": 1.8 - line + draw.normal(0, 0.001, IMAGES),
    }
    return make_arrays(IMAGES, **{**usual, **make_matches(IMAGES), **arrays})


@pytest.fixture
def arrays():
    """ae8 and rve; on hard crowds rve finds everybody exactly."""
    runs = {(method, seed): made(method, seed) for method in ("ae8", "rve") for seed in (1, 2)}
    hard = np.repeat(CROWDING >= 0.8, 3)
    for seed in (1, 2):
        matched = runs["rve", seed]["match_matched"]
        matched[hard & (matched == 1)] = 1023
    return runs


def test_differences_are_where_they_were_put(arrays):
    found = comparisons.differences(arrays, ("ae8", "rve", "swahr"), **FEW).set_index("quantity")
    assert set(found["method"]) == {"rve"}
    assert found.loc["AP easy", "difference"] == 0
    assert found.loc["AP hard", "low"] > 0.1
    whole = found.loc["hard minus easy"]
    assert whole["difference"] == pytest.approx(found.loc["AP hard", "difference"])
    assert found.loc["AP", "value"] > found.loc["AP easy", "value"]
    table = difference_table(found.reset_index())
    assert list(table.index) == list(comparisons.QUANTITIES)
    assert table.loc["AP easy", "RVE (the paper)"] == "+0.0\xa0[+0.0,\xa0+0.0]"
    mixed = pd.concat([found, found.assign(method="ae1", seeds=9)])
    assert list(difference_table(mixed.reset_index()).loc["seeds"]) == [
        found["seeds"].iloc[0], 9]  # fmt: skip


def test_margins_where_embeddings_are_only_stretched():
    margin, spread = np.linspace(-0.9, 0.5, IMAGES), np.full(IMAGES, 0.25)
    runs = {("ae8", 1): made("ae8", 1, group_margin=margin, group_spread=spread,
                             closest_gap=(margin + 1) / spread),
            ("rve", 1): made("rve", 1, group_margin=2 * (margin + 1) - 1, group_spread=2 * spread,
                             closest_gap=(margin + 1) / spread)}  # fmt: skip
    found = comparisons.differences(runs, ("rve",), quantities=comparisons.MARGINS, **FEW)
    found = found.set_index("quantity")["difference"]
    assert found["distance over spread"] == pytest.approx(0)
    assert found["margin"] == pytest.approx(np.mean(margin + 1))
    assert found["spread within persons, hard"] == pytest.approx(0.25)
    assert "margin at its own threshold" not in found  # nothing was validated


def test_margins_in_words(arrays):
    found = comparisons.differences(arrays, ("rve",), quantities=comparisons.MARGINS, **FEW)
    table = margin_table(found)
    assert list(table.columns) == ["RVE (the paper)"]
    row = found[found["quantity"] == "margin, hard"].iloc[0]
    cell = table.loc[("margin", "hard"), "RVE (the paper)"]
    assert cell.startswith(f"{row.difference:+.3f}".replace("-", "−"))


def test_proportions_are_ratios_of_precision(arrays):
    found = comparisons.proportions(arrays, **FEW).set_index("at")
    assert found.loc["easy"].tolist() == pytest.approx([1, 1, 1])
    levels = comparisons.differences(arrays, ("rve",), **FEW).set_index("quantity").loc["AP hard"]
    wanted = levels["value"] / (levels["value"] - levels["difference"])
    assert found.loc["hard", "ratio"] == pytest.approx(wanted)
    assert found.loc["hard over easy", "ratio"] == pytest.approx(wanted)
    assert found.loc["hard", "low"] > 1
    assert comparisons.proportions({}, **FEW).empty


@pytest.fixture
def written(tmp_path, monkeypatch, arrays):
    """The same as records, and summaries of few resamples."""
    for (method, seed), run in arrays.items():
        write_record(make_record(method, seed), run, tmp_path)
    calls = []

    def table(_, runs):
        calls.append(len(runs))
        return comparisons.differences(runs, ("rve",), **FEW)

    monkeypatch.setitem(cached_tables.TABLES, "differences", table)
    return tmp_path, calls


def test_a_summary_is_computed_once_and_again_after_a_change(written, caplog):
    root, calls = written
    caplog.set_level(logging.INFO, "sparse_ae")
    records, read = read_runs("smoke", root)
    assert not cached_tables.is_fresh("differences", records, read, root)
    first = cached_tables.cached_table("differences", records, read, root)
    assert "takes a while" in caplog.text
    assert cached_tables.is_fresh("differences", records, read, root)
    again = cached_tables.cached_table("differences", records, read, root)
    assert first.equals(again)
    assert calls == [4]
    changed = {**read, ("rve", 1): {**read["rve", 1], "group_margin": np.zeros(IMAGES)}}
    assert not cached_tables.is_fresh("differences", records, changed, root)
    cached_tables.cached_table("differences", records, changed, root)
    assert calls == [4, 4]
    cached_tables.cached_table("differences", records, read, root, keep=False)
    assert calls == [4, 4, 4]
    assert cached_tables.is_fresh("differences", records, changed, root)
    assert [record["seed"] for record in read_records("smoke", root)] == [1, 2, 1, 2]


def test_a_summary_that_was_edited_is_computed_again(written):
    root, calls = written
    records, read = read_runs("smoke", root)
    first = cached_tables.cached_table("differences", records, read, root)
    path = cached_tables.table_path("differences", "smoke", root)
    text = path.read_text()
    cells = text.splitlines()[2].split(",")
    number = next(cell for cell in cells if cell[-3:].isdigit())
    path.write_text(text.replace(number, number[:-1] + str((int(number[-1]) + 1) % 10), 1))
    assert not cached_tables.is_fresh("differences", records, read, root)
    assert cached_tables.cached_table("differences", records, read, root).equals(first)
    assert calls == [4, 4]
    assert path.read_text() == text


def test_a_summary_follows_the_code_but_not_its_comments():
    plain = cached_tables._bare("def f(x):\n    return x + 1\n")
    told = cached_tables._bare('def f(x):\n    """Says."""\n\n    # why\n    return x + 1\n')
    assert plain == told
    assert plain != cached_tables._bare("def f(x):\n    return x + 2\n")


def test_unknown_and_unwritable(written):
    root, _ = written
    with pytest.raises(ValueError, match="unknown summary 'nothing': expected one of verdicts"):
        cached_tables.table_path("nothing", "smoke", root)
    records, read = read_runs("smoke", root)
    (root / "smoke" / "summary").write_text("a file where the folder should be")
    assert len(cached_tables.cached_table("differences", records, read, root)) == len(
        comparisons.QUANTITIES
    )
    assert cached_tables.cached_table("verdicts", [], {}, root)["verdict"].unique().tolist() == [
        "no run yet"
    ]


def test_evidence_says_what_it_is_made_of(written, monkeypatch):
    root, _ = written
    monkeypatch.setenv("SPARSE_AE_EVIDENCE", "smoke")
    records, read = read_evidence(root)
    assert len(read) == 4
    note = source_note(records)
    assert "4 runs of the preset <code>smoke</code>" in note
    assert "<code>ae8</code>, <code>rve</code>; seeds 1, 2; commit 0123456; test images 0." in note
    assert "<code>sparse-ae train --preset smoke --method rve --seed 2</code>" in note
    assert ">2 runs" in source_note(records, "ae8")
    assert "No run yet" in source_note([])
    for record, seconds in zip(records, (3600, 1800, None, None), strict=True):
        record["provenance"]["seconds"] = seconds
        record["metrics"]["train_seconds"] = 900.0
    assert core_hours(records) == 2.0
    for record in records:
        record["settings"]["optim"]["steps"] = 300
    figures = {"AP": 0.1, "AP_hard": 0.1, "grouping_accuracy": 0.8}
    run = {"metrics": figures, "settings_digest": "0"}
    tried = {"trials": [
        {"settings": {"optim": {"steps": 100}, "loss": {"scale_form": "released-signed"}},
         "metrics": figures,
         "runs": [run, run]},
        {"settings": {}, "metrics": figures, "runs": [run]},
    ]}  # fmt: skip
    (root / "smoke" / "rve" / "search.json").write_text(json.dumps(tried))
    # 2 runs of 100 and one of 300 steps, at 3 seconds a step
    note = cost_note(records, root)
    assert note.startswith("All 4 runs took 2.0 core-hours, evaluation included, and the 3 ")
    assert "about 0.4, on cpu: a processor." in note
    for record in records:
        if record["seed"] == 2:
            record["provenance"]["device"] = "cpu: another"
    assert "on cpu: a processor (seed 1) and cpu: another (seed 2). " in cost_note(records, root)


@pytest.mark.parametrize("preset", [EVIDENCE, "questions"])
def test_committed_summaries_are_those_of_the_committed_records(preset):
    """Where this fails: sparse-ae summarise --preset PRESET, and commit what it writes."""
    root = REPOSITORY / "experiments" / "results"
    records, read = read_with_base(preset, root)
    others = {record["seed"] for record in records} - {1, 2, 3, 4, 5}
    if not records or others:
        pytest.skip(f"no records of {preset}, or some of one's own among them")
    names = cached_tables.table_names(preset)
    assert [name for name in names if not cached_tables.is_fresh(name, records, read, root)] == []
