"""Mask what the loss ignores: crowd regions and persons without keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from pycocotools import mask as rle

FRACTION = 4  # fractional bits of coordinates in OpenCV's drawing
HALF = 0.5  # COCO measures outlines from a picture's corner, we from the first pixel's centre
FARTHEST = 10_000_000  # coordinates beyond are mistakes, pixels


def run_lengths(text: str) -> list[int]:
    """Decode the run lengths in COCO's compressed text.

    Each letter holds five bits of a signed number, the lowest first; from the fourth number on, a
    number is the difference from the last but one. pycocotools decodes the text as well, but does
    not check it.

    Raises:
        ValueError: The text is not such a code.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 30:
            raise ValueError("segmentation: counts are no run lengths")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        value -= (code & 16) << (shift - 4)
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("segmentation: counts are cut short")
    return runs


def read_region(segmentation, box: np.ndarray, width: int, height: int) -> list:
    """Return what an annotation covers: outlines (n, 2), run lengths (a dict), or its box (4,).

    Args:
        segmentation: COCO's polygons or run lengths; None, empty, or a list of empty outlines if
            there is none.
        box: x, y, width, height, pixels; None if there is none.
        width: width of the picture, pixels.
        height: height of the picture, pixels.

    Raises:
        ValueError: the segmentation is invalid, or neither it nor a box is there.
    """
    if isinstance(segmentation, list):
        segmentation = [outline for outline in segmentation if outline != []]
    if not segmentation and box is None:
        raise ValueError("bbox: expected 4 numbers, or a segmentation")
    if not segmentation:
        return [np.asarray(box, np.float32)]
    if isinstance(segmentation, dict):
        counts, size = segmentation.get("counts"), segmentation.get("size")
        if size != [height, width] or not isinstance(counts, list | str):
            raise ValueError(f"segmentation: expected counts and size [{height}, {width}]")
        runs = counts if isinstance(counts, list) else run_lengths(counts)
        if not all(type(c) is int and c >= 0 for c in runs) or sum(runs) != width * height:
            raise ValueError("segmentation: run lengths do not cover the picture")
        if width * height >= 2**32:  # pycocotools counts in 32 bits
            raise ValueError("segmentation: a picture too large for run lengths; give outlines")
        if isinstance(counts, list):
            return [rle.frPyObjects(segmentation, height, width)]
        return [{"size": size, "counts": counts.encode("ascii")}]
    if not isinstance(segmentation, list):
        raise ValueError("segmentation: expected outlines or run lengths")
    outlines = []
    for outline in segmentation:
        try:
            points = np.array(outline, np.float32).reshape(-1, 2)
        except (TypeError, ValueError, OverflowError):
            points = np.empty((0, 2), np.float32)
        if len(points) < 2 or not (np.abs(points) <= FARTHEST).all():
            raise ValueError("segmentation: expected outlines x, y, x, y, … of finite numbers")
        outlines.append(points)
    return outlines


def box_around(region: list) -> np.ndarray:
    """Return the box (4,) x, y, width, height around outlines or run lengths of `read_region`."""
    if isinstance(region[0], dict):
        return np.asarray(rle.toBbox(region[0]), np.float32)
    points = np.concatenate(region)
    return np.concatenate([points.min(axis=0), np.ptp(points, axis=0)]).astype(np.float32)


def loss_mask(regions: Sequence, boxes: np.ndarray, matrix: np.ndarray, shape) -> np.ndarray:
    """Return a mask (H, W) bool of a view, False where the loss ignores a pixel.

    Where a person without keypoints is known by its box alone, the boxes of labelled persons stay
    True, because all visible joints in them are labelled.

    Args:
        regions: parts from `read_region`, of the persons without keypoints.
        boxes: (P, 4) boxes of the labelled persons.
        matrix: (2, 3), from the photo to the view.
        shape: (width, height) of the view.
    """
    width, height = shape
    mask = np.ones((height, width), np.uint8)
    plain = [region for region in regions if not isinstance(region, dict) and region.ndim == 1]
    if plain:
        for value, group in ((0, plain), (1, boxes)):
            for x, y, w, h in group:
                _fill(mask, [[x, y], [x + w, y], [x + w, y + h], [x, y + h]], matrix, value)
    for region in regions:
        if isinstance(region, dict):
            inside = cv2.warpAffine(rle.decode(region), matrix, shape, flags=cv2.INTER_NEAREST)
            mask[inside > 0] = 0
        elif region.ndim == 2:
            _fill(mask, region, matrix, 0)
    return mask.view(bool)


def _fill(mask: np.ndarray, outline, matrix: np.ndarray, value: int):
    """Fill an outline (n, 2) of the photo in the view's mask with `value`."""
    points = (np.asarray(outline) - HALF) @ matrix[:, :2].T + matrix[:, 2]
    fixed = np.rint(points * 2**FRACTION).clip(-(2**30), 2**30).astype(np.int32)
    cv2.fillPoly(mask, [fixed], value, shift=FRACTION)


def downsample_mask(mask: np.ndarray, stride: int) -> np.ndarray:
    """Reduce a mask (H, W) to (H/stride, W/stride), True where more than half of a cell is True."""
    height, width = mask.shape
    shape = (width // stride, height // stride)
    share = cv2.resize(mask.astype(np.uint8) * 254, shape, interpolation=cv2.INTER_AREA)
    return share > 127
