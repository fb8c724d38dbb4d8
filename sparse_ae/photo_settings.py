"""How a trained net is used on photos, in a weights file's metadata and out of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparse_ae.config import Config
from sparse_ae.skeleton import CROWDPOSE, Skeleton
from sparse_ae.typed import as_type

KINDS = {"size": int, "rule": str, "min_score": float, "max_distance": float, "max_people": int}


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
    max_distance: float = 1.0
    max_people: int = 30

    def __post_init__(self):
        for name, kind in KINDS.items():
            object.__setattr__(self, name, as_type(name, kind, getattr(self, name)))
        if self.size < 1:
            raise ValueError(f"size: expected a positive number of pixels, got {self.size}")

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
        except (KeyError, TypeError) as error:
            raise ValueError(f"settings for photos: missing or unknown: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the skeleton's as well."""
        return dataclasses.asdict(self)
