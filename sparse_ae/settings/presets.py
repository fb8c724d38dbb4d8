"""Presets: files of settings, each for a kind of run.

A preset is a YAML file of `experiments/presets`: settings for all methods, and under `methods`
what is particular to one. What defines a method (`METHODS`) is no setting of a preset.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import yaml

from sparse_ae.runtime.values import short_repr
from sparse_ae.settings.config import METHODS, Config

PRESETS = Path(__file__).parents[2] / "experiments" / "presets"
NOT_OF_A_PRESET = {"preset", "method", "seed"}.union(*METHODS.values()) - {"scale_weight"}


def read_search(preset: str, method: str) -> tuple[list[dict], tuple[int, ...]]:
    """The settings that a preset's search tries for a method (its key `search`), a list of
    overrides, and the seeds on which it tries each (`search_seeds` under `runs`; one, 0).
    ValueError where the preset has none."""
    read = _read_preset(_preset_file(preset))
    trials = read.search.get(method)
    if not trials:
        raise ValueError(f"preset {preset!r} has no search for method {method!r}")
    return trials, tuple(read.runs.get("search_seeds", (0,)))


def read_runs(preset: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The methods and seeds that a preset's runs are for (its key `runs`)."""
    runs = {"methods": ("ae8", "rve"), "seeds": (0,), **_read_preset(_preset_file(preset)).runs}
    return tuple(runs["methods"]), tuple(runs["seeds"])


def read_base(preset: str) -> str | None:
    """The preset that a preset stands on (its key `base`); None without one, or where there is no
    such file: records outlive it."""
    if not Path(preset).is_file() and not (PRESETS / f"{preset}.yaml").is_file():
        return None
    return _read_preset(_preset_file(preset)).base


def load_config(preset: str, method: str, seed: int, **overrides) -> Config:
    """The settings of `method` under `preset` (a name in experiments/presets, or a YAML file).

    overrides: single settings, after those of the preset. ValueError in one line for an unknown
    preset, method or setting, and for values of the wrong type.
    """
    path = _preset_file(preset)
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"unknown method {method!r}: expected one of {', '.join(METHODS)}")
    read = _read_preset(path)
    settings = {**read.common, **read.methods.get(method, {}), **METHODS[method], **overrides}
    Config(path.stem, method, seed)  # errors of the seed are not the file's
    try:
        return Config(preset=path.stem, method=method, seed=seed, **settings)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _preset_file(preset: str) -> Path:
    if not isinstance(preset, str | Path):
        raise ValueError(f"preset: expected a name or a YAML file, got {short_repr(preset)}")
    path = Path(preset) if str(preset).endswith((".yaml", ".yml")) else PRESETS / f"{preset}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PRESETS.glob("*.yaml"))) or "none"
        raise ValueError(f"unknown preset {preset!r}: expected a YAML file or one of {known}")
    return path


class _Preset(NamedTuple):
    """Settings for all methods, those of single methods, the search, and which runs to make, and
    the preset below."""

    common: dict
    methods: dict
    search: dict
    runs: dict
    base: str | None


def _read_preset(path: Path) -> _Preset:
    """A preset file, every key checked. One that names another as its `base` has that one's
    settings and methods where it gives none of its own."""
    content = _read_yaml(path)
    base = content.pop("base", None)
    if base is not None:
        if not isinstance(base, str):
            raise ValueError(f"{path.name}: base: expected a preset's name, got {short_repr(base)}")
        below = _preset_file(base)
        if "base" in _read_yaml(below):
            raise ValueError(f"{path.name}: base {below.name} has a base itself")
        below = _read_preset(below)
    particular = content.pop("methods", None) or {}
    if not _is_table(particular, dict | None):
        raise ValueError(f"{path.name}: methods: expected settings under each method's name")
    trials = content.pop("search", None) or {}
    if not _is_table(trials, list) or not all(_is_table(t) for v in trials.values() for t in v):
        raise ValueError(f"{path.name}: search: expected a list of settings under a method's name")
    runs = content.pop("runs", None) or {}
    _check_runs(path, runs)
    known = {field.name for field in dataclasses.fields(Config)} - NOT_OF_A_PRESET
    groups = (content, *particular.values(), *(t for v in trials.values() for t in v))
    for key in (key for group in groups for key in group or {}):
        if key not in known:
            raise ValueError(
                f"{path.name}: unknown setting {key!r}: expected one of {', '.join(sorted(known))}"
            )
    for method in (*particular, *trials, *runs.get("methods", ())):
        if method not in METHODS:
            raise ValueError(
                f"{path.name}: unknown method {method!r}: expected one of {', '.join(METHODS)}"
            )
    methods = {name: value or {} for name, value in particular.items()}
    if base is not None:
        content = {**below.common, **content}
        names = {**below.methods, **methods}
        methods = {n: {**below.methods.get(n, {}), **methods.get(n, {})} for n in names}
    return _Preset(content, methods, trials, runs, base)


def _read_yaml(path: Path) -> dict:
    """What is in the file, names and values; nothing in it is executed."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no date, no UTF-8
        raise ValueError(f"{path.name} is no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: expected settings as 'name: value' lines")
    return content


def _is_table(value, kind=object) -> bool:
    """Whether a value is a dict of values of this kind."""
    return isinstance(value, dict) and all(isinstance(item, kind) for item in value.values())


def _check_runs(path: Path, runs) -> None:
    """ValueError unless `runs` says which methods and seeds a preset is for."""
    kinds = {"methods": str, "seeds": int, "search_seeds": int}
    if not _is_table(runs, list) or not set(runs) <= set(kinds):
        raise ValueError(f"{path.name}: runs: expected lists under methods, seeds, search_seeds")
    for name, values in runs.items():
        for value in values:
            whole = isinstance(value, kinds[name]) and not isinstance(value, bool)
            if not whole or (kinds[name] is int and value < 0):
                wanted = "names" if kinds[name] is str else "integers from 0 on"
                raise ValueError(
                    f"{path.name}: runs: {name}: expected {wanted}, got {short_repr(value)}"
                )
