"""Choosing loss weights on validation crowds: the same number of settings for every method."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sparse_ae.config import load_config, read_search
from sparse_ae.experiment import fit_and_evaluate, recorded_config
from sparse_ae.results import ROOT, config_digest, provenance

KEPT = ("AP", "AP_easy", "AP_medium", "AP_hard", "grouping_accuracy", "first_component")


def search(preset: str, method: str, root: str | Path = ROOT, *, progress: bool = True) -> dict:
    """Train `method` once with each setting of the preset's search, on one seed, and compare the
    AP on validation crowds; test crowds are not touched.

    Writes `<root>/<preset>/<method>/search.json` after every trial, and reuses the trials that it
    finds there: each carries the digest of its settings. Returns the file's content: the trials,
    their figures, and the best settings. Nothing is chosen automatically: the preset file holds
    the settings in use.
    """
    planned = read_search(preset, method)
    path = Path(root) / preset / method / "search.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {trial["config_digest"]: trial for trial in _read(path)}
    trials = []
    for settings in planned:
        config = load_config(preset, method, 0, **settings)
        digest = config_digest(recorded_config(config))
        trials.append(made.get(digest) or _try(config, settings, digest, progress))
        best = max(trials, key=lambda trial: trial["metrics"]["AP"])
        found = {
            "preset": preset,
            "method": method,
            "criterion": "AP on validation crowds",
            "trials": trials,
            "best": best["settings"],
        }
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        os.replace(unfinished, path)
    return found


def _try(config, settings: dict, digest: str, progress: bool) -> dict:
    """One trial: settings, figures on validation crowds, provenance."""
    _, result, scenes = fit_and_evaluate(config, "val", progress=progress)
    return {
        "settings": settings,
        "config_digest": digest,
        "metrics": {name: result.metrics[name] for name in KEPT},
        "provenance": provenance(scenes.digest, device="cpu"),
    }


def _read(path: Path) -> list[dict]:
    """The trials that are there already."""
    if not path.is_file():
        return []
    try:
        trials = json.loads(path.read_text(encoding="utf-8"))["trials"]
        return [trial for trial in trials if "config_digest" in trial]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path}: no record of a search; delete it and search again") from None
