"""SIGKILL at 30 random moments of a run: the old record is there or the new one, never half.

SPARSE_AE_SOAK_OUT: a folder for what came of each, kills.json.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
from forked_runs import PHASES
from kills import Killed

from sparse_ae.runtime.provenance import provenance

MOMENTS = 30


def test_thirty_random_moments(tmp_path):
    began = time.monotonic()
    rng, killed = np.random.default_rng(8), Killed(tmp_path)
    try:
        found = Counter()
        for number in range(MOMENTS):
            phase, share = list(PHASES)[number % len(PHASES)], rng.uniform(0, 1)
            found[phase, killed.at(phase, share)] += 1
            print(f"{number + 1}: {phase}, at {share:.2f} of {killed.lasts[phase]:.3f} s")
    finally:
        killed.forks.close()
    print(found)
    record = {
        "rows": [{"phase": phase, "left": what, "times": n}
                 for (phase, what), n in sorted(found.items())],
        "load": round(os.getloadavg()[0], 2),
        "provenance": provenance("scenes of a small preset",
                                 "python -m pytest tests/soak -k moments", "cpu", began),
    }  # fmt: skip
    if "SPARSE_AE_SOAK_OUT" in os.environ:
        path = Path(os.environ["SPARSE_AE_SOAK_OUT"]) / "kills.json"
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    assert found.total() == MOMENTS
    # on a busy machine a phase may be over sooner than it was when it was measured
    assert found["rendering", "new"] == found["training", "new"] == 0
