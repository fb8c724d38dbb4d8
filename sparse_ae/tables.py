"""The runs at hand, and the tables made of them. Every number comes from a record.

Two kinds of runs are told apart: the reader's own (one seed, made by `make book`) and the others,
such as those that came with the repository. Tables show both; differences are paired by seed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from sparse_ae.methods import ALL
from sparse_ae.provenance import REPOSITORY
from sparse_ae.results import read_arrays, read_records, record_path

METHOD_LABELS = {name: method.label for name, method in ALL.items()}
METHOD_COLOURS = {name: method.colour for name, method in ALL.items()}

COLUMNS = {
    "AP": "AP",
    "AP_easy": "AP easy",
    "AP_medium": "AP medium",
    "AP_hard": "AP hard",
    "grouping_accuracy": "grouping accuracy",
    "grouping_accuracy_hard": "the same, hard crowds",
}
MAKE_ONE = "`make book` trains both methods and makes them"


def read_runs(preset: str | None = None, root: str | Path | None = None):
    """Records and arrays of a preset: (list of records, {(method, seed): arrays}).

    preset: by default the environment's SPARSE_AE_PRESET, else "reader". root: by default
    SPARSE_AE_RESULTS, else the repository's `experiments/results`.
    """
    preset, root = _preset_and_root(preset, root)
    records = read_records(preset, root)
    paths = {(r["method"], r["seed"]): record_path(preset, r["method"], r["seed"], root)
             for r in records}  # fmt: skip
    return records, {run: read_arrays(path) for run, path in paths.items()}


def own_seed() -> int:
    """The seed of the reader's own run: SPARSE_AE_SEED, which `make book` sets, else 0."""
    seed = os.environ.get("SPARSE_AE_SEED", "0")
    if not seed.isdigit():
        raise ValueError(f"SPARSE_AE_SEED: expected an integer from 0 on, got {seed!r}")
    return int(seed)


def example_run(records: Sequence[dict], method: str) -> dict | None:
    """The run of a method that figures show: the reader's own, else the first seed; or None."""
    runs = [record for record in records if record["method"] == method]
    own = [record for record in runs if record["seed"] == own_seed()]
    return (own or runs or [None])[0]


def paired_seeds(records: Sequence[dict], method: str = "rve", base: str = "ae8") -> list[int]:
    """Seeds with a run of both methods, ascending."""
    seeds = {name: {r["seed"] for r in records if r["method"] == name} for name in (method, base)}
    return sorted(seeds[method] & seeds[base])


def paired_difference(records, metric, method="rve", base="ae8") -> np.ndarray:
    """(S,) metric of `method` minus that of `base`, one value per seed that has both."""
    value = {(r["method"], r["seed"]): r["metrics"][metric] for r in records}
    seeds = paired_seeds(records, method, base)
    return np.array([value[method, seed] - value[base, seed] for seed in seeds])


def t_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of a few values by Student's t; nan below three values."""
    if len(values) < 3 or not np.isfinite(values).all():
        return np.nan, np.nan
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def crowd_table(records: Sequence[dict]) -> pd.DataFrame:
    """The crowded-scene table, in percent: per method the mean (range) over the seeds that came
    with the repository and the reader's own run; then the paired difference rve − ae8 with its
    95 % t interval, or its range below three seeds."""
    rows = {}
    for method in (name for name in ALL if any(r["method"] == name for r in records)):
        runs = [record for record in records if record["method"] == method]
        others = [record for record in runs if record["seed"] != own_seed()]
        own = [record for record in runs if record["seed"] == own_seed()]
        for group, name in ((others, _seeds(others)), (own, f"your run (seed {own_seed()})")):
            if group:
                rows[METHOD_LABELS[method], name] = {
                    label: _mean_and_range([r["metrics"][metric] for r in group])
                    for metric, label in COLUMNS.items()
                }
    seeds = paired_seeds(records)
    if seeds:
        rows["difference, RVE − AE", f"{_count(seeds)}, paired"] = {
            label: _difference(paired_difference(records, metric))
            for metric, label in COLUMNS.items()
        }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS.values()))
    if rows:
        table.index = pd.MultiIndex.from_tuples(rows, names=["method", "runs"])
    return table


def provenance_table(records: Sequence[dict]) -> pd.DataFrame:
    """One row a run: when, from which commit, on what, how long, on which data."""
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
    """What the search on validation crowds tried: a row a trial, AP in percent, the best marked.

    preset, root: as `read_runs`; methods without a `search.json` are left out.
    """
    preset, root = _preset_and_root(preset, root)
    rows = []
    for method in ALL:
        path = root / preset / method / "search.json"
        if not path.is_file():
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        for trial in found["trials"]:
            settings, metrics = trial["settings"], trial["metrics"]
            rows.append({
                "method": METHOD_LABELS[method],
                "settings tried": ", ".join(f"{k} {v:g}" for k, v in settings.items()),
                "AP": number(100 * metrics["AP"]), "AP hard": number(100 * metrics["AP_hard"]),
                "grouping accuracy": number(100 * metrics["grouping_accuracy"]),
                "first component": three_digits(metrics.get("first_component", np.nan)),
                "runs": len(trial["runs"]),
                "best": "★" if settings == found["best"] else "",
            })  # fmt: skip
    return pd.DataFrame(rows)


def run_note(records: Sequence[dict]) -> str:
    """Markdown: which runs a page shows, and how to make the missing ones."""
    if not records:
        return f"**No run yet.** This page fills when there are records: {MAKE_ONE}."
    own = [record for record in records if record["seed"] == own_seed()]
    others = [record for record in records if record["seed"] != own_seed()]
    parts = []
    if own:
        made = own[0]["provenance"]
        commit = (made.get("commit") or "unknown")[:7]
        parts.append(
            f"**Your run:** seed {own_seed()}, made {(made.get('date') or 'unknown')[:10]} on "
            f"{made.get('device') or 'unknown'}, commit {commit}"
            f"{' with changes of your own' if made.get('dirty') else ''}."
        )
    if others:
        parts.append(f"**Beside it:** {_seeds(others)}." if own else f"**Runs:** {_seeds(others)}.")
    if not own:
        parts.append("No run of your own yet: `make book` makes one and shows it beside these.")
    return f"{' '.join(parts)} Preset `{records[0]['preset']}`."


def html_table(table: pd.DataFrame, index: bool = True) -> str:
    """A table as HTML that scrolls sideways on a small screen; equal index cells become one."""
    keys = [key if isinstance(key, tuple) else (key,) for key in table.index] if index else []
    names = [name or "" for name in table.index.names] if index else []
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in [*names, *table.columns])
    body = []
    for row, values in enumerate(table.itertuples(index=False)):
        cells = []
        for level in range(len(names)):
            same = [key[: level + 1] == keys[row][: level + 1] for key in keys]
            if same.index(True) == row:
                text = escape(str(keys[row][level]))
                cells.append(f'<th scope="row" rowspan="{sum(same)}">{text}</th>')
        cells += [f"<td>{escape(str(value))}</td>" for value in values]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="wide-table"><table class="dataframe"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _preset_and_root(preset: str | None, root: str | Path | None) -> tuple[str, Path]:
    """What was given, else what the environment says, else the reader's in the repository."""
    preset = preset or os.environ.get("SPARSE_AE_PRESET", "reader")
    root = root or os.environ.get("SPARSE_AE_RESULTS", REPOSITORY / "experiments" / "results")
    return preset, Path(root)


def _seeds(records: Sequence[dict]) -> str:
    return _count(sorted({record["seed"] for record in records}))


def _count(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def number(value: float, digits: int = 1, sign: str = "-") -> str:
    """A number for a table: minus as a minus sign, undefined as a dash."""
    return f"{value:{sign}.{digits}f}".replace("-", "−") if np.isfinite(value) else "–"


def three_digits(value: float) -> str:
    """A number to three digits after the point, undefined as a dash."""
    return number(value, 3)


def _mean_and_range(values: Sequence[float]) -> str:
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
