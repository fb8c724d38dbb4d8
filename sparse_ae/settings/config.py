"""The settings of a run: everything that it depends on, by default as in the paper."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass

from sparse_ae.runtime.values import as_type, short_repr
from sparse_ae.settings.methods import ALL
from sparse_ae.skeleton import get_skeleton

SCALE_FORMS = ("poster", "poster-absolute", "released", "released-signed")

METHODS = {name: method.settings for name, method in ALL.items()}
# settings that came later than the first records: at their defaults a run is what it was before,
# and a record leaves them out, so that older records stay valid
LATER = ("adapt", "offsets", "tag_init", "scale_bins", "scale_form", "decorrelate",
         "adapt_weight", "centre_weight", "offset_weight", "decorrelate_weight",
         "knob_scenes", "network", "network_width", "fine", "pretrained", "data", "train_set",
         "val_set", "test_set", "held_out", "short_side", "schedule", "warm_up", "milestones",
         "decay", "sync_norm", "validate_every")  # fmt: skip
DATA = ("crowds", "rendered", "coco", "crowdpose", "custom")

MOST = 1e9
RANGES = {  # least and most of each number; what else a value must be, __post_init__ says
    "size": (32, 8192), "dim": (0, 4096), "batch": (1, 1e6), "steps": (1, MOST), "widths": (1, 1e5),
    "network_width": (1, 1e4), "max_people": (1, 1e4), "tag_threshold": (1e-6, 1e6),
    "min_score": (0, 1), "sigma": (1e-3, 1e3), "flip": (0, 1), "rotation": (0, 360),
    "zoom": (1e-3, 1e3), "short_side": (1e-3, 1e3), "shift": (0, 10), "colour": (0, 10),
    "weight_decay": (0, MOST), "decay": (0, 1), "knob_scenes": (0, MOST), "crowd_seed": (0, MOST),
    "examples": (0, MOST), "persons": (1, 30), "occlusion": (0, 1),
    **dict.fromkeys(("train_scenes", "val_scenes", "test_scenes"), (1, MOST)),
    **dict.fromkeys(("heatmap_weight", "pull_weight", "push_weight", "scale_weight", "adapt_weight",
                     "centre_weight", "offset_weight", "decorrelate_weight"), (0, MOST)),
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """Everything that a run depends on, but for the code and the bodies."""

    preset: str
    method: str
    seed: int

    # what it is trained on: "crowds", rendered beforehand and held in memory; "rendered", the same,
    # each scene drawn when its turn comes; photos of "coco" or "crowdpose" in their official
    # folders, or of a "custom" set
    data: str = "crowds"
    train_set: tuple[str, ...] = ()  # of a custom set: its JSON in COCO's format, and its folder
    val_set: tuple[str, ...] = ()
    test_set: tuple[str, ...] = ()
    held_out: float = 0.0  # share of the training photos kept back, to validate on

    # crowds
    skeleton: str = "crowdpose"  # "coco", "crowdpose", or a YAML file (skeleton.read_skeleton)
    size: int = 512  # side of the square image, pixels
    persons: tuple[int, int] = (1, 8)  # fewest and most in a scene
    crowding: tuple[tuple[float, float], ...] = ((0.0, 0.2), (0.2, 0.8), (0.8, 2.0))  # crowd index
    scale_spread: tuple[float, float] = (1.0, 5.0)  # the largest person to the smallest
    occlusion: float = 0.2  # share of the persons with a thing in front
    scales: tuple[float, float] = (0.12, 0.45)  # of the middle person, sqrt(box area) / side
    train_scenes: int = 10000
    val_scenes: int = 500
    test_scenes: int = 500
    knob_scenes: int = 0  # test scenes for each setting of `knobs`, 0 for none
    crowd_seed: int = 0  # the same scenes for every method and every seed of a run

    # network
    network: str = "small"  # "small", "lite0", "higher_hrnet" or "coupled"
    network_width: int = 32  # of HRNet: 32 or 48
    fine: bool = True  # with heatmaps of half the image's side too, as HigherHRNet's
    pretrained: str = ""  # a weights file for the backbone; "imagenet" for lite0's; "": none
    dim: int = 8  # D, dimensions of an embedding; 0 for a method without
    adapt: bool = False  # a head that adapts the heatmaps' widths, as SWAHR's
    offsets: bool = False  # heads for persons' centres and the offsets to their joints
    tag_init: str = "small"  # of the embedding head: "small", "large" or "orthogonal"
    widths: tuple[int, ...] = (32, 48, 64, 96, 128)  # channels of the small net, fine to coarse

    # losses; the weights are those of the released code
    form: str = "released"  # of L_g and L_s: "poster" or "released"
    scale_form: str = ""  # of L_s alone: "poster-absolute", "released-signed", …; "": as `form`
    scale_bins: str = "linear"  # the bins' spacing in L_s: "linear" or "log"
    decorrelate: bool = False  # penalise correlation between the dimensions
    sigma: float = 2.0  # of the heatmap targets, map cells
    scale_aware: bool = True  # Γ: widths follow the scale that the embeddings tell
    focal: bool = True  # W
    beta: float = 0.55  # the scale at which Γ leaves a width as it is
    heatmap_weight: float = 1.0
    pull_weight: float = 1e-3
    push_weight: float = 1e-3
    scale_weight: float = 1e-4
    adapt_weight: float = 1.0
    centre_weight: float = 1.0
    offset_weight: float = 1.0
    decorrelate_weight: float = 1.0

    # training
    steps: int = 300_000
    batch: int = 10
    learning_rate: float = 1.5e-3  # the highest of the schedule
    schedule: str = "one-cycle"  # or "steps": constant, and lower from each milestone on
    warm_up: float = 0.0  # of "steps": a share of all steps, or from 1 on a number of them
    milestones: tuple[float, ...] = (2 / 3, 13 / 15)  # likewise; the paper's epochs 200, 260 of 300
    decay: float = 0.1  # factor at each milestone
    weight_decay: float = 0.0
    clip: float = 1.0  # norm of the gradient; 0: as it is
    precision: str = "auto"  # "float32", "bfloat16", or the latter where the processor has it
    flip: float = 0.5  # probability
    rotation: float = 30.0  # degrees, either way
    zoom: tuple[float, float] = (0.75, 1.5)  # of crowds: magnification
    short_side: tuple[float, float] = (0.75, 1.5)  # of photos: side cut out / short side
    shift: float = 0.08  # of the image's side, either way
    colour: float = 0.2  # spread of brightness and contrast
    sync_norm: bool = False  # several processes: normalise over the whole batch, not each its share
    validate_every: int = 0  # steps; the weights that are best in validation are kept; 0: the last

    # decoding
    rule: str = "released"
    min_score: float = 0.1
    tag_threshold: float = 1.0
    max_people: int = 30

    # pages of the book
    examples: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)  # test scenes kept whole

    def __post_init__(self):
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = as_type(field.name, hints[field.name], getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        choices = {
            "method": tuple(METHODS),
            "form": ("poster", "released"),
            "precision": ("auto", "float32", "bfloat16"),
            "rule": ("released", "higherhrnet"),
            "network": ("small", "lite0", "higher_hrnet", "coupled"),
            "data": DATA,
            "schedule": ("one-cycle", "steps"),
            "tag_init": ("small", "large", "orthogonal"),
            "scale_bins": ("linear", "log"),
            "scale_form": ("", *SCALE_FORMS),
        }
        get_skeleton(self.skeleton)
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}: expected one of {', '.join(allowed)}"
                )
        for name in ("size", "train_scenes", "val_scenes", "test_scenes", "steps", "batch",
                     "sigma", "beta", "learning_rate", "decay"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)}")
        if self.dim < 0 or (self.dim == 0) != self.offsets:
            raise ValueError(f"dim: expected a positive number, got {self.dim}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed: expected an integer from 0 on, below 2⁶³, got {self.seed}")
        if len(self.widths) != 5:
            raise ValueError(f"widths: expected five numbers of channels, got {list(self.widths)}")
        if not self.fine and self.network not in ("higher_hrnet", "coupled"):
            raise ValueError(f"fine: network {self.network!r} has fine heatmaps always")
        if self.size % 32:
            raise ValueError(f"size: expected a multiple of 32, got {self.size}")
        self._check_ranges()
        self._check_training()

    def _check_ranges(self):
        """ValueError for a number that would stop the run later: in the evaluation, after hours."""
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not all(least <= number <= most for number in numbers):
                raise ValueError(f"{name}: expected {least:g} to {most:g}, got {short_repr(value)}")
        for name in ("persons", "scale_spread", "scales", "zoom", "short_side"):
            if getattr(self, name)[0] > getattr(self, name)[1]:
                pair = list(getattr(self, name))
                raise ValueError(f"{name}: expected the lower number first, got {pair}")

    def _check_training(self):
        """ValueError for a schedule or data that cannot be."""
        for name in ("clip", "warm_up", "validate_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out: expected a share from 0, below 1, got {self.held_out}")
        if not all(m > 0 for m in self.milestones) or not self.short_side[0] > 0:
            raise ValueError("milestones, short_side: expected positive numbers, got "
                             f"{list(self.milestones)}, {list(self.short_side)}")  # fmt: skip
        for name in ("train_set", "val_set", "test_set"):
            given = getattr(self, name)
            if given and (len(given) != 2 or self.data != "custom"):
                raise ValueError(f"{name}: expected, with `data: custom`, the names of a JSON file "
                                 f"and of a folder, got {list(given)} and {self.data}")  # fmt: skip
        if self.data == "custom" and not self.train_set:
            raise ValueError("train_set: missing, as [annotations.json, folder of its photos]")
        if self.data in ("coco", "crowdpose") and self.skeleton != self.data:
            raise ValueError(
                f"skeleton: expected {self.data!r} for its data, got {self.skeleton!r}"
            )

    @property
    def photos(self) -> bool:
        """Whether it is trained on photos."""
        return self.data in ("coco", "crowdpose", "custom")

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the heatmaps, coarse to fine; embeddings have the coarse one."""
        return (4, 2) if self.fine else (4,)

    def to_dict(self) -> dict:
        """All settings as plain values, for a record; of LATER, those that are not the default."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        settings = dataclasses.asdict(self).items()
        return {k: v for k, v in settings if k not in LATER or v != defaults[k]}
