"""The benchmark prints and keeps what it says it does; how fast it is, is not for a test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "crowds.py"
ROWS = [
    "scenes of 10 persons", "scenes a second, 1 worker", "scenes a second, 2 workers",
    "  of 2 times one worker", "one core: ms to draw", "one core: ms for PNG and masks",
    "most memory of a worker, MB", "start to first scene, s",
]  # fmt: skip


@pytest.mark.slow
def test_quick_benchmark(tmp_path):
    arguments = ["--quick", "--sizes", "48", "--workers", "2", "--seconds", "0.2", "--out"]
    run = subprocess.run([sys.executable, SCRIPT, *arguments, tmp_path / "found.json"],
                         capture_output=True, text=True, check=True)  # fmt: skip
    table, machine = run.stdout.rsplit("\n\n", 1)
    lines = [line for line in table.splitlines() if "ask for more" not in line]
    assert [line[:36].rstrip() for line in lines] == ROWS
    assert lines[0].split()[-2:] == ["48", "px"]
    assert all(float(line.split()[-1].rstrip("%")) > 0 for line in lines[1:])
    assert "cores, load" in machine
    found = json.loads((tmp_path / "found.json").read_text())
    assert [(row["size"], row["workers"]) for row in found["workers"]] == [(48, 1), (48, 2)]
    for row in found["workers"]:
        assert row["scenes_per_second"] > 0
        assert 50 < row["megabytes"] < 3000
    assert found["one_core"][0]["draw_ms"] > 0
    assert found["start_seconds"] > 0
    assert found["provenance"]["packages"]["numba"]
    assert str(SCRIPT.parents[1]) not in json.dumps(found)
