"""Records of runs on photos, as a page shows them."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sparse_ae.companion.runs import preset_and_root
from sparse_ae.companion.tables.tables import METHOD_LABELS, number
from sparse_ae.evaluation.evaluate_photos import SCHEMA

FOUND = {  # of what went wrong, in the order of a table
    "photos": "photos",
    "persons": "persons to find",
    "found": "found (similarity 0.5)",
    "missed": "missed: no joint near",
    "nobody": "detections of nobody",
    "merged": "two persons merged",
    "split": "a person split",
    "swapped": "a limb of somebody else",
    "twice": "found twice",
}


def read_photo_records(preset: str, root: str | Path | None = None) -> list[dict]:
    """Every `seed-<n>.photos.json` of a preset, by method and seed; none is an empty list.
    ValueError, naming the file, for one that is no such record."""
    preset, root = preset_and_root(preset, root)
    records = []
    for path in sorted((root / preset).glob("*/seed-*.photos.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{path}: no record of a run on photos ({error})") from None
        problem = _problem(record) if path.parent.name in METHOD_LABELS else "unknown method"
        if problem:
            raise ValueError(
                f"{path}: no record of schema {SCHEMA}: {problem}; evaluate the weights again"
            )
        records.append(record | {"method": path.parent.name, "preset": preset})
    return records


def _problem(record) -> str | None:
    """What keeps a page from showing a record, or None."""
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        return "another schema"
    for field in ("metrics", "wrong", "settings", "weights", "provenance"):
        if not isinstance(record.get(field), dict):
            return f"field {field!r} is missing"
    numbers = [v for v in (*record["metrics"].values(), *record["wrong"].values()) if v is not None]
    if not numbers or not all(type(v) in (int, float) and math.isfinite(v) for v in numbers):
        return "fields 'metrics' and 'wrong' must be finite numbers"
    texts = {"data": record.get("data"), "weights.sha256": record["weights"].get("sha256"),
             "provenance.commit": record["provenance"].get("commit") or ""}  # fmt: skip
    for field, value in texts.items():
        if not isinstance(value, str):
            return f"field {field!r} must be a text"
    if type(record["settings"].get("size")) is not int:
        return "field 'settings.size' must be a number of pixels"
    return None


def precision_table(records: Sequence[dict]) -> pd.DataFrame:
    """The official figures of runs on photos, in percent, a row a run."""
    rows = {METHOD_LABELS[record["method"]]: {
        name: number(float("nan") if value is None else 100 * value)
        for name, value in record["metrics"].items()
    } for record in records}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def wrong_table(records: Sequence[dict]) -> pd.DataFrame:
    """How many persons were found, and what went wrong with the others, a column a run."""
    columns = {METHOD_LABELS[record["method"]]: {
        label: record["wrong"][name] for name, label in FOUND.items() if name in record["wrong"]
    } for record in records}  # fmt: skip
    return pd.DataFrame(columns)


def photo_source(records: Sequence[dict]) -> str:
    """HTML for below a table: what the records are of, and from which commit."""
    if not records:
        return '<p class="made-of">No such run yet.</p>'
    parts = []
    for record in records:
        made, size = record["provenance"], record["settings"]["size"]
        commit = html.escape((made.get("commit") or "unknown")[:7])
        names = (f"<code>{html.escape(record[name])}</code>" for name in ("preset", "method"))
        parts.append(
            f"{', '.join(names)}, on "
            f"{html.escape(record['data'])} at {size} pixels, commit {commit}, weights "
            f"{html.escape(record['weights']['sha256'][:7])}"
        )
    return f'<p class="made-of">Made of {"; ".join(parts)}.</p>'
