"""Sentences about runs for a page: which it shows, what they cost, and how to repeat one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from sparse_ae.companion.completed_runs import (
    HOUR,
    core_hours,
    evidence_preset,
    is_own,
    own_seed,
    preset_and_root,
)
from sparse_ae.companion.trials import read_trials

MAKE_ONE = "`make book` trains both methods and makes them"


def run_note(records: Sequence[dict]) -> str:
    """Say in Markdown which runs a page shows, and how to make the missing ones."""
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


def source_note(records: Sequence[dict], *methods: str) -> str:
    """Say in HTML which runs a figure, table or page is made from, in a line that unfolds.

    Args:
        records: Records of runs.
        methods: Methods whose runs count; by default all.

    Returns:
        Methods, seeds, commit, the test images' digest, and the command that repeats a run.
    """
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
        f'<details class="made-of"><summary>Where this comes from</summary>{made}: '
        f"{names}; {seed_names(chosen)}; commit {commits}; test images {data}. Repeat one with "
        f"<code>sparse-ae train --preset {escape(last['preset'])} "
        f"--method {escape(last['method'])} "
        f"--seed {last['seed']}</code></details>"
    )


def _shown(text: str | None, length: int | None = None) -> str:
    """Escape the beginning of a record's text for HTML and Markdown."""
    shown = escape((text or "unknown")[:length])
    return re.sub(r"[\\`*_\[\]{}$|]", lambda found: f"&#{ord(found[0])};", shown)


def cost_note(records: Sequence[dict], root: str | Path | None = None) -> str:
    """Say in Markdown how many core-hours the runs took, and about how many the search before them.

    The search's runs are estimated from their steps, at the pace of their method's runs.

    Args:
        records: Records of runs of one preset; without any the note is empty.
        root: Folder of all records.
    """
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
    """Return the devices that the runs ran on; if there are several, with the seeds of each."""
    runs_on: dict[str, list[dict]] = {}
    for record in records:
        device = record["provenance"].get("device") or "an unknown processor"
        runs_on.setdefault(_shown(device), []).append(record)
    if len(runs_on) == 1:
        return next(iter(runs_on))
    return " and ".join(f"{device} ({seed_names(found)})" for device, found in runs_on.items())


def seed_names(records: Sequence[dict]) -> str:
    """Return the seeds of runs in words."""
    return seeds_in_words(sorted({record["seed"] for record in records}))


def seeds_in_words(seeds: Sequence[int]) -> str:
    """Return ascending seeds in words; four or more in a row as "1 to 5"."""
    if len(seeds) > 3 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
