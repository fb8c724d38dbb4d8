"""Repeat the run of a record, and tell whether it is equal to the bit or why it may differ.

On one machine, with the versions that a record names, equal settings give equal figures. So a
record can be checked in three ways: by a whole run; by an evaluation of the weights beside it; and,
quickly, by its own arrays, from which most of its figures follow.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparse_ae.companion.experiment import identity, load_weights, measure, path_of, run
from sparse_ae.companion.records import (
    METRICS,
    provenance,
    read_arrays,
    read_record,
    record_files,
)
from sparse_ae.evaluation.measures import summary
from sparse_ae.metrics import Matches, ap_of_matches
from sparse_ae.runtime.launch import Options
from sparse_ae.settings import Settings
from sparse_ae.settings.settings import validated
from sparse_ae.training.resume import flat

TIMES = ("train_seconds", "images_per_second")  # differ from run to run
ROUNDING = 1e-6  # of AP from arrays, which keep the scores it ranks by in single precision
THRESHOLDS = 10
EDITED = "the record was changed after it was written, or the arrays beside it are another run's"


class Difference(NamedTuple):
    """A figure that is not what a record says, with both values as text.

    Attributes:
        name: Name of the figure, such as "metrics.AP".
        recorded: What the record says.
        found: What came out now.
    """

    name: str
    recorded: str
    found: str


class Verification(NamedTuple):
    """What a comparison found.

    Attributes:
        what: "arrays", "run" or "evaluation": what the record was compared with.
        compared: How many figures and arrays.
        differences: Those that differ.
        reasons: What may explain the differences: what differs here from the record's provenance.
    """

    what: str
    compared: int
    differences: tuple[Difference, ...]
    reasons: tuple[str, ...]


def verify(
    path: str | Path, *, evaluation: bool = False, weights: str | Path | None = None,
    options: Options | None = None, progress: bool = True,
) -> Verification:  # fmt: skip
    """Repeat the run of a record in a temporary folder, and compare.

    All metrics but TIMES are compared, and every array, to the bit. If the record's figures do not
    follow from its own arrays (`differences_from_arrays`), nothing is run.

    Args:
        path: Path of the record.
        evaluation: Repeat only the evaluation, with existing weights.
        weights: For `evaluation`; by default those beside the record.
        options: Runtime options.
        progress: Whether to show progress bars.

    Raises:
        ValueError: If it cannot be done: no record, no weights, or other crowds than those of the
            record.
    """
    path = Path(path)
    record, arrays = read_record(path), read_arrays(path)
    if wrong := differences_from_arrays(record, arrays):
        return Verification("arrays", len(METRICS) - 1, tuple(wrong), (EDITED,))
    settings = recorded_settings(record, path)
    if evaluation:
        net = load_weights(settings, weights or record_files(path)[0])
        metrics, again, *_ = measure(settings, net, progress=progress)
    else:
        if weights is not None:
            raise ValueError("--weights: goes with --evaluation; a whole run trains its own")
        with tempfile.TemporaryDirectory(prefix="sparse-ae-verify-") as folder:
            made = run(settings, folder, options=options, progress=progress)
            metrics = made["metrics"]
            again = read_arrays(path_of(settings, folder))
    there = {name: value for name, value in record["metrics"].items()
             if name in metrics and name not in TIMES}  # fmt: skip
    differences = [*_unequal_numbers(there, metrics), *_unequal_arrays(arrays, again, evaluation)]
    reasons = environment_changes(record["provenance"]) if differences else []
    what = "evaluation" if evaluation else "run"
    return Verification(what, len(there) + len(again), tuple(differences), tuple(reasons))


def recorded_settings(record: Mapping, path: Path) -> Settings:
    """Return the settings of a record's run.

    Raises:
        ValueError: If this code has other settings or draws other crowds; the message names the
            record.
    """
    try:
        settings = validated(Settings, record["settings"])
        wanted = identity(settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: settings: {error}") from None
    commit = (record["provenance"].get("commit") or "unknown")[:12]
    for part in ("settings", "data"):
        ours, theirs = (flat(json.loads(json.dumps(one[part]))) for one in (wanted, record))
        for name in sorted({*ours, *theirs}):
            if ours.get(name) != theirs.get(name):
                raise ValueError(
                    f"{path}: {part}.{name} is {theirs.get(name)}, and of this code "
                    f"{ours.get(name)}: it cannot be made again but with commit {commit}"
                )
    return settings


def _unequal_numbers(recorded: Mapping, found: Mapping) -> list[Difference]:
    """Return the metrics that are not the same to the bit; nan equals nan."""
    return [Difference(f"metrics.{name}", repr(value), repr(float(found[name])))
            for name, value in recorded.items()
            if not _same(value, float(found[name]))]  # fmt: skip


def _same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


def _unequal_arrays(recorded: Mapping, found: Mapping, evaluation: bool) -> list[Difference]:
    """Return the arrays that differ, and in how many values.

    For an evaluation, only the arrays that it makes count; otherwise an array that one side lacks
    differs too.
    """
    names = sorted(found) if evaluation else sorted({*recorded, *found})
    differences = []
    for name in names:
        sides = recorded.get(name), found.get(name)
        if any(side is None for side in sides) or sides[0].shape != sides[1].shape:
            shapes = ["missing" if side is None else f"of shape {side.shape}" for side in sides]
            differences.append(Difference(f"array {name}", *shapes))
            continue
        left, right = sides
        nan = left.dtype.kind == "f" and right.dtype.kind == "f"
        unequal = (left != right) & ~(np.isnan(left) & np.isnan(right)) if nan else left != right
        if unequal.any():
            first = tuple(np.argwhere(unequal)[0])
            count = f"{np.count_nonzero(unequal)} of {unequal.size} values, the first"
            differences.append(Difference(f"array {name}, {count}", f"{left[first]}",
                                          f"{right[first]}"))  # fmt: skip
    return differences


def environment_changes(recorded: Mapping) -> list[str]:
    """Return what differs here from a record's provenance, one line each."""
    here = provenance(recorded.get("data_digest", ""))
    lines = [f"{package} {version} then, {here['packages'].get(package)} now"
             for package, version in recorded.get("packages", {}).items()
             if version != here["packages"].get(package)]  # fmt: skip
    for name in ("commit", "device", "platform"):
        if recorded.get(name) != here[name]:
            lines.append(f"{name} {recorded.get(name)} then, {here[name]} now")
    for when, made in (("then", recorded), ("now", here)):
        if made.get("dirty"):
            lines.append(f"the code differed from its commit {when}")
    return lines


def differences_from_arrays(record: Mapping, arrays: Mapping[str, np.ndarray]) -> list[Difference]:
    """Return the figures of a record that do not follow from the arrays beside it.

    There are some if the record was changed by hand, or the arrays are another run's. Average
    precision and recall follow to ROUNDING, the embeddings' figures exactly, and the speed from
    time, steps and batch. The time cannot be checked, nor can APM and APL on photos, which need the
    areas of persons; crowds have neither.
    """
    bits = np.arange(THRESHOLDS)[:, None]
    matched, skipped = ((arrays[f"match_{name}"][None] >> bits & 1).astype(bool)
                        for name in ("matched", "skipped"))  # fmt: skip
    matches = Matches(arrays["match_score"], arrays["match_image"].astype(int), matched, skipped,
                      arrays["match_persons"].astype(int))  # fmt: skip
    metrics, optim = record["metrics"], record["settings"]["optim"]
    founded = {**ap_of_matches(matches, arrays["crowd_index"]), **summary(arrays)}
    founded["images_per_second"] = optim["steps"] * optim["batch"] / metrics["train_seconds"]
    if record["settings"]["data"]["source"] in ("crowds", "rendered"):
        founded |= {"APM": math.nan, "APL": math.nan}
    lines = []
    for name in METRICS:
        value = founded.get(name, metrics[name])
        close = ROUNDING if name.startswith("A") else 0.0
        if not _same(value, metrics[name]) and not abs(value - metrics[name]) <= close:
            lines.append(Difference(f"metrics.{name}", repr(metrics[name]), repr(value)))
    return lines
