"""Object keypoint similarity, and which detection matches which person: COCO's rules, compiled.

The rules are those of COCO's evaluation (pycocotools, cocoeval.py), the reference for every number.
A scene is what is matched together: one image, one category. G persons, N detections, K keypoints,
T thresholds, A ranges of area.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.runtime.kernels import kernel

EPSILON = np.spacing(1.0)
ALMOST_ONE = 1 - 1e-10  # a threshold of 1 could never be reached


class Persons(NamedTuple):
    """Annotated persons, those of a scene one after the other.

    keypoints: (G, K, 3) x, y, v; area: (G,); box: (G, 4) x, y, width, height; ignored, crowd: (G,)
    bool, not to be counted, and a region of many persons; first: (scenes + 1,) where each scene
    begins.
    """

    keypoints: np.ndarray
    area: np.ndarray
    box: np.ndarray
    ignored: np.ndarray
    crowd: np.ndarray
    first: np.ndarray


class Detections(NamedTuple):
    """Detected persons, those of a scene one after the other, the best first.

    keypoints: (N, K, 3) x, y, score; area: (N,) of the box around them; first: as in `Persons`.
    """

    keypoints: np.ndarray
    area: np.ndarray
    first: np.ndarray


def match(
    persons: Persons, detections: Detections, sigmas, thresholds, ranges
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Match each scene's detections, the best first, with the persons most like them.

    sigmas: (K,); thresholds: (T,) least similarity of a match; ranges: (A, 2) areas; a person
    outside is ignored. Returns matched (A, T, N) and skipped (A, T, N), the detections that found a
    person and those that do not count, and ignored (A, G).
    """
    variance = (2 * np.asarray(sigmas, np.float64)) ** 2
    return _match(persons, detections, variance, np.asarray(thresholds), np.asarray(ranges, float))


@kernel
def _match(persons, detections, variance, thresholds, ranges):
    count, found = len(persons.area), len(detections.area)
    matched = np.zeros((len(ranges), len(thresholds), found), np.bool_)
    skipped = np.zeros((len(ranges), len(thresholds), found), np.bool_)
    ignored = np.zeros((len(ranges), count), np.bool_)
    for scene in range(len(persons.first) - 1):
        g0, g1 = persons.first[scene], persons.first[scene + 1]
        n0, n1 = detections.first[scene], detections.first[scene + 1]
        alike = np.empty((n1 - n0, g1 - g0))
        for n in range(n0, n1):
            for g in range(g0, g1):
                alike[n - n0, g - g0] = similarity(
                    detections.keypoints[n], persons.keypoints[g], persons.box[g],
                    persons.area[g], variance,
                )  # fmt: skip
        for a in range(len(ranges)):
            low, high = ranges[a]
            for g in range(g0, g1):
                outside = persons.area[g] < low or persons.area[g] > high
                ignored[a, g] = persons.ignored[g] or outside
            order = np.argsort(ignored[a, g0:g1], kind="mergesort")  # those that count first
            for t in range(len(thresholds)):
                _assign(
                    alike, order, ignored[a, g0:g1], persons.crowd[g0:g1], thresholds[t],
                    matched[a, t, n0:n1], skipped[a, t, n0:n1],
                )  # fmt: skip
                for n in range(n0, n1):
                    outside = detections.area[n] < low or detections.area[n] > high
                    skipped[a, t, n] |= outside and not matched[a, t, n]
    return matched, skipped, ignored


@kernel
def similarity(detected, labelled, box, area, variance):
    """Object keypoint similarity of a detection (K, 3) and a person (K, 3), from 0 to 1.

    The mean over the labelled keypoints of exp(−d²/(2 · area · variance)). For a person without
    any, d is the distance from its box, enlarged by its width and height to every side.
    """
    total, count = 0.0, 0
    for k in range(len(labelled)):
        count += labelled[k, 2] > 0
    for k in range(len(labelled)):
        if count > 0 and not labelled[k, 2] > 0:
            continue
        if count > 0:
            dx, dy = detected[k, 0] - labelled[k, 0], detected[k, 1] - labelled[k, 1]
        else:
            dx = max(0, box[0] - box[2] - detected[k, 0], detected[k, 0] - box[0] - 2 * box[2])
            dy = max(0, box[1] - box[3] - detected[k, 1], detected[k, 1] - box[1] - 2 * box[3])
        total += np.exp(-(dx * dx + dy * dy) / variance[k] / (area + EPSILON) / 2)
    return total / (count if count > 0 else len(labelled))


@kernel
def _assign(alike, order, ignored, crowd, threshold, matched, skipped):
    """One scene at one threshold: mark the detections that match, and those that match a person
    who is ignored (in place). Of equally similar persons the last takes it; an ignored person only
    where no other does."""
    taken = np.zeros(len(order), np.bool_)
    for n in range(len(alike)):
        best, most = -1, min(threshold, ALMOST_ONE)
        for g in order:
            if taken[g] and not crowd[g]:
                continue
            if best >= 0 and not ignored[best] and ignored[g]:
                break
            if alike[n, g] >= most:
                best, most = g, alike[n, g]
        if best >= 0:
            taken[best] = True
            matched[n] = True
            skipped[n] = ignored[best]
