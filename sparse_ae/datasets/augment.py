"""Views of an image: one affine for its pixels, joints, boxes and mask; and colour jitter."""

from __future__ import annotations

import cv2
import numpy as np

from sparse_ae.settings.sections import AugmentSettings
from sparse_ae.skeleton import Skeleton

ALIGNED = 64  # sides of test images are multiples of it, as in the released code


def random_view(
    width: int, height: int, size: int, rng: np.random.Generator, augment: AugmentSettings
) -> tuple[np.ndarray, bool]:
    """Draw the affine of a random view for training.

    Args:
        width: Width of the image, pixels.
        height: Height of the image, pixels.
        size: Side of the square view, pixels.
        rng: Random generator that draws the view.
        augment: Ranges of rotation, scale and shift, and the probability of a mirror image.

    Returns:
        The (2, 3) affine from pixels of the image to those of the view, and whether it mirrors.
    """
    angle = np.deg2rad(rng.uniform(-augment.rotation, augment.rotation))
    factor = size / (rng.uniform(*augment.scale) * min(width, height))
    offset = rng.uniform(-augment.shift, augment.shift, 2) * size
    mirrored = bool(rng.random() < augment.flip)
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        linear[:, 0] *= -1  # x of the image counts from the other side
    return _centred(linear, (width, height), (size, size), offset), mirrored


def aligned_view(width: int, height: int, size: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the (2, 3) affine of a test view, and the view's (width, height).

    The short side becomes `size` and the long side follows. Both are rounded up to multiples of 64,
    as in the released code (ResizeAlign); the photo is centred and the rest is black.
    """
    size = -(-size // ALIGNED) * ALIGNED
    factor = size / min(width, height)
    long = -(-int(np.ceil(max(width, height) * factor - 1e-6)) // ALIGNED) * ALIGNED
    shape = (long, size) if width > height else (size, long)
    return _centred(np.eye(2) * factor, (width, height), shape), shape


def _centred(linear, old, new, offset=0.0) -> np.ndarray:
    """Return the (2, 3) affine with this linear part that maps one frame's centre to another's."""
    before, after = (np.subtract(shape, 1) / 2 for shape in (old, new))
    return np.column_stack([linear, after - linear @ before + offset])


def transform_keypoints(
    keypoints: np.ndarray, matrix: np.ndarray, mirrored: bool, skeleton: Skeleton, size
) -> np.ndarray:
    """Return keypoints (P, K, 3) under `matrix`, with left and right swapped if it mirrors.

    Joints that are not labelled or leave the frame become zeros. `size` is the side of the frame,
    or its (width, height).
    """
    keypoints = keypoints.copy()
    keypoints[..., :2] = keypoints[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    if mirrored:
        keypoints = keypoints[:, skeleton.flip]
    last = np.subtract(size, 1)
    inside = ((keypoints[..., :2] >= 0) & (keypoints[..., :2] <= last)).all(-1)
    keypoints[~inside | (keypoints[..., 2] == 0)] = 0
    return keypoints


def transform_boxes(boxes: np.ndarray, matrix: np.ndarray, size) -> np.ndarray:
    """Return upright boxes (P, 4) around `boxes` as moved by `matrix`, clipped to the frame.

    `size` is the side of the frame, or its (width, height).
    """
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    corners = np.stack(
        [low, high, np.stack([low[:, 0], high[:, 1]], 1), np.stack([high[:, 0], low[:, 1]], 1)], 1
    )  # (P, 4, 2)
    corners = corners @ matrix[:, :2].T + matrix[:, 2]
    low = corners.min(1).clip(0, np.subtract(size, 1))
    high = corners.max(1).clip(0, np.subtract(size, 1))
    return np.concatenate([low, high - low], 1).astype(boxes.dtype)


def jitter_colour(image: np.ndarray, rng: np.random.Generator, spread: float) -> np.ndarray:
    """Change brightness, contrast and each channel's gain of (S, S, 3) uint8 by up to `spread`."""
    if spread == 0:
        return image
    gain = 1 + rng.uniform(-spread, spread) + rng.uniform(-spread, spread, 3) / 2
    offset = 255 * rng.uniform(-spread, spread) / 2
    table = np.arange(256)[:, None] * gain + offset  # (256, 3)
    return cv2.LUT(image, table.clip(0, 255).astype(np.uint8)[None].transpose(1, 0, 2))
