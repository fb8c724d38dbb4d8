"""Test crowds on which one knob is turned and the others stay: where does a method break?"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from sparse_ae.companion.records import MATCHES, config_digest
from sparse_ae.datasets import CrowdDataset
from sparse_ae.datasets.preset_crowds import crowd_config
from sparse_ae.evaluation.evaluate import evaluate
from sparse_ae.models import PoseNet
from sparse_ae.settings.config import Config

PER_IMAGE = ("grouping_accuracy", "group_margin", "persons", "crowd_index")
STILL = {"persons": (4, 8), "scales": (0.22, 0.3), "scale_spread": (2.0, 2.0), "occlusion": 0.1,
         "crowding": ((0.4, 0.8),)}  # fmt: skip
HALF_WIDTH = 0.1  # of the crowd index, about the value that the knob is turned to


class Setting(NamedTuple):
    """A knob, the value to which it is turned, and what that changes in the crowds."""

    knob: str
    value: float
    changes: dict


SETTINGS = (
    *(Setting("scale_spread", v, {"scale_spread": (v, v)}) for v in (1.0, 1.5, 2.5, 4.0, 8.0)),
    *(Setting("crowding", v, {"crowding": ((round(v - HALF_WIDTH, 6), round(v + HALF_WIDTH, 6)),)})
      for v in (0.1, 0.4, 0.7, 1.0, 1.3)),
    *(Setting("occlusion", v, {"occlusion": v}) for v in (0.0, 0.25, 0.5, 1.0)),
)  # fmt: skip


def crowds_of(setting: Setting, config: Config) -> CrowdDataset:
    """The test crowds of a setting: `config.knob_scenes` of the preset's size, bodies and
    skeleton, alike but for the knob."""
    crowd = dataclasses.replace(crowd_config(config, "test"), **{**STILL, **setting.changes})
    return CrowdDataset(crowd, config.knob_scenes)


def knobs_digest(config: Config) -> str:
    """16 hexadecimal digits that are equal for equal crowds under all settings."""
    return config_digest({f"{setting.knob} {setting.value}": crowds_of(setting, config).digest
                          for setting in SETTINGS})  # fmt: skip


def evaluate_knobs(
    model: PoseNet, config: Config, *, progress: bool = True
) -> dict[str, np.ndarray]:
    """The arrays that a record keeps of all settings, one after the other, I images in all:
    knob_setting (I,), index of SETTINGS; knob_grouping_accuracy and so on (I,), as PER_IMAGE;
    knob_match_score and so on, as results.MATCHES."""
    parts: dict[str, list[np.ndarray]] = {}
    images = 0
    for index, setting in enumerate(SETTINGS):
        crowds = crowds_of(setting, config)
        scenes = crowds.arrays(progress=progress)
        annotations = crowds.annotations()
        found = evaluate(model, config, scenes, annotations, distances=(), progress=progress)
        values = {name: found.per_image[name].astype(np.float32) for name in PER_IMAGE}
        values["setting"] = np.full(len(crowds), index, np.int8)
        values |= {name: found.matches[name] for name in MATCHES}
        values["match_image"] = values["match_image"] + np.int16(images)
        images += len(crowds)
        for name, value in values.items():
            parts.setdefault(f"knob_{name}", []).append(value)
    return {name: np.concatenate(values) for name, values in parts.items()}
