"""What kind of crowds to draw: the configuration of a set of scenes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..skeleton import get_skeleton
from .bodies import SPLITS

LEVELS = {"easy": (0.0, 0.2), "medium": (0.2, 0.8), "hard": (0.8, float("inf"))}  # crowd index


@dataclass(frozen=True)
class CrowdConfig:
    """Every value is plain YAML or JSON; a list counts as a tuple. ValueError names a bad field.

    split: which bodies: "train", "val" or "test" share none.
    skeleton: "coco" (17 keypoints) or "crowdpose" (14).
    size: side of the square image, pixels.
    persons: fewest and most persons of a scene.
    seed: another seed, other scenes.
    levels: shares of easy, medium and hard scenes asked for; equal parts, since the claims are
        about the hard ones and COCO has few of them.
    heights: smallest and largest height of a standing person as a share of the image's side,
        drawn log-uniformly: the paper's idea lives on differences of scale.
    clutter: most boxes, benches and pillars that stand about and hide people.
    noise: standard deviation of the sensor's noise, of 255, at most; drawn per scene.
    """

    split: str = "train"
    skeleton: str = "coco"
    size: int = 128
    persons: tuple[int, int] = (1, 8)
    seed: int = 0
    levels: tuple[float, float, float] = (1.0, 1.0, 1.0)
    heights: tuple[float, float] = (0.25, 0.95)
    clutter: int = 3
    noise: float = 6.0

    def __post_init__(self):
        if self.split not in SPLITS:
            raise ValueError(f"split {self.split!r}: expected one of {', '.join(SPLITS)}")
        get_skeleton(self.skeleton)
        self._check_int("size", 32, 2048)
        self._check_int("seed", 0, 2**63)
        self._check_int("clutter", 0, 20)
        self._check_numbers("persons", 2, int, 1, 30)
        self._check_numbers("heights", 2, (int, float), 0.05, 3.0)
        self._check_numbers("levels", 3, (int, float), 0.0, float("inf"), rising=False)
        if not sum(self.levels) > 0:
            raise ValueError(f"levels {list(self.levels)}: expected a share above 0")
        if isinstance(self.noise, bool) or not isinstance(self.noise, (int, float)):
            raise ValueError(f"noise {self.noise!r}: expected a number")
        if not 0 <= self.noise <= 64:
            raise ValueError(f"noise {self.noise}: expected 0 to 64")

    def _check_int(self, name: str, low: int, high: int):
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name} {value!r}: expected an integer from {low} to {high}")

    def _check_numbers(self, name, count, kind, low, high, rising=True):
        """`count` numbers within low..high, in rising order; stored as a tuple."""
        value = getattr(self, name)
        numbers = "integers" if kind is int else "numbers"
        expected = f"expected {count} {numbers} from {low} to {high}" + rising * ", in rising order"
        if not isinstance(value, (list, tuple)) or len(value) != count:
            raise ValueError(f"{name} {value!r}: {expected}")
        for number in value:
            if (
                isinstance(number, bool)
                or not isinstance(number, kind)
                or not low <= number <= high
            ):
                raise ValueError(f"{name} {list(value)}: {expected}")
        if (rising and list(value) != sorted(value)) or float("inf") in value:
            raise ValueError(f"{name} {list(value)}: {expected}")
        object.__setattr__(self, name, tuple(value))

    def as_dict(self) -> dict:
        """Plain lists, numbers and strings."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
