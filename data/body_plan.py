"""Plan whom the bank holds: families of poses, splits and phenotypes."""

from __future__ import annotations

import numpy as np
from pose_families import FAMILIES


def plan_bank(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Assign a family and a split to each of `count` bodies.

    Train, val and test get 8 : 1 : 1 of all bodies exactly, and of each family as nearly as
    possible.

    Returns:
        (count,) index of the family and (count,) index of the split.
    """
    shares = np.array([share for share, _ in FAMILIES.values()], float)
    ends = np.round(np.cumsum(shares / shares.sum()) * count).astype(int)
    family = np.repeat(np.arange(len(shares)), np.diff(ends, prepend=0))
    spread = rng.permutation(count)  # random within a family; then every tenth body of all
    spread = spread[np.argsort(family[spread], kind="stable")]
    split = np.zeros(count, int)
    for number in (1, 2):
        split[spread[4 * number :: 10][: count // 10]] = number
    order = rng.permutation(count)
    return family[order], split[order]


def draw_phenotype(rng: np.random.Generator) -> dict[str, float]:
    """Draw a phenotype: ages from about four years, both sexes, all builds; values in [0, 1].

    Anny's middle height is tall. A mean of 0.37 gives men of 1.75 m and women of 1.62 m on average.
    """
    low, high = ((0.22, 0.48), (0.5, 0.85), (0.85, 1.0))[rng.choice(3, p=(0.2, 0.64, 0.16))]
    gender = abs(rng.integers(2) - rng.beta(1, 6))
    return {
        "gender": gender,
        "age": rng.uniform(low, high),
        "muscle": rng.beta(2.5, 2.5),
        "weight": rng.beta(2.2, 2.6),
        "height": np.clip(rng.normal(0.37, 0.1), 0.1, 0.68),
        "proportions": rng.beta(2.5, 2),
    }
