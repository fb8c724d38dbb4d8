"""Choose loss weights on validation crowds, from the same number of settings for every method."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

from sparse_ae.companion.experiment import fit_and_evaluate, identity
from sparse_ae.companion.records import ROOT, provenance, settings_digest
from sparse_ae.companion.trials import read_trials
from sparse_ae.runtime.files import write_whole
from sparse_ae.settings import Settings, load_settings, read_search

KEPT = ("AP", "AP_easy", "AP_medium", "AP_hard", "grouping_accuracy", "first_component",
        "excess_share", "correlation", "effective_rank", "sparsity")  # fmt: skip


def search(preset: str, method: str, root: str | Path = ROOT, *, progress: bool = True) -> dict:
    """Train a method with each setting of the preset's search, and compare AP on validation crowds.

    Each setting is trained with each of the search's seeds; test crowds are not touched. The file
    is written after every run. Runs that it already has are reused, since each carries the digest
    of its settings. Nothing is chosen automatically: the preset file holds the settings in use.

    Args:
        preset: Name of the preset.
        method: Name of the method.
        root: Folder of all records.
        progress: Whether to show progress bars.

    Returns:
        The content of `<root>/<preset>/<method>/search.json`: the trials, each with its runs and
        mean figures, and the best settings among those with all runs made.
    """
    planned, seeds = read_search(preset, method)
    path = Path(root) / load_settings(preset, method, 0).run.preset / method / "search.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {run["settings_digest"]: run for trial in read_trials(path)[0] for run in trial["runs"]}
    for seed in seeds:  # every setting once before any is tried again
        for settings in planned:
            tried = load_settings(preset, method, seed, settings)
            digest = settings_digest(identity(tried))
            made[digest] = made.get(digest) or _try(tried, digest, progress)
            found = _summary(preset, method, planned, seeds, made)
            write_whole(path, (json.dumps(found, indent=1) + "\n").encode())
    return found


def _summary(preset, method, planned, seeds, made: dict[str, dict]) -> dict:
    """Return the content of the file, from the runs made so far."""
    trials = []
    for settings in planned:
        tried = (load_settings(preset, method, seed, settings) for seed in seeds)
        digests = (settings_digest(identity(one)) for one in tried)
        runs = [made[digest] for digest in digests if digest in made]
        if runs:
            trials.append({"settings": settings, "metrics": _means(runs), "runs": runs})
    most = max(len(trial["runs"]) for trial in trials)
    whole = [trial for trial in trials if len(trial["runs"]) == most]
    return {
        "preset": load_settings(preset, method, 0).run.preset,
        "method": method,
        "criterion": "mean AP on validation crowds",
        "trials": trials,
        "best": max(whole, key=lambda trial: trial["metrics"].get("AP", -1.0))["settings"],
    }


def _means(runs: list[dict]) -> dict[str, float]:
    """Return the mean figures of runs; a figure that a method does not have is left out."""
    names = [name for name in KEPT if all(name in run["metrics"] for run in runs)]
    return {name: sum(run["metrics"][name] for run in runs) / len(runs) for name in names}


def _try(settings: Settings, digest: str, progress: bool) -> dict:
    """Train one run of a trial, and return its seed, validation figures and provenance."""
    began = time.monotonic()
    _, result, scenes = fit_and_evaluate(settings, "val", progress=progress)
    kept = {name: result.metrics[name] for name in KEPT}
    return {
        "seed": settings.run.seed,
        "settings_digest": digest,
        "metrics": {name: value for name, value in kept.items() if not math.isnan(value)},
        "provenance": provenance(scenes.digest, device="cpu", since=began),
    }
