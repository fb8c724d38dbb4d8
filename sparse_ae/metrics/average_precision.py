"""Average precision of keypoints, as COCO and CrowdPose compute it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.metrics.coco_scenes import CROWD_AREA as CROWD_AREA  # data sets import it here
from sparse_ae.metrics.coco_scenes import read_detections, read_persons, read_scenes
from sparse_ae.metrics.crowding import EASY, HARD
from sparse_ae.metrics.oks import match

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # OKS
RECALLS = np.linspace(0, 1, 101)  # at which precision is read
EVERY_AREA = (0, 1e10)
LEVELS = {"easy": (-np.inf, EASY), "medium": (EASY, HARD), "hard": (HARD, np.inf)}
AREAS = {"": EVERY_AREA, "M": (32**2, 96**2), "L": (96**2, 1e10)}  # in square pixels


def keypoint_ap(annotations, detections, skeleton, *, crowd=False) -> dict[str, float]:
    """Compute average precision and recall over object keypoint similarity, equal to pycocotools'.

    People with num_keypoints 0 are ignored, as in pycocotools: found or not, they do not count.
    This includes people with labelled joints whose num_keypoints CrowdPose sets to 0, as in its
    published figures. If the field is missing, it is the number of labelled joints.

    Args:
        annotations: a dict in COCO format (images, annotations, categories); it is not changed.
        detections: COCO results, each with image_id, category_id, keypoints (3K: x, y, score;
            pixels) and score; at most 20 per image count. They are not changed. If the first has a
            bbox, all must, and APM and APL take the areas from it, as pycocotools does.
        skeleton: a `Skeleton`, whose sigmas are used.
        crowd: evaluate as CrowdPose does: area = 0.53 × box, and AP by crowd index too (the
            images' "crowdIndex": easy below 0.2, medium below 0.8, hard from 0.8 on).

    Returns:
        AP, AP50, AP75, AR, AR50, AR75 by name, in [0, 1]; and APM, APL, ARM, ARL (COCO's medium
        and large people) or, with crowd=True, AP_easy, AP_medium, AP_hard. A figure is nan if there
        is no person to find, and 0 if there is one but no detection.

    Raises:
        ValueError: keypoints that do not fit the skeleton or are not finite, a detection in an
            unknown image, or a missing field.

    Example:
        >>> from sparse_ae.metrics import keypoint_ap
        >>> from sparse_ae.skeleton import COCO
        >>> person = {"image_id": 1, "category_id": 1, "keypoints": [30, 40, 2] * 17}
        >>> truth = {"images": [{"id": 1}], "categories": [{"id": 1}],
        ...          "annotations": [person | {"bbox": [0, 0, 60, 80], "area": 2400}]}
        >>> round(keypoint_ap(truth, [person | {"score": 0.9}], COCO)["AP"], 3)
        1.0
    """
    images, categories, level = read_scenes(annotations, crowd)
    persons, of = read_persons(annotations["annotations"], skeleton, images, categories, crowd)
    found, score, at = read_detections(detections, skeleton, images, categories)
    areas = {"": EVERY_AREA} if crowd else AREAS
    outcome = match(persons, found, skeleton.sigmas, THRESHOLDS, list(areas.values()))

    def curves(area=0, counted=None):
        parts = [outcome[0][area], outcome[1][area], outcome[2][area]]
        return _curves(*parts, score, at, of, len(images), len(categories), counted)

    numbers = _figures(lambda counted: curves(0, counted), level if crowd else None)
    for area, name in enumerate(areas):
        if name:
            numbers[f"AP{name}"], numbers[f"AR{name}"] = map(_mean, curves(area))
    return numbers


class Matches(NamedTuple):
    """Which of N detections in I images found a person, all that average precision depends on.

    Attributes:
        score: (N,) scores, the best of each image first.
        image: (N,) index of each detection's image, in the order of ids.
        matched: (10, N) bool at the ten thresholds of the OKS: detections that found a person.
        skipped: (10, N) bool: detections that do not count.
        persons: (I,) number of persons to find in each image.
    """

    score: np.ndarray
    image: np.ndarray
    matched: np.ndarray
    skipped: np.ndarray
    persons: np.ndarray


def keypoint_matches(annotations, detections, skeleton, *, crowd=False) -> Matches:
    """Return the `Matches` behind `keypoint_ap`, for annotations with one category.

    Args:
        annotations, detections, skeleton, crowd: see `keypoint_ap`.

    Returns:
        `Matches`, from which `ap_of_matches` computes AP.

    Raises:
        ValueError: as in `keypoint_ap`, and for several categories.

    Example:
        >>> from sparse_ae.metrics import keypoint_matches
        >>> from sparse_ae.skeleton import COCO
        >>> person = {"image_id": 1, "category_id": 1, "keypoints": [30, 40, 2] * 17}
        >>> truth = {"images": [{"id": 1}], "categories": [{"id": 1}],
        ...          "annotations": [person | {"bbox": [0, 0, 60, 80], "area": 2400}]}
        >>> keypoint_matches(truth, [person | {"score": 0.9}], COCO).matched.sum().item()
        10
    """
    images, categories, _ = read_scenes(annotations, crowd)
    if len(categories) != 1:
        raise ValueError(f"annotations: expected one category, got {len(categories)}")
    persons, of = read_persons(annotations["annotations"], skeleton, images, categories, crowd)
    found, score, at = read_detections(detections, skeleton, images, categories)
    matched, skipped, ignored = match(persons, found, skeleton.sigmas, THRESHOLDS, [EVERY_AREA])
    wanted = np.bincount(of[~ignored[0]], minlength=len(images))
    return Matches(score, at, matched[0], skipped[0], wanted)


def ap_of_matches(matches: Matches, level) -> dict[str, float]:
    """Compute AP from `Matches`, as `keypoint_ap` does with crowd=True.

    Args:
        matches: `Matches` of I images.
        level: (I,) crowd index of each image.

    Returns:
        The figures of `keypoint_ap` with crowd=True, by name.

    Example:
        >>> import numpy as np
        >>> from sparse_ae.metrics import Matches, ap_of_matches
        >>> found, ignored = np.ones((10, 1), bool), np.zeros((10, 1), bool)
        >>> one = Matches(np.array([0.9]), np.array([0]), found, ignored, np.array([1]))
        >>> round(ap_of_matches(one, level=[0.9])["AP_hard"], 3)
        1.0
    """
    of = np.repeat(np.arange(len(level)), matches.persons)
    right = matches.matched, matches.skipped, np.zeros(len(of), bool)
    rest = matches.score, matches.image, of, len(level), 1
    return _figures(lambda counted: _curves(*right, *rest, counted), np.asarray(level, float))


def _figures(curves, level=None) -> dict[str, float]:
    """Return AP, AR, AP50 and so on by name, and AP_easy and so on given crowd indices (I,).

    curves(counted) computes `_curves` on the images that count.
    """
    precision, recall = curves(None)
    numbers = {"AP": _mean(precision), "AR": _mean(recall)}
    for name, threshold in (("50", 0), ("75", 5)):
        numbers[f"AP{name}"] = _mean(precision[:, threshold])
        numbers[f"AR{name}"] = _mean(recall[:, threshold])
    for name, (low, high) in LEVELS.items() if level is not None else ():
        numbers[f"AP_{name}"] = _mean(curves((low <= level) & (level < high))[0])
    return numbers


def _mean(values) -> float:
    """Return the mean, nan for an empty array."""
    return float(values.mean()) if values.size else float("nan")


def _curves(matched, skipped, ignored, score, at, of, images, categories, counted):
    """Return precision (C, 10, 101) at RECALLS and the largest recall (C, 10).

    C is the number of categories with a person to find. matched and skipped (10, N) and ignored
    (G,) come from `match`; score is (N,); at (N,) and of (G,) are the scenes of detections and
    persons; counted is (images,) bool, the images that count, or None for all.
    """
    precision = np.zeros((categories, len(THRESHOLDS), len(RECALLS)))
    recall = np.zeros((categories, len(THRESHOLDS)))
    anyone = np.zeros(categories, bool)
    for c in range(categories):
        person, which = of // max(images, 1) == c, at // max(images, 1) == c
        if counted is not None:
            person, which = person & counted[of % images], which & counted[at % images]
        persons = int((person & ~ignored).sum())
        anyone[c] = persons > 0
        order = np.flatnonzero(which)
        order = order[np.argsort(-score[order], kind="stable")]
        if not (persons and len(order)):
            continue
        right = np.cumsum(matched[:, order] & ~skipped[:, order], axis=1)  # (10, n)
        wrong = np.cumsum(~matched[:, order] & ~skipped[:, order], axis=1)
        exact = right / (right + wrong + np.spacing(1))
        exact = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]  # best from there on
        reached = right / persons
        recall[c] = reached[:, -1]
        for t in range(len(THRESHOLDS)):
            place = np.searchsorted(reached[t], RECALLS, side="left")
            precision[c, t, place < len(order)] = exact[t, place[place < len(order)]]
    return precision[anyone], recall[anyone]
