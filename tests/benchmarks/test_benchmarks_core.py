"""The benchmark of the core runs, tells what it measured, and its committed record is whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import core
import report

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "benchmarks" / "results" / "core.json"


@pytest.mark.slow
def test_a_quick_run_prints_its_table_and_writes_its_record(tmp_path):
    out = tmp_path / "core.json"
    command = [sys.executable, "benchmarks/core.py", "--quick", "--out", str(out)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    record = json.loads(out.read_text())
    assert record["quick"]
    assert report.show(record) == run.stdout.rstrip("\n")
    for row in record["rows"]:
        assert row["work"] in run.stdout
        assert row["ours_ms"] > 0
        if row["reference_ms"] is not None:  # an evaluation as a whole stands alone
            assert row["ratio"] == pytest.approx(row["reference_ms"] / row["ours_ms"])
    assert [len(row["ms"]) for row in record["growth"]] == [2] * 6


def clock(monkeypatch, *times):
    moments = iter(times)
    monkeypatch.setattr(core.time, "perf_counter", lambda: next(moments))


def test_medians_of_runs_in_turns(monkeypatch):
    monkeypatch.setattr(core, "ROUNDS", 3)
    taken = [0.001, 0.004, 0.009, 0.009, 0.002, 0.005]  # ours and theirs in turns
    clock(monkeypatch, 0, *(moment for one in taken for moment in (10.0, 10 + one)), 99)
    calls = []
    work = core.Work("x", lambda: calls.append("a"), lambda: calls.append("b"))
    row = core.measure(work, quick=False)
    assert calls == ["a", "b", *["a", "a", "b", "b"] * 3]  # before each that counts, one more
    assert [row["ours_ms"], row["reference_ms"], row["ratio"]] == pytest.approx([2, 5, 2.5])
    assert row["rounds"] == 3


@pytest.mark.parametrize(
    ("ratio", "limit", "met"),
    [(None, None, None), (3.9, None, True), (4.1, None, False), (None, 1.1, True),
     (None, 0.9, False), (3.9, 0.9, False), (3.9, 1.1, True)],
)  # fmt: skip
def test_a_row_is_met_if_ratio_and_limit_are(ratio, limit, met, monkeypatch):
    clock(monkeypatch, 0.0, 0.0, 0.001, 0.0, 0.004, 1.0)
    work = core.Work("x", lambda: None, lambda: None, ratio, limit)
    assert core.measure(work, quick=True)["met"] is met


@pytest.mark.slow
def test_the_committed_record_is_of_a_whole_run_of_every_work():
    record = json.loads(COMMITTED.read_text())
    assert not record["quick"]
    assert [row["work"] for row in record["rows"]] == [work.name for work in core.works(False)]
    assert all(row["rounds"] >= 15 for row in record["rows"])
    assert record["provenance"]["commit"]
    assert str(ROOT) not in COMMITTED.read_text()
    table = report.table(record)
    assert list(table.index) == [r["work"] for r in record["rows"] if r["met"] is not None]
    assert set(table["met"]) <= {"yes", "no"}
