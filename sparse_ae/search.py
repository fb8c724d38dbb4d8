"""Choosing loss weights on validation crowds: the same number of settings for every method."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sparse_ae.config import load_config, read_search
from sparse_ae.experiment import fit_and_evaluate
from sparse_ae.results import ROOT, provenance

KEPT = ("AP", "AP_easy", "AP_medium", "AP_hard", "grouping_accuracy", "first_component")


def search(preset: str, method: str, root: str | Path = ROOT, *, progress: bool = True) -> dict:
    """Train `method` once with each setting of the preset's search, on one seed, and compare the
    AP on validation crowds; test crowds are not touched.

    Writes `<root>/<preset>/<method>/search.json` after every setting and returns its content:
    the settings tried, their figures and which was best. Nothing is chosen automatically: the
    preset file holds the settings in use.
    """
    trials = []
    path = Path(root) / preset / method / "search.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    for settings in read_search(preset, method):
        config = load_config(preset, method, 0, **settings)
        _, result, scenes = fit_and_evaluate(config, "val", progress=progress)
        metrics = {name: result.metrics[name] for name in KEPT}
        trials.append({"settings": settings, "metrics": metrics})
        best = max(trials, key=lambda trial: trial["metrics"]["AP"])
        found = {
            "preset": preset,
            "method": method,
            "criterion": "AP on validation crowds",
            "trials": trials,
            "best": best["settings"],
            "provenance": provenance(scenes.digest),
        }
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(found, indent=1) + "\n")
        os.replace(unfinished, path)
    return found
