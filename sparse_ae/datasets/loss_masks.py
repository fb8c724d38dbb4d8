"""Where the loss is not to look: crowd regions and persons without keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from pycocotools import mask as rle

FRACTION = 4  # bits after the point of coordinates in OpenCV's drawing
HALF = (
    0.5  # COCO counts outlines from a picture's corner, pixels here are counted from their centre
)
FARTHEST = 10_000_000  # pixels from a picture's corner: beyond, it is a mistake


def run_lengths(text: str) -> list[int]:
    """The run lengths that COCO's short form stands for: numbers of five bits a letter, the lowest
    first, with a sign, and from the fourth on the difference to the last but one.

    pycocotools decodes it as well, but trusts it: this is to look first. ValueError for what is no
    such text.
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
        segmentation: COCO's polygons or run lengths; None, empty, or a list of empty outlines where
            there is none.
        box: x, y, width, height, pixels; None if there is none.
        width: the picture's, pixels.
        height: the picture's, pixels.

    Raises:
        ValueError: for what is none of these.
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
        if width * height >= 2**32:  # pycocotools' counts
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
    """Return (4,) x, y, width, height around outlines or run lengths, as of `read_region`."""
    if isinstance(region[0], dict):
        return np.asarray(rle.toBbox(region[0]), np.float32)
    points = np.concatenate(region)
    return np.concatenate([points.min(axis=0), np.ptp(points, axis=0)]).astype(np.float32)


def loss_mask(regions: Sequence, boxes: np.ndarray, matrix: np.ndarray, shape) -> np.ndarray:
    """(H, W) bool, False where the loss is not to look.

    regions: as of `read_region`, of the persons without keypoints. boxes: (P, 4) of those with;
    where a person without is known by its box alone, theirs are left out of it, for there the
    joints of all that is seen are labelled. matrix: (2, 3), from the photo to the view; shape: its
    (width, height).
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
    """Draw an outline (n, 2) of the photo into the view's mask."""
    points = (np.asarray(outline) - HALF) @ matrix[:, :2].T + matrix[:, 2]
    fixed = np.rint(points * 2**FRACTION).clip(-(2**30), 2**30).astype(np.int32)
    cv2.fillPoly(mask, [fixed], value, shift=FRACTION)


def downsample_mask(mask: np.ndarray, stride: int) -> np.ndarray:
    """(H, W) bool → (H/stride, W/stride) bool: cells of which more than half counts."""
    height, width = mask.shape
    shape = (width // stride, height // stride)
    share = cv2.resize(mask.astype(np.uint8) * 254, shape, interpolation=cv2.INTER_AREA)
    return share > 127
