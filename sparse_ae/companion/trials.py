"""The record of a search: which settings were tried, and what each gave on validation crowds.

There is one file per method, `<root>/<preset>/<method>/search.json`, beside the records of its
runs. Pages show it and `search.search` continues from it, so it is checked when it is read.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from sparse_ae.runtime.values import short_repr
from sparse_ae.settings.settings import PresetSections

ADVICE = "delete it and search again"
PLAIN = re.compile(r"[\w-]{0,40}")  # such as a `scale_form`; nothing that a page could run
LARGEST = 1e12  # larger numbers are mistakes
FIGURES = ("AP", "AP_hard", "grouping_accuracy")  # that every trial has


def read_trials(path: str | Path) -> tuple[list[dict], dict]:
    """Read the trials of a search.

    Args:
        path: Path of `search.json`.

    Returns:
        The trials, each with settings, metrics and runs, and the best settings. Both are empty if
        there is no file.

    Raises:
        ValueError: If the file is something else; the message names file, trial and field.
    """
    path = Path(path)
    if not path.is_file():
        return [], {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise ValueError(f"{path}: no record of a search ({error}); {ADVICE}") from None
    if not isinstance(content, dict) or not isinstance(content.get("trials"), list):
        raise ValueError(f"{path}: no record of a search, which has a list of trials; {ADVICE}")
    for number, trial in enumerate(content["trials"]):
        problem = _problem(trial)
        if problem:
            raise ValueError(f"{path}: no record of a search: trial {number}: {problem}; {ADVICE}")
    if not isinstance(content.get("best", {}), dict):
        raise ValueError(f"{path}: no record of a search: best: expected settings; {ADVICE}")
    return content["trials"], content.get("best", {})


def _problem(trial) -> str | None:
    """Return what is wrong with a trial, or None."""
    if not isinstance(trial, dict):
        return f"expected settings, metrics and runs, got {type(trial).__name__}"
    for field, kind in (("settings", dict), ("metrics", dict), ("runs", list)):
        if not isinstance(trial.get(field), kind):
            return f"{field}: expected a {kind.__name__}"
    for section, values in trial["settings"].items():
        if section not in PresetSections.model_fields or not isinstance(values, dict):
            return f"settings.{short_repr(section)}: expected a section of settings"
        for name, value in values.items():
            if isinstance(value, str):
                if not PLAIN.fullmatch(value):
                    return f"settings.{section}.{short_repr(name)}: expected a plain name"
            elif not all(map(_is_number, value if isinstance(value, list) else [value])):
                return f"settings.{section}.{short_repr(name)}: expected finite numbers"
    for name, value in trial["metrics"].items():
        if not _is_number(value):
            return f"metrics.{name}: expected a finite number"
    for name in FIGURES:
        if name not in trial["metrics"]:
            return f"metrics.{name}: missing"
    for run in trial["runs"]:
        whole = isinstance(run, dict) and isinstance(run.get("metrics"), dict)
        if not whole or not isinstance(run.get("settings_digest"), str):
            return "runs: expected metrics and the digest of their settings"
        if not all(map(_is_number, run["metrics"].values())):
            return "runs: expected finite metrics"
    for name, value in trial["metrics"].items():
        values = [run["metrics"].get(name, math.nan) for run in trial["runs"]]
        if values and not math.isclose(value, sum(values) / len(values), abs_tol=1e-9):
            return f"metrics.{name}: expected the mean of its runs"
    return None


def _is_number(value) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and -LARGEST <= value <= LARGEST
