"""The sections of a run's settings: data, augmentation, model, losses, optimiser, decoding, report.

Each part of the package takes its own section and knows no other. Defaults are the paper's if the
paper has the setting. pydantic checks types and bounds; `python -m sparse_ae.settings.schema`
turns them into the JSON schema with which editors complete a preset.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sparse_ae.runtime.values import short_repr
from sparse_ae.skeleton import get_skeleton

MOST = 1_000_000_000
RENDERED = ("coco", "crowdpose")  # skeletons of crowds


def _as_tuple(value):
    """Return lists, which YAML and JSON give, as tuples."""
    return tuple(value) if isinstance(value, list) else value


def _rising(pair):
    if pair[0] > pair[1]:
        raise ValueError(f"expected the lower number first, got {list(pair)}")
    return pair


Count = Annotated[int, Field(ge=1, le=MOST)]
CountOrNone = Annotated[int, Field(ge=0, le=MOST)]
Weight = Annotated[float, Field(ge=0, le=MOST)]
Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=1e-3, le=1e3)]
FactorRange = Annotated[tuple[Factor, Factor], BeforeValidator(_as_tuple), AfterValidator(_rising)]
FileAndFolder = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class Section(BaseModel):
    """A section of settings: immutable, and checked by name, type and bounds."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    def check(self) -> None:
        """Raise ValueError if values do not fit together."""


class RunSettings(Section):
    """The settings that identify a run."""

    preset: str
    """The preset's name."""
    method: str
    """One of `settings.METHODS`."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Draws initial weights, the order of the images, and their augmentation."""


class DataSettings(Section):
    """What a run is trained, validated and tested on."""

    source: Literal["crowds", "rendered", "coco", "crowdpose", "custom"] = "crowds"
    """Crowds rendered before training; the same, each scene rendered when its turn comes; photos of
    COCO or CrowdPose in their official folders; photos of one's own."""
    split: Literal["official", "by_id"] = "official"
    """Of COCO: by_id divides val2017 by the photos' ids. Where zlib.crc32(str(id).encode()) % 10 is
    0 or 1, it tests on the photo, at 2 it validates; it trains on all others, and on train2017 if
    it is there."""
    crowd_share: Share = 0.0
    """Of photos: the share of the training images that are rendered crowds."""
    train_set: FileAndFolder = ()
    """Of a custom source: a JSON file in COCO's format, and the folder of its photos."""
    val_set: FileAndFolder = ()
    test_set: FileAndFolder = ()
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training photos kept back, to validate on."""

    skeleton: str = "crowdpose"
    """coco, crowdpose, or a YAML file (see `skeleton.read_skeleton`)."""
    size: Annotated[int, Field(ge=32, le=8192, multiple_of=32)] = 512
    """Side of the square image, pixels."""

    train_scenes: Count = 10_000
    """Rendered crowds to train on."""
    val_scenes: Count = 500
    test_scenes: Count = 500
    crowd_seed: CountOrNone = 0
    """The same scenes for every method and every seed of a run."""
    persons: Annotated[
        tuple[Annotated[int, Field(ge=1, le=30)], Annotated[int, Field(ge=1, le=30)]],
        BeforeValidator(_as_tuple),
        AfterValidator(_rising),
    ] = (1, 8)
    """Fewest and most people in a scene."""
    crowding: Annotated[
        tuple[Annotated[tuple[float, float], BeforeValidator(_as_tuple)], ...],
        BeforeValidator(_as_tuple),
    ] = ((0.0, 0.2), (0.2, 0.8), (0.8, 2.0))
    """Ranges of the crowd index, each as frequent as the others."""
    scale_spread: FactorRange = (1.0, 5.0)
    """Range of the largest person's scale over the smallest's in one scene."""
    occlusion: Share = 0.2
    """Share of the people with a thing in front of them."""
    scales: FactorRange = (0.12, 0.45)
    """Of the middle person of a scene: square root of the box's area over the image's side."""

    def check(self) -> None:
        """Raise ValueError if values do not fit together."""
        try:
            get_skeleton(self.skeleton)
        except ValueError as error:
            raise ValueError(f"skeleton: {error}") from None
        for name in ("train_set", "val_set", "test_set"):
            given = getattr(self, name)
            if given and (len(given) != 2 or self.source != "custom"):
                raise ValueError(
                    f"{name}: expected, with `source: custom`, the names of a JSON file and of a "
                    f"folder, got {short_repr(list(given))} and {self.source}"
                )
        if self.source in ("coco", "crowdpose") and self.skeleton != self.source:
            raise ValueError(
                f"skeleton: expected {self.source!r} for its data, got {self.skeleton!r}"
            )
        if not self.photos and self.skeleton not in RENDERED:
            raise ValueError(
                f"skeleton: only coco and crowdpose can be rendered, got {self.skeleton!r}"
            )
        if self.crowd_share and not self.photos:
            raise ValueError(f"crowd_share: expected 0, for all images of `source: {self.source}` "
                             "are crowds")  # fmt: skip
        if self.crowd_share and self.skeleton not in RENDERED:
            raise ValueError(
                "crowd_share: only crowds of coco and crowdpose can be rendered, not of "
                f"{self.skeleton!r}"
            )
        if self.split == "by_id" and self.source != "coco":
            raise ValueError(f"split: by_id is for `source: coco`, not for {self.source}")

    @property
    def photos(self) -> bool:
        """Whether the images are photos."""
        return self.source in ("coco", "crowdpose", "custom")


class AugmentSettings(Section):
    """The random views of training."""

    flip: Share = 0.5
    """Probability of a mirror image."""
    rotation: Annotated[float, Field(ge=0, le=360)] = 30.0
    """Degrees, either way."""
    scale: FactorRange = (0.75, 1.5)
    """Side of the square that is cut out, as a share of the image's short side: above 1, people get
    smaller."""
    shift: Annotated[float, Field(ge=0, le=10)] = 40 / 512
    """Of the square's centre, as a share of the view's side, either way."""
    colour: Annotated[float, Field(ge=0, le=10)] = 0.2
    """Spread of brightness and contrast."""


class ModelSettings(Section):
    """The network. Method-specific heads are set by the method, not by a preset."""

    network: Literal["small", "lite0", "higher_hrnet", "coupled"] = "small"
    """The small net of the laptop presets; EfficientNet-Lite0; HigherHRNet; the paper's own."""
    network_width: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Of HRNet: 32 or 48."""
    widths: Annotated[
        tuple[Annotated[int, Field(ge=1, le=100_000)], ...], BeforeValidator(_as_tuple)
    ] = (32, 48, 64, 96, 128)
    """Channels of the small net at 1/2, 1/4, 1/8, ... of the image's side; five or six numbers."""
    depths: Annotated[
        tuple[Annotated[int, Field(ge=1, le=100)], ...], BeforeValidator(_as_tuple)
    ] = (1, 1, 1, 1)
    """Residual blocks of the small net at 1/4, 1/8, ...; one number fewer than widths."""
    high_res_heatmaps: bool = True
    """Heatmaps at half the image's side too, as HigherHRNet's."""
    pretrained: str = ""
    """A weights file to start from, of which all is taken that has the same shape; imagenet for
    lite0's; empty: from random weights."""
    dim: Annotated[int, Field(ge=0, le=4096)] = 8
    """D, dimensions of an embedding; 0 for a method without."""
    swahr_head: bool = False
    """A head that adapts the heatmaps' widths, as SWAHR's."""
    offset_heads: bool = False
    """Heads for persons' centres and the offsets to their joints."""
    tag_init: Literal["small", "large", "orthogonal"] = "small"
    """How the embedding head's weights start."""

    def check(self) -> None:
        """Raise ValueError if values do not fit together."""
        if len(self.widths) not in (5, 6):
            raise ValueError(f"widths: expected five or six numbers, got {list(self.widths)}")
        if len(self.depths) != len(self.widths) - 1:
            raise ValueError(
                f"depths: expected {len(self.widths) - 1} numbers, one fewer than widths, got "
                f"{list(self.depths)}"
            )
        if self.offset_heads and self.dim:
            raise ValueError(f"dim: expected 0 with offset_heads, got {self.dim}")
        if not self.high_res_heatmaps and self.network in ("small", "lite0"):
            raise ValueError(f"high_res_heatmaps: network {self.network} always has them")

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the heatmaps, coarse to fine, in pixels; embeddings have the coarse one."""
        return (4, 2) if self.high_res_heatmaps else (4,)

    @property
    def coarsest_stride(self) -> int:
        """Side of a cell of the coarsest feature map, pixels of the image."""
        return 2 ** len(self.widths) if self.network == "small" else 32


class LossSettings(Section):
    """Losses and their weights; the weights are those of the released code."""

    form: Literal["poster", "released"] = "released"
    """Of L_g and L_s: the equations of the paper's poster, or of its released code."""
    scale_form: Literal["", "poster", "poster-absolute", "released", "released-signed"] = ""
    """Of L_s alone; empty: as `form`."""
    scale_bins: Literal["linear", "log"] = "linear"
    """Spacing of the bins of L_s."""
    decorrelate: bool = False
    """Penalise correlation between the dimensions."""
    scale_aware: bool = True
    """Γ: widths of the heatmaps follow the scale that the embeddings tell."""
    focal: bool = True
    """W: weights of the heatmap loss."""
    sigma: Factor = 2.0
    """Of the heatmap targets, map cells."""
    beta: Factor = 0.55
    """The scale at which Γ leaves a width as it is."""
    heatmap_weight: Weight = 1.0
    pull_weight: Weight = 1e-3
    push_weight: Weight = 1e-3
    scale_weight: Weight = 1e-4
    swahr_weight: Weight = 1.0
    centre_weight: Weight = 1.0
    offset_weight: Weight = 1.0
    decorrelate_weight: Weight = 1.0


class OptimSettings(Section):
    """The optimiser, its schedule, and what is kept of the weights."""

    steps: Count = 300_000
    batch: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Images in a step, over all processes."""
    learning_rate: Annotated[float, Field(gt=0, le=MOST)] = 1.5e-3
    """The highest of the schedule."""
    schedule: Literal["one-cycle", "steps"] = "one-cycle"
    """Torch's OneCycleLR; or constant, and lower from each milestone on."""
    warm_up: Weight = 0.0
    """Of `steps`: a share of all steps, or from 1 on a number of them."""
    milestones: Annotated[
        tuple[Annotated[float, Field(gt=0, le=MOST)], ...], BeforeValidator(_as_tuple)
    ] = (2 / 3, 13 / 15)
    """Likewise; the paper's epochs 200 and 260 of 300."""
    lr_gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of the learning rate at each milestone."""
    weight_decay: Weight = 0.0
    max_grad_norm: Weight = 1.0
    """The gradient is scaled down to this norm; 0: left as it is."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 where the processor has instructions for it."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of an exponential moving average of the weights, which is what is kept; 0: the last
    weights."""
    sync_batch_norm: bool = False
    """Several processes: normalise over the whole batch, not each over its share."""
    validate_every: CountOrNone = 0
    """Steps; the weights that are best in validation are kept; 0: no validation."""


class DecodeSettings(Section):
    """From maps to people; also what a weights file says of how it is to be used."""

    rule: Literal["released", "higherhrnet"] = "released"
    """How a joint is assigned to a person."""
    min_score: Share = 0.1
    """Of a joint's peak in the heatmap."""
    tag_threshold: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    """Distance of embeddings from which on a joint starts another person."""
    max_people: Annotated[int, Field(ge=1, le=10_000)] = 30
    """In one image."""
    flip: bool = False
    """Look at the mirror image too."""
    scales: Annotated[
        tuple[Annotated[float, Field(gt=0, le=4)], ...], BeforeValidator(_as_tuple)
    ] = (1.0,)
    """Sizes at which an image is seen, 1 among them."""

    def check(self) -> None:
        """Raise ValueError if values do not fit together."""
        if 1 not in self.scales:
            raise ValueError(f"scales: expected 1 among them, got {list(self.scales)}")


class ReportSettings(Section):
    """What a record keeps besides its figures."""

    examples: Annotated[tuple[CountOrNone, ...], BeforeValidator(_as_tuple)] = tuple(range(12))
    """Test images kept whole, for figures."""
    knob_scenes: CountOrNone = 0
    """Test scenes for each setting of `companion.knobs`, 0 for none."""
