"""How a trained net is used on photos, in a weights file's metadata and out of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparse_ae.runtime.values import as_type, short_repr
from sparse_ae.settings.config import Config
from sparse_ae.skeleton import CROWDPOSE, Skeleton

KINDS = {"size": int, "rule": str, "min_score": float, "tag_threshold": float,
         "max_people": int}  # fmt: skip
LARGEST = 8192  # pixels of a short side: beyond, a photo's maps fill any memory
RULES = ("released", "higherhrnet")
RANGES = {"min_score": (0, 1), "tag_threshold": (1e-6, 1e6), "max_people": (1, 10_000)}


@dataclass(frozen=True)
class PhotoSettings:
    """How a net is used on photos; what our weights files carry beside the tensors.

    size: of a photo's short side in the view of scale 1, pixels, rounded up to a multiple of 64.
    The others are as for `decode.decode`.
    """

    size: int
    skeleton: Skeleton = CROWDPOSE
    rule: str = "released"
    min_score: float = 0.1
    tag_threshold: float = 1.0
    max_people: int = 30

    def __post_init__(self):
        for name, kind in KINDS.items():
            object.__setattr__(self, name, as_type(name, kind, getattr(self, name)))
        if not 1 <= self.size <= LARGEST:
            raise ValueError(
                f"size: expected 1 to {LARGEST} pixels, a positive number, got "
                f"{short_repr(self.size)}"
            )
        if self.rule not in RULES:
            raise ValueError(
                f"rule: expected one of {', '.join(RULES)}, got {short_repr(self.rule)}"
            )
        for name, (least, most) in RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(
                    f"{name}: expected {least:g} to {most:g}, got {short_repr(getattr(self, name))}"
                )

    @classmethod
    def of(cls, config: Config, skeleton: Skeleton) -> PhotoSettings:
        """Those of a net that was trained with `config`."""
        return cls(skeleton=skeleton, **{name: getattr(config, name) for name in KINDS})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> PhotoSettings:
        """What `to_dict` gave. ValueError for anything else."""
        try:
            settings = dict(content)
            parts = dict(settings.pop("skeleton"))
            pairs = {name: tuple(map(tuple, parts.pop(name))) for name in ("flip_pairs", "limbs")}
            lists = {name: tuple(value) for name, value in parts.items() if name != "name"}
            return cls(skeleton=Skeleton(name=parts["name"], **pairs, **lists), **settings)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"settings for photos: missing or unknown: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the skeleton's as well."""
        return dataclasses.asdict(self)
