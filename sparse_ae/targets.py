"""What the network is trained towards: heatmaps of joints, and the scale of persons."""

from __future__ import annotations

import numba
import numpy as np


def heatmap_targets(joints, visible, size, *, sigma=2.0) -> np.ndarray:
    """One heatmap per joint, with a Gaussian of height 1 at each person's joint.

    joints: (P, K, 2) x, y in map cells; read only where visible.
    visible: (P, K) bool.
    size: H = W, or (H, W), in cells.
    sigma: standard deviation in cells.

    Returns (K, H, W) float32. A joint belongs to the cell (int(x), int(y)), truncated towards 0;
    joints whose cell lies outside the map are left out. The Gaussian is centred on the cell, cut
    off to a square that reaches 3 sigma + 1 cells to each side (whole cells), and where persons
    overlap the larger value counts. The heatmap generator of HigherHRNet (target_generators.py);
    for a sigma whose patch has no whole number of cells it would sit off its centre, here it does
    not.

    ValueError for wrong shapes, visible joints that are not finite, a size or sigma that is not
    positive.
    """
    joints, visible = np.asarray(joints, np.float64), np.asarray(visible)
    if joints.ndim != 3 or joints.shape[2] != 2:
        raise ValueError(f"joints: expected (P, K, 2), got shape {joints.shape}")
    if visible.shape != joints.shape[:2]:
        raise ValueError(f"visible: expected {joints.shape[:2]}, got shape {visible.shape}")
    visible = visible > 0
    if not np.isfinite(joints[visible]).all():
        raise ValueError("joints: expected finite visible joints, got NaN or infinity")
    height, width = _size(size)
    if not 0 < sigma < np.inf:
        raise ValueError(f"sigma: expected a positive number of cells, got {sigma!r}")

    radius = int(3 * sigma + 1)
    offset = np.arange(-radius, radius + 1, dtype=np.float64)
    patch = np.exp(-(offset**2 + offset[:, None] ** 2) / (2 * sigma**2)).astype(np.float32)
    inside = visible & (np.abs(joints) < 2**31).all(axis=2)  # far outside would not fit an integer
    cells = np.where(inside[..., None], joints, -1).astype(np.int64)  # (P, K, 2), towards 0
    heatmaps = np.zeros((joints.shape[1], height, width), np.float32)
    _draw(heatmaps, cells, patch)
    return heatmaps


def person_scale(boxes, side) -> np.ndarray:
    """The size of persons relative to the image: sqrt(box width × height) / side.

    boxes: (P, 4) x, y, width, height in pixels; side: the image's side in pixels.

    Returns (P,) float32, the ground truth of the scale loss, as the released code computes it from
    the boxes after augmentation. ValueError for wrong shapes, boxes that are not finite or have a
    negative width or height, or a side that is not positive.
    """
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes: expected (P, 4), got shape {boxes.shape}")
    if not (np.isfinite(boxes).all() and (boxes[:, 2:] >= 0).all()):
        raise ValueError("boxes: expected finite x, y and a width and height of 0 or more")
    if not 0 < side < np.inf:
        raise ValueError(f"side: expected a positive number of pixels, got {side!r}")
    return (np.sqrt(boxes[:, 2] * boxes[:, 3]) / side).astype(np.float32)


def _size(size) -> tuple[int, int]:
    """(H, W) of an int or a pair."""
    pair = (size, size) if np.ndim(size) == 0 else tuple(size)
    if len(pair) != 2 or any(int(cells) != cells or cells < 1 for cells in pair):
        raise ValueError(f"size: expected a positive int or (H, W), got {size!r}")
    return int(pair[0]), int(pair[1])


@numba.njit(cache=True)
def _draw(heatmaps, cells, patch):
    """Raise the heatmaps (K, H, W) to the patch around each of the cells (P, K, 2), in place."""
    _, height, width = heatmaps.shape
    radius = len(patch) // 2
    for p in range(cells.shape[0]):
        for k in range(cells.shape[1]):
            x, y = cells[p, k]
            if not (0 <= x < width and 0 <= y < height):
                continue
            for row in range(max(0, y - radius), min(height, y + radius + 1)):
                for column in range(max(0, x - radius), min(width, x + radius + 1)):
                    value = patch[row - y + radius, column - x + radius]
                    heatmaps[k, row, column] = max(heatmaps[k, row, column], value)
