"""Training targets: heatmaps of joints, and the scale of persons."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sparse_ae.runtime.kernels import kernel

AT = np.uintp  # an index known to be non-negative: loops over signed ones are slow
LANES = 8  # float32 numbers that most processors handle at once


class Patches(NamedTuple):
    """Gaussians to draw.

    Attributes:
        table: (n, side, side rounded up to LANES) float32, padded with zeros.
        sides: (n,) filled rows and columns of each.
        reach: (n,) cells to each side of a joint, less one.
    """

    table: np.ndarray
    sides: np.ndarray
    reach: np.ndarray


def heatmap_targets(joints, visible, size, *, sigma=2.0, out=None) -> np.ndarray:
    """Draw one heatmap per joint, with a Gaussian of height 1 at each person's joint.

    A joint belongs to the cell (int(x), int(y)), truncated towards 0; joints whose cell lies
    outside the map are left out. The Gaussian is centred on the cell and cut off to a square that
    reaches 3 sigma + 1 cells to each side (whole cells). Where persons overlap, the larger value
    counts.

    Args:
        joints: (P, K, 2) x, y in map cells; read only where visible.
        visible: (P, K) bool.
        size: H = W, or (H, W), in cells.
        sigma: standard deviation in cells.
        out: (K, H, W) float32, contiguous, to draw into and return: an image's place in a batch of
            zeros, or maps that `clear_targets` has cleared. Filling large maps with zeros takes
            longer than drawing.

    Returns:
        (K, H, W) float32.

    Raises:
        ValueError: Shapes are wrong, visible joints are not finite, size or sigma are not positive,
            or `out` does not fit.

    Source:
        The heatmap generator of HigherHRNet (target_generators.py). If a patch's size is not a
        whole number of cells, its Gaussian is off-centre; here it never is.

    Example:
        >>> joints, visible = [[[1.5, 0.0]]], [[True]]  # one person, one joint, in cell (1, 0)
        >>> print(heatmap_targets(joints, visible, 3, sigma=1)[0, 0].round(2))
        [0.61 1.   0.61]
    """
    joints, visible, shape = _check(joints, visible, size)
    persons = np.zeros(len(joints), np.int64)  # all draw the same patch
    return _drawn(joints, visible, shape, persons, _one_patch(sigma), out)


def clear_targets(heatmaps, joints, visible, *, sigma=2.0) -> None:
    """Reset to 0 what `heatmap_targets` drew, to draw into the same maps again.

    Args:
        heatmaps: (K, H, W) float32, cleared in place.
        joints, visible, sigma: what was drawn.

    Raises:
        ValueError: As in `heatmap_targets`.
    """
    joints, visible, shape = _check(joints, visible, np.shape(heatmaps)[1:])
    persons = np.zeros(len(joints), np.int64)
    _drawn(joints, visible, shape, persons, _one_patch(sigma), heatmaps, clear=True)


def scale_aware_targets(joints, visible, size, sigma) -> np.ndarray:
    """Draw heatmaps with a Gaussian width for each person.

    Args:
        joints, visible, size: as in `heatmap_targets`.
        sigma: (P,) cells, one for each person.

    Returns:
        (K, H, W) float32. For a whole-number sigma this is what `heatmap_targets` draws; for others
        the Gaussian is off its cell by up to half a cell, as in the source.

    Raises:
        ValueError: As in `heatmap_targets`.

    Source:
        The scale-aware generator of HigherHRNet and SWAHR (target_generators.py), to the bit.
    """
    joints, visible, shape = _check(joints, visible, size)
    sigma = np.asarray(sigma, np.float64)
    if sigma.shape != joints.shape[:1]:
        raise ValueError(f"sigma: expected ({len(joints)},), got shape {sigma.shape}")
    if not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError(f"sigma: expected positive numbers of cells, got {sigma}")
    widths, persons = np.unique(sigma, return_inverse=True)
    patches = [_patch(one, 3 * one + 1, int(np.ceil(6 * one + 3))) for one in widths]
    return _drawn(joints, visible, shape, persons, _table(patches, 3 * widths))


def person_scale(boxes, side) -> np.ndarray:
    """Compute the size of persons relative to the image: sqrt(box width × height) / side.

    Args:
        boxes: (P, 4) x, y, width, height in pixels, after augmentation.
        side: the image's side in pixels.

    Returns:
        (P,) float32, the ground truth of the scale loss.

    Raises:
        ValueError: Shapes are wrong, boxes are not finite or have a negative width or height, or
            side is not positive.

    Source:
        The released code's scale of a person.
    """
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes: expected (P, 4), got shape {boxes.shape}")
    if not (np.isfinite(boxes).all() and (boxes[:, 2:] >= 0).all()):
        raise ValueError("boxes: expected finite x, y and a width and height of 0 or more")
    if not 0 < side < np.inf:
        raise ValueError(f"side: expected a positive number of pixels, got {side!r}")
    return (np.sqrt(boxes[:, 2] * boxes[:, 3]) / side).astype(np.float32)


def _check(joints, visible, size):
    """Return float64 joints (P, K, 2), bool visible (P, K) and (K, H, W), or raise ValueError."""
    joints, visible = np.asarray(joints, np.float64), np.asarray(visible)
    if joints.ndim != 3 or joints.shape[2] != 2:
        raise ValueError(f"joints: expected (P, K, 2), got shape {joints.shape}")
    if visible.shape != joints.shape[:2]:
        raise ValueError(f"visible: expected {joints.shape[:2]}, got shape {visible.shape}")
    pair = (size, size) if np.ndim(size) == 0 else tuple(size)
    if len(pair) != 2 or any(int(cells) != cells or cells < 1 for cells in pair):
        raise ValueError(f"size: expected a positive int or (H, W), got {size!r}")
    return joints, visible > 0, (joints.shape[1], int(pair[0]), int(pair[1]))


def _patch(sigma, centre, side):
    """Return a (side, side) float32 Gaussian of height 1 at `centre`, in cells from its corner."""
    square = (np.arange(side, dtype=np.float64) - centre) ** 2
    return np.exp(-(square + square[:, None]) / (2 * sigma**2)).astype(np.float32)


def _one_patch(sigma) -> Patches:
    """Return the one Gaussian that all joints have."""
    if np.ndim(sigma) or not 0 < sigma < np.inf:
        raise ValueError(f"sigma: expected a positive number of cells, got {sigma!r}")
    return _kept_patch(float(sigma))


@lru_cache(maxsize=64)
def _kept_patch(sigma: float) -> Patches:
    """Return the cached Gaussian; computing it takes as long as drawing dozens of joints."""
    reach = int(3 * sigma + 1)
    return _table([_patch(sigma, reach, 2 * reach + 1)], np.array([reach - 1.0]))


def _table(patches, reach) -> Patches:
    """Return patches of several sizes in one array."""
    sides = np.array([len(patch) for patch in patches], np.int64)
    widest = sides.max(initial=1)
    table = np.zeros((len(patches), widest, -(-widest // LANES) * LANES), np.float32)
    for row, patch in enumerate(patches):
        table[row, : len(patch), : len(patch)] = patch
    return Patches(table, sides, reach)


def _drawn(joints, visible, shape, persons, patches, out=None, clear=False):
    """Draw or clear heatmaps; `persons` (P,) is the index of each person's patch."""
    heatmaps = np.empty(shape, np.float32) if out is None else out
    if getattr(heatmaps, "shape", None) != shape or heatmaps.dtype != np.float32:
        raise ValueError(f"out: expected {shape} float32, got {_told(out)}")
    if not (heatmaps.flags.c_contiguous and heatmaps.flags.writeable):
        raise ValueError("out: expected a contiguous array that can be written to")
    if not _draw(heatmaps, joints, visible, persons, *patches, out is None, clear):
        raise ValueError("joints: expected finite visible joints, got NaN or infinity")
    return heatmaps


def _told(array):
    """Return an array's shape and type, or the class of anything else."""
    shape, kind = getattr(array, "shape", None), getattr(array, "dtype", None)
    return f"{tuple(shape)} {kind}" if shape is not None else type(array).__name__


@kernel
def _draw(heatmaps, joints, visible, persons, table, sides, reach, fresh, clear):
    """Draw into heatmaps (K, H, W), or with `clear` reset the same cells to 0.

    `fresh` heatmaps are first filled with zeros. Returns False for a visible joint that is not
    finite.

    The patch of a joint in column x begins at round(x − reach − 1) and ends before
    round(x + reach + 2), halves to even. It is drawn LANES cells at a time: the table is padded
    with zeros, which change nothing.
    """
    kinds, height, width = heatmaps.shape
    cells, patches = heatmaps.ravel(), table.ravel()
    for k in range(kinds):
        if fresh:
            heatmaps[k] = 0
        for p in range(len(joints)):
            if not visible[p, k]:
                continue
            x, y = joints[p, k, 0], joints[p, k, 1]
            if not (np.isfinite(x) and np.isfinite(y)):
                return False
            if not (-1 < x < width and -1 < y < height):  # the cell is cut off towards 0
                continue
            x, y = np.trunc(x), np.trunc(y)
            which = persons[p]
            side, r = sides[which], reach[which]
            left, top = int(np.rint(x - r - 1)), int(np.rint(y - r - 1))
            right = min(width, left + side, int(np.rint(x + r + 2)))
            bottom = min(height, top + side, int(np.rint(y + r + 2)))
            padded = -(-side // LANES) * LANES
            whole = left >= 0 and left + padded <= width and right == left + side
            first, last = (0, padded) if whole else (max(0, -left), right - left)
            for row in range(max(0, top), bottom):
                patch = (which * table.shape[1] + row - top) * table.shape[2] + first
                cell = (k * height + row) * width + left + first
                if clear:
                    cells[cell : cell + right - left - first] = 0
                    continue
                for i in range(last - first):
                    cells[AT(cell + i)] = max(cells[AT(cell + i)], patches[AT(patch + i)])
    return True
