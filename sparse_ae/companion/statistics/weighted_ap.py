"""Average precision of weighted test images, fast enough for 10,000 resamples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sparse_ae.metrics.crowding import EASY, HARD
from sparse_ae.runtime.kernels import kernel

LEVELS = {"": (-np.inf, np.inf), "easy": (-np.inf, EASY), "medium": (EASY, HARD),
          "hard": (HARD, np.inf)}  # fmt: skip
THRESHOLDS = 10  # of the similarity
RECALLS = np.linspace(0, 1, 101)  # at which precision is read


class Ranking(NamedTuple):
    """A run's detections, the best first, with what average precision needs to know.

    Attributes:
        image: (N,) int64, index of the detection's image.
        matched: (N,) int64, bit t says whether it found a person at the threshold 0.5 + 0.05 t.
        skipped: (N,) int64, bit t says whether it does not count at that threshold.
        persons: (I,) int64, how many persons each image has to find.
    """

    image: np.ndarray
    matched: np.ndarray
    skipped: np.ndarray
    persons: np.ndarray


def rank_detections(arrays: Mapping[str, np.ndarray]) -> Ranking:
    """Rank the detections of a run's arrays (`records.MATCHES`) by score."""
    order = np.argsort(-arrays["match_score"], kind="stable")
    names = ("match_image", "match_matched", "match_skipped")
    parts = (arrays[name][order].astype(np.int64) for name in names)
    return Ranking(*parts, arrays["match_persons"].astype(np.int64))


def average_precision(found: Ranking, weights) -> np.ndarray:
    """Return (R,) average precision with image i counted weights[r, i] times.

    It equals `metrics.keypoint_ap` of a data set that lists each image that many times.

    Args:
        found: The detections.
        weights: (R, I) integers from 0.

    Returns:
        (R,) float, nan where there is no person to find.

    Raises:
        ValueError: If the weights do not fit the images.
    """
    return precisions(found, weights).mean(1)


def precisions(found: Ranking, weights) -> np.ndarray:
    """Return (R, 10) the average precision at each threshold, whose mean is `average_precision`.

    The first is AP50, the sixth AP75.
    """
    weights = np.ascontiguousarray(weights, np.int64)
    if weights.ndim != 2 or weights.shape[1] != len(found.persons) or (weights < 0).any():
        raise ValueError(
            f"weights: expected (R, {len(found.persons)}) integers from 0, got {weights.shape}"
        )
    return _precisions(found.image, found.persons, *_events(found), weights, RECALLS)


def in_level(crowd_index: np.ndarray, level: str) -> np.ndarray:
    """Return (I,) bool, which images are "easy", "medium" or "hard"; "" counts all."""
    low, high = LEVELS[level]
    return (low <= crowd_index) & (crowd_index < high)


def select_images(found: Ranking, counted: np.ndarray) -> Ranking:
    """Return the ranking on the images that `counted` (I,) bool selects, which are renumbered."""
    number = np.cumsum(counted) - 1
    kept = counted[found.image]
    image, matched, skipped = (part[kept] for part in found[:3])
    return Ranking(number[image], matched, skipped, found.persons[counted])


def _events(found: Ranking) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List, threshold by threshold, the detections that found a person or do not count.

    Returns:
        place (E,) in the ranking; right (E,) bool, whether it found a person; first (11,), where
        each threshold begins.
    """
    place, right, first = [], [], [0]
    for t in range(THRESHOLDS):
        skipped = (found.skipped >> t & 1).astype(bool)
        matched = (found.matched >> t & 1).astype(bool) & ~skipped
        at = np.flatnonzero(matched | skipped)
        place.append(at)
        right.append(matched[at])
        first.append(first[-1] + len(at))
    return np.concatenate(place), np.concatenate(right), np.array(first)


@kernel
def _precisions(image, persons, place, right, first, weights, recalls):
    result = np.full((len(weights), THRESHOLDS), np.nan)
    so_far = np.empty(len(image), np.int64)  # detections up to here
    found, precision = np.empty(len(place)), np.empty(len(place))
    for r in range(len(weights)):
        weight, total, count = weights[r], 0, 0
        for i in range(len(persons)):
            total += weight[i] * persons[i]
        for n in range(len(image)):
            count += weight[image[n]]
            so_far[n] = count
        for t in range(THRESHOLDS if total > 0 else 0):
            hits, skips, length = 0, 0, 0
            for e in range(first[t], first[t + 1]):
                own = weight[image[place[e]]]
                if not right[e]:
                    skips += own
                elif own > 0:
                    hits += own
                    found[length] = hits / total
                    precision[length] = hits / (so_far[place[e]] - skips)
                    length += 1
            result[r, t] = _area(found, precision, length, recalls)
    return result


@kernel
def _area(found, precision, length, recalls):
    """Return the mean over `recalls` of the best precision at this recall or a higher one.

    It goes from the last of `length` points to the first.
    """
    best, total, at = 0.0, 0.0, len(recalls) - 1
    for n in range(length - 1, -1, -1):
        while at >= 0 and recalls[at] > found[n]:
            total += best
            at -= 1
        best = max(best, precision[n])
    return (total + best * (at + 1)) / len(recalls)
