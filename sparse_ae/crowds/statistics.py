"""Histograms of how crowded, how large and how hidden the people of a data set are."""

from __future__ import annotations

from collections import Counter

import numpy as np

from sparse_ae.metrics.crowding import EASY, HARD, crowd_index

SHARES = np.round(np.linspace(0, 1, 21), 2)  # 0 has a bin of its own, because 1/17 > 0.05
# Per name: what is counted, and the edges of the bins. A bin includes its lower edge. The last bin
# also includes its upper edge and everything above.
HISTOGRAMS = {
    "persons": ("persons in an image", np.arange(1, 32)),
    "scale": ("sqrt(box area) of a person / longest side of the image", np.linspace(0, 1, 41)),
    "scale_spread": (
        "largest / smallest scale in an image with two persons or more",
        2 ** np.linspace(0, 6, 25),
    ),
    "crowd_index": ("crowd index of an image, computed", np.linspace(0, 3, 31)),
    "crowd_index_given": ("crowd index of an image, as its file says", np.linspace(0, 3, 31)),
    "hidden": ("share of a person's labelled keypoints that are hidden", SHARES),
    "unlabelled": ("share of a person's keypoints that are not labelled", SHARES),
}
QUANTILES = (5, 25, 50, 75, 95)  # percent


def statistics(annotations: dict) -> dict:
    """Measure distributions of the persons with keypoints in a dict of COCO's keypoint format.

    A person counts as COCO counts: it has num_keypoints > 0 (or, where that field is missing, a
    labelled keypoint) and is no crowd region. An image counts if it has such a person. The crowd
    index is that of `sparse_ae.metrics.crowding`, over these persons.

    Args:
        annotations: `images` (id, width, height; crowdIndex if known), `annotations`, and
            `categories` with the names of the keypoints: COCO's, CrowdPose's or ours.

    Returns:
        Plain numbers, lists and dicts, ready for JSON:
        `images` and `persons`, how many there are;
        `difficulty`, images with a crowd index below 0.2 (easy), below 0.8 (medium), from 0.8 on
        (hard);
        `joints`, for each keypoint's name the persons whose keypoint is unlabelled, hidden and
        visible (v 0, 1, 2);
        `histograms`, for each of HISTOGRAMS: `what` is counted, the N + 1 `edges` of the bins,
        their N `counts`, and the `mean` and `quantiles` (5, 25, 50, 75 and 95 %) of the values
        themselves. A histogram without a value is left out, and crowd_index_given also if an image
        lacks its crowdIndex.

    Raises:
        ValueError: If keypoints do not fit the names, or an image is not in the list; the message
            names the annotation.

    Example:
        >>> from sparse_ae.crowds import statistics
        >>> person = {"id": 1, "image_id": 1, "bbox": [0, 0, 20, 20], "keypoints": [4, 5, 2]}
        >>> image = {"id": 1, "width": 40, "height": 40}
        >>> found = statistics({"images": [image], "annotations": [person],
        ...                     "categories": [{"keypoints": ["nose"]}]})
        >>> found["persons"], found["joints"], found["histograms"]["scale"]["mean"]
        (1, {'nose': [0, 0, 1]}, 0.5)
    """
    names = annotations["categories"][0]["keypoints"]
    images = {image["id"]: image for image in annotations["images"]}
    persons = _persons_by_image(annotations, len(names))
    values, states = _collect(persons, images, len(names))
    return {
        "images": len(persons),
        "persons": int(states[:1].sum()),
        "difficulty": _difficulty(values["crowd_index"]),
        "joints": dict(zip(names, states.tolist(), strict=True)),
        "histograms": {name: _histogram(name, found) for name, found in values.items() if found},
    }


def _collect(persons: dict, images: dict, joints: int) -> tuple[dict[str, list], np.ndarray]:
    """Return the values of each histogram, and (K, 3) how often each keypoint has v 0, 1 and 2."""
    values: dict[str, list] = {name: [] for name in HISTOGRAMS}
    states = np.zeros((joints, 3), int)  # (K, v)
    given = all("crowdIndex" in images.get(image, {}) for image in persons)
    for image_id, group in persons.items():
        if image_id not in images:
            raise ValueError(f"annotation {group[0]['id']}: no image has id {image_id}")
        image = images[image_id]
        keypoints = np.array([person["keypoints"] for person in group], float)
        keypoints = keypoints.reshape(len(group), joints, 3)
        boxes = np.array([person["bbox"] for person in group], float)  # (P, 4)
        for name, found in _measure(keypoints, boxes, max(image["width"], image["height"])).items():
            values[name].extend(found)
        if given:
            values["crowd_index_given"].append(image["crowdIndex"])
        for v in range(3):
            states[:, v] += (keypoints[..., 2] == v).sum(0)
    return values, states


def _persons_by_image(annotations: dict, joints: int) -> dict[int, list[dict]]:
    """Group the annotations that are persons with keypoints by the id of their image."""
    persons: dict[int, list[dict]] = {}
    for person in annotations["annotations"]:
        if _counts(person, joints):
            persons.setdefault(person["image_id"], []).append(person)
    return persons


def _counts(person: dict, joints: int) -> bool:
    """Return whether an annotation is a person with keypoints."""
    if person.get("iscrowd"):
        return False
    if len(person.get("keypoints", ())) != 3 * joints:
        raise ValueError(f"annotation {person['id']}: expected x, y, v of {joints} keypoints")
    labelled = sum(v > 0 for v in person["keypoints"][2::3])
    return labelled > 0 and person.get("num_keypoints", labelled) > 0


def _difficulty(indices: list[float]) -> dict[str, int]:
    """Count the easy, medium and hard images."""
    levels = ("easy", "medium", "hard")
    amounts = Counter(levels[level] for level in np.digitize(indices, (EASY, HARD)))
    return {level: amounts[level] for level in levels}


def _measure(keypoints: np.ndarray, boxes: np.ndarray, side: float) -> dict[str, list[float]]:
    """Measure one image: keypoints (P, K, 3), boxes (P, 4), its longest side in pixels."""
    scale = np.sqrt(boxes[:, 2] * boxes[:, 3]) / side  # (P,)
    v = keypoints[..., 2]  # (P, K)
    found = {
        "persons": [len(boxes)],
        "scale": scale,
        "crowd_index": [crowd_index(keypoints, boxes)],
        "hidden": (v == 1).sum(1) / (v > 0).sum(1),
        "unlabelled": (v == 0).mean(1),
    }
    if len(boxes) > 1 and scale.min() > 0:
        found["scale_spread"] = [scale.max() / scale.min()]
    return found


def _histogram(name: str, values: list[float]) -> dict:
    """Count values into the bins of HISTOGRAMS, with their mean and quantiles."""
    what, edges = HISTOGRAMS[name]
    edges = np.round(edges, 6)
    # Rounded, because 0.7999… would miss the bin of 0.8.
    within = np.clip(np.round(values, 9), edges[0], edges[-1])
    quantiles = np.percentile(values, QUANTILES)
    return {
        "what": what,
        "edges": edges.tolist(),
        "counts": np.histogram(within, edges)[0].tolist(),
        "mean": round(float(np.mean(values)), 4),
        "quantiles": [round(float(value), 4) for value in quantiles],
    }
