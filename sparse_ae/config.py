"""The settings of a run: defaults of the paper, overridden by a preset file and by the method.

A preset is a YAML file of `experiments/presets`: settings for all methods, and under `methods`
what is particular to one. What defines a method (`METHODS`) is no setting of a preset.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from sparse_ae.methods import ALL
from sparse_ae.skeleton import SKELETONS
from sparse_ae.typed import as_type

SCALE_FORMS = ("poster", "poster-absolute", "released", "released-signed")
PRESETS = Path(__file__).parents[1] / "experiments" / "presets"

METHODS = {name: method.settings for name, method in ALL.items()}
NOT_OF_A_PRESET = {"preset", "method", "seed"}.union(*METHODS.values()) - {"scale_weight"}
# settings that came later than the first records: at their defaults a run is what it was before,
# and a record leaves them out, so that older records stay valid
LATER = ("adapt", "offsets", "tag_init", "scale_bins", "scale_form", "decorrelate",
         "adapt_weight", "centre_weight", "offset_weight", "decorrelate_weight",
         "knob_scenes")  # fmt: skip


@dataclass(frozen=True)
class Config:
    """Everything that a run depends on, but for the code and the bodies."""

    preset: str
    method: str
    seed: int

    # crowds
    skeleton: str = "crowdpose"
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
    learning_rate: float = 1.5e-3  # the peak of a one-cycle schedule
    weight_decay: float = 0.0
    clip: float = 1.0  # norm of the gradient
    precision: str = "auto"  # "float32", "bfloat16", or the latter where the processor has it
    flip: float = 0.5  # probability
    rotation: float = 30.0  # degrees, either way
    zoom: tuple[float, float] = (0.75, 1.5)
    shift: float = 0.08  # of the image's side, either way
    colour: float = 0.2  # spread of brightness and contrast

    # decoding
    rule: str = "released"
    min_score: float = 0.1
    max_distance: float = 1.0
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
            "skeleton": tuple(SKELETONS),
            "form": ("poster", "released"),
            "precision": ("auto", "float32", "bfloat16"),
            "rule": ("released", "higherhrnet"),
            "tag_init": ("small", "large", "orthogonal"),
            "scale_bins": ("linear", "log"),
            "scale_form": ("", *SCALE_FORMS),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}: expected one of {', '.join(allowed)}"
                )
        for name in ("size", "train_scenes", "val_scenes", "test_scenes", "steps", "batch",
                     "sigma", "beta", "learning_rate", "clip"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)}")
        if self.dim < 0 or (self.dim == 0) != self.offsets:
            raise ValueError(f"dim: expected a positive number, got {self.dim}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed: expected an integer from 0 on, below 2⁶³, got {self.seed}")
        if len(self.widths) != 5:
            raise ValueError(f"widths: expected five numbers of channels, got {list(self.widths)}")
        if self.size % 32:
            raise ValueError(f"size: expected a multiple of 32, got {self.size}")

    def to_dict(self) -> dict:
        """All settings as plain values, for a record; of LATER, those that are not the default."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        settings = dataclasses.asdict(self).items()
        return {k: v for k, v in settings if k not in LATER or v != defaults[k]}


def read_search(preset: str, method: str) -> tuple[list[dict], tuple[int, ...]]:
    """The settings that a preset's search tries for a method (its key `search`), a list of
    overrides, and the seeds on which it tries each (`search_seeds` under `runs`; one, 0).
    ValueError where the preset has none."""
    read = _read_preset(_preset_file(preset))
    trials = read.search.get(method)
    if not trials:
        raise ValueError(f"preset {preset!r} has no search for method {method!r}")
    return trials, tuple(read.runs.get("search_seeds", (0,)))


def read_runs(preset: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The methods and seeds that a preset's runs are for (its key `runs`)."""
    runs = {"methods": ("ae8", "rve"), "seeds": (0,), **_read_preset(_preset_file(preset)).runs}
    return tuple(runs["methods"]), tuple(runs["seeds"])


def load_config(preset: str, method: str, seed: int, **overrides) -> Config:
    """The settings of `method` under `preset` (a name in experiments/presets, or a YAML file).

    overrides: single settings, after those of the preset. ValueError in one line for an unknown
    preset, method or setting, and for values of the wrong type.
    """
    path = _preset_file(preset)
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: expected one of {', '.join(METHODS)}")
    read = _read_preset(path)
    settings = {**read.common, **read.methods.get(method, {}), **METHODS[method], **overrides}
    Config(path.stem, method, seed)  # errors of the seed are not the file's
    try:
        return Config(preset=path.stem, method=method, seed=seed, **settings)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _preset_file(preset: str) -> Path:
    path = Path(preset) if str(preset).endswith((".yaml", ".yml")) else PRESETS / f"{preset}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PRESETS.glob("*.yaml"))) or "none"
        raise ValueError(f"unknown preset {preset!r}: expected a YAML file or one of {known}")
    return path


class _Preset(NamedTuple):
    """Settings for all methods, those of single methods, the search, and which runs to make."""

    common: dict
    methods: dict
    search: dict
    runs: dict


def _read_preset(path: Path) -> _Preset:
    """A preset file, every key checked. One that names another as its `base` has that one's
    settings and methods where it gives none of its own."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: expected settings as 'name: value' lines")
    base = content.pop("base", None)
    if base is not None:
        below = _preset_file(str(base))
        if "base" in (yaml.safe_load(below.read_text(encoding="utf-8")) or {}):
            raise ValueError(f"{path.name}: base {below.name} has a base itself")
        below = _read_preset(below)
    particular = content.pop("methods", None) or {}
    if not isinstance(particular, dict) or not all(
        isinstance(value, dict | None) for value in particular.values()
    ):
        raise ValueError(f"{path.name}: methods: expected settings under each method's name")
    trials = content.pop("search", None) or {}
    if not isinstance(trials, dict) or not all(isinstance(v, list) for v in trials.values()):
        raise ValueError(f"{path.name}: search: expected a list of settings under a method's name")
    runs = content.pop("runs", None) or {}
    if not isinstance(runs, dict) or not all(
        isinstance(v, list) and k in ("methods", "seeds", "search_seeds") for k, v in runs.items()
    ):
        raise ValueError(f"{path.name}: runs: expected lists under methods, seeds, search_seeds")
    known = {field.name for field in dataclasses.fields(Config)} - NOT_OF_A_PRESET
    groups = (content, *particular.values(), *(t for v in trials.values() for t in v))
    for key in (key for group in groups for key in group or {}):
        if key not in known:
            raise ValueError(
                f"{path.name}: unknown setting {key!r}: expected one of {', '.join(sorted(known))}"
            )
    for method in (*particular, *trials, *runs.get("methods", ())):
        if method not in METHODS:
            raise ValueError(
                f"{path.name}: unknown method {method!r}: expected one of {', '.join(METHODS)}"
            )
    methods = {name: value or {} for name, value in particular.items()}
    if base is not None:
        content = {**below.common, **content}
        names = {**below.methods, **methods}
        methods = {n: {**below.methods.get(n, {}), **methods.get(n, {})} for n in names}
    return _Preset(content, methods, trials, runs)
