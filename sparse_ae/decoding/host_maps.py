"""Find peaks in maps in host memory, and check that maps are finite.

Shapes: K joints, D embedding dimensions, H×W cells, P persons; all maps are float32 and contiguous.
The cells of a map, in reading order, are cut into runs; a run whose highest value cannot win is
skipped. The results are, to the bit, those of a search through every cell. Of equal cells, the
first in reading order wins.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.runtime.kernels import kernel

RUN = 64  # cells per run
SIGN, INFINITE = np.int32(0x7FFFFFFF), np.int32(0x7F800000)  # bits of a float32
AT = np.uintp  # for indices known not to be negative: with signed ones loops are slow


def all_finite(maps) -> bool:
    """Return whether a contiguous float32 array holds neither NaN nor infinity."""
    return bool(largest_magnitude(maps.reshape(-1).view(np.int32)) < INFINITE)


@kernel
def largest_magnitude(bits):
    """Return the largest magnitude of float32 numbers, both as bits; NaN is above infinity."""
    largest = np.int32(0)
    for i in range(len(bits)):
        largest = max(largest, _magnitude(bits[i]))
    return largest


@kernel
def largest_of_rows(bits, rows, start, length):
    """Return `largest_magnitude` of `length` cells from `start` on in four rows.

    `rows` holds the rows' first indices. Four rows are read from memory faster together than one by
    one.
    """
    a, b, c, d = rows[0] + start, rows[1] + start, rows[2] + start, rows[3] + start
    largest = np.int32(0)
    for i in range(length):
        one = max(_magnitude(bits[AT(a + i)]), _magnitude(bits[AT(b + i)]))
        two = max(_magnitude(bits[AT(c + i)]), _magnitude(bits[AT(d + i)]))
        largest = max(largest, max(one, two))
    return largest


def run_maxima(heatmaps) -> np.ndarray:
    """Return the highest values (K, runs) of runs of maps (K, H, W); NaN if one is not finite."""
    return _highest(heatmaps.reshape(len(heatmaps), -1).view(np.int32)).view(np.float32)


@kernel
def _highest(bits):
    """Compute `run_maxima` of maps (K, cells), all as bits, because integers compare faster."""
    highest = np.empty((len(bits), -(-bits.shape[1] // RUN)), np.int32)
    for k in range(len(bits)):
        row = bits[k]
        for run in range(highest.shape[1]):
            start = run * RUN
            top, largest = _ordered(row[start]), np.int32(0)
            for i in range(min(RUN, len(row) - start)):
                cell = row[AT(start + i)]
                top, largest = max(top, _ordered(cell)), max(largest, _magnitude(cell))
            highest[k, run] = _ordered(top) if largest < INFINITE else SIGN  # a NaN
    return highest


@kernel
def _magnitude(bits):
    """Return the bits without the sign, as int32: numba would make them int64."""
    return np.int32(bits & SIGN)


@kernel
def _ordered(bits):
    """Return an integer that grows with the float32 of these bits, or convert it back."""
    return np.int32(bits ^ ((bits >> 31) & SIGN))


@kernel
def peaks(heatmaps, maxima, min_score, radius, count):
    """Find the `count` highest peaks of each joint, highest first; equal ones in reading order.

    Args:
        heatmaps: (K, H, W).
        maxima: (K, runs), `run_maxima` of the heatmaps.
        min_score: a peak is above it.
        radius: no cell within so many cells of a peak is higher.
        count: number of peaks.

    Returns:
        (K, count, 2) integer x, y and (K, count) float32 scores, 0 where there are fewer.
    """
    joints, _, width = heatmaps.shape
    xy = np.zeros((joints, count, 2), np.int64)
    score = np.zeros((joints, count), np.float32)
    high = np.empty(RUN, np.bool_)
    for k in range(joints):
        heatmap, taken = heatmaps[k], 0
        flat = heatmap.ravel()
        for run in range(maxima.shape[1]):
            if not maxima[k, run] > min_score:
                continue
            start = run * RUN
            length = min(RUN, len(flat) - start)
            if not _columns_tops(flat, start, length, min(radius, 1) * width, min_score, high):
                continue
            for i in range(start, start + length):
                value = flat[i]
                if not high[i - start] or (taken == count and not value > score[k, count - 1]):
                    continue
                y, x = i // width, i % width
                if not _is_highest(heatmap, x, y, radius):
                    continue
                place = min(taken, count - 1)
                while place > 0 and score[k, place - 1] < value:
                    score[k, place] = score[k, place - 1]
                    xy[k, place] = xy[k, place - 1]
                    place -= 1
                score[k, place] = value
                xy[k, place, 0] = x
                xy[k, place, 1] = y
                taken = min(taken + 1, count)
    return xy, score


@kernel
def _columns_tops(flat, start, length, row, min_score, high):
    """Mark in `high` (RUN,) the cells above min_score and not lower than the cells above and below.

    The cells above and below are `row` cells away; a run without a full row above or below is
    compared with itself. Return whether any cell is marked. Few are, so few need a closer look.
    """
    before = start - row if start >= row else start
    after = start + row if start + length + row <= len(flat) else start
    some = False
    for i in range(length):
        value = flat[AT(start + i)]
        high[i] = (
            (value > min_score) & (value >= flat[AT(before + i)]) & (value >= flat[AT(after + i)])
        )
        some |= high[i]
    return some


@kernel
def _is_highest(heatmap, x, y, radius):
    """Return whether no cell within `radius` cells of (x, y) is higher."""
    height, width = heatmap.shape
    near = min(radius, 1)  # most cells have a higher one right beside them
    value = heatmap[y, x]
    if (
        heatmap[y, max(0, x - near)] > value
        or heatmap[y, min(width - 1, x + near)] > value
        or heatmap[max(0, y - near), x] > value
        or heatmap[min(height - 1, y + near), x] > value
    ):
        return False
    for row in range(max(0, y - radius), min(height, y + radius + 1)):
        for column in range(max(0, x - radius), min(width, x + radius + 1)):
            if heatmap[row, column] > value:
                return False
    return True


@kernel
def adjust(keypoints, found, heatmaps):
    """Move found joints from their cell's index to a quarter of a cell from its centre, in place.

    At the border, the cell itself replaces the missing neighbour.
    """
    joints, height, width = heatmaps.shape
    for p in range(len(keypoints)):
        for k in range(joints):
            if not found[p, k]:
                continue
            x, y = int(keypoints[p, k, 0]), int(keypoints[p, k, 1])
            right = heatmaps[k, y, min(x + 1, width - 1)] > heatmaps[k, y, max(x - 1, 0)]
            below = heatmaps[k, min(y + 1, height - 1), x] > heatmaps[k, max(y - 1, 0), x]
            keypoints[p, k, 0] = x + (0.75 if right else 0.25)
            keypoints[p, k, 1] = y + (0.75 if below else 0.25)
