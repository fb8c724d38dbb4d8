"""Augmentation: one affine for image, joints and boxes; mirror; colour."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from sparse_ae.skeleton import Skeleton


class Example(NamedTuple):
    """image (S, S, 3) uint8, keypoints (P, K, 3) x, y, v in pixels, boxes (P, 4) x, y, w, h."""

    image: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray


def random_affine(
    size: int,
    rng: np.random.Generator,
    *,
    rotation: float,
    zoom: tuple[float, float],
    shift: float,
    flip: float,
) -> tuple[np.ndarray, bool]:
    """A (2, 3) affine from old to new pixel coordinates about the image's centre, and whether it
    mirrors.

    rotation: degrees either way; zoom: range of the magnification; shift: share of the side
    either way; flip: probability.
    """
    angle = np.deg2rad(rng.uniform(-rotation, rotation))
    factor = np.exp(rng.uniform(*np.log(zoom)))
    offset = rng.uniform(-shift, shift, 2) * size
    mirrored = bool(rng.random() < flip)
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        linear[:, 0] *= -1  # x of the source counts from the other side
    centre = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, centre - linear @ centre + offset]), mirrored


def apply_affine(
    example: Example, matrix: np.ndarray, mirrored: bool, skeleton: Skeleton
) -> Example:
    """The example seen through `matrix`; joints that leave the frame are unlabelled (v = 0).

    A box becomes the upright box around its turned corners, cut at the frame.
    """
    size = example.image.shape[0]
    image = cv2.warpAffine(
        example.image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    keypoints = transform_keypoints(example.keypoints, matrix, mirrored, skeleton, size)
    return Example(image, keypoints, transform_boxes(example.boxes, matrix, size))


def transform_keypoints(
    keypoints: np.ndarray, matrix: np.ndarray, mirrored: bool, skeleton: Skeleton, size
) -> np.ndarray:
    """(P, K, 3) keypoints under `matrix`, left and right exchanged where it mirrors.

    size: side of the frame, or its (width, height). Joints outside it, and those that were not
    labelled, are zeros.
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
    """(P, 4) upright boxes around the corners of `boxes` under `matrix`, cut at the frame (its
    side, or its width and height)."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    corners = np.stack(
        [low, high, np.stack([low[:, 0], high[:, 1]], 1), np.stack([high[:, 0], low[:, 1]], 1)], 1
    )  # (P, 4, 2)
    corners = corners @ matrix[:, :2].T + matrix[:, 2]
    low = corners.min(1).clip(0, np.subtract(size, 1))
    high = corners.max(1).clip(0, np.subtract(size, 1))
    return np.concatenate([low, high - low], 1).astype(boxes.dtype)


def jitter_colour(image: np.ndarray, rng: np.random.Generator, spread: float) -> np.ndarray:
    """Brightness, contrast and each channel's gain changed by up to `spread`, (S, S, 3) uint8."""
    gain = 1 + rng.uniform(-spread, spread) + rng.uniform(-spread, spread, 3) / 2
    offset = 255 * rng.uniform(-spread, spread) / 2
    table = np.arange(256)[:, None] * gain + offset  # (256, 3)
    return cv2.LUT(image, table.clip(0, 255).astype(np.uint8)[None].transpose(1, 0, 2))


def augment(
    example: Example,
    skeleton: Skeleton,
    rng: np.random.Generator,
    *,
    rotation: float,
    zoom: tuple[float, float],
    shift: float,
    flip: float,
    colour: float,
) -> Example:
    """A random view of the example; the parameters are those of `random_affine`."""
    matrix, mirrored = random_affine(
        example.image.shape[0], rng, rotation=rotation, zoom=zoom, shift=shift, flip=flip
    )
    example = apply_affine(example, matrix, mirrored, skeleton)
    return example._replace(image=jitter_colour(example.image, rng, colour))
