"""SIGKILL at 30 random moments of a run: the old record is there or the new one, never half."""

from __future__ import annotations

from collections import Counter

import numpy as np
from forked_runs import PHASES
from kills import Killed

MOMENTS = 30


def test_thirty_random_moments(tmp_path):
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
    assert found["rendering", "new"] == found["training", "new"] == 0
    assert found["evaluation", "new"] == 0
