"""Tables of runs by method. Every number comes from a record.

There are two kinds of runs: the reader's own (one seed, made by `make book`) and others, such as
those that came with the repository. Tables show both; differences are paired by seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from sparse_ae.companion.completed_runs import (
    is_own,
    own_seed,
    paired_difference,
    paired_seeds,
    preset_and_root,
)
from sparse_ae.companion.run_notes import seed_names, seeds_in_words
from sparse_ae.companion.statistics.measures import LINE
from sparse_ae.companion.tables.formatting import METHOD_LABELS, number, three_digits
from sparse_ae.companion.trials import read_trials
from sparse_ae.settings.methods import ALL

COLUMNS = {
    "AP": "AP",
    "AP_easy": "AP easy",
    "AP_medium": "AP medium",
    "AP_hard": "AP hard",
    "grouping_accuracy": "grouping accuracy",
    "grouping_accuracy_hard": "the same, hard crowds",
}


def t_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of a mean by Student's t; nan for fewer than three values."""
    if len(values) < 3 or not np.isfinite(values).all():
        return np.nan, np.nan
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def crowd_table(records: Sequence[dict], difference: bool = True) -> pd.DataFrame:
    """Make the crowded-scene table, in percent.

    Args:
        records: Records of all runs.
        difference: Whether to add a row with the paired difference rve − ae8 and its 95 % t
            interval, or its range with fewer than three seeds.

    Returns:
        Text for a page: per method the mean (range) over the seeds that came with the repository,
        and the reader's own run.
    """
    rows = {}
    for method in (name for name in ALL if any(r["method"] == name for r in records)):
        runs = [record for record in records if record["method"] == method]
        others = [record for record in runs if not is_own(record)]
        own = [record for record in runs if is_own(record)]
        for group, name in ((others, seed_names(others)), (own, f"your run (seed {own_seed()})")):
            if group:
                rows[METHOD_LABELS[method], name] = {
                    label: mean_and_range([r["metrics"][metric] for r in group])
                    for metric, label in COLUMNS.items()
                }
    seeds = paired_seeds(records) if difference else []
    if seeds:
        rows["difference, RVE − AE", f"{seeds_in_words(seeds)}, paired"] = {
            label: _difference(paired_difference(records, metric))
            for metric, label in COLUMNS.items()
        }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS.values()))
    if rows:
        table.index = pd.MultiIndex.from_tuples(rows, names=["method", "runs"])
    return table


def provenance_table(records: Sequence[dict]) -> pd.DataFrame:
    """Make a table with a row per run: when, from which commit, on what, how long, on what data."""
    rows = []
    for record in records:
        made = record["provenance"]
        commit = (made.get("commit") or "unknown")[:7] + (", modified" if made.get("dirty") else "")
        rows.append({
            "method": METHOD_LABELS.get(record["method"], record["method"]),
            "seed": record["seed"],
            "made": (made.get("date") or "unknown")[:10],
            "commit": commit,
            "device": made.get("device") or "unknown",
            "torch": made.get("packages", {}).get("torch") or "unknown",
            "training, min": number(record["metrics"]["train_seconds"] / 60, 1),
            "data": (made.get("data_digest") or "unknown")[:8],
        })  # fmt: skip
    return pd.DataFrame(rows)


def search_table(preset: str | None = None, root: str | Path | None = None) -> pd.DataFrame:
    """Make a table of what the search on validation crowds tried.

    Args:
        preset, root: See `read_runs`.

    Returns:
        A row per trial with the settings in which a method's trials differ, AP in percent, the best
        trial marked. A method without `search.json` has none.
    """
    preset, root = preset_and_root(preset, root)
    rows = []
    for method in ALL:
        path = root / preset / method / "search.json"
        trials, best = read_trials(path)
        every = [_flat(trial["settings"]) for trial in trials]
        for trial, flat in zip(trials, every, strict=True):
            settings, metrics = trial["settings"], trial["metrics"]
            varied = {name: value for name, value in flat.items()
                      if any(other.get(name) != value for other in every)}  # fmt: skip
            rows.append({
                "method": METHOD_LABELS[method],
                "settings tried": ", ".join(
                    f"{name} {_in_words(value)}" for name, value in (varied or flat).items()),
                "AP": number(100 * metrics["AP"]), "AP hard": number(100 * metrics["AP_hard"]),
                "grouping accuracy": number(100 * metrics["grouping_accuracy"]),
                "first component": three_digits(metrics.get("first_component", np.nan)),
                "runs": len(trial["runs"]),
                "best": "★" if settings == best else "",
            })  # fmt: skip
    return pd.DataFrame(rows)


def _flat(settings: dict) -> dict:
    """Return the settings of all sections, by name."""
    return {name: value for section in settings.values() for name, value in section.items()}


def _in_words(value) -> str:
    """Return a setting as text for a table."""
    if isinstance(value, list):
        return " to ".join(map(_in_words, value))
    return (value or "none") if isinstance(value, str) else f"{value:g}"


PRECISION = ("AP", "AP50", "AP75", "APM", "APL", "AR")


def precision_table(records: Sequence[dict]) -> pd.DataFrame:
    """Make a table of COCO's figures for runs on photos, in percent, a row per run."""
    return pd.DataFrame([
        {"method": METHOD_LABELS[record["method"]], "seed": record["seed"],
         **{name: number(100 * record["metrics"][name]) for name in PRECISION}}
        for record in records
    ])  # fmt: skip


def line_table(records: Sequence[dict], methods: Sequence[str]) -> pd.DataFrame:
    """Make a table of how many runs of each method ended on a line.

    Args:
        records: Records of all runs.
        methods: The rows; one without runs has none.

    Returns:
        Text for a page: how many runs ended on the line as the verdict on C2 counts it (with one
        dimension, all), the grouping accuracy of these, and that of the others, in percent.
    """
    rows = {}
    for method in methods:
        found = [record["metrics"] for record in records if record["method"] == method]
        sides = [
            [m["grouping_accuracy"] for m in found if on != (m["excess_share"] < LINE)]
            for on in (True, False)
        ]
        if found:
            there, elsewhere = (mean_and_range(side) if side else "–" for side in sides)
            rows[METHOD_LABELS[method]] = {
                "ended on the line": f"{len(sides[0])} of {len(found)}",
                "grouping accuracy of these": there,
                "of the others": elsewhere,
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def mean_and_range(values: Sequence[float]) -> str:
    """Return the mean in percent and, for several values, the smallest and the largest."""
    percent = 100 * np.array(values)
    mean = number(percent.mean())
    if len(values) == 1 or not np.isfinite(percent).all():
        return mean
    return f"{mean} ({number(percent.min())} to {number(percent.max())})"


def _difference(values: np.ndarray) -> str:
    percent = 100 * values
    mean = number(percent.mean(), sign="+")
    low, high = t_interval(percent)
    if np.isfinite(low):
        return f"{mean} [{number(low, sign='+')}, {number(high, sign='+')}]"
    if len(values) == 1 or not np.isfinite(percent).all():
        return mean
    return f"{mean} ({number(percent.min(), sign='+')} to {number(percent.max(), sign='+')})"
