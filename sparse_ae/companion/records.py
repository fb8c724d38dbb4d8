"""A run's record: what was run, on what, and what came out.

One run is two files: `<root>/<preset>/<method>/seed-<n>.json` (settings, metrics, provenance) and
`seed-<n>.npz` beside it (figures of every image and a few example scenes). Both replace an older
record at once, together with the weights: whenever a run is killed, either the old or the new
record is there, complete. A record names no folder of the machine that made it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from sparse_ae.evaluation.measures import MEASURES
from sparse_ae.runtime.array_files import read_npz
from sparse_ae.runtime.files import complete_commit, unwritable_error, write_together
from sparse_ae.runtime.provenance import provenance

__all__ = [
    "METRICS",
    "PER_IMAGE",
    "SCHEMA",
    "check_writable",
    "is_done",
    "provenance",
    "read_arrays",
    "read_record",
    "read_records",
    "record_files",
    "record_path",
    "settings_digest",
    "write_record",
]  # fmt: skip
SCHEMA = 3
METRICS = (  # on photos and on crowds; undefined ones are null
    "AP", "AP50", "AP75", "AP_easy", "AP_medium", "AP_hard", "APM", "APL", "AR",
    *MEASURES, "excess_share", "grouping_accuracy_hard", "group_margin_hard", "closest_gap_hard",
    "group_margin_negative", "train_seconds", "images_per_second",
)  # fmt: skip
PER_IMAGE = ("image_id", "persons", "crowd_index", *MEASURES)
MATCHES = ("match_score", "match_image", "match_matched", "match_skipped", "match_persons")
FIELDS = {
    "schema": int,
    "preset": str,
    "method": str,
    "seed": int,
    "settings": dict,
    "data": dict,
    "settings_digest": str,
    "metrics": dict,
    "provenance": dict,
}
ROOT = "experiments/results"
FILES = {"weights": ".safetensors", "detections": ".detections.json", "arrays": ".npz",
         "record": ".json"}  # fmt: skip


def record_path(preset: str, method: str, seed: int, root: str | Path = ROOT) -> Path:
    """Return the path of a run's record: `<root>/<preset>/<method>/seed-<seed>.json`.

    Args:
        preset: Name of the preset, without slashes.
        method: Name of the method, without slashes.
        seed: Integer from 0 on.
        root: Folder of all records.

    Raises:
        ValueError: For a name with slashes, or another seed.
    """
    for field, name in (("preset", preset), ("method", method)):
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
            raise ValueError(f"{field} must be a plain name without slashes, not {name!r}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be an integer from 0 on, not {seed!r}")
    return Path(root) / preset / method / f"seed-{seed}.json"


def settings_digest(settings: Mapping) -> str:
    """Return 16 hexadecimal digits, equal for equal settings (SHA-256 of canonical JSON)."""
    text = json.dumps(
        settings, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_done(path: str | Path, digest: str) -> bool:
    """Return whether a run is complete and was made with these settings.

    The content of the record decides, not the age of its file, because in a fresh clone all files
    have the same age.

    Args:
        path: Path of the record.
        digest: `settings_digest` of the run's identity.
    """
    try:
        record = read_record(path)  # completes what a killed run left
        with zipfile.ZipFile(Path(path).with_suffix(".npz")) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (ValueError, OSError, zipfile.BadZipFile):
        return False
    return record["settings_digest"] == digest and names >= {*PER_IMAGE, *MATCHES}


def check_writable(root: str | Path, preset: str, method: str) -> Path:
    """Make the folder of a run's record and try to write there, before hours go into the run.

    Args:
        root: Folder of all records.
        preset: Preset of the run.
        method: Method of the run.

    Returns:
        The folder.

    Raises:
        OSError: If it cannot be written to.
    """
    folder = record_path(preset, method, 0, root).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable_error(folder, error) from None
    return folder


def write_record(
    record: Mapping, arrays: Mapping[str, np.ndarray], root: str | Path = ROOT, *,
    weights: Callable[[Path], object] | None = None, detections: bytes | None = None,
) -> Path:  # fmt: skip
    """Write one run's record, arrays and weights, all of them or none.

    Args:
        record: The fields of FIELDS. A metric that is undefined is nan, and stored as null.
        arrays: Those of PER_IMAGE, all of shape (I,), those of MATCHES, and any others.
        root: Folder of all records.
        weights: Writes the net's weights to the path that it is given.
        detections: A file in COCO's results format, as evaluation servers take it.

    Returns:
        Path of the JSON file.

    Raises:
        ValueError: For a record that `read_record` would refuse. An older record stays as it was.
        OSError: If the folder cannot be written to. An older record stays as it was.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    path = record_path(record.get("preset"), record.get("method"), record.get("seed"), root)
    metrics = {name: _null(value) for name, value in dict(record.get("metrics", {})).items()}
    try:
        text = json.dumps({**record, "metrics": metrics}, indent=1, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: the record cannot be written as JSON: {error}") from None
    _check(json.loads(text), path)
    _check_arrays(arrays, path)
    check_writable(root, record["preset"], record["method"])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    places = dict(zip(FILES, record_files(path), strict=True))
    contents = {"weights": weights, "detections": detections, "arrays": buffer.getvalue(),
                "record": text.encode() + b"\n"}  # fmt: skip
    write_together([(places[name], content) for name, content in contents.items() if content])
    return path


def record_files(path: str | Path) -> tuple[Path, ...]:
    """Return a run's weights, detections, arrays and record, in the order of writing.

    Args:
        path: Path of the record.
    """
    return tuple(Path(path).with_suffix(ending) for ending in FILES.values())


def read_record(path: str | Path) -> dict:
    """Read one run's record.

    Args:
        path: Path of the JSON file.

    Returns:
        The fields of FIELDS; an undefined metric is nan.

    Raises:
        ValueError: If the file is missing, is not a record, or was moved; the message names file
            and field.
    """
    path = Path(path)
    complete_commit(record_files(path))
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such record; make it with experiments/train.ipynb") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a whole JSON file ({error}); delete it, run again") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    _check(record, path)
    try:
        named = record_path(record["preset"], record["method"], record["seed"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if named.parts[-3:] != path.resolve().parts[-3:]:
        said = "/".join(named.with_suffix("").parts[-3:])
        raise ValueError(f"{path}: fields preset, method and seed say {said}: the file was moved")
    record["metrics"] = {
        name: math.nan if value is None else float(value)
        for name, value in record["metrics"].items()
    }
    return record


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays beside a record into memory.

    Args:
        path: Path of the record or of its arrays.

    Raises:
        ValueError: If the file is missing or damaged, or lacks an array.
    """
    complete_commit(record_files(path))
    path = Path(path).with_suffix(".npz")
    try:
        arrays = read_npz(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: the record's arrays are missing; run it again") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not a whole npz file ({error}); run it again") from None
    _check_arrays(arrays, path)
    return arrays


def read_records(preset: str, root: str | Path = ROOT) -> list[dict]:
    """Read all records of a preset.

    Args:
        preset: Name of the preset.
        root: Folder of all records.

    Returns:
        The records, sorted by method and seed; an empty list if there are none.

    Raises:
        ValueError: If a file is not a record.
    """
    paths = [path for path in (Path(root) / preset).glob("*/seed-*.json") if "." not in path.stem]
    return sorted(map(read_record, paths), key=lambda record: (record["method"], record["seed"]))


def _check(record: object, path: Path) -> None:
    """Raise ValueError, naming file and field, unless `record` (as JSON gives it) is a record."""
    if not isinstance(record, dict):
        raise ValueError(f"{path}: expected a JSON object with the fields {', '.join(FIELDS)}")
    for field, kind in FIELDS.items():
        if field not in record:
            raise ValueError(f"{path}: field {field!r} is missing")
        if not isinstance(record[field], kind) or isinstance(record[field], bool):
            raise ValueError(f"{path}: field {field!r} must be {kind.__name__}")
        if field == "schema" and record[field] != SCHEMA:  # first: other schemas have other fields
            raise ValueError(f"{path}: field 'schema' is {record[field]}, this code reads {SCHEMA}")
    if unknown := set(record) - set(FIELDS):
        raise ValueError(f"{path}: unknown field {min(unknown)!r}")
    if wrong := set(record["metrics"]) ^ set(METRICS):
        raise ValueError(f"{path}: field 'metrics' lacks or should not have {min(wrong)!r}")
    for name, value in record["metrics"].items():
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise ValueError(f"{path}: field 'metrics.{name}' must be a number or null")
        if value is not None and not abs(value) <= sys.float_info.max:
            raise ValueError(f"{path}: field 'metrics.{name}' must be finite, or null")
    for name in ("commit", "date", "device", "data_digest"):
        if not isinstance(record["provenance"].get(name), str | None):
            raise ValueError(f"{path}: field 'provenance.{name}' must be a text or null")
    try:
        digest = settings_digest({"settings": record["settings"], "data": record["data"]})
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: field 'settings': {error}") from None
    if record["settings_digest"] != digest:
        raise ValueError(f"{path}: field 'settings_digest' does not belong to field 'settings'")


def _check_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Raise ValueError unless all arrays are there, fit each other, and hold no objects."""
    for name in ("accuracy_at", *MATCHES, *PER_IMAGE):
        if name not in arrays:
            raise ValueError(f"{path}: array {name!r} is missing")
    for name in PER_IMAGE:
        if arrays[name].shape != (len(arrays["image_id"]),):
            raise ValueError(f"{path}: array {name!r} must have one value an image")
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"{path}: array {name!r} holds Python objects")


def _null(value: float | None) -> float | None:
    """Return None for nan, which JSON does not have."""
    return None if isinstance(value, float | np.floating) and math.isnan(value) else value


def _plain(value: object) -> object:
    """Convert NumPy scalars and paths to what JSON knows."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} {value!r} has no place in a record")
