"""The runs at hand: which there are, the reader's own among them."""

import numpy as np
import pytest
from synthetic import make_arrays, make_record

from sparse_ae.companion import records as results
from sparse_ae.companion.completed_runs import paired_difference, paired_seeds, read_runs
from sparse_ae.companion.run_notes import run_note, seeds_in_words
from sparse_ae.companion.tables.methods import crowd_table


def test_differences_are_paired_by_seed(records):
    lonely = [record for record in records if (record["method"], record["seed"]) != ("rve", 1)]
    assert paired_seeds(lonely) == [0, 2, 3]
    assert np.allclose(paired_difference(lonely, "AP"), [0.01, 0.03, 0.04])
    two = crowd_table([r for r in records if r["seed"] in (1, 2)])["AP"].iloc[-1]
    assert two == "+2.5 (+2.0 to +3.0)"  # a range: two seeds give no interval


def test_note_tells_own_run_and_others(records):
    note = run_note(records)
    assert "seed 0, made 2030-01-02 on cpu: a processor, commit 0123456" in note
    assert "seeds 1, 2, 3" in note
    assert "`make book` makes one" in run_note([r for r in records if r["seed"]])


def test_seeds_in_words():
    several = ([7], [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, 5])
    assert [seeds_in_words(seeds) for seeds in several] == [
        "seed 7", "seeds 1, 2, 3", "seeds 1 to 5", "seeds 1, 2, 3, 5"]  # fmt: skip


@pytest.mark.parametrize("preset", ["smoke", "my presets/smoke.yaml"])
def test_read_runs_follows_the_environment(tmp_path, monkeypatch, preset):
    results.write_record(make_record("rve", 2), make_arrays(5), tmp_path)
    monkeypatch.setenv("SPARSE_AE_PRESET", preset)
    monkeypatch.setenv("SPARSE_AE_RESULTS", str(tmp_path))
    records, arrays = read_runs()
    assert [record["seed"] for record in records] == [2]
    assert len(arrays["rve", 2]["image_id"]) == 5
