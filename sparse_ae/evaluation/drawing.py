"""Draw people over photos with OpenCV: a colour per person, readable on any background."""

from __future__ import annotations

import cv2
import numpy as np

from sparse_ae.skeleton import Skeleton

# red first; neighbours in the list differ in hue and in lightness
COLOURS = np.array([
    (255, 77, 90), (43, 190, 255), (255, 214, 51), (166, 108, 255), (61, 214, 108),
    (255, 140, 38), (255, 122, 214), (32, 214, 196), (120, 140, 255), (190, 230, 70),
], np.uint8)  # fmt: skip
EDGE = (18, 18, 24)
BITS = 4  # fractional bits of coordinates in OpenCV's drawing
FACE = ("nose", "eye", "ear")  # small parts, drawn finer


def draw_people(
    image: np.ndarray, people: np.ndarray, skeleton: Skeleton, *, least: float = 0.1
) -> np.ndarray:
    """Draw people's skeletons over a copy of an image.

    Larger people get wider lines. The smallest people are drawn last, over the others. Joints that
    score below `least` are left out, because refinement puts every joint somewhere.

    Args:
        image: (H, W, 3) uint8, RGB.
        people: (P, K, 3) x and y in pixels of the image, and score.
        skeleton: The K joints and the limbs between them.
        least: Lowest score of a joint that is drawn.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: people has another shape.
    """
    people = np.asarray(people, float)
    if people.ndim != 3 or people.shape[1:] != (len(skeleton), 3):
        raise ValueError(f"people: expected (P, {len(skeleton)}, 3), got shape {people.shape}")
    picture = np.ascontiguousarray(image).copy()
    shown = (people[..., 2] >= least) & np.isfinite(people).all(axis=2)
    size = np.array([_size(joints[real]) for joints, real in zip(people, shown, strict=True)])
    order = np.argsort(-size, kind="stable")
    colours = _colours(people, shown, size, order)
    for person in order:
        colour = tuple(int(part) for part in COLOURS[colours[person]])
        _draw(picture, people[person], shown[person], size[person], skeleton, colour)
    return picture


def _size(points: np.ndarray) -> float:
    """Return the larger side of the box around a person's points (n, 3), in pixels, or 0."""
    return float(np.ptp(points[:, :2], axis=0).max()) if len(points) else 0.0


def _colours(people, shown, size, order) -> np.ndarray:
    """Return each person's index (P,) in COLOURS, the first of those that are used least nearby."""
    colours = np.zeros(len(people), int)
    middle = np.array([joints[real, :2].mean(axis=0) if real.any() else (np.inf, np.inf)
                       for joints, real in zip(people, shown, strict=True)])  # fmt: skip
    for place, person in enumerate(order):
        used = np.zeros(len(COLOURS))
        for other in order[:place]:
            if not (shown[person].any() and shown[other].any()):
                continue
            near = np.hypot(*(middle[person] - middle[other])) / max(size[person] + size[other], 1)
            used[colours[other]] += 1e-3 + np.exp(-((2 * near) ** 2))
        colours[person] = used.argmin()
    return colours


def _draw(picture, joints, real, size, skeleton, colour):
    """Draw one person: a dark edge under all, then the limbs, then the joints."""
    scale = max(picture.shape[:2]) / 640
    width = float(np.clip(size / 55, 1.2 * scale, 5 * scale))
    edge = max(1.0, 0.45 * width)
    face = np.array([name.endswith(FACE) for name in skeleton.keypoints])
    fine = np.where(face, 0.6, 1.0)
    limbs = [limb for limb in skeleton.limbs if real[list(limb)].all()]
    for outline in (True, False):
        for a, b in limbs:
            thick = width * min(fine[a], fine[b]) + 2 * edge * outline
            ends = (_fixed(joints[end, :2]) for end in (a, b))
            cv2.line(picture, *ends, EDGE if outline else colour, max(1, round(thick)),
                     cv2.LINE_AA, BITS)  # fmt: skip
        for joint in np.flatnonzero(real) if outline else ():
            _dot(picture, joints[joint], (0.95 * width + edge) * fine[joint], EDGE)
    for joint in np.flatnonzero(real):
        _dot(picture, joints[joint], 0.95 * width * fine[joint], (255, 255, 255))
        _dot(picture, joints[joint], 0.62 * width * fine[joint], colour)


def _dot(picture, point, radius, colour):
    radius = max(1, round(float(radius) * 2**BITS))
    cv2.circle(picture, _fixed(point[:2]), radius, colour, -1, cv2.LINE_AA, BITS)


def _fixed(point) -> tuple[int, int]:
    """Convert a point to OpenCV's fixed-point integers; clip one far outside the picture."""
    x, y = np.rint(np.clip(point, -1e4, 1e5) * 2**BITS)
    return int(x), int(y)
