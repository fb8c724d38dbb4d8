"""Average precision of keypoints, as COCO and as CrowdPose count it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.metrics.crowding import EASY, HARD
from sparse_ae.metrics.oks import Detections, Persons, match

CROWD_AREA = 0.53  # area of a person as a share of its box, in CrowdPose's evaluation code
MAX_DETECTIONS = 20  # an image, in both evaluations
THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of the similarity
RECALLS = np.linspace(0, 1, 101)  # at which precision is read
EVERY_AREA = (0, 1e10)
LEVELS = {"easy": (-np.inf, EASY), "medium": (EASY, HARD), "hard": (HARD, np.inf)}
AREAS = {"": EVERY_AREA, "M": (32**2, 96**2), "L": (96**2, 1e10)}  # in square pixels


def keypoint_ap(annotations, detections, skeleton, *, crowd=False) -> dict[str, float]:
    """Average precision and recall over object keypoint similarity, equal to pycocotools'.

    annotations: a dict in COCO format (images, annotations, categories).
    detections: COCO results, each with image_id, category_id, keypoints (3K: x, y, score; pixels)
        and score.
    skeleton: its sigmas are used.
    crowd: evaluate as CrowdPose does: area = 0.53 × box, and AP is given by crowd index too (the
        images' "crowdIndex": easy below 0.2, medium below 0.8, hard from 0.8 on).

    Persons with num_keypoints 0 are ignored, as everywhere: found or not, they do not count. That
    holds for CrowdPose's own 0 on persons with labelled joints; its published figures were made
    so. Where the field is missing it is the number of labelled joints.

    Returns AP, AP50, AP75, AR, AR50, AR75, in [0, 1], and APM, APL, ARM, ARL (COCO's medium and
    large persons) or, with crowd=True, AP_easy, AP_medium, AP_hard. nan where there is no person to
    find; 0 where there is, but no detection. The arguments are left as they are.

    ValueError for keypoints that do not fit the skeleton or are not finite, a detection in an
    unknown image, or a missing field.
    """
    images, categories, level = _scenes(annotations, crowd)
    persons, of = _persons(annotations["annotations"], skeleton, images, categories, crowd)
    found, score, at = _detections(detections, skeleton, images, categories)
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
    """Which detections found a person: all that average precision is made of.

    score: (N,) of the detections, the best of each image first; image: (N,) index of theirs, in
    the order of ids; matched, skipped: (10, N) bool at the ten thresholds of the similarity: those
    that found a person, and those that do not count; persons: (I,) how many an image has to find.
    """

    score: np.ndarray
    image: np.ndarray
    matched: np.ndarray
    skipped: np.ndarray
    persons: np.ndarray


def keypoint_matches(annotations, detections, skeleton, *, crowd=False) -> Matches:
    """The `Matches` behind `keypoint_ap`, of annotations with one category; arguments and errors
    as there."""
    images, categories, _ = _scenes(annotations, crowd)
    if len(categories) != 1:
        raise ValueError(f"annotations: expected one category, got {len(categories)}")
    persons, of = _persons(annotations["annotations"], skeleton, images, categories, crowd)
    found, score, at = _detections(detections, skeleton, images, categories)
    matched, skipped, ignored = match(persons, found, skeleton.sigmas, THRESHOLDS, [EVERY_AREA])
    wanted = np.bincount(of[~ignored[0]], minlength=len(images))
    return Matches(score, at, matched[0], skipped[0], wanted)


def ap_of_matches(matches: Matches, level) -> dict[str, float]:
    """What `keypoint_ap` gives with crowd=True, of all `Matches`; level: (I,) crowd indices."""
    of = np.repeat(np.arange(len(level)), matches.persons)
    right = matches.matched, matches.skipped, np.zeros(len(of), bool)
    rest = matches.score, matches.image, of, len(level), 1
    return _figures(lambda counted: _curves(*right, *rest, counted), np.asarray(level, float))


def _figures(curves, level=None) -> dict[str, float]:
    """AP, AR, AP50 and so on, and with crowd indices (I,) AP_easy and so on. curves(counted): as of
    `_curves`, on the images that count."""
    precision, recall = curves(None)
    numbers = {"AP": _mean(precision), "AR": _mean(recall)}
    for name, threshold in (("50", 0), ("75", 5)):
        numbers[f"AP{name}"] = _mean(precision[:, threshold])
        numbers[f"AR{name}"] = _mean(recall[:, threshold])
    for name, (low, high) in LEVELS.items() if level is not None else ():
        numbers[f"AP_{name}"] = _mean(curves((low <= level) & (level < high))[0])
    return numbers


def _mean(values) -> float:
    """The mean; nan for nothing."""
    return float(values.mean()) if values.size else float("nan")


def _curves(matched, skipped, ignored, score, at, of, images, categories, counted):
    """Precision (C, 10, 101) at the recalls and the largest recall (C, 10), of the C categories
    that have a person to find.

    matched, skipped: (10, N) and ignored: (G,) as of `match`; score: (N,) of the detections; at:
    (N,) and of: (G,) the scenes of detections and persons, a scene being category · images + image;
    counted: (images,) bool, the images that count, or None for all.
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
        exact = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]  # the best from there on
        reached = right / persons
        recall[c] = reached[:, -1]
        for t in range(len(THRESHOLDS)):
            place = np.searchsorted(reached[t], RECALLS, side="left")
            precision[c, t, place < len(order)] = exact[t, place[place < len(order)]]
    return precision[anyone], recall[anyone]


def _scenes(annotations, crowd):
    """Sorted image ids and category ids, and each image's crowd index, checked."""
    for field in ("images", "annotations", "categories"):
        if field not in annotations:
            raise ValueError(f"annotations: expected COCO format with {field!r}, which is missing")
    level = {image["id"]: image.get("crowdIndex", np.nan) for image in annotations["images"]}
    if crowd and not all(np.isfinite(value) for value in level.values()):
        raise ValueError('annotations: crowd=True needs a finite "crowdIndex" in every image')
    images = sorted(level)
    categories = sorted({category["id"] for category in annotations["categories"]})
    return images, categories, np.array([level[image] for image in images], np.float64)


def _persons(annotated, skeleton, images, categories, crowd):
    """`Persons` in the order of their scenes, and the scene of each. Those of other images or
    categories are left out."""
    fields = ("image_id", "category_id", "bbox", *(() if crowd else ("area",)))
    _require("annotations", annotated, fields)
    scene = _scene_of(annotated, images, categories)
    kept = [(s, person) for s, person in zip(scene, annotated, strict=True) if s is not None]
    kept.sort(key=lambda pair: pair[0])  # stable
    annotated = [person for _, person in kept]
    keypoints = _keypoints("annotations", annotated, skeleton)
    labelled = (keypoints[..., 2] > 0).sum(axis=1).tolist()
    box = np.array([person["bbox"] for person in annotated], np.float64).reshape(-1, 4)
    if crowd:
        area = CROWD_AREA * box[:, 2] * box[:, 3]
    else:
        area = np.array([person["area"] for person in annotated], np.float64)
    region = np.array([bool(person.get("iscrowd", 0)) for person in annotated], bool)
    nobody = [p.get("num_keypoints", n) == 0 for p, n in zip(annotated, labelled, strict=True)]
    of = np.array([s for s, _ in kept], np.int64)
    first = np.searchsorted(of, np.arange(len(images) * len(categories) + 1))
    return Persons(keypoints, area, box, region | np.array(nobody, bool), region, first), of


def _detections(detections, skeleton, images, categories):
    """`Detections` in the order of their scenes, the best of each; their scores and scenes."""
    _require("detections", detections, ("image_id", "category_id", "keypoints", "score"))
    scene = _scene_of(detections, images, categories)
    for place, detection in zip(scene, detections, strict=True):
        if place is None:
            known = detection["image_id"] in set(images)
            field = "category_id" if known else "image_id"
            raise ValueError(f"detections: {field} {detection[field]!r} is not in annotations")
    keypoints = _keypoints("detections", detections, skeleton)
    score = np.array([detection["score"] for detection in detections], np.float64)
    if not np.isfinite(score).all():
        wrong = score[~np.isfinite(score)][0]
        raise ValueError(f"detections: expected a finite score, got {float(wrong)!r}")
    at = np.array(scene, np.int64)
    order = np.lexsort((-score, at))
    at = at[order]
    scenes = np.arange(len(images) * len(categories) + 1)
    kept = np.arange(len(at)) - np.searchsorted(at, scenes)[at] < MAX_DETECTIONS
    at, order = at[kept], order[kept]
    keypoints = keypoints[order]
    area = np.prod(np.ptp(keypoints[..., :2], axis=1), axis=1)
    return Detections(keypoints, area, np.searchsorted(at, scenes)), score[order], at


def _scene_of(entries, images, categories):
    """The scene of each entry, None in an unknown image or category."""
    image = {name: number for number, name in enumerate(images)}
    category = {name: number * len(images) for number, name in enumerate(categories)}
    return [
        category[entry["category_id"]] + image[entry["image_id"]]
        if entry["image_id"] in image and entry["category_id"] in category
        else None
        for entry in entries
    ]


def _require(name, entries, fields):
    """ValueError if an entry lacks a field."""
    for entry in entries:
        missing = [field for field in fields if field not in entry]
        if missing:
            raise ValueError(
                f"{name}: expected {', '.join(fields)}; {', '.join(missing)} is missing"
            )


def _keypoints(name, entries, skeleton) -> np.ndarray:
    """(n, K, 3) float64 keypoints of annotations or detections."""
    size = 3 * len(skeleton)
    if not entries:
        return np.zeros((0, len(skeleton), 3))
    try:
        keypoints = np.array([entry.get("keypoints", ()) for entry in entries], np.float64)
    except ValueError:  # not of one length
        keypoints = np.zeros(0)
    if keypoints.shape == (len(entries), size) and np.isfinite(keypoints).all():
        return keypoints.reshape(-1, len(skeleton), 3)
    for entry in entries:
        one = np.asarray(entry.get("keypoints", ()), np.float64)
        if one.shape != (size,) or not np.isfinite(one).all():
            break
    raise ValueError(
        f"{name}: expected {size} finite numbers as keypoints of skeleton "
        f"{skeleton.name!r}, got {np.array2string(one, threshold=6)}"
    )
