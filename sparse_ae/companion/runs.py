"""The runs at hand: which there are, which are the reader's own, and what they cost.

Pages show two presets. What the claims are judged by (`read_evidence`) is the same for every
reader; a reader's own run, one seed made by `make book`, stands beside those of its preset that
came with the repository.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from sparse_ae.companion.records import read_arrays, read_records, record_path
from sparse_ae.companion.trials import read_trials
from sparse_ae.runtime.provenance import REPOSITORY
from sparse_ae.settings.presets import read_base

MAKE_ONE = "`make book` trains both methods and makes them"
EVIDENCE = "laptop"  # the preset by whose runs the claims are judged
HOUR = 3600  # seconds


def read_runs(preset: str | None = None, root: str | Path | None = None):
    """Records and arrays of a preset: (list of records, {(method, seed): arrays}).

    preset: by default the environment's SPARSE_AE_PRESET, else "reader". root: by default
    SPARSE_AE_RESULTS, else the repository's `experiments/results`.
    """
    preset, root = preset_and_root(preset, root)
    records = read_records(preset, root)
    paths = {(r["method"], r["seed"]): record_path(preset, r["method"], r["seed"], root)
             for r in records}  # fmt: skip
    return records, {run: read_arrays(path) for run, path in paths.items()}


def evidence_preset() -> str:
    """The preset by whose runs the claims are judged: SPARSE_AE_EVIDENCE, else EVIDENCE."""
    return os.environ.get("SPARSE_AE_EVIDENCE", EVIDENCE)


def read_evidence(root: str | Path | None = None):
    """As `read_runs`, of `evidence_preset`."""
    return read_runs(evidence_preset(), root)


def read_beside(preset: str, root: str | Path | None = None):
    """As `read_runs`, and after a preset's runs those of the one that it stands on, if they were
    evaluated on the same test crowds. Nothing where the preset itself has no run."""
    records, arrays = read_runs(preset, root)
    base = read_base(preset)
    if not records or base is None:
        return records, arrays
    digest = records[0]["provenance"].get("data_digest")
    below, theirs = read_runs(base, root)
    below = [record for record in below if record["provenance"].get("data_digest") == digest]
    own = {(record["method"], record["seed"]) for record in records}
    below = [record for record in below if (record["method"], record["seed"]) not in own]
    kept = {(record["method"], record["seed"]) for record in below}
    return records + below, arrays | {run: theirs[run] for run in kept}


def own_seed() -> int:
    """The seed of the reader's own run: SPARSE_AE_SEED, which `make book` sets, else 0."""
    seed = os.environ.get("SPARSE_AE_SEED", "0")
    if not seed.isdigit():
        raise ValueError(f"SPARSE_AE_SEED: expected an integer from 0 on, got {seed!r}")
    return int(seed)


def is_own(record: dict) -> bool:
    """Whether a run is the reader's own: of the preset and seed that `make book` is set to."""
    own = Path(preset_and_root(None, None)[0]).stem  # a preset may be a file
    return record["preset"] == own and record["seed"] == own_seed()


def example_run(records: Sequence[dict], method: str) -> dict | None:
    """The run of a method that figures show: the reader's own, else the first seed; or None."""
    runs = [record for record in records if record["method"] == method]
    own = [record for record in runs if is_own(record)]
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


def run_note(records: Sequence[dict]) -> str:
    """Markdown: which runs a page shows, and how to make the missing ones."""
    if not records:
        return f"**No run yet.** This page fills when there are records: {MAKE_ONE}."
    own = [record for record in records if is_own(record)]
    others = [record for record in records if not is_own(record)]
    parts = []
    if own:
        made = own[0]["provenance"]
        parts.append(
            f"**Your run:** seed {own_seed()}, made {_shown(made.get('date'), 10)} on "
            f"{_shown(made.get('device'))}, commit {_shown(made.get('commit'), 7)}"
            f"{' with changes of your own' if made.get('dirty') else ''}."
        )
    if others:
        parts.append(f"**{'Beside it' if own else 'Runs'}:** {seed_names(others)}.")
    if not own:
        parts.append("No run of your own yet: `make book` makes one and shows it beside these.")
    return f"{' '.join(parts)} Preset `{records[0]['preset']}`."


def source(records: Sequence[dict], *methods: str) -> str:
    """HTML for below a figure or table: which runs of `methods` (of all, if none are named) it is
    made of, from which commit, on which crowds, and how any one of them is made again."""
    chosen = [record for record in records if not methods or record["method"] in methods]
    if not chosen:
        preset = escape(evidence_preset())
        return f'<p class="made-of">No run yet of the preset <code>{preset}</code>.</p>'
    last, counts = chosen[-1], Counter(record["preset"] for record in chosen)
    made = ", ".join(f"{count} run{'s' * (count > 1)} of the preset <code>{escape(preset)}</code>"
                     for preset, count in counts.items())  # fmt: skip
    methods = dict.fromkeys(record["method"] for record in chosen)
    names = ", ".join(f"<code>{escape(name)}</code>" for name in methods)
    commits, data = (
        ", ".join(sorted({_shown(r["provenance"].get(key), 7) for r in chosen}))
        for key in ("commit", "data_digest")
    )
    return (
        f'<p class="made-of">Made of {made}: '
        f"{names}; {seed_names(chosen)}; commit {commits}; test crowds {data}. Any one again: "
        f"<code>sparse-ae train --preset {escape(last['preset'])} "
        f"--method {escape(last['method'])} "
        f"--seed {last['seed']}</code></p>"
    )


def _shown(text: str | None, length: int | None = None) -> str:
    """The beginning of a record's text for a page, as HTML or in Markdown: what would be markup
    there is shown as it is written."""
    shown = escape((text or "unknown")[:length])
    return re.sub(r"[\\`*_\[\]{}$|]", lambda found: f"&#{ord(found[0])};", shown)


def core_hours(records: Sequence[dict]) -> float:
    """What runs of one core each took, in hours; of those that do not tell, the training alone."""
    return (
        sum(
            record["provenance"].get("seconds") or record["metrics"]["train_seconds"]
            for record in records
        )
        / HOUR
    )


def cost_note(records: Sequence[dict], root: str | Path | None = None) -> str:
    """Markdown: core-hours of the runs, and about those of the search before them, whose runs count
    by their steps at the pace of their method's."""
    if not records:
        return ""
    preset, root = preset_and_root(records[0]["preset"], root)
    searched, trials = 0.0, 0
    for method in {record["method"] for record in records}:
        path = root / preset / method / "search.json"
        runs = [record for record in records if record["method"] == method]
        pace = np.mean(
            [run["metrics"]["train_seconds"] / run["settings"]["optim"]["steps"] for run in runs]
        )
        usual = runs[0]["settings"]["optim"]["steps"]
        for trial in read_trials(path)[0]:
            steps = trial["settings"].get("optim", {}).get("steps", usual)
            searched += len(trial["runs"]) * steps * pace / HOUR
            trials += len(trial["runs"])
    note = f"All {len(records)} runs took {core_hours(records):.1f} core-hours, evaluation included"
    if trials:
        note += f", and the {trials} shorter runs that chose their weights about {searched:.1f}"
    return (
        f"{note}, on {_devices(records)}. Hours are by the clock, a core to a run; where the "
        "machine did other work as well, the runs' own are fewer."
    )


def _devices(records: Sequence[dict]) -> str:
    """What the runs ran on; of several, with the seeds of each."""
    runs_on: dict[str, list[dict]] = {}
    for record in records:
        device = record["provenance"].get("device") or "an unknown processor"
        runs_on.setdefault(_shown(device), []).append(record)
    if len(runs_on) == 1:
        return next(iter(runs_on))
    return " and ".join(f"{device} ({seed_names(found)})" for device, found in runs_on.items())


def preset_and_root(preset: str | None, root: str | Path | None) -> tuple[str, Path]:
    """What was given, else what the environment says, else the reader's in the repository."""
    preset = preset or os.environ.get("SPARSE_AE_PRESET", "reader")
    root = root or os.environ.get("SPARSE_AE_RESULTS", REPOSITORY / "experiments" / "results")
    return preset, Path(root)


def seed_names(records: Sequence[dict]) -> str:
    """The seeds of runs, in words."""
    return in_words(sorted({record["seed"] for record in records}))


def in_words(seeds: Sequence[int]) -> str:
    """Seeds, in ascending order, in words; four or more that follow each other as "1 to 5"."""
    if len(seeds) > 3 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
