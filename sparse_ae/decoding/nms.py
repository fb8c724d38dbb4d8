"""Non-maximum suppression of people: of detections that nearly coincide, keep the best."""

from __future__ import annotations

import numpy as np

from sparse_ae.skeleton import Skeleton

BOX_AREA = 0.53  # a person's area as a share of the box around its joints, as in CrowdPose


def oks_nms(people: np.ndarray, skeleton: Skeleton, threshold: float = 0.5) -> np.ndarray:
    """Return which people to keep: those that are not a better one found again.

    Args:
        people: (P, K, 3) x, y, score, the best first; a joint with score 0 was not found.
        skeleton: The K keypoints, whose sigmas are used.
        threshold: Least object keypoint similarity, over the joints that both have, at which two
            people count as one.

    Returns:
        Indices of the people to keep, in increasing order.

    Source:
        OKS NMS as in HigherHRNet and mmpose. Average precision counts all detections; this is for
        pictures and for users.
    """
    spread = (2 * np.array(skeleton.sigmas)) ** 2  # (K,)
    kept: list[int] = []
    for index, person in enumerate(np.asarray(people, float)):
        found = person[:, 2] > 0
        area = BOX_AREA * np.prod(np.ptp(person[found, :2], axis=0)) if found.any() else 0
        for other in np.asarray(people, float)[kept]:
            both = found & (other[:, 2] > 0)
            square = ((person[both, :2] - other[both, :2]) ** 2).sum(axis=1)
            similarity = np.exp(-square / (2 * max(area, 1) * spread[both]))
            if both.any() and similarity.mean() >= threshold:
                break
        else:
            kept.append(index)
    return np.array(kept, np.int64)
