"""The configuration of a set of scenes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sparse_ae.crowds.people.bodies import SPLITS
from sparse_ae.metrics.crowding import EASY, HARD

LEVELS = {"easy": (0.0, EASY), "medium": (EASY, HARD), "hard": (HARD, float("inf"))}
RENDERED_SKELETONS = ("coco", "crowdpose")  # the bank has joints for these two only
EQUAL_PARTS = ((0.0, EASY), (EASY, HARD), (HARD, 2.0))  # ranges of the crowd index


@dataclass(frozen=True)
class CrowdConfig:
    """The configuration of the scenes to draw.

    Every value is plain YAML or JSON; a list counts as a tuple. `persons`, `crowding`,
    `scale_spread`, `occlusion` and `scales` are the knobs: turning one leaves the distributions of
    the others as they are.

    Attributes:
        split: Which bodies appear: "train", "val" or "test". The splits share no body.
        skeleton: "coco" (17 keypoints) or "crowdpose" (14). No other skeleton can be rendered.
        size: Side of the square image, in pixels.
        seed: Seed of the scenes; another seed gives other scenes.
        persons: Fewest and most persons per scene, 1 to 30. A crowd index above 0.2 needs two
            persons, one above 0.8 needs three.
        crowding: Ranges of the crowd index. Each scene draws one range, all equally likely; by
            default a third of the scenes each are easy, medium and hard. If the persons have no
            room to be that far apart, the camera sees all of them from farther away.
        scale_spread: Smallest and largest ratio between the largest and the smallest person of a
            scene, 1 to 10. At 1 everybody has the same scale. The paper's regularisers need
            differences of scale.
        occlusion: Share of the persons with something in front of them, 0 to 1.
        scales: Smallest and largest scale of a scene's middle person, drawn log-uniformly. A scale
            is sqrt(box area) over the image's side; a standing person has about 0.6 of its height.
        clutter: Largest number of props behind people.
        noise: Largest standard deviation of the sensor noise, on a scale of 255; drawn per scene.
            0 gives a picture without noise and compression; the lens may still blur it.
        layouts: Path of a COCO or CrowdPose keypoint JSON (.json or .json.gz) whose persons are
            imitated: scene i imitates its i-th image with as many persons as `persons` allows.
            The photographs then set `crowding`, `scale_spread` and `scales`. Empty: no imitation.

    Raises:
        ValueError: If a value is bad; the message names the field.

    Example:
        >>> from sparse_ae.crowds import CrowdConfig
        >>> config = CrowdConfig(split="val", persons=[2, 5], size=64)
        >>> config.persons
        (2, 5)
        >>> CrowdConfig(skeleton="kite.yaml")
        Traceback (most recent call last):
        ValueError: skeleton: only coco and crowdpose can be rendered, got 'kite.yaml'
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
        """Check that a field is an integer within low..high, and not a bool."""
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name} {value!r}: expected an integer from {low} to {high}")

    def _check_number(self, name: str, low: float, high: float):
        """Check that a field is a number within low..high, and not NaN."""
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name} {value!r}: expected a number")
        if not low <= value <= high:
            raise ValueError(f"{name} {value}: expected {low} to {high}")

    def _check_range(self, name, kind, low, high):
        """Check that a field has two numbers within low..high in rising order; store a tuple."""
        value = getattr(self, name)
        numbers = "integers" if kind is int else "numbers"
        if not _is_range(value, kind, low, high):
            raise ValueError(
                f"{name} {value!r}: expected 2 {numbers} from {low} to {high}, in rising order"
            )
        object.__setattr__(self, name, tuple(value))

    def _check_crowding(self):
        """Check that `crowding` has pairs of numbers in rising order, and store them as tuples."""
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
        """Return the fields as plain lists, numbers and strings."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value):
    """Turn nested tuples into lists."""
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _is_range(value, kind, low, high) -> bool:
    """Return whether a value is two numbers of a kind within low..high, in rising order."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    right = all(isinstance(v, kind) and not isinstance(v, bool) for v in value)
    return right and low <= value[0] <= value[1] <= high
