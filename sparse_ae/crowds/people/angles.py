"""Joint angles of persons in an image, and the distance between two samples of angles."""

from __future__ import annotations

import numpy as np

from sparse_ae.skeleton import get_skeleton

SIDES = ("left", "right")
ANGLES = (
    *(f"{side}_{joint}" for joint in ("shoulder", "elbow", "hip", "knee") for side in SIDES),
    "trunk",
    "head",
)
TURN = 360.0


def _segments(names: set[str]) -> dict[str, tuple]:
    """Return the two directions of each angle.

    A direction goes from a joint, or the middle of several, to another.
    """
    shoulders, hips = (tuple(f"{side}_{part}" for side in SIDES) for part in ("shoulder", "hip"))
    down = (shoulders, hips)
    found = {}
    for side in SIDES:
        shoulder, elbow, wrist, hip, knee, ankle = (
            (f"{side}_{part}",) for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        )
        found[f"{side}_shoulder"] = down, (shoulder, elbow)
        found[f"{side}_elbow"] = (shoulder, elbow), (elbow, wrist)
        found[f"{side}_hip"] = down, (hip, knee)
        found[f"{side}_knee"] = (hip, knee), (knee, ankle)
    found["trunk"] = None, (hips, shoulders)
    if {"neck", "head"} <= names:
        found["head"] = (hips, shoulders), (("neck",), ("head",))
    return {name: found[name] for name in ANGLES if name in found}


def joint_angles(keypoints: np.ndarray, skeleton: str = "coco") -> dict[str, np.ndarray]:
    """Measure the signed angles between the limbs of persons in an image.

    Elbow and knee: the lower segment against the upper one, 0 if straight. Shoulder and hip: upper
    arm and thigh against the line from the middle of the shoulders to the middle of the hips, 0 if
    they hang along it. Trunk: that line against the vertical, 0 if upright. Head (CrowdPose alone):
    the line from neck to head against the trunk, 0 if straight on.

    Args:
        keypoints: (P, K, 3) x, y in pixels (y down) and v; a joint counts where v > 0.
        skeleton: "coco" or "crowdpose".

    Returns:
        For each angle, one value per person who has all joints that the angle needs and no segment
        of length 0: degrees in (-180, 180], positive clockwise as the viewer sees it.

    Raises:
        ValueError: If the skeleton is unknown, the shape is wrong, or a number is not finite.

    Example:
        >>> import numpy as np
        >>> from sparse_ae.crowds import joint_angles
        >>> person = np.zeros((1, 17, 3))
        >>> person[0, [5, 7, 9]] = (0, 0, 2), (0, 10, 2), (-10, 10, 2)  # a bent left arm
        >>> joint_angles(person)["left_elbow"]
        array([90.])
    """
    names = get_skeleton(skeleton).keypoints
    keypoints = np.asarray(keypoints, float)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(names), 3):
        shape = f"(P, {len(names)}, 3) for {skeleton!r}"
        raise ValueError(f"keypoints of shape {keypoints.shape}: expected {shape}")
    if not np.isfinite(keypoints).all():
        raise ValueError("keypoints: expected finite numbers")

    def place(joints):
        rows = keypoints[:, [names.index(joint) for joint in joints]]  # (P, joints, 3)
        return rows[..., :2].mean(1), (rows[..., 2] > 0).all(1)

    def direction(segment):
        if segment is None:  # straight up
            return np.tile((0.0, -1.0), (len(keypoints), 1)), np.ones(len(keypoints), bool)
        (start, first), (end, second) = place(segment[0]), place(segment[1])
        vector = end - start
        return vector, first & second & (vector != 0).any(1)

    angles = {}
    for name, (reference, segment) in _segments(set(names)).items():
        (a, ok), (b, also) = direction(reference), direction(segment)
        a, b = a[ok & also], b[ok & also]
        cross, dot = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(1)
        # + 0.0 turns -0 into 0, which avoids -180.
        angle = np.degrees(np.arctan2(cross + 0.0, dot))
        angles[name] = np.where(angle <= -TURN / 2, TURN / 2, angle)
    return angles


def angle_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Measure the circular Wasserstein-1 distance between two samples of angles.

    This is how far one must turn the angles on average, the short way round, to turn one sample
    into the other. The result is exact.

    Args:
        a: (N,) degrees, any real numbers.
        b: (M,) degrees, any real numbers.

    Returns:
        Degrees, 0 to 180.

    Raises:
        ValueError: If a sample is empty or holds a number that is not finite.

    Source:
        Delon, Salomon and Sobolevski 2010.

    Example:
        >>> from sparse_ae.crowds import angle_distance
        >>> angle_distance([350.0], [10.0])
        20.0
        >>> angle_distance([0.0, 90.0], [90.0, 0.0])
        0.0
    """
    a, b = np.asarray(a, float).ravel(), np.asarray(b, float).ravel()
    if not (len(a) and len(b) and np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("angle_distance: expected samples of finite angles, none of them empty")
    a, b = a % TURN % TURN, b % TURN % TURN  # twice, because -1e-20 % 360 is 360
    # On a circle the distance is the integral of |F_a - F_b - c|, minimised over c. The best c is
    # the median of F_a - F_b over the circle (Delon, Salomon and Sobolevski 2010).
    at = np.sort(np.concatenate((a, b)))
    lengths = np.diff(np.append(at, at[0] + TURN))
    gap = np.searchsorted(np.sort(a), at, "right") / len(a)
    gap -= np.searchsorted(np.sort(b), at, "right") / len(b)
    order = np.argsort(gap)
    half = np.searchsorted(np.cumsum(lengths[order]), TURN / 2)
    return float((lengths * np.abs(gap - gap[order[min(half, len(gap) - 1)]])).sum())
