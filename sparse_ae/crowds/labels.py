"""What is true of a drawn scene: keypoints, visibility, boxes, masks."""

from __future__ import annotations

import numpy as np

from .bodies import CROWDPOSE_JOINTS, Bodies
from .layout import Layout
from .raster import SAMPLES, Surface, frame_boxes, person_ids, seen

# How deep COCO's joints, head top and neck lie under the skin, metres of an adult of 1.7 m:
# nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, head top, neck.
DEPTHS = np.array((0.05, 0.05, 0.05, 0.07, 0.07, 0.14, 0.14, 0.1, 0.1, 0.08, 0.08, 0.2, 0.2, 0.13,
                   0.13, 0.1, 0.1, 0.1, 0.13), np.float32)  # fmt: skip


def describe(config, bodies: Bodies, layout: Layout, surface: Surface, screen: np.ndarray):
    """Keypoints, boxes, masks and areas of the persons of a drawn surface."""
    size, count = config.size, len(layout.body)
    joints = bodies.joints[layout.body]
    depths, wanted = DEPTHS, slice(0, 17)
    if config.skeleton == "crowdpose":
        wanted = list(CROWDPOSE_JOINTS)
    joints, depths = layout.in_world(joints[:, wanted]), depths[wanted]
    pixels = layout.camera.project(joints).astype(np.float32)
    fine = layout.camera.scaled(SAMPLES).project(joints)
    visible = seen(surface, fine, build(bodies, layout)[:, None] * depths)
    inside = ((pixels[..., :2] >= -0.5) & (pixels[..., :2] < size - 0.5)).all(-1)
    keypoints = pixels.copy()
    keypoints[..., :2] = keypoints[..., :2].clip(0, size - 1)
    keypoints[..., 2] = np.where(visible, 2, 1)
    keypoints[~inside] = 0
    masks = person_ids(surface.owner, count, SAMPLES)
    areas = np.bincount(masks[masks >= 0], minlength=count).astype(np.float32)
    outline = (screen[..., :2] + 0.5) / SAMPLES - 0.5
    return keypoints, frame_boxes(outline, size), masks, areas


def build(bodies: Bodies, layout: Layout) -> np.ndarray:
    """(P,) size of the persons, 1 for an adult, by the distance from shoulders to hips."""
    joints = bodies.joints[layout.body]
    return np.linalg.norm(joints[:, 5:7].mean(1) - joints[:, 11:13].mean(1), axis=1) / 0.5
