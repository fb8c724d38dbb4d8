"""Average precision of keypoints, as COCO and as CrowdPose count it, through pycocotools."""

from __future__ import annotations

import contextlib
import io

import numpy as np
from pycocotools.coco import COCO as CocoIndex
from pycocotools.cocoeval import COCOeval

from sparse_ae.crowding import EASY, HARD

CROWD_AREA = 0.53  # area of a person as a share of its box, in CrowdPose's evaluation code
MAX_DETECTIONS = 20  # an image, in both evaluations


def keypoint_ap(annotations, detections, skeleton, *, crowd=False) -> dict[str, float]:
    """Average precision and recall over object keypoint similarity, by pycocotools.

    annotations: a dict in COCO format (images, annotations, categories).
    detections: COCO results, each with image_id, category_id, keypoints (3K: x, y, score; pixels)
        and score.
    skeleton: its sigmas are used.
    crowd: evaluate as CrowdPose does: area = 0.53 × box, and AP is given by crowd index too (the
        images' "crowdIndex": easy below 0.2, medium below 0.8, hard from 0.8 on).

    Persons with num_keypoints 0 are ignored, as everywhere: found or not, they do not count. That
    holds for CrowdPose's own 0 on persons with labelled joints; its published figures were made
    so. Where the field is missing it is the number of labelled joints.

    Returns AP, AP50, AP75, AR, AR50, AR75, in [0, 1], and APM, APL (COCO's medium and large
    persons) or, with crowd=True, AP_easy, AP_medium, AP_hard. nan where there is no person to
    find; 0 where there is, but no detection. The arguments are left as they are.

    ValueError for keypoints that do not fit the skeleton or are not finite, a detection in an
    unknown image, or a missing field.
    """
    truth = _truth(annotations, skeleton, crowd)
    results = _results(detections, skeleton, {image["id"] for image in truth["images"]})
    with contextlib.redirect_stdout(io.StringIO()):
        index = CocoIndex()
        index.dataset = truth
        index.createIndex()
        if results:
            found = index.loadRes(results)
        else:
            found = CocoIndex()
            found.dataset = {**truth, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(index, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(skeleton.sigmas)
        evaluation.params.maxDets = [MAX_DETECTIONS]
        if crowd:
            evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]

        numbers = _evaluate(evaluation, [image["id"] for image in truth["images"]])
        if crowd:
            level = {image["id"]: image["crowdIndex"] for image in truth["images"]}
            bounds = {"easy": (-np.inf, EASY), "medium": (EASY, HARD), "hard": (HARD, np.inf)}
            for name, (low, high) in bounds.items():
                part = [image for image, value in level.items() if low <= value < high]
                numbers[f"AP_{name}"] = _evaluate(evaluation, part)["AP"]
    return numbers


def _evaluate(evaluation, image_ids) -> dict[str, float]:
    """The figures over some of the images; APM and APL where the area ranges hold them."""

    def mean(values):  # pycocotools marks with −1 what has no person
        return float(values[values > -1].mean()) if (values > -1).any() else float("nan")

    precision, recall = np.full((10, 1, 1, 3, 1), -1.0), np.full((10, 1, 3, 1), -1.0)
    if image_ids:  # pycocotools takes no images for all images
        evaluation.params.imgIds = image_ids
        evaluation.evaluate()
        evaluation.accumulate()
        precision = evaluation.eval["precision"]  # (threshold, recall, category, area, 1)
        recall = evaluation.eval["recall"]  # (threshold, category, area, 1)
    numbers = {"AP": mean(precision[:, :, :, 0]), "AR": mean(recall[:, :, 0])}
    for name, at in (("50", 0), ("75", 5)):
        numbers[f"AP{name}"] = mean(precision[at, :, :, 0])
        numbers[f"AR{name}"] = mean(recall[at, :, 0])
    for name, area in (("M", "medium"), ("L", "large")):
        if area in evaluation.params.areaRngLbl:
            at = evaluation.params.areaRngLbl.index(area)
            numbers[f"AP{name}"] = mean(precision[:, :, :, at])
    return numbers


def _truth(annotations, skeleton, crowd) -> dict:
    """A copy of the annotations that pycocotools can take."""
    for field in ("images", "annotations", "categories"):
        if field not in annotations:
            raise ValueError(f"annotations: expected COCO format with {field!r}, which is missing")
    if crowd and not all(np.isfinite(i.get("crowdIndex", np.nan)) for i in annotations["images"]):
        raise ValueError('annotations: crowd=True needs a finite "crowdIndex" in every image')
    fields = ("image_id", "category_id", "bbox", *(() if crowd else ("area",)))
    persons = []
    for number, person in enumerate(annotations["annotations"], start=1):
        _require("annotations", person, fields)
        labelled = int((_keypoints("annotations", person, skeleton)[2::3] > 0).sum())
        # pycocotools takes a match with id 0 for no match: ids from 1
        person = {"iscrowd": 0, "num_keypoints": labelled, **person, "id": number}
        if crowd:
            person["area"] = CROWD_AREA * person["bbox"][2] * person["bbox"][3]
        persons.append(person)
    return {**annotations, "annotations": persons}


def _results(detections, skeleton, image_ids) -> list[dict]:
    """Copies of the detections with the four fields that count."""
    fields = ("image_id", "category_id", "keypoints", "score")
    results = []
    for detection in detections:
        _require("detections", detection, fields)
        keypoints = _keypoints("detections", detection, skeleton).tolist()
        result = {**{field: detection[field] for field in fields}, "keypoints": keypoints}
        if result["image_id"] not in image_ids:
            raise ValueError(f"detections: image_id {result['image_id']!r} is not in annotations")
        if not np.isfinite(result["score"]):
            raise ValueError(f"detections: expected a finite score, got {result['score']!r}")
        results.append(result)
    return results


def _require(name, person, fields):
    """ValueError if a field is missing."""
    missing = [field for field in fields if field not in person]
    if missing:
        raise ValueError(f"{name}: expected {', '.join(fields)}; {', '.join(missing)} is missing")


def _keypoints(name, person, skeleton) -> np.ndarray:
    """(3K,) float64 keypoints of one annotation or detection."""
    keypoints = np.asarray(person.get("keypoints", ()), np.float64)
    if keypoints.shape != (3 * len(skeleton),) or not np.isfinite(keypoints).all():
        raise ValueError(
            f"{name}: expected {3 * len(skeleton)} finite numbers as keypoints of skeleton "
            f"{skeleton.name!r}, got {np.array2string(keypoints, threshold=6)}"
        )
    return keypoints
