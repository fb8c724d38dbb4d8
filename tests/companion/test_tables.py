"""Tables: numbers worked out by hand, the reader's own run told apart, and no run at all."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from sparse_ae.companion.completed_runs import example_run
from sparse_ae.companion.run_notes import run_note
from sparse_ae.companion.tables.failures import commonest_errors, failure_table, score_at_precision
from sparse_ae.companion.tables.formatting import html_table
from sparse_ae.companion.tables.methods import (
    crowd_table,
    line_table,
    provenance_table,
    search_table,
    t_interval,
)


def test_crowd_table_by_hand(records, monkeypatch):
    monkeypatch.delenv("SPARSE_AE_SEED", raising=False)
    column = crowd_table(records)["AP"]
    assert column["AE, D = 8", "seeds 1, 2, 3"] == "70.0 (60.0 to 80.0)"
    assert column["AE, D = 8", "your run (seed 0)"] == "50.0"
    assert column["RVE (the paper)", "seeds 1, 2, 3"] == "73.0 (62.0 to 84.0)"
    # differences 1, 2, 3, 4: mean 2.5, deviation 1.291, standard error 0.6455, t(3) 3.182
    assert column.iloc[-1] == "+2.5 [+0.4, +4.6]"


def test_a_run_of_another_preset_is_not_the_readers_own(records, monkeypatch):
    """A seed of `make book` that the evidence has too must not claim the evidence's run."""
    monkeypatch.setenv("SPARSE_AE_PRESET", "reader")
    assert ("AE, D = 8", "seeds 0 to 3") in crowd_table(records).index
    monkeypatch.setenv("SPARSE_AE_SEED", "2")
    assert example_run(records, "rve")["seed"] == 0
    assert "Your run" not in run_note(records)
    monkeypatch.setenv("SPARSE_AE_PRESET", "elsewhere/smoke.yaml")
    assert example_run(records, "rve")["seed"] == 2


def test_another_own_seed(records, monkeypatch):
    monkeypatch.setenv("SPARSE_AE_SEED", "3")
    assert ("AE, D = 8", "seeds 0, 1, 2") in crowd_table(records).index
    assert example_run(records, "rve")["seed"] == 3
    assert example_run(records[:2], "ae8")["seed"] == 0
    assert example_run(records[:2], "rve") is None


def test_t_interval_by_hand():
    low, high = t_interval(np.array([1.0, 2.0, 3.0]))
    half = 4.302652729911275 / math.sqrt(3)  # t(2) at 0.975, times the standard error
    assert low == pytest.approx(2 - half)
    assert high == pytest.approx(2 + half)
    assert all(map(math.isnan, t_interval(np.array([1.0, 2.0]))))


def test_undefined_metrics_are_dashes(records):
    assert set(crowd_table(records)["AP hard"]) == {"–"}


def test_no_record_is_said_and_shown_empty():
    assert crowd_table([]).empty
    assert provenance_table([]).empty
    assert "make book" in run_note([])
    assert "<table" in html_table(crowd_table([]))


def test_html_joins_equal_index_cells_and_escapes():
    index = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "y")], names=["one", "two"])
    html = html_table(pd.DataFrame({"<v>": [1, 2, 3]}, index=index))
    assert html.count('rowspan="2">a</th>') == 1
    assert html.count(">y</th>") == 2
    assert "&lt;v&gt;" in html
    assert html.count("<tr>") == 4


def test_html_joins_only_cells_that_follow_each_other():
    """As the published rows: single, multi, and the same again with other training data."""
    keys = [("a", "single"), ("a", "multi"), ("a", "single"), ("a", "multi"), ("a", "multi")]
    index = pd.MultiIndex.from_tuples(keys, names=["method", "test"])
    html = html_table(pd.DataFrame({"AP": range(5)}, index=index))
    rows = [[re.sub("<.*?>", "", cell) for cell in re.findall("<t[hd].*?</t[hd]>", row)]
            for row in html.split("<tr>")[2:]]  # fmt: skip
    assert rows == [["a", "single", "0"], ["multi", "1"], ["single", "2"], ["multi", "3"], ["4"]]
    assert re.findall('rowspan="(.)"', html) == ["5", "1", "1", "1", "2"]


def test_provenance_says_what_was_modified(records):
    records[0]["provenance"]["dirty"] = True
    table = provenance_table(records)
    assert list(table["commit"][:2]) == ["0123456, modified", "0123456"]


def test_search_table_by_hand(tmp_path):
    assert len(search_table("p", tmp_path)) == 0
    kept = ("AP", "AP_hard", "grouping_accuracy", "first_component")
    trials = [
        {
            "settings": {"loss": {"pull_weight": weight}},
            "metrics": dict.fromkeys(kept, weight),
            "runs": [{"settings_digest": "0", "metrics": dict.fromkeys(kept, weight)}] * 2,
        }
        for weight in (0.125, 0.25)
    ]
    (tmp_path / "p" / "rve").mkdir(parents=True)
    found = {"trials": trials, "best": trials[1]["settings"]}
    (tmp_path / "p" / "rve" / "search.json").write_text(json.dumps(found))
    table = search_table("p", tmp_path)
    assert table["settings tried"].tolist() == ["pull_weight 0.125", "pull_weight 0.25"]
    assert table["AP"].tolist() == ["12.5", "25.0"]
    assert table["first component"].tolist() == ["0.125", "0.250"]
    assert table["runs"].tolist() == [2, 2]
    assert table["best"].tolist() == ["", "★"]


def test_the_commonest_errors_by_hand():
    run = {"persons": np.array([2, 3]), "failure_counts": np.array([[0, 0, 1, 0, 2], [0] * 5])}
    said = commonest_errors({("ae8", 1): run, ("rve", 1): run | {"persons": np.array([10])}})
    assert said.startswith("The most frequent error is people found twice: 40.0 per 100 people")
    assert said.endswith("Next come people with a joint of somebody else: 20.0 and 10.0.")
    assert commonest_errors({("ae8", 1): run}) == ""


def test_failures_by_hand(records):
    run = {
        "persons": np.array([2, 3]),
        "failure_counts": np.array([[1, 0, 0, 0, 2], [0, 0, 0, 1, 0]]),
    }
    twice = run | {"failure_counts": 2 * run["failure_counts"]}
    table = failure_table(records, {("ae8", 1): run, ("ae8", 2): twice, ("rve", 1): {}})
    assert table.index.tolist() == ["AE, D = 8"]
    assert table.loc["AE, D = 8"].tolist() == [
        "30.0 (20.0 to 40.0)",
        "0.0 (0.0 to 0.0)",
        "0.0 (0.0 to 0.0)",
        "30.0 (20.0 to 40.0)",
        "60.0 (40.0 to 80.0)",
    ]


def test_failures_at_equal_precision_by_hand(records):
    """Of five decoded persons, sorted by score, the third and the last are wrong, and one does not
    count: precisions of 1, 1, 1, 2/3, 3/4 and 3/5."""
    run = {
        "match_score": np.array([0.5, 0.9, 0.8, 0.7, 0.3, 0.4], np.float32),
        "match_matched": np.array([0, 1023, 1, 0, 0, 1], np.uint16),
        "match_skipped": np.array([0, 0, 0, 1, 0, 0], np.uint16),
        "persons": np.array([4]),
        "person_joints": np.full(4, 3),
        "found_owner": np.array([[3, 3, 3], [0, 0, 0], [1, 1, 1], [2, 2, 2]]),
        "found_score": np.array([0.4, 0.9, 0.8, 0.4], np.float32),
        "found_image": np.zeros(4, int),
    }
    assert score_at_precision(run, 1.0) == pytest.approx(0.7)
    assert score_at_precision(run, 0.7) == pytest.approx(0.4)
    assert score_at_precision(run, 1.1) == np.inf
    for precision, missed in ((1.0, "50.0"), (0.7, "0.0")):
        table = failure_table(records, {("ae8", 1): run}, precision)
        assert table.loc["AE, D = 8", "missed"] == missed
    assert failure_table(records, {("ae8", 1): {}}, 0.7).empty


def test_runs_on_the_line_are_told_from_the_others():
    ended = {("ae2", 1): (0.995, 0.7), ("ae2", 2): (0.84, 0.9), ("ae2", 3): (0.98, 0.6),
             ("ae1", 1): (np.nan, 0.5)}  # of one dimension chance has the whole share  # fmt: skip
    records = [
        {"method": method, "metrics": {"excess_share": share, "grouping_accuracy": accuracy}}
        for (method, _), (share, accuracy) in ended.items()
    ]
    assert line_table(records, ("ae1",)).iloc[0, 0] == "1 of 1"
    table = line_table(records, ("ae2", "ae4"))
    assert list(table.index) == ["AE, D = 2"]
    assert list(table.loc["AE, D = 2"]) == ["2 of 3", "65.0 (60.0 to 70.0)", "90.0"]
    assert line_table([], ("ae2",)).empty
