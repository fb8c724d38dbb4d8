"""Describe scenes in COCO's keypoint format, with crowdIndex as in CrowdPose's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pycocotools import mask as rle

from sparse_ae import __version__
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.skeleton import get_skeleton

LICENCE = {
    "id": 1,
    "name": "CC0 1.0 Universal",
    "url": "https://creativecommons.org/publicdomain/zero/1.0/",
}


def settings(config: CrowdConfig) -> dict:
    """Return the configuration as files store it: without the folder of `layouts`."""
    found = config.as_dict()
    if found.get("layouts"):
        found["layouts"] = Path(found["layouts"]).name
    return found


def frame(config: CrowdConfig, digest: str) -> dict:
    """Return what a file holds besides images and annotations: info, licenses, categories.

    Nothing in it depends on when or where it was written.
    """
    skeleton = get_skeleton(config.skeleton)
    info = {
        "description": f"sparse_ae crowds, {config.split}",
        "version": __version__,
        "contributor": "sparse_ae",
        "config": settings(config),
        "digest": digest,
    }
    person = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(skeleton.keypoints),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.limbs],
    }
    return {"info": info, "licenses": [LICENCE], "categories": [person]}


def image_entry(config: CrowdConfig, index: int, crowd_index: float, suffix: str = ".png") -> dict:
    """Return scene `index`'s entry: id index + 1 and the file name that `write_crowds` uses."""
    return {
        "id": index + 1,
        "file_name": f"{index:06d}{suffix}",
        "width": config.size,
        "height": config.size,
        "license": LICENCE["id"],
        "crowdIndex": float(np.float32(crowd_index)),
    }


def person_entries(index: int, keypoints, boxes, areas, masks=None) -> list[dict]:
    """Return the annotations of scene `index`, without ids, which the caller assigns.

    keypoints (P, K, 3), boxes (P, 4) and areas (P,) are those of `Scene`. With its masks (S, S),
    each person also gets a segmentation: compressed run lengths of its visible pixels. A scene's
    frame begins at -0.5, half a pixel before the centre of the first pixel; negative coordinates
    become 0, because tools that check COCO's files refuse them.
    """
    low = np.maximum(boxes[:, :2], 0)
    boxes = np.concatenate((low, boxes[:, :2] + boxes[:, 2:] - low), 1)
    entries = [
        {
            "image_id": index + 1,
            "category_id": 1,
            "iscrowd": 0,
            "keypoints": [round(float(value), 3) for value in np.maximum(joints, 0).ravel()],
            "num_keypoints": int((joints[:, 2] > 0).sum()),
            "bbox": [round(float(value), 3) for value in box],
            "area": float(area),
        }
        for joints, box, area in zip(keypoints, boxes, areas, strict=True)
    ]
    if masks is not None:
        for person, entry in enumerate(entries):
            coded = rle.encode(np.asfortranarray(masks == person, np.uint8))
            entry["segmentation"] = {**coded, "counts": coded["counts"].decode("ascii")}
    return entries
