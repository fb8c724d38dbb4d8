"""Tables computed from all runs of a preset, and kept as CSV files beside the records.

Ten thousand resamples of average precision for six methods take minutes, too long for a page. Each
table is kept as `<root>/<preset>/summary/<name>.csv`. Its first line has two digests: one of the
runs and the code that made it, one of the table itself. If either does not match, for example after
an edit by hand, the table is computed again.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sparse_ae.companion.completed_runs import preset_and_root
from sparse_ae.companion.knobs import KNOB_SETTINGS
from sparse_ae.companion.statistics import comparisons, curves, verdicts
from sparse_ae.runtime.files import write_whole
from sparse_ae.settings.methods import ALL
from sparse_ae.settings.presets import read_base, read_runs

log = logging.getLogger(__name__)
BASE = "ae8"  # what methods are compared with
SCALE = "ae8_scale"  # and what variants of L_s, Γ and W are
# the modules whose code determines the content of a table
CODE = (
    "statistics.bootstrap",
    "statistics.comparisons",
    "statistics.curves",
    "statistics.measures",
    "statistics.verdicts",
    "statistics.weighted_ap",
    "cached_tables",
)


def methods_with_runs(arrays: Mapping) -> list[str]:
    """Return the methods that have runs, in their usual order."""
    return [name for name in ALL if any(run[0] == name for run in arrays)]


def _knobs(records, arrays: Mapping) -> pd.DataFrame:  # noqa: ARG001
    """Compute AP and grouping accuracy over every knob, as levels and as differences from BASE."""
    parts = []
    for knob in dict.fromkeys(setting.knob for setting in KNOB_SETTINGS):
        for name in ("AP", "grouping_accuracy"):
            for base in (None, BASE):
                table = curves.by_knob_setting(
                    arrays, knob, methods_with_runs(arrays), base, name=name
                )
                parts.append(table.assign(knob=knob, name=name, base=base or "none"))
    return pd.concat(parts, ignore_index=True)


def _ends(records, arrays: Mapping) -> pd.DataFrame:  # noqa: ARG001
    """Compute the differences from BASE at the lowest and highest setting of every knob."""
    parts, methods = [], methods_with_runs(arrays)
    for knob in dict.fromkeys(setting.knob for setting in KNOB_SETTINGS):
        for name in ("AP", "grouping_accuracy"):
            table = curves.knob_extremes(arrays, knob, methods, BASE, name=name)
            parts.append(table.assign(knob=knob, name=name))
    return pd.concat(parts, ignore_index=True)


def _crowding(records, arrays: Mapping) -> pd.DataFrame:  # noqa: ARG001
    """Compute AP over the crowd index, as levels and as differences from BASE."""
    parts = [curves.average_precision_by_crowding(arrays, methods_with_runs(arrays), base)
             .assign(base=base or "none") for base in (None, BASE)]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


TABLES: dict[str, Callable] = {
    "verdicts": verdicts.measure_claims,
    "differences": lambda _, arrays: comparisons.differences(
        arrays, methods_with_runs(arrays), BASE
    ),
    "margins": lambda _, arrays: comparisons.differences(
        arrays, ("ae8_scale", "rve"), BASE, quantities=comparisons.MARGINS
    ),
    "proportions": lambda _, arrays: comparisons.proportions(arrays, "rve", BASE),
    "crowding": _crowding,
    "knobs": _knobs,
    "ends": _ends,
    "over_scale": lambda _, arrays: comparisons.differences(
        arrays, methods_with_runs(arrays), SCALE
    ),
    "thresholds": lambda _, arrays: curves.accuracy_by_threshold(arrays, methods_with_runs(arrays)),
}


# for a preset whose methods are compared with the BASE of another; read with `read_with_base`
TABLES_WITH_BASE = ("differences", "over_scale")


def table_names(preset: str) -> tuple[str, ...]:
    """Return the names of the tables that are kept for a preset."""
    if read_base(preset) is not None and BASE not in read_runs(preset).methods:
        return TABLES_WITH_BASE
    return tuple(TABLES)


def cached_table(
    name: str, records, arrays: Mapping, root: str | Path | None = None, *, keep: bool = True
) -> pd.DataFrame:
    """Return one of TABLES: read if the kept one is of exactly these runs, else computed and kept.

    Args:
        name: A key of TABLES.
        records: Records of one preset, from `read_runs` or `read_with_base`.
        arrays: Arrays of the same runs.
        root: Folder of all records.
        keep: False for a part of the preset's runs, whose table must not replace that of all runs.

    Returns:
        The table, as its CSV file has it. Without runs it is empty, and not kept.
    """
    if not records:
        return TABLES[name](records, arrays)
    path = table_path(name, records[0]["preset"], root)
    wanted = table_digest(name, arrays)
    kept = _kept(path, wanted)
    if kept is not None:
        return pd.read_csv(io.StringIO(kept))
    log.info("computing %s of preset %s, which takes a while", name, records[0]["preset"])
    table = TABLES[name](records, arrays)
    body = table.to_csv(index=False)
    content = f"{_head(wanted, body)}\n{body}".encode()
    if keep:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:  # a page can do without, and takes as long the next time
            log.warning("%s is not kept: %s", path.name, error)
    return pd.read_csv(io.StringIO(body))


def is_fresh(name: str, records, arrays: Mapping, root: str | Path | None = None) -> bool:
    """Return whether the kept table was made from exactly these runs by this code."""
    path = table_path(name, records[0]["preset"], root)
    return _kept(path, table_digest(name, arrays)) is not None


def table_path(name: str, preset: str, root: str | Path | None = None) -> Path:
    """Return the path at which a table is kept.

    Raises:
        ValueError: If the name is not a key of TABLES.
    """
    if name not in TABLES:
        raise ValueError(f"unknown summary {name!r}: expected one of {', '.join(TABLES)}")
    preset, root = preset_and_root(preset, root)
    return root / preset / "summary" / f"{name}.csv"


def table_digest(name: str, arrays: Mapping) -> str:
    """Return a digest, 16 hexadecimal digits, of a table's name, the runs' arrays and the code.

    Docstrings and lines of comments do not count; comments beside code do.
    """
    found = hashlib.sha256(name.encode())
    for (method, seed), run in sorted(arrays.items()):
        found.update(f"{method} {seed}".encode())
        for key in sorted(run):
            values = np.ascontiguousarray(run[key])
            found.update(f"{key} {values.dtype} {values.shape}".encode() + values.tobytes())
    for module in CODE:
        origin = importlib.util.find_spec(f"sparse_ae.companion.{module}").origin
        found.update(_bare(Path(origin).read_text(encoding="utf-8")).encode())
    return found.hexdigest()[:16]


def _bare(source: str) -> str:
    """Return the lines of code, without docstrings, comment lines and empty lines."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            for number in range(node.lineno - 1, node.end_lineno):
                lines[number] = ""
    return "\n".join(line for line in lines if line.strip() and line.strip()[0] != "#")


def _kept(path: Path, wanted: str) -> str | None:
    """Return the table of a file as CSV if its digests match, else None."""
    if not path.is_file():
        return None
    head, _, body = path.read_text(encoding="utf-8").partition("\n")
    return body if head == _head(wanted, body) else None


def _head(wanted: str, body: str) -> str:
    """Return the first line of a table's file."""
    of_table = hashlib.sha256(body.encode()).hexdigest()[:16]
    return f"# made by sparse-ae summarise; digests: runs and code {wanted}, this table {of_table}"
