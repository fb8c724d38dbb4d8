"""Fuzzing for long: ten minutes on two cores, or as the environment says.

    python -m pytest tests/soak -k fuzz

SPARSE_AE_SOAK_SECONDS: how long, by default 600. SPARSE_AE_SOAK_SEED: of the first inputs, by
default from the clock, so that every run tries others; it is printed. SPARSE_AE_SOAK_OUT: a folder
for the figures, fuzz.json. What fails is kept in tests/corpus, which `tests/test_fuzzing.py`
replays.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparse_ae.runtime.provenance import provenance

HOUSE = Path(__file__).resolve().parents[2]
# two processes; checkpoints and annotations take longest
SHARES = (("checkpoints", "group", "settings"), ("annotations", "records", "pictures", "decode"))


@pytest.fixture
def asked(request):
    """Skips unless this folder was named: an ordinary run of the tests is to be short."""
    if not any("soak" in str(word) for word in request.config.invocation_params.args):
        pytest.skip("takes ten minutes: python -m pytest tests/soak, or make soak")


def start(folder: Path, names: tuple[str, ...], seconds: float, seed: int) -> subprocess.Popen:
    """Fuzz these targets in a process of its own: one that dies is a finding too."""
    path = os.pathsep.join([str(HOUSE), str(HOUSE / "tests"), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-m", "fuzzing", *names, "--seconds", str(seconds), "--seed",
             str(seed), "--out", str(folder / f"{names[0]}.json")]  # fmt: skip
    with (folder / f"{names[0]}.txt").open("wb") as log:  # OpenCV's remarks on pictures, and worse
        return subprocess.Popen(words, stderr=log, stdout=log, env=os.environ | {
            "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"})  # fmt: skip


def test_fuzz(asked, tmp_path):  # noqa: ARG001
    seconds = float(os.environ.get("SPARSE_AE_SOAK_SECONDS", "600"))
    seed = int(os.environ.get("SPARSE_AE_SOAK_SEED", str(int(time.time()))))
    began = time.monotonic()
    running = [start(tmp_path, names, seconds, seed) for names in SHARES]
    codes = [process.wait(timeout=seconds * 2 + 300) for process in running]
    found = [
        row for path in sorted(tmp_path.glob("*.json")) for row in json.loads(path.read_text())
    ]
    record = {
        "seed": seed, "load": round(os.getloadavg()[0], 2), "processes": len(SHARES),
        "codes": codes, "rows": found,
        "provenance": provenance("made-up inputs", f"python -m pytest tests/soak -k fuzz, "
                                 f"SPARSE_AE_SOAK_SECONDS={seconds:g}", "cpu", began),
    }  # fmt: skip
    print(json.dumps(record, indent=1))
    if "SPARSE_AE_SOAK_OUT" in os.environ:
        path = Path(os.environ["SPARSE_AE_SOAK_OUT"]) / "fuzz.json"
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    said = [path.read_text(errors="replace")[-2000:] for path in sorted(tmp_path.glob("*.txt"))]
    assert codes == [0, 0], f"a process died: {said}"
    assert {row["target"] for row in found} == {name for names in SHARES for name in names}
    assert not [row for row in found if row["failures"]], "what failed is in tests/corpus"
    assert all(row["tried"] > 100 and 0 < row["valid"] < row["tried"] for row in found)
