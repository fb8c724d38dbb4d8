"""The labels of a rasterised scene: keypoints, visibility, boxes, masks; and who gets labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.raster import Surface, frame_boxes, person_ids, visible_joints
from sparse_ae.crowds.layout import Layout
from sparse_ae.crowds.people.bodies import CROWDPOSE_JOINTS, Bodies
from sparse_ae.runtime.kernels import kernel

ZERO, HALF, ONE, STEPS = np.float32(0), np.float32(0.5), np.float32(1), np.float32(256)
MIN_LABELLED = 3  # keypoints that a labelled person needs in the frame
MIN_VISIBLE = 2  # keypoints that a labelled person needs visible
MIN_MASK_SHARE = 0.06  # least share of its box that a labelled person's mask fills
# How deep COCO's joints, head top and neck lie under the clothes of an adult of 1.7 m, in metres:
# nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, head top, neck.
DEPTHS = np.array((0.05, 0.05, 0.05, 0.07, 0.07, 0.14, 0.14, 0.1, 0.1, 0.08, 0.08, 0.2, 0.2, 0.13,
                   0.13, 0.1, 0.1, 0.1, 0.13), np.float32)  # fmt: skip


class Labels(NamedTuple):
    """Labels of P persons.

    Attributes:
        joints: (P, 19, 3) COCO's seventeen, head top and neck: x, y in pixels and v as in Scene.
        boxes: (P, 4) as in Scene.
        masks: (S, S) as in Scene.
        areas: (P,) as in Scene.
    """

    joints: np.ndarray
    boxes: np.ndarray
    masks: np.ndarray
    areas: np.ndarray

    def can_be_labelled(self) -> np.ndarray:
        """Return who is in the frame and visible enough to be labelled.

        Both skeletons must agree, whichever is configured, because scenes must not depend on it.

        Returns:
            (P,) bool.
        """
        enough = self.areas > MIN_MASK_SHARE * self.boxes[:, 2] * self.boxes[:, 3]
        for wanted in (range(17), CROWDPOSE_JOINTS):
            state = self.joints[:, list(wanted), 2]
            enough &= (state > 0).sum(1) >= MIN_LABELLED
            enough &= (state == 2).sum(1) >= MIN_VISIBLE
        return enough


class ProjectedPeople(NamedTuple):
    """Positions of P persons in the picture, regardless of what hides them.

    Attributes:
        joints: (P, 19, 3) x, y in samples and depth in metres.
        depth_tolerance: (P, 19) metres that a joint may lie behind the surface that shows it.
        boxes: (P, 4) x, y, width, height in pixels.
    """

    joints: np.ndarray
    depth_tolerance: np.ndarray
    boxes: np.ndarray


def project_people(
    bodies: Bodies, layout: Layout, screen: np.ndarray, size: int, factor: int
) -> ProjectedPeople:
    """Project the persons of a layout into a picture.

    Args:
        bodies: The bank of bodies.
        layout: Who stands where; its camera is in pixels.
        screen: (P, N, 3) points of the dressed bodies: x, y in samples, depth in metres.
        size: Side of the picture, pixels.
        factor: Side of a pixel, samples.
    """
    camera = layout.camera.scaled(factor)
    joints = camera.project(layout.to_world(bodies.joints[layout.body]))
    depth_tolerance = body_sizes(bodies, layout)[:, None] * DEPTHS
    return ProjectedPeople(
        joints, depth_tolerance, round_coordinates(frame_boxes(screen, size, factor))
    )


def make_labels(people: ProjectedPeople, surface: Surface, size: int) -> Labels:
    """Compute the labels of a rasterised surface.

    Args:
        people: The persons in that picture.
        surface: What each sample sees; persons own the first meshes.
        size: Side of the picture, pixels.
    """
    factor, count = len(surface.owner) // size, len(people.boxes)
    visible = visible_joints(surface, people.joints, people.depth_tolerance)
    found = label_joints(people.joints, visible, np.float32(factor), np.float32(size))
    masks, areas = person_ids(surface.owner, count, factor)
    return Labels(found, people.boxes, masks, areas)


@kernel
def label_joints(joints, visible, factor, size):
    """Return (P, K, 3) float32 x, y in pixels and v, for joints (P, K, 3) in samples."""
    found = np.zeros(joints.shape, np.float32)
    for p in range(joints.shape[0]):
        for k in range(joints.shape[1]):
            x = (joints[p, k, 0] + HALF) / factor - HALF
            y = (joints[p, k, 1] + HALF) / factor - HALF
            if joints[p, k, 2] > 0 and -HALF <= x < size - HALF and -HALF <= y < size - HALF:
                found[p, k, 0] = np.rint(min(max(x, ZERO), size - ONE) * STEPS) / STEPS
                found[p, k, 1] = np.rint(min(max(y, ZERO), size - ONE) * STEPS) / STEPS
                found[p, k, 2] = 2 if visible[p, k] else 1
    return found


def round_coordinates(pixels: np.ndarray) -> np.ndarray:
    """Round to 1/256 pixel, which is the same on machines whose sines differ in the last digit."""
    return np.round(pixels * 256) / 256


_BODY_SIZES: dict[str, np.ndarray] = {}  # keyed by the bank's digest


def body_sizes(bodies: Bodies, layout: Layout) -> np.ndarray:
    """Return (P,) sizes of the persons, 1 for an adult, by the distance from shoulders to hips."""
    if bodies.digest not in _BODY_SIZES:
        joints = bodies.joints
        trunks = joints[:, 5:7].mean(1) - joints[:, 11:13].mean(1)
        _BODY_SIZES[bodies.digest] = np.linalg.norm(trunks, axis=1) / 0.5
    return _BODY_SIZES[bodies.digest][layout.body]
