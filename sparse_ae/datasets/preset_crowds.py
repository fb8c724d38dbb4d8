"""The crowds of a preset: what its configuration says of them."""

from __future__ import annotations

from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.datasets.crowd_dataset import CrowdDataset
from sparse_ae.settings.config import Config

KNOBS = ("persons", "crowding", "scale_spread", "occlusion", "scales")


def crowd_config(config: Config, split: str) -> CrowdConfig:
    """What the scenes of a split ("train", "val", "test") look like."""
    return CrowdConfig(
        split=split,
        skeleton=config.skeleton,
        size=config.size,
        seed=config.crowd_seed,
        **{knob: getattr(config, knob) for knob in KNOBS},
    )


def preset_crowds(config: Config, split: str) -> CrowdDataset:
    """The scenes of a split, the same for every method and seed of a preset."""
    return CrowdDataset(crowd_config(config, split), getattr(config, f"{split}_scenes"))
