"""Read annotations and results in COCO format as arrays that `oks.match` takes.

A scene is the unit of matching: one image and one category. Scenes are numbered category by
category: number = index of the category · images + index of the image.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.metrics.oks import Detections, Persons

CROWD_AREA = 0.53  # area of a person as a share of its box, in CrowdPose's evaluation code
MAX_DETECTIONS = 20  # per image, in the evaluations of COCO and of CrowdPose


def read_scenes(annotations, crowd):
    """Read the images and categories of annotations.

    Args:
        annotations: a dict in COCO format.
        crowd: whether every image needs a crowd index.

    Returns:
        The sorted image ids, the sorted category ids, and (I,) each image's crowd index in the
        order of ids, nan where there is none.

    Raises:
        ValueError: a missing field, or with `crowd` a crowd index that is missing or not finite.
    """
    for field in ("images", "annotations", "categories"):
        if field not in annotations:
            raise ValueError(f"annotations: expected COCO format with {field!r}, which is missing")
    level = {image["id"]: image.get("crowdIndex", np.nan) for image in annotations["images"]}
    if crowd and not all(np.isfinite(value) for value in level.values()):
        raise ValueError('annotations: crowd=True needs a finite "crowdIndex" in every image')
    images = _sorted_ids("images", level)
    categories = _sorted_ids("categories", {c["id"] for c in annotations["categories"]})
    return images, categories, np.array([level[image] for image in images], np.float64)


def _sorted_ids(field, ids) -> list:
    """Return sorted ids; raise ValueError if they mix types, such as numbers and strings."""
    try:
        return sorted(ids)
    except TypeError:
        kinds = ", ".join(sorted({type(one).__name__ for one in ids}))
        raise ValueError(f"annotations: {field}: ids of several types ({kinds}), as 1 and 'one': "
                         "give all of them numbers") from None  # fmt: skip


def read_persons(annotated, skeleton, images, categories, crowd):
    """Read annotated people, leaving out those of other images or categories.

    Args:
        annotated: annotations in COCO format.
        skeleton: a `Skeleton` of K keypoints.
        images: image ids, as `read_scenes` returns them.
        categories: category ids, as `read_scenes` returns them.
        crowd: take the area from the box, as CrowdPose does, instead of from the annotation.

    Returns:
        `Persons` in the order of their scenes, and (G,) the scene of each.

    Raises:
        ValueError: a missing field, or keypoints that do not fit the skeleton or are not finite.
    """
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


def read_detections(detections, skeleton, images, categories):
    """Read detections, keeping the MAX_DETECTIONS with the highest scores of each scene.

    Args:
        detections: results in COCO format.
        skeleton: a `Skeleton` of K keypoints.
        images: image ids, as `read_scenes` returns them.
        categories: category ids, as `read_scenes` returns them.

    Returns:
        `Detections` in the order of their scenes, the best first; (N,) their scores; (N,) their
        scenes.

    Raises:
        ValueError: a missing field, an unknown image or category, a score that is not finite,
            keypoints that do not fit the skeleton or are not finite, or a bbox in some detections
            but not in all.
    """
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
    area = _detected_area(detections, keypoints)[order]
    return Detections(keypoints[order], area, np.searchsorted(at, scenes)), score[order], at


def _detected_area(detections, keypoints) -> np.ndarray:
    """Return the area of each detection as pycocotools' loadRes takes it.

    The fields of the first detection decide: areas are those of the bboxes if it has one, else of
    the segmentations (compressed run lengths), else of the boxes around the keypoints (n, K, 3).
    """
    field = next((name for name in ("bbox", "segmentation")
                  if detections and detections[0].get(name, []) != []), None)  # fmt: skip
    if field is None:
        return np.prod(np.ptp(keypoints[..., :2], axis=1), axis=1)
    values = [detection.get(field) for detection in detections]
    try:
        if field == "bbox":
            area = np.prod(np.array(values, np.float64).reshape(-1, 4)[:, 2:], axis=1)
        else:
            from pycocotools.mask import area as area_of

            area = np.array(area_of(values), np.float64)
    except Exception:  # pycocotools raises bare ones for invalid masks
        area = np.zeros(0)
    if len(area) != len(detections) or not np.isfinite(area).all():
        raise ValueError(
            f"detections: the first has a {field}, and all areas are taken from it: expected one "
            "in every detection, a box of four numbers or compressed run lengths"
        )
    return area


def _scene_of(entries, images, categories):
    """Return the scene of each entry, None for an unknown image or category."""
    image = {name: number for number, name in enumerate(images)}
    category = {name: number * len(images) for number, name in enumerate(categories)}
    return [
        category[entry["category_id"]] + image[entry["image_id"]]
        if entry["image_id"] in image and entry["category_id"] in category
        else None
        for entry in entries
    ]


def _require(name, entries, fields):
    """Raise ValueError if an entry lacks a field."""
    for entry in entries:
        missing = [field for field in fields if field not in entry]
        if missing:
            raise ValueError(
                f"{name}: expected {', '.join(fields)}; {', '.join(missing)} is missing"
            )


def _keypoints(name, entries, skeleton) -> np.ndarray:
    """Return (n, K, 3) float64 keypoints of the entries; raise ValueError if they do not fit."""
    size = 3 * len(skeleton)
    if not entries:
        return np.zeros((0, len(skeleton), 3))
    try:
        keypoints = np.array([entry.get("keypoints", ()) for entry in entries], np.float64)
    except ValueError:  # of different lengths
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
