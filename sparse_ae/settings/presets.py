"""Presets: files of settings, each for a kind of run.

A preset is a YAML file in `experiments/presets`. It has settings for all methods by section,
settings of single methods under `methods`, the runs it is for under `runs`, and settings to try on
validation crowds under `search`. It cannot set what defines a method (`settings.methods`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from sparse_ae.runtime.values import short_repr
from sparse_ae.settings.methods import METHODS
from sparse_ae.settings.sections import Section
from sparse_ae.settings.settings import (
    PresetSections,
    Settings,
    in_words,
    merged,
    unknown_method,
    validated,
)

_INSTALLED = Path(__file__).with_name("preset_files")
PRESETS = (
    _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "experiments" / "presets"
)
# settings that define a method, by section; the weight of L_s belongs to the preset
DEFINES_A_METHOD = {
    "model": {"dim", "swahr_head", "offset_heads", "tag_init"},
    "loss": {"scale_aware", "focal", "decorrelate", "scale_bins"},
}
Seed = Annotated[int, Field(ge=0, lt=2**63)]


def _as_tuple(value):
    return tuple(value) if isinstance(value, list) else value


class Runs(Section):
    """Which runs a preset is for."""

    methods: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ("ae8", "rve")
    seeds: Annotated[tuple[Seed, ...], BeforeValidator(_as_tuple)] = (0,)
    search_seeds: Annotated[tuple[Seed, ...], BeforeValidator(_as_tuple)] = (0,)
    """Seeds on which a search tries each of its settings."""


class PresetFile(PresetSections):
    """What a preset file may hold."""

    base: str | None = None
    """Another preset, whose settings and methods hold where this one gives none of its own."""
    methods: dict[str, PresetSections] = Field(default_factory=dict)
    """Settings of single methods."""
    search: dict[str, list[PresetSections]] = Field(default_factory=dict)
    """Settings that a search tries for a method."""
    runs: Runs = Runs()


def load_settings(
    preset: str | Path, method: str, seed: int, overrides: Mapping[str, Mapping] | None = None
) -> Settings:
    """Return the settings of a method under a preset.

    Args:
        preset: A name in experiments/presets, or a YAML file.
        method: One of `METHODS`.
        seed: From 0 on.
        overrides: Single values by section, which replace those of the preset.

    Raises:
        ValueError: For an unknown preset, method or setting, and for values of a wrong type or out
            of range; the message has one line.
    """
    path = preset_path(preset)
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(unknown_method(method))
    content = read_preset(path)
    run = {"preset": path.stem, "method": method, "seed": seed}
    validated(Settings, {"run": run})  # so that errors in the seed do not name the file
    sections = {name: content.get(name) or {} for name in PresetSections.model_fields}
    for above in (content["methods"].get(method), METHODS[method]):
        sections = merged(sections, above)
    try:
        settings = validated(Settings, {"run": run, **sections})
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    if "run" in (overrides or {}):
        raise ValueError("run: preset, method and seed are given by themselves")
    return settings.override(overrides) if overrides else settings


def read_search(preset: str, method: str) -> tuple[list[dict], tuple[int, ...]]:
    """Return the overrides, by section, that a preset's search tries for a method, and its seeds.

    Raises:
        ValueError: For a preset without a search for this method.
    """
    content = read_preset(preset_path(preset))
    trials = content["search"].get(method)
    if not trials:
        raise ValueError(f"preset {preset!r} has no search for method {method!r}")
    return trials, read_runs(preset).search_seeds


def read_runs(preset: str) -> Runs:
    """Return the methods and seeds that a preset is for."""
    return validated(Runs, read_preset(preset_path(preset))["runs"])


def read_base(preset: str) -> str | None:
    """Return the base of a preset; None without one, or if the preset's file no longer exists.

    Records may outlive the file.
    """
    try:
        path = preset_path(preset)
    except ValueError:
        return None
    return _read_yaml(path).get("base")


def preset_path(preset: str | Path) -> Path:
    """Return the path of a preset that is given by name or as a file.

    Raises:
        ValueError: For an unknown name; the message lists the known ones.
    """
    if not isinstance(preset, str | Path):
        raise ValueError(f"preset: expected a name or a YAML file, got {short_repr(preset)}")
    path = Path(preset) if str(preset).endswith((".yaml", ".yml")) else PRESETS / f"{preset}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PRESETS.glob("*.yaml"))) or "none"
        raise ValueError(f"unknown preset {preset!r}: expected a YAML file or one of {known}")
    return path


def read_preset(path: Path) -> dict[str, Any]:
    """Return the checked content of a preset file, merged over that of its base.

    It has the sections, `methods`, `search` and `runs`, as the files have them.
    """
    content = _read_yaml(path)
    for name in ("methods", "search"):
        content[name] = {key: value or {} for key, value in _table(path, content, name).items()}
    content["runs"] = _table(path, content, "runs")
    try:
        PresetFile.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path.name}: {in_words(error, PresetFile)}") from None
    _refuse_definitions(path, content)
    base = content.get("base")
    if base is None:
        return content
    below_path = preset_path(base)
    if "base" in _read_yaml(below_path):
        raise ValueError(f"{path.name}: base {below_path.name} has a base itself")
    below = read_preset(below_path)
    sections = merged(
        {name: below.get(name) or {} for name in PresetSections.model_fields},
        {name: content.get(name) or {} for name in PresetSections.model_fields},
    )
    methods = {
        name: merged(below["methods"].get(name, {}), content["methods"].get(name))
        for name in {**below["methods"], **content["methods"]}
    }
    return {**sections, "base": base, "methods": methods,
            "search": content["search"], "runs": content["runs"]}  # fmt: skip


def _table(path: Path, content: Mapping[str, Any], name: str) -> dict:
    """Return one of the file's tables, {} if it is missing."""
    table = content.get(name) or {}
    if not isinstance(table, dict):
        raise ValueError(f"{path.name}: {name}: expected settings as 'name: value' lines")
    return table


def _refuse_definitions(path: Path, content: Mapping[str, Any]) -> None:
    """Raise ValueError for an unknown method, or for a setting that defines one."""
    named = (*content["methods"], *content["search"], *content["runs"].get("methods", ()))
    for method in named:
        if method not in METHODS:
            raise ValueError(f"{path.name}: {unknown_method(method)}")
    trials = (trial for trials in content["search"].values() for trial in trials)
    for group in (content, *content["methods"].values(), *trials):
        for section, names in DEFINES_A_METHOD.items():
            if fixed := names & set(group.get(section) or {}):
                raise ValueError(
                    f"{path.name}: {section}.{min(fixed)}: the method decides it, not a preset"
                )


def _read_yaml(path: Path) -> dict[str, Any]:
    """Return the names and values in a YAML file; nothing in it is executed."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: bad date or UTF-8
        raise ValueError(f"{path.name} is no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: expected settings as 'name: value' lines")
    return content
