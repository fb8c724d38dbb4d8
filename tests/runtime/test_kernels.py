"""Compiled functions say when they compile, and do without a folder for their machine code."""

import os
import subprocess
import sys

import pytest

DRAW = """
import numpy as np
{before}
from sparse_ae.targets import heatmap_targets
print(heatmap_targets(np.ones((1, 1, 2)), np.ones((1, 1)), 4).sum())
"""
NO_FOLDER = """
from numba.core import caching
def refuse(locator):
    raise OSError("read-only")
for name in dir(caching):
    if name.endswith("Locator"):
        getattr(caching, name).ensure_cache_path = refuse
"""


def draw(cache, before=""):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    run = subprocess.run([sys.executable, "-c", DRAW.format(before=before)], env=environment,
                         capture_output=True, text=True, check=True)  # fmt: skip
    return float(run.stdout), run.stderr


@pytest.mark.slow
def test_the_first_run_says_that_it_compiles_and_the_second_need_not(tmp_path):
    first, said = draw(tmp_path)
    assert said.splitlines() == [
        "sparse_ae: compiling, which takes some seconds; the next runs find it done"
    ]
    second, said = draw(tmp_path)
    assert second == first > 1
    assert said == ""


@pytest.mark.slow
def test_without_a_folder_for_the_cache_it_compiles_every_time(tmp_path):
    for _ in range(2):
        value, said = draw(tmp_path, NO_FOLDER)
        assert value > 1
        assert "no folder can be written for numba's cache, so every run does it again" in said
        assert len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_notebooks_are_not_told():
    """Their outputs are compared and published."""
    pytest.importorskip("ipykernel", reason="ipykernel is part of the book extra")
    _, said = draw("unused", NO_FOLDER + "import ipykernel")
    assert said == ""
