"""Contact sheets: scenes side by side, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sparse_ae.crowds.scene import Scene
from sparse_ae.skeleton import COCO, CROWDPOSE


def contact_sheet(scenes: Sequence[Scene], columns: int = 6, keypoints: bool = False) -> np.ndarray:
    """Put scenes of one size side by side.

    Args:
        scenes: At least one scene.
        columns: Scenes per row.
        keypoints: Draw the skeletons too, one colour per person, hidden joints as rings.

    Returns:
        (H, W, 3) uint8, RGB, white in places without a scene.

    Raises:
        ValueError: If there is no scene.

    Example:
        >>> from sparse_ae.crowds import CrowdConfig, contact_sheet, render_scene
        >>> scenes = [render_scene(CrowdConfig(size=64), i) for i in range(5)]
        >>> contact_sheet(scenes, columns=3).shape
        (128, 192, 3)
    """
    if not scenes:
        raise ValueError("contact_sheet: expected at least one scene")
    pictures = [draw_keypoints(scene) if keypoints else scene.image for scene in scenes]
    size = pictures[0].shape[0]
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * size, columns * size, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        sheet[row * size : (row + 1) * size, column * size : (column + 1) * size] = picture
    return sheet


def draw_keypoints(scene: Scene) -> np.ndarray:
    """Return a copy of a scene's image with its skeletons drawn in.

    Args:
        scene: A rendered scene.

    Returns:
        (S, S, 3) uint8, RGB.
    """
    picture = scene.image.copy()
    skeleton = COCO if scene.keypoints.shape[1] == len(COCO) else CROWDPOSE
    width = max(1, len(picture) // 256)
    for person, joints in enumerate(scene.keypoints):
        hue = np.uint8([[[(person * 67) % 180, 230, 255]]])
        colour = tuple(int(c) for c in cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0])
        at = [tuple(round(float(c)) for c in joint[:2]) for joint in joints]
        for a, b in skeleton.limbs:
            if joints[a, 2] and joints[b, 2]:
                cv2.line(picture, at[a], at[b], colour, width, cv2.LINE_AA)
        for place, joint in zip(at, joints, strict=True):
            if joint[2]:
                cv2.circle(picture, place, width + 1, colour, -1 if joint[2] == 2 else 1)
    return picture
