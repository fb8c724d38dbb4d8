"""Compute object keypoint similarity (OKS), and match detections with persons by COCO's rules.

Results must equal those of COCO's evaluation (pycocotools, cocoeval.py). A scene, the unit of
matching, is one image and one category. G persons, N detections, K keypoints, T thresholds, A
ranges of area.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.runtime.kernels import kernel

EPSILON = np.spacing(1.0)
ALMOST_ONE = 1 - 1e-10  # a threshold of 1 could never be reached


class Persons(NamedTuple):
    """Annotated persons, sorted by scene.

    Attributes:
        keypoints: (G, K, 3) x, y in pixels and v.
        area: (G,) in square pixels.
        box: (G, 4) x, y, width, height in pixels.
        ignored: (G,) bool, persons that do not count, found or not.
        crowd: (G,) bool, regions of many persons.
        first: (scenes + 1,) index of the first person of each scene.
    """

    keypoints: np.ndarray
    area: np.ndarray
    box: np.ndarray
    ignored: np.ndarray
    crowd: np.ndarray
    first: np.ndarray


class Detections(NamedTuple):
    """Detected persons, sorted by scene, and by score within a scene, the best first.

    Attributes:
        keypoints: (N, K, 3) x, y in pixels and score.
        area: (N,) in square pixels: of the bbox, mask or box around the keypoints.
        first: (scenes + 1,) index of the first detection of each scene.
    """

    keypoints: np.ndarray
    area: np.ndarray
    first: np.ndarray


def match(
    persons: Persons, detections: Detections, sigmas, thresholds, ranges
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Match the detections of each scene, the best first, with the persons most similar to them.

    Args:
        persons: `Persons`.
        detections: `Detections` of the same scenes.
        sigmas: (K,) standard deviations of the OKS.
        thresholds: (T,) least OKS of a match.
        ranges: (A, 2) areas in square pixels; a person outside the range is ignored.

    Returns:
        matched (A, T, N) bool, detections that found a person; skipped (A, T, N) bool, detections
        that do not count; ignored (A, G) bool, persons that do not count.

    Source:
        pycocotools, cocoeval.py.
    """
    variance = (2 * np.asarray(sigmas, np.float64)) ** 2
    return _match(persons, detections, variance, np.asarray(thresholds), np.asarray(ranges, float))


@kernel
def _match(persons, detections, variance, thresholds, ranges):
    """Compiled part of `match`; variance is (K,), (2 sigma)²."""
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
            order = np.argsort(ignored[a, g0:g1], kind="mergesort")  # ignored persons last
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
    """Compute the object keypoint similarity (OKS) of a detection and a person.

    It is the mean of exp(−d²/(2 · area · variance)) over the labelled keypoints. For a person
    without any, d is the distance from its box, enlarged by its width and height to every side.

    Args:
        detected: (K, 3) x, y in pixels and score.
        labelled: (K, 3) x, y in pixels and v.
        box: (4,) x, y, width, height of the person, in pixels.
        area: of the person, in square pixels.
        variance: (K,) (2 sigma)².

    Returns:
        The similarity, from 0 to 1.

    Source:
        pycocotools, cocoeval.py, computeOks.
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
    """Match one scene at one threshold, and write the result into `matched` and `skipped`.

    Among equally similar people the last one gets the detection. An ignored person gets it only if
    no other person does; the detection is then skipped.
    """
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
