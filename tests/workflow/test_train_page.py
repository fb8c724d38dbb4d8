"""The page of one run prints the figures that a record has, of crowds and of photos."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


def printing_cell() -> str:
    """The cell of the notebook that prints figures."""
    cells = json.loads((EXPERIMENTS / "train.ipynb").read_text(encoding="utf-8"))["cells"]
    (cell,) = ["".join(c["source"]) for c in cells if 'record["metrics"].items()' in
               "".join(c["source"])]  # fmt: skip
    return cell


@pytest.mark.parametrize("metrics", [{"AP": 0.25, "APM": math.nan}, {"AP": 0.5, "AP_easy": 0.75}])
def test_what_a_record_has_is_printed(metrics, capsys):
    exec(printing_cell(), {"record": {"metrics": metrics}})  # noqa: S102
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [[name, f"{value:.4f}"] for name, value in metrics.items()]


def test_the_page_has_the_notebooks_cell():
    assert printing_cell() in (EXPERIMENTS / "train.md").read_text(encoding="utf-8")
