"""The page of one run prints the figures that a record has, of crowds and of photos."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


def cell_with(words: str) -> str:
    """The cell of the notebook in which words stand."""
    cells = json.loads((EXPERIMENTS / "train.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (found,) = [text for text in texts if words in text]
    return found


def printing_cell() -> str:
    """The cell of the notebook that prints figures."""
    return cell_with('record["metrics"].items()')


@pytest.mark.parametrize("metrics", [{"AP": 0.25, "APM": math.nan}, {"AP": 0.5, "AP_easy": 0.75}])
def test_what_a_record_has_is_printed(metrics, capsys):
    exec(printing_cell(), {"record": {"metrics": metrics}})  # noqa: S102
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [[name, f"{value:.4f}"] for name, value in metrics.items()]


def test_the_page_has_the_notebooks_cell():
    assert printing_cell() in (EXPERIMENTS / "train.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("preset", "none", "unknown preset 'none': expected a YAML file or one of"),
        ("method", "best", "unknown method 'best': expected one of ae1, ae8, ae8_scale, rve"),
        ("seed", "three", "run.seed: expected an integer, got 'three'"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_told(parameter, value, message):
    """In the first cell that has the parameters, which makes nothing yet."""
    names = {}
    exec(cell_with('preset = "smoke"'), names)  # noqa: S102
    names[parameter] = value
    with pytest.raises(ValueError, match=message):
        exec(cell_with("load_settings("), names)  # noqa: S102
