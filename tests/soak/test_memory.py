"""Memory does not grow: not over 5,000 images of an evaluation, nor over 200 epochs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "benchmarks" / "results" / "memory.json"
GROWS = 60  # megabytes by which two quarters' means may differ: the allocator takes 28 at a time
PEAK = 1500  # megabytes of either


@pytest.mark.parametrize(("name", "number", "what"), [("evaluation", 5000, "images"),
                                                      ("training", 200, "epochs")])  # fmt: skip
def test_memory_is_flat(name, number, what, tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSE_AE_CACHE", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = [sys.executable, "benchmarks/memory.py", "--only", name, "--number", str(number)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"\n{name}: {found['peak']} MB at most, grows by {found['grows']} MB")
    assert found[what][-1] == number
    assert len(found["megabytes"]) >= 100
    assert found["grows"] < GROWS
    assert found["peak"] < PEAK


def test_the_committed_record_says_so_too():
    record = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert not record["quick"]
    assert record["evaluation"]["images"][-1] == 5000
    assert record["training"]["epochs"][-1] == 200
    assert max(record[name]["grows"] for name in ("evaluation", "training")) < GROWS
    assert record["provenance"]["commit"]
    assert str(ROOT) not in COMMITTED.read_text(encoding="utf-8")
