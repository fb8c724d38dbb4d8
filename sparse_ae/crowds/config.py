"""What kind of crowds to draw: the configuration of a set of scenes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sparse_ae.crowds.people.bodies import SPLITS
from sparse_ae.metrics.crowding import EASY, HARD

LEVELS = {"easy": (0.0, EASY), "medium": (EASY, HARD), "hard": (HARD, float("inf"))}
RENDERED_SKELETONS = ("coco", "crowdpose")  # the bodies carry joints for these two
EQUAL_PARTS = ((0.0, EASY), (EASY, HARD), (HARD, 2.0))  # of the crowd index


@dataclass(frozen=True)
class CrowdConfig:
    """Every value is plain YAML or JSON; a list counts as a tuple. ValueError names a bad field.

    split: which bodies: "train", "val" or "test" share none.
    skeleton: "coco" (17 keypoints) or "crowdpose" (14).
    size: side of the square image, pixels.
    seed: another seed, other scenes.

    The knobs: turning one leaves the distributions of the others as they are.

    persons: fewest and most persons of a scene, 1 to 30. A crowd index above 0.2 needs two, one
        above 0.8 three.
    crowding: ranges of the crowd index; each scene draws one of them, all equally likely, so that
        by default a third each are easy, medium and hard. Where so many persons have no room to
        be that far apart, all are seen from farther away.
    scale_spread: least and most ratio of the largest to the smallest person of a scene, 1 to 10; 1
        is everybody at one scale. The paper's idea lives on differences of scale.
    occlusion: share of the persons in front of whom a thing is put, 0 to 1.

    scales: smallest and largest scale of a scene's middle person, drawn log-uniformly; a scale is
        sqrt(box area) over the image's side, for who stands upright about 0.6 of the height.
    clutter: most things that stand about behind people.
    noise: standard deviation of the sensor's noise, of 255, at most; drawn per scene. 0 gives a
        clean picture, neither blurred nor compressed.
    layouts: a COCO or CrowdPose keypoint JSON (.json or .json.gz) whose persons are imitated, scene
        i its i-th image with as many persons as `persons` allows; `crowding`, `scale_spread` and
        `scales` are then the photographs' own. Empty: none.
    """

    split: str = "train"
    skeleton: str = "coco"
    size: int = 128
    seed: int = 0
    persons: tuple[int, int] = (1, 8)
    crowding: tuple[tuple[float, float], ...] = EQUAL_PARTS
    scale_spread: tuple[float, float] = (1.0, 5.0)
    occlusion: float = 0.2
    scales: tuple[float, float] = (0.12, 0.45)
    clutter: int = 3
    noise: float = 6.0
    layouts: str = ""

    def __post_init__(self):
        if self.split not in SPLITS:
            raise ValueError(f"split {self.split!r}: expected one of {', '.join(SPLITS)}")
        if self.skeleton not in RENDERED_SKELETONS:
            raise ValueError(
                f"skeleton: only coco and crowdpose can be rendered, got {self.skeleton!r}"
            )
        self._check_int("size", 32, 2048)
        self._check_int("seed", 0, 2**63)
        self._check_int("clutter", 0, 20)
        self._check_range("persons", int, 1, 30)
        self._check_range("scales", (int, float), 0.02, 1.0)
        self._check_range("scale_spread", (int, float), 1.0, 10.0)
        self._check_crowding()
        self._check_number("noise", 0, 64)
        self._check_number("occlusion", 0, 1)
        if not isinstance(self.layouts, str):
            raise ValueError(f"layouts {self.layouts!r}: expected the name of a JSON file")

    def _check_int(self, name: str, low: int, high: int):
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name} {value!r}: expected an integer from {low} to {high}")

    def _check_number(self, name: str, low: float, high: float):
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name} {value!r}: expected a number")
        if not low <= value <= high:
            raise ValueError(f"{name} {value}: expected {low} to {high}")

    def _check_range(self, name, kind, low, high):
        """Two numbers within low..high, in rising order; stored as a tuple."""
        value = getattr(self, name)
        numbers = "integers" if kind is int else "numbers"
        if not _is_range(value, kind, low, high):
            raise ValueError(
                f"{name} {value!r}: expected 2 {numbers} from {low} to {high}, in rising order"
            )
        object.__setattr__(self, name, tuple(value))

    def _check_crowding(self):
        ranges = self.crowding
        if (
            not isinstance(ranges, (list, tuple))
            or not ranges
            or not all(_is_range(r, (int, float), 0.0, 3.0) for r in ranges)
        ):
            expected = "one or more pairs of numbers from 0 to 3, each in rising order"
            raise ValueError(f"crowding {ranges!r}: expected {expected}")
        object.__setattr__(self, "crowding", tuple(tuple(r) for r in ranges))

    def as_dict(self) -> dict:
        """Plain lists, numbers and strings."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value):
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _is_range(value, kind, low, high) -> bool:
    """Two numbers of a kind within low..high, in rising order?"""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    right = all(isinstance(v, kind) and not isinstance(v, bool) for v in value)
    return right and low <= value[0] <= value[1] <= high
