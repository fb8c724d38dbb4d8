"""The keypoints of a person, for evaluation, mirroring, drawing and grouping.

Sources: COCO's names, sigmas and limbs come from its keypoint task (cocodataset.org), CrowdPose's
from its evaluation code (github.com/jeffffffli/CrowdPose), and the grouping orders from the
released code (github.com/CR320/CoupledEmbedding).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """The K keypoints of a person; `len(skeleton)` is K.

    Attributes:
        name: name of the skeleton.
        keypoints: K different names, in the order of the data set's annotations.
        sigmas: K standard deviations for the object keypoint similarity, as a share of the
            person's size (the square root of its area).
        flip_pairs: (left, right) indices that change places in a mirrored image.
        limbs: (from, to) indices of the lines that a drawing shows.
        order: the K indices in the order in which grouping visits them.

    Raises:
        ValueError: the fields contradict each other.
    """

    name: str
    keypoints: tuple[str, ...]
    sigmas: tuple[float, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    limbs: tuple[tuple[int, int], ...]
    order: tuple[int, ...]

    def __post_init__(self):
        count = len(self.keypoints)
        if not all(isinstance(k, str) for k in (self.name, *self.keypoints)):
            raise ValueError("skeleton: name and keypoints must be strings")
        if not count or len(set(self.keypoints)) != count:
            raise ValueError(f"skeleton {self.name!r}: keypoints must be different names, at least "
                             "one")  # fmt: skip
        if len(self.sigmas) != count:
            raise ValueError(
                f"skeleton {self.name!r}: {count} keypoints but {len(self.sigmas)} sigmas"
            )
        if not all(0 < sigma < np.inf for sigma in self.sigmas):
            raise ValueError(f"skeleton {self.name!r}: sigmas: expected positive finite numbers")
        whole = all(type(index) is int for index in self.order)
        if not whole or sorted(self.order) != list(range(count)):
            raise ValueError(f"skeleton {self.name!r}: order must name each of 0..{count - 1} once")
        for pair in (*self.flip_pairs, *self.limbs):
            if len(pair) != 2 or not all(type(i) is int and 0 <= i < count for i in pair):
                raise ValueError(f"skeleton {self.name!r}: {str(pair)[:60]} names no keypoint")

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def flip(self) -> np.ndarray:
        """(K,) int, the index that each keypoint takes in a mirrored image."""
        index = np.arange(len(self))
        for left, right in self.flip_pairs:
            index[left], index[right] = right, left
        return index


COCO = Skeleton(
    name="coco",
    keypoints=(
        "nose",
        *(f"{side}_{part}" for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee",
                                        "ankle") for side in ("left", "right")),
    ),
    sigmas=(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107,
            0.107, 0.087, 0.087, 0.089, 0.089),
    flip_pairs=tuple((i, i + 1) for i in range(1, 17, 2)),
    limbs=((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7),
           (6, 8), (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
    order=tuple(range(17)),
)  # fmt: skip

CROWDPOSE = Skeleton(
    name="crowdpose",
    keypoints=(
        *(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
          for side in ("left", "right")),
        "head", "neck",
    ),
    sigmas=(0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
            0.079, 0.079),
    flip_pairs=tuple((i, i + 1) for i in range(0, 12, 2)),
    limbs=((12, 13), (13, 0), (13, 1), (0, 1), (0, 2), (2, 4), (1, 3), (3, 5), (13, 6), (13, 7),
           (6, 7), (6, 8), (8, 10), (7, 9), (9, 11)),
    order=(13, 12, *range(12)),
)  # fmt: skip

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO, CROWDPOSE)}


def get_skeleton(name: str) -> Skeleton:
    """Return a built-in skeleton, or read one from a YAML file.

    Args:
        name: "coco", "crowdpose", or the path of a YAML file (see `read_skeleton`). A file is read
            once per process.

    Returns:
        The `Skeleton`.

    Raises:
        ValueError: another name, or a file that is missing or describes no skeleton.

    Example:
        >>> from sparse_ae.skeleton import get_skeleton
        >>> skeleton = get_skeleton("crowdpose")
        >>> len(skeleton), skeleton.keypoints[-2:], skeleton.flip[:2].tolist()
        (14, ('head', 'neck'), [1, 0])
    """
    if name.endswith((".yaml", ".yml")):
        return _read_once(name)
    if name not in SKELETONS:
        raise ValueError(
            f"unknown skeleton {name!r}: expected one of {', '.join(SKELETONS)}, or a YAML file"
        )
    return SKELETONS[name]


KEYS = {"name", "keypoints", "flip_pairs", "sigmas", "limbs", "order"}


def read_skeleton(path) -> Skeleton:
    """Read a skeleton from a YAML file, for a data set of your own.

    The file has these keys: `name`; `keypoints`, K names; `sigmas`, K numbers; `flip_pairs` and
    `limbs`, lists of pairs of names; `order`, the K names in the order of grouping, by default that
    of `keypoints`.

    Args:
        path: path of the file.

    Returns:
        The `Skeleton`.

    Raises:
        ValueError: the file is not YAML, or a key is missing, unknown or wrong; the message names
            file and key.
        OSError: the file cannot be read.

    Example:
        >>> import pathlib, tempfile
        >>> from sparse_ae.skeleton import read_skeleton
        >>> text = "{name: stick, keypoints: [top, end], sigmas: [0.1, 0.1], "
        >>> text += "flip_pairs: [], limbs: [[top, end]]}"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "stick.yaml")
        ...     _ = path.write_text(text)
        ...     read_skeleton(path).limbs
        ((0, 1),)
    """
    path = Path(path)
    content = _read_keys(path)
    names = content["keypoints"]
    if not isinstance(content["name"], str):
        raise ValueError(f"{path}: name: expected a string")
    if not _is_list(names, str) or len(set(names)) != len(names):
        raise ValueError(f"{path}: keypoints: expected a list of different names")
    if not _is_list(content["sigmas"], int | float):
        raise ValueError(f"{path}: sigmas: expected a list of positive numbers")
    if not _is_list(content["order"], str):
        raise ValueError(f"{path}: order: expected a list of keypoint names")
    try:
        return Skeleton(
            content["name"],
            tuple(names),
            tuple(map(float, content["sigmas"])),
            _pairs(content["flip_pairs"], names, "flip_pairs"),
            _pairs(content["limbs"], names, "limbs"),
            tuple(_index(name, names, "order") for name in content["order"]),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _read_keys(path: Path) -> dict:
    """Read a YAML file that has exactly the keys of a skeleton; `order` has a default."""
    import yaml  # only here: losses and metrics use this module, and must work without yaml

    try:
        # names that look the same must be equal, such as é as one character or two
        content = yaml.safe_load(normalize("NFC", path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected the keys {', '.join(sorted(KEYS))}")
    content.setdefault("order", content.get("keypoints"))
    if set(content) != KEYS:
        wrong = ", ".join(map(str, sorted(set(content) ^ KEYS, key=str)))
        raise ValueError(f"{path}: keys missing or unknown: {wrong}")
    return content


@lru_cache(maxsize=8)
def _read_once(name: str) -> Skeleton:
    """Read a skeleton's file the first time; ValueError for a missing file too."""
    try:
        return read_skeleton(name)
    except OSError as error:
        raise ValueError(f"skeleton {name}: {error.strerror}") from None


def _is_list(value, kind) -> bool:
    """Return whether a value is a list with at least one member, all of this kind, none a bool."""
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(v, kind) and not isinstance(v, bool) for v in value)


def _pairs(pairs, names: list[str], key: str) -> tuple[tuple[int, int], ...]:
    """Convert pairs of names to pairs of indices; ValueError for a name in two flip pairs."""
    whole = isinstance(pairs, list | None)
    if not whole or not all(_is_list(pair, str) and len(pair) == 2 for pair in pairs or []):
        raise ValueError(f"{key}: expected pairs of names, as [[a, b], [c, d]]")
    found = tuple((_index(a, names, key), _index(b, names, key)) for a, b in pairs or [])
    flat = [index for pair in found for index in pair]
    if key == "flip_pairs" and len(set(flat)) != len(flat):
        raise ValueError(f"{key}: a keypoint can be in one flip pair only")
    return found


def _index(name, names: list[str], key: str) -> int:
    """Return the place of a name among the keypoints' names; ValueError if it is not there."""
    if name not in names:
        raise ValueError(f"{key}: {name!r} is not among keypoints")
    return names.index(name)
