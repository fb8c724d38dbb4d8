"""The settings of a run in sections, the presets, and the methods that are compared."""

from sparse_ae.settings.methods import MAIN, METHODS, Method
from sparse_ae.settings.presets import PRESETS, load_settings, read_runs, read_search
from sparse_ae.settings.sections import (
    AugmentSettings,
    DataSettings,
    DecodeSettings,
    LossSettings,
    ModelSettings,
    OptimSettings,
    ReportSettings,
    RunSettings,
)
from sparse_ae.settings.settings import Settings

__all__ = [
    "MAIN",
    "METHODS",
    "PRESETS",
    "AugmentSettings",
    "DataSettings",
    "DecodeSettings",
    "LossSettings",
    "Method",
    "ModelSettings",
    "OptimSettings",
    "ReportSettings",
    "RunSettings",
    "Settings",
    "load_settings",
    "read_runs",
    "read_search",
]
