"""How crowded an image is: CrowdPose's crowd index, and what counts as easy and as hard."""

from __future__ import annotations

import numpy as np

from sparse_ae.runtime.kernels import kernel

EASY, HARD = 0.2, 0.8  # bounds of the crowd index in CrowdPose's evaluation code


def crowd_index(keypoints, boxes) -> float:
    """How crowded an image is: 0 for persons apart, above 1 for a dense crowd; not capped.

    keypoints: (P, K, 3) x, y in pixels and v; a joint with v > 0 is labelled.
    boxes: (P, 4) x, y, width, height in pixels; its border belongs to a box.

    Of a person: the number of the other persons' labelled joints inside its box over the number
    of its own labelled joints, wherever they are. Of the image: the mean over the persons that
    have a labelled joint; 0.0 where there is none. From CrowdPose (Li et al., 2019). Its published
    indices leave out the persons that its files give num_keypoints 0: without them 80 % of those
    of its validation images come out to within 0.01.

    ValueError for wrong shapes, or labelled joints or their boxes that are not finite.
    """
    keypoints, boxes = np.asarray(keypoints, np.float64), np.asarray(boxes, np.float64)
    if keypoints.ndim != 3 or keypoints.shape[2] != 3:
        raise ValueError(f"keypoints: expected (P, K, 3), got shape {keypoints.shape}")
    if boxes.shape != (len(keypoints), 4):
        raise ValueError(f"boxes: expected ({len(keypoints)}, 4), got shape {boxes.shape}")
    labelled = keypoints[..., 2] > 0  # (P, K)
    own = labelled.sum(axis=1)  # (P,)
    counted = own > 0
    if not np.isfinite(keypoints[labelled]).all():
        raise ValueError("keypoints: expected finite labelled joints, got NaN or infinity")
    if not np.isfinite(boxes[counted]).all():
        raise ValueError("boxes: expected finite boxes, got NaN or infinity")
    if not counted.any():
        return 0.0
    others = _others(keypoints, boxes)
    return float((others[counted] / own[counted]).mean())


@kernel
def _others(keypoints, boxes):
    """(P,) how many labelled joints of other persons lie in each person's box."""
    found = np.zeros(len(boxes), np.int64)
    for p in range(len(boxes)):
        left, top = boxes[p, 0], boxes[p, 1]
        right, bottom = left + boxes[p, 2], top + boxes[p, 3]
        for q in range(len(boxes)):
            for k in range(keypoints.shape[1] * (q != p)):
                x, y = keypoints[q, k, 0], keypoints[q, k, 1]
                found[p] += (left <= x <= right) and (top <= y <= bottom) and keypoints[q, k, 2] > 0
    return found
