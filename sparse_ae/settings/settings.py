"""All settings of a run, and one-line messages about bad ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError, model_validator

from sparse_ae.runtime.values import short_repr
from sparse_ae.settings.methods import METHODS
from sparse_ae.settings.sections import (
    RENDERED,
    AugmentSettings,
    DataSettings,
    DecodeSettings,
    LossSettings,
    ModelSettings,
    OptimSettings,
    ReportSettings,
    RunSettings,
    Section,
)


class PresetSections(Section):
    """The sections that a preset may give, all with their defaults."""

    data: DataSettings = DataSettings()
    augment: AugmentSettings = AugmentSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    optim: OptimSettings = OptimSettings()
    decode: DecodeSettings = DecodeSettings()
    report: ReportSettings = ReportSettings()


class Settings(PresetSections):
    """Everything that a run depends on, except the code and the bodies of the crowds.

    Only the code that runs an experiment sees all of it; all other code takes the section it needs.
    """

    run: RunSettings

    @model_validator(mode="after")
    def _fits_together(self):
        if self.run.method not in METHODS:
            raise ValueError(unknown_method(self.run.method))
        for name in PresetSections.model_fields:  # a section's values may come from two files
            try:
                getattr(self, name).check()
            except ValueError as error:
                raise ValueError(f"{name}.{error}") from None
        if self.model.dim == 0 and self.run.method not in ("offset", "heatmaps"):
            raise ValueError("model.dim: expected a positive number, got 0")
        if self.data.source == "custom" and not self.data.train_set:
            raise ValueError("data.train_set: missing, as [annotations.json, folder of its photos]")
        if self.report.knob_scenes and self.data.skeleton not in RENDERED:
            raise ValueError(
                "report.knob_scenes: expected 0, for only crowds of coco and crowdpose can be "
                f"rendered, not of {self.data.skeleton!r}"
            )
        self.check_batch()
        return self

    def check_batch(self, processes: int = 1) -> None:
        """Refuse a batch that batch normalisation cannot train on: one cell of one image.

        Args:
            processes: Number of processes that share a batch.

        Raises:
            ValueError: For such a batch; the message names the settings, in one line.
        """
        together = 1 if self.optim.sync_batch_norm else processes
        images, stride = self.optim.batch // together, self.model.coarsest_stride
        if images == 1 and self.data.size == stride:
            where = f" for each of {together} processes" if together > 1 else ""
            raise ValueError(
                f"optim.batch: expected at least {2 * together} with data.size {stride}, or a "
                f"data.size from {2 * stride} on: one image{where} is one cell of the coarsest "
                "map, and a single value cannot be normalised"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return all settings as plain values, by section, for a record."""
        return self.model_dump(mode="json")

    def override(self, values: Mapping[str, Mapping[str, Any]]) -> Settings:
        """Return the settings with some values replaced, by section; raise as `validated` does."""
        return validated(Settings, merged(self.model_dump(), values))


def merged(below: Mapping[str, Any], above: Mapping[str, Any] | None) -> dict[str, Any]:
    """Merge sections of settings; values of `above` replace those of `below`."""
    result = {name: dict(section) for name, section in below.items()}
    for name, section in (above or {}).items():
        if not isinstance(section, Mapping):
            raise ValueError(f"{name}: expected settings as 'name: value' lines, got "
                             f"{short_repr(section)}")  # fmt: skip
        result[name] = {**result.get(name, {}), **section}
    return result


def unknown_method(method: object) -> str:
    """Return the error message for an unknown method."""
    return f"unknown method {short_repr(method)}: expected one of {', '.join(METHODS)}"


def validated(kind: type[Section], values: Mapping[str, Any]):
    """Return `kind` with these values; raise a one-line ValueError naming section and setting."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ValueError(in_words(error, kind)) from None


WANTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "settings as 'name: value' lines",
    "model_attributes_type": "settings as 'name: value' lines",
    "dict_type": "settings as 'name: value' lines",
}


SHORTER = {
    "Input should be ": "",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
}


def in_words(error: ValidationError, kind: type[Section]) -> str:
    """Return the first error in one line: the setting, what was expected and what was given."""
    first = min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    given = short_repr(first["input"])
    if first["type"] == "invalid_key":  # a number instead of a name
        place = ".".join(filter(None, (place, given)))
    if first["type"] in ("extra_forbidden", "invalid_key"):
        return f"unknown setting {place!r}: expected one of {', '.join(_known(kind, first['loc']))}"
    if first["type"] == "value_error":
        return f"{place}: {first['ctx']['error']}".removeprefix(": ")
    if first["type"] == "missing":
        return f"{place}: a value is missing"
    if first["type"] == "too_long":
        return f"{place}: expected {first['ctx']['max_length']} values, got {len(first['input'])}"
    wanted = WANTED.get(first["type"], first["msg"])
    for theirs, ours in SHORTER.items():
        wanted = wanted.replace(theirs, ours)
    hint = ""
    if wanted == "a number" and isinstance(first["input"], str):
        hint = " (write 1.0e-3, not 1e-3)"
    return f"{place}: expected {wanted}, got {given}{hint}".removeprefix(": ")


def _known(kind: type[Section], place: tuple) -> list[str]:
    """Return the known settings of the section that has an unknown one."""
    sections = PresetSections.model_fields
    inner = [sections[part].annotation for part in place[:-1] if part in sections]
    if place[0] in ("methods", "search"):
        inner.insert(0, PresetSections)
    if place[0] == "runs" and len(place) > 1:
        inner = [kind.model_fields["runs"].annotation]
    return sorted((inner or [kind])[-1].model_fields)
