"""Test crowds in which one property varies and the others stay, to see where a method breaks."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from torch import nn

from sparse_ae.companion.records import MATCHES, settings_digest
from sparse_ae.datasets import CrowdDataset
from sparse_ae.datasets.open import crowd_config
from sparse_ae.evaluation.evaluation import evaluate
from sparse_ae.settings import DataSettings, DecodeSettings

PER_IMAGE = ("grouping_accuracy", "group_margin", "closest_gap", "persons", "crowd_index")
KNOB_DEFAULTS = {"persons": (4, 8), "scales": (0.22, 0.3), "scale_spread": (2.0, 2.0),
                 "occlusion": 0.1, "crowding": ((0.4, 0.8),)}  # fmt: skip
HALF_WIDTH = 0.1  # of the crowd index, around the value of its knob


class KnobSetting(NamedTuple):
    """One value of a knob, and what it changes in the crowds.

    Attributes:
        knob: "scale_spread", "crowding" or "occlusion".
        value: What the knob is set to.
        changes: Fields of `CrowdConfig`, by name.
    """

    knob: str
    value: float
    changes: dict


def _about(value: float) -> tuple[float, float]:
    """Return the range of the crowd index around the value of its knob."""
    return round(value - HALF_WIDTH, 6), round(value + HALF_WIDTH, 6)


KNOB_SETTINGS = (
    *(KnobSetting("scale_spread", v, {"scale_spread": (v, v)}) for v in (1.0, 1.5, 2.5, 4.0, 8.0)),
    *(KnobSetting("crowding", v, {"crowding": (_about(v),)}) for v in (0.1, 0.4, 0.7, 1.0, 1.3)),
    *(KnobSetting("occlusion", v, {"occlusion": v}) for v in (0.0, 0.25, 0.5, 1.0)),
)  # fmt: skip


def knob_crowds(turned: KnobSetting, data: DataSettings, count: int) -> CrowdDataset:
    """Return `count` test crowds of one knob setting.

    Everything else comes from KNOB_DEFAULTS; size, bodies and skeleton are the preset's.

    Args:
        turned: The setting.
        data: Data settings of the preset.
        count: Number of scenes.
    """
    crowd = dataclasses.replace(crowd_config(data, "test"), **{**KNOB_DEFAULTS, **turned.changes})
    return CrowdDataset(crowd, count)


def knobs_digest(data: DataSettings, count: int) -> str:
    """Return a digest, 16 hexadecimal digits, of the crowds at all settings."""
    return settings_digest({f"{turned.knob} {turned.value}": knob_crowds(turned, data, count).digest
                            for turned in KNOB_SETTINGS})  # fmt: skip


def evaluate_knobs(
    net: nn.Module, data: DataSettings, decode: DecodeSettings, count: int, *,
    precision: str = "float32", progress: bool = True,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Evaluate a net on the crowds of all knob settings, I images in all.

    Args:
        net: The network.
        data: Data settings of the preset.
        decode: Settings for decoding its maps.
        count: Scenes per setting.
        precision: Precision in which the net computes.
        progress: Whether to show progress bars.

    Returns:
        The arrays that a record keeps: `knob_setting` (I,), index of KNOB_SETTINGS;
        `knob_grouping_accuracy` and so on (I,), as PER_IMAGE; `knob_match_score` and so on, as
        `records.MATCHES`.
    """
    parts: dict[str, list[np.ndarray]] = {}
    images = 0
    for index, turned in enumerate(KNOB_SETTINGS):
        crowds = knob_crowds(turned, data, count)
        crowds.arrays(progress=progress)
        found = evaluate(net, crowds, decode, data.size, precision=precision, thresholds=(),
                         name=f"{turned.knob} {turned.value}", progress=progress)  # fmt: skip
        values = {name: found.per_image[name].astype(np.float32) for name in PER_IMAGE}
        values["setting"] = np.full(len(crowds), index, np.int8)
        values |= {name: found.matches[name] for name in MATCHES}
        values["match_image"] = values["match_image"] + np.int32(images)
        images += len(crowds)
        for name, value in values.items():
            parts.setdefault(f"knob_{name}", []).append(value)
    return {name: np.concatenate(values) for name, values in parts.items()}
