"""Correct the first component's share for what isotropic people would have by chance.

With few people some line always fits well. Isotropic people in 8 dimensions, each with 12 joints
and a spread within people of a tenth of that between people, have a mean share of 0.98 for 2
people, 0.58 for 4 and 0.38 for 9. `excess_share` measures from there.

The null model draws the true mean of each person from N(0, between² I) in D dimensions, and each
visible joint from N(mean, within² I). The directions are random, but the spreads are fixed: each
random image is scaled to the two spreads measured in the image. If it had them only on average, two
isotropic people would exceed the null by 0.3 on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import atan2, cos, inf, pi, sin, sqrt

import numpy as np

from sparse_ae.metrics.embeddings import (
    NAN,
    ROUNDING,
    check_embeddings,
    linearity,
    person_means,
)
from sparse_ae.metrics.null_fit import fitted_share, is_fitted

DRAWS = 512  # random images per simulated expectation
STEPS = 32  # of the angle atan(sqrt(W / B)), from 0 to π/2; interpolated in between
CERTAIN = 1 - 1e-9  # a null from here on leaves nothing above it


def excess_share(tags, visible, *, draws=None, seed=0) -> float:
    """Compute how far the first component's share exceeds that of isotropic people.

    The measure is (share − null) / (1 − null): the share is `linearity(...).first_component`, the
    null is `isotropic_share` of the same image. It is 1 for points on a line, and about 0 on
    average for isotropic people. Single images vary: for the people described at the top of this
    file the standard deviation is 0.04 with 2 people, 0.32 with 3, 0.21 with 4 and 0.09 with 9.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.
        draws, seed: see `expected_share`; the same arguments always give the same result.

    Returns:
        The excess, at most 1, negative below the null; nan where `linearity` is nan, and where the
        null is 1 itself: at D = 1, with two visible joints, and with two persons without any
        spread within them.

    Raises:
        ValueError: wrong shapes, visible embeddings that are not finite, or draws below 1.

    Example:
        >>> import numpy as np
        >>> from sparse_ae.metrics import excess_share
        >>> tags = np.arange(12).reshape(4, 3, 1) * np.ones(8)  # 4 persons, 3 joints, on one line
        >>> round(excess_share(tags, np.ones((4, 3), bool)), 6)
        1.0
    """
    share = linearity(tags, visible).first_component
    null = isotropic_share(tags, visible, draws=draws, seed=seed)
    return (share - null) / (1 - null) if null < CERTAIN else NAN  # nan too


def isotropic_share(tags, visible, *, draws=None, seed=0) -> float:
    """Return the first component's expected share if the people of an image were isotropic.

    The random people match the image in dimensions, number of people, visible joints per person,
    and spreads within and between people; see `spread_ratio` and `expected_share`.

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.
        draws, seed: see `expected_share`.

    Returns:
        The expected share, in [1/D, 1]; nan where `linearity` is nan.

    Raises:
        ValueError: wrong shapes, visible embeddings that are not finite, or draws below 1.

    Example:
        >>> import numpy as np
        >>> from sparse_ae.metrics import isotropic_share
        >>> tags = np.random.default_rng(0).normal(size=(2, 3, 8))
        >>> 1 / 8 < isotropic_share(tags, np.ones((2, 3), bool)) < 1
        True
    """
    tags, visible = check_embeddings(tags, visible)
    counts, within, between = _spreads(tags, visible)
    largest = np.abs(tags[visible]).max(initial=0)
    if sum(counts) < 2 or within + between <= (ROUNDING * largest) ** 2:  # one point
        return NAN
    return _expected(counts, tags.shape[2], atan2(sqrt(within), sqrt(between)), draws, seed)


def spread_ratio(tags, visible) -> float:
    """Estimate the ratio of the spread within people to the spread between people.

    Both are RMS distances: of joints to their person's mean, and of people's means to the mean of
    these means. Both are corrected for small numbers. With P people and n visible joints, n_p of
    them from person p, the mean square within, W, is the sum of squares over n − P instead of n.
    The mean square between, B, is the sum over P − 1 instead of P. A mean of n_p joints scatters by
    W / n_p even if all true means are equal, so the ratio is sqrt(W / (B − mean(W / n_p))).

    Args:
        tags: (P, K, D) embeddings at the ground-truth joints; read where visible.
        visible: (P, K) bool.

    Returns:
        The ratio, from 0 to inf. It is 0 if no person has two visible joints, since the spread
        within is then unknown; and inf with only one person, or if the means lie no further apart
        than the spread within people alone would put them.

    Raises:
        ValueError: wrong shapes, or visible embeddings that are not finite.

    Example:
        >>> from sparse_ae.metrics import spread_ratio
        >>> tags = [[[0.0], [2.0]], [[4.0], [6.0]]]  # W = 4 / 2, B = 8 / 1, n_p = 2
        >>> round(spread_ratio(tags, [[True, True], [True, True]]) ** 2, 3)  # 2 / (8 − 1)
        0.286
    """
    counts, within, between = _spreads(*check_embeddings(tags, visible))
    if not within:
        return 0.0
    between -= within * np.mean(1 / np.array(counts))
    return sqrt(within / between) if between > 0 else inf


def expected_share(counts, dim, ratio, *, draws=None, seed=0) -> float:
    """Return the first component's expected share for isotropic people.

    For up to 12 people, 17 joints each and 16 dimensions, a fit takes 0.1 ms and has an RMS error
    of 0.0005 (see `null_fit.fitted_share`). Other crowds are simulated at 33 angles
    atan(sqrt(W / B)) (see `spread_ratio`), and interpolated in between. That takes 6 ms or more,
    once for each kind of crowd. With 512 draws its standard error is at most 0.005, and
    interpolation adds at most 0.003.

    Args:
        counts: (P,) number of visible joints of each person, at least 1 each.
        dim: D, the number of dimensions.
        ratio: spread within persons over spread between persons, from 0 to inf.
        draws: number of random images; None uses the fit, or 512 images where it does not hold.
        seed: of the random images; together with the other arguments it determines the result.

    Returns:
        The expected share, in [1/D, 1]; nan with fewer than two joints.

    Raises:
        ValueError: a count, dim or draws below 1, or a ratio that is negative or nan.

    Example:
        >>> from sparse_ae.metrics import expected_share
        >>> round(expected_share([12] * 4, dim=8, ratio=0.1), 1)
        0.6
    """
    if not ratio >= 0:
        raise ValueError(f"ratio: expected a number from 0 to inf, got {ratio}")
    counts = tuple(int(count) for count in counts)
    if not all(number >= 1 for number in (*counts, dim)):
        raise ValueError(f"counts, dim: expected numbers from 1 on, got {list(counts)} and {dim}")
    if sum(counts) < 2:
        return NAN
    if len(counts) == 1:
        return _expected(counts, dim, pi / 2, draws, seed)
    surplus = np.mean(1 / np.array(counts))  # B / W = 1 / ratio² + the mean of 1 / n_p
    angle = atan2(ratio, sqrt(1 + surplus * ratio**2)) if ratio < inf else atan2(1, sqrt(surplus))
    return _expected(counts, dim, angle, draws, seed)


def _spreads(tags: np.ndarray, visible: np.ndarray) -> tuple[tuple[int, ...], float, float]:
    """Return each person's number of visible joints, if any, and the mean squares W and B."""
    person, _ = visible.nonzero()  # (n,) owner of each visible joint
    counts = visible.sum(axis=1)
    means = person_means(tags, visible)  # (P, D)
    joints, persons = len(person), np.count_nonzero(counts)
    within = ((tags[visible] - means[person]) ** 2).sum() / max(joints - persons, 1)
    means = means[counts > 0]
    between = ((means - means.mean(axis=0)) ** 2).sum() / max(persons - 1, 1) if persons else 0.0
    return tuple(counts[counts > 0].tolist()), float(within), float(between)


def _expected(
    counts: tuple[int, ...], dim: int, angle: float, draws: int | None, seed: int
) -> float:
    """Return the expected share at any angle: fitted, or simulated at the two nearest steps."""
    if draws is None and is_fitted(counts, dim):
        return fitted_share(counts, dim, sin(angle) ** 2, cos(angle) ** 2)
    draws = DRAWS if draws is None else draws
    if draws < 1:
        raise ValueError(f"draws: expected a number from 1 on, got {draws}")
    if dim == 1:
        return 1.0
    step = min(int(angle / (pi / 2) * STEPS), STEPS - 1)
    low, high = (_share_at(tuple(sorted(counts)), dim, step + i, draws, seed) for i in (0, 1))
    squares = (sin(at) ** 2 for at in (angle, step * pi / 2 / STEPS, (step + 1) * pi / 2 / STEPS))
    here, start, end = squares  # W / (W + B), in which the share is nearly linear
    return low + (here - start) / (end - start) * (high - low)


@lru_cache(maxsize=2**16)
def _share_at(counts: tuple[int, ...], dim: int, step: int, draws: int, seed: int) -> float:
    """Return the expected share at one angle; neighbouring angles share their random numbers."""
    generator = np.random.default_rng([seed, dim, *counts])
    return float(simulated_shares(counts, dim, step * pi / 2 / STEPS, draws, generator).mean())


def simulated_shares(
    counts: Sequence[int], dim: int, angle: float, draws: int, generator: np.random.Generator
) -> np.ndarray:
    """Return (draws,) the first shares of random images of isotropic people.

    People's means are drawn, but not joints: the scatter of joints around their person's mean has a
    Wishart distribution, which a D × D triangle of random numbers gives (Bartlett).

    Args:
        counts: (P,) number of visible joints of each person.
        dim: D, the number of dimensions.
        angle: atan(sqrt(W / B)), from 0 to π/2.
        draws: number of random images.
        generator: source of the random numbers.
    """
    within, between = sin(angle), cos(angle)  # sqrt of W and of B
    count = np.array(counts, float)[:, None]  # (P, 1)
    means = generator.normal(size=(draws, len(counts), dim))
    true = max(between**2 - within**2 * (1 / count).mean(), 0)  # B without the scatter of means
    means *= np.sqrt(true + within**2 / count)
    means *= between * _unit(means - means.mean(axis=1, keepdims=True), len(counts) - 1)
    means -= (count * means).sum(axis=1, keepdims=True) / count.sum()
    freedom = int(count.sum()) - len(counts)
    around = generator.normal(size=(draws, min(freedom, dim), dim))
    if freedom > dim:
        around, diagonal = np.triu(around, 1), np.arange(dim)
        chi = generator.chisquare(freedom - diagonal, size=(draws, dim))
        around[:, diagonal, diagonal] = np.sqrt(chi)
    around *= within * _unit(around, freedom)
    points = np.concatenate([np.sqrt(count) * means, around], axis=1)  # (draws, P + rows, D)
    scatter = np.linalg.eigvalsh(points.transpose(0, 2, 1) @ points)  # (draws, D), ascending
    return scatter[:, -1] / scatter.sum(axis=1)


def _unit(points: np.ndarray, freedom: int) -> np.ndarray:
    """Return (draws, 1, 1) factors that give each draw's points (draws, n, D) mean square 1."""
    square = (points**2).sum(axis=(1, 2), keepdims=True)
    return np.sqrt(freedom / np.where(square > 0, square, 1))
