"""Settings for tests by their names alone, without their sections."""

from __future__ import annotations

from sparse_ae.settings import Settings, load_settings
from sparse_ae.settings.settings import PresetSections

# names that two sections have: where tests mean them
MEANT = {"flip": "augment", "scales": "data", "scale": "augment"}


def flat_settings(preset: str, method: str, seed: int = 0, **values) -> Settings:
    """`load_settings` with values in place of the preset's: flat_settings("smoke", "rve", steps=3)
    sets optim.steps."""
    return load_settings(preset, method, seed, by_section(values))


def by_section(values: dict) -> dict[str, dict]:
    """Values by section: {"steps": 3} as {"optim": {"steps": 3}}."""
    found: dict[str, dict] = {}
    for name, value in values.items():
        has = [section for section, field in PresetSections.model_fields.items()
               if name in field.annotation.model_fields]  # fmt: skip
        (section,) = {MEANT.get(name, has[0])} if has else {None}
        if section is None:
            raise KeyError(name)
        found.setdefault(section, {})[name] = value
    return found
