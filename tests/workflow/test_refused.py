"""The workflow says in a line what is wrong with a setting, before it makes anything."""

from __future__ import annotations

import pytest
from snakemakes import refused

SETTINGS = {
    "preset=none": "unknown preset 'none': expected a YAML file or one of",
    "methods=best": "unknown method 'best': expected one of ae1, ae8",
    "seed=x": "seed: expected integers from 0 on, got 'x'",
    "sed=4": "unknown --config sed: expected account, gres, methods, part",
}
SEEDS = ("1,2", "one", "")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each setting, and each seed of a book, came to; and the folder."""
    folder = tmp_path_factory.mktemp("refused")
    runs = ["preset=smoke", "methods=ae8", "seed=1,2", "root=results"]
    cases = [([setting], {}) for setting in SETTINGS]
    cases += [(runs, {"SPARSE_AE_SEED": seed}) for seed in SEEDS]
    return dict(zip((*SETTINGS, *SEEDS), refused(folder, *cases), strict=True)), folder


@pytest.mark.parametrize("setting", SETTINGS)
def test_snakemake_says_what_is_wrong_with_a_setting(told, setting):
    code, error = told[0][setting]
    assert code != 0
    assert f"snakemake: error: {SETTINGS[setting]}" in error.strip().splitlines()[-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_several_seeds_are_told_before_the_runs_of_a_book(told, seed):
    """As `make book SEED=1,2` has it: the pages show one run."""
    code, error = told[0][seed]
    assert code != 0
    assert "SEED: the book's pages show one run, so give one seed" in error
    assert not (told[1] / "results").exists()
