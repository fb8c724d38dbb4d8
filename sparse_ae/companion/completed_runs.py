"""Completed runs, read from their records, and which of them the reader made.

Pages show two presets. The evidence that judges the claims (`read_evidence`) is the same for every
reader. The reader's own run, one seed made by `make book`, is shown beside those of its preset that
came with the repository.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sparse_ae.companion.records import read_arrays, read_records, record_path
from sparse_ae.runtime.provenance import REPOSITORY
from sparse_ae.settings.presets import read_base

EVIDENCE = "evening"  # the preset whose runs judge the claims
HOUR = 3600  # seconds


def read_runs(preset: str | None = None, root: str | Path | None = None):
    """Read the records and arrays of a preset.

    Args:
        preset: By default the environment's SPARSE_AE_PRESET, else "reader".
        root: By default the environment's SPARSE_AE_RESULTS, else `experiments/results` of the
            repository.

    Returns:
        A list of records, and {(method, seed): arrays}.

    Raises:
        ValueError: If a file is damaged.
    """
    preset, root = preset_and_root(preset, root)
    records = read_records(preset, root)
    paths = {(r["method"], r["seed"]): record_path(preset, r["method"], r["seed"], root)
             for r in records}  # fmt: skip
    return records, {run: read_arrays(path) for run, path in paths.items()}


def evidence_preset() -> str:
    """Return the preset whose runs judge the claims: SPARSE_AE_EVIDENCE, else EVIDENCE."""
    return os.environ.get("SPARSE_AE_EVIDENCE", EVIDENCE)


def read_evidence(root: str | Path | None = None):
    """Read the records and arrays of `evidence_preset`, as `read_runs` does."""
    return read_runs(evidence_preset(), root)


def read_with_base(preset: str, root: str | Path | None = None):
    """Read the runs of a preset and those of the preset that it builds on, as `read_runs` does.

    The base's runs follow if they were evaluated on the same test crowds and the preset has no run
    of the same method and seed. Without a run of the preset itself, nothing is returned.

    Args:
        preset: Name of the preset, or its file.
        root: See `read_runs`.
    """
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
    """Return the seed of the reader's own run: SPARSE_AE_SEED, which `make book` sets, else 0."""
    seed = os.environ.get("SPARSE_AE_SEED", "0")
    if not seed.isdigit():
        raise ValueError(f"SPARSE_AE_SEED: expected an integer from 0 on, got {seed!r}")
    return int(seed)


def is_own(record: dict) -> bool:
    """Return whether a run is the reader's own.

    The reader's own run has the preset and seed that `make book` is set to.
    """
    return record["preset"] == preset_and_root(None, None)[0] and record["seed"] == own_seed()


def example_run(records: Sequence[dict], method: str) -> dict | None:
    """Return the run of a method that figures show: the reader's own, else the first seed.

    None where the method has no run.
    """
    runs = [record for record in records if record["method"] == method]
    own = [record for record in runs if is_own(record)]
    return (own or runs or [None])[0]


def paired_seeds(records: Sequence[dict], method: str = "rve", base: str = "ae8") -> list[int]:
    """Return the seeds with a run of both methods, ascending."""
    seeds = {name: {r["seed"] for r in records if r["method"] == name} for name in (method, base)}
    return sorted(seeds[method] & seeds[base])


def paired_difference(records, metric, method="rve", base="ae8") -> np.ndarray:
    """Return (S,) a metric of `method` minus that of `base`, one value per seed that has both."""
    value = {(r["method"], r["seed"]): r["metrics"][metric] for r in records}
    seeds = paired_seeds(records, method, base)
    return np.array([value[method, seed] - value[base, seed] for seed in seeds])


def core_hours(records: Sequence[dict]) -> float:
    """Return how many hours the runs took, at one core each.

    If a record lacks the whole time, the training time counts.
    """
    return (
        sum(
            record["provenance"].get("seconds") or record["metrics"]["train_seconds"]
            for record in records
        )
        / HOUR
    )


def preset_and_root(preset: str | None, root: str | Path | None) -> tuple[str, Path]:
    """Return the preset and root as given, else from the environment, else the reader's default.

    A preset that is given as a file becomes the name that its records have.
    """
    preset = preset or os.environ.get("SPARSE_AE_PRESET", "reader")
    if preset.endswith((".yaml", ".yml")):
        preset = Path(preset).stem
    root = root or os.environ.get("SPARSE_AE_RESULTS", REPOSITORY / "experiments" / "results")
    return preset, Path(root)
