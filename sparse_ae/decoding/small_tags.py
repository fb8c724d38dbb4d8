"""Read tags from maps smaller than the heatmaps, as if they had been enlarged.

Decoding needs tags at the heatmaps' peaks, and where a joint that a person lacks might be. Only
these cells are interpolated, one by one, bit for bit as `enlarge.enlarge_bilinear` does. Shapes: K
joints, D embedding dimensions, h×w cells of the tags, H×W of the heatmaps, P persons.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.decoding.enlarge import enlarge_flat, fma, taps
from sparse_ae.decoding.host_maps import AT, RUN, all_finite
from sparse_ae.decoding.refinement import (
    HALF,
    MORE,
    ONE,
    SLACK,
    best_cells,
    distinguishing_dimensions,
    put_joints,
)
from sparse_ae.runtime.kernels import kernel

CELLS_A_RUN = 400  # cells of one dimension that are enlarged in the time that one run takes
ROUNDING = np.float32(1e-6)  # more than the relative rounding error of an interpolated tag


def tags_at(tags: np.ndarray, xy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the tags at cells of the heatmaps.

    Args:
        tags: (K, D, h, w) float32 and contiguous.
        xy: (K, N, 2) x, y, whole numbers.
        size: (H, W) of the heatmaps.

    Returns:
        (K, N, D) float32.
    """
    if tags.shape[2:] == size:
        return tags[np.arange(len(tags))[:, None], :, xy[..., 1], xy[..., 0]]
    return _tags_at(tags, xy, taps(tags.shape[2], size[0]), taps(tags.shape[3], size[1]))


@kernel
def _tags_at(tags, xy, rows, columns):
    """Interpolate the tags of `tags_at`."""
    found = np.empty((len(tags), xy.shape[1], tags.shape[1]), np.float32)
    for k in range(len(tags)):
        for n in range(xy.shape[1]):
            for d in range(tags.shape[1]):
                found[k, n, d] = _tag(tags[k, d], rows, columns, xy[k, n, 0], xy[k, n, 1])
    return found


@kernel
def _tag(tags, rows, columns, x, y):
    """Interpolate one dimension of one cell's tag from its map (h, w)."""
    upper, lower = rows.first[y], rows.second[y]
    left, right = columns.first[x], columns.second[x]
    first, second = columns.first_weight[x], columns.second_weight[x]
    above = fma(tags[upper, left], first, tags[upper, right] * second)
    below = fma(tags[lower, left], first, tags[lower, right] * second)
    return fma(above, rows.first_weight[y], below * rows.second_weight[y])


def fill(keypoints, found, heatmaps, maxima, tags, means, positive) -> bool:
    """Put each missing joint at its person's best cell, as `refinement.fill` does.

    Args:
        tags: (K, D, h, w).
        keypoints, found, heatmaps, maxima, means, positive: as in `refinement.fill`.

    Returns:
        Whether all tags are finite; nothing is filled in if they are not.
    """
    if not all_finite(tags):
        return False
    rows, columns = (taps(*sides) for sides in zip(tags.shape[2:], heatmaps.shape[1:], strict=True))
    order = distinguishing_dimensions(means)
    _fill(keypoints, found, heatmaps, maxima, tags, means, order, rows, columns, positive)
    return True


@kernel
def _fill(keypoints, found, heatmaps, maxima, tags, means, order, rows, columns, positive):
    """Do `fill`, given the dimensions (P, 2) that tell a person from others.

    Where persons have no good first guess, nearly every cell must be searched, and it is faster to
    enlarge a joint's tags after all.
    """
    known, dim, width = found.copy(), means.shape[1], heatmaps.shape[2]
    best, cell = np.empty(len(means), np.float32), np.zeros(len(means), np.int64)
    whole = np.empty((1, 0, *heatmaps.shape[1:]), np.float32)
    for k in range(len(heatmaps)):
        heat, small, persons = heatmaps[k].ravel(), tags[k], np.flatnonzero(~known[:, k])
        runs = 0  # number of runs to search
        for p in persons:
            best[p], cell[p] = -np.inf, 0
            # matching tags are often near its other joints; a good value saves most of the search
            for j in np.flatnonzero(known[p]):
                at = np.int64(keypoints[p, j, 1]) * width + np.int64(keypoints[p, j, 0])
                best[p], cell[p] = _searched(
                    heat, small, means[p], order[p], rows, columns, at // RUN, best[p], cell[p]
                )
            runs += (maxima[k] >= best[p]).sum()
        if runs * CELLS_A_RUN > dim * len(heat):
            if whole.size == 0:
                whole = np.empty((1, dim, *heatmaps.shape[1:]), np.float32)
            strides = (0, small.shape[1] * small.shape[2], 1)
            enlarge_flat(small.ravel(), strides, small.shape[1:], whole, rows, columns)
            flat = whole.ravel()
            best_cells(
                persons, heat, maxima[k], flat, flat.view(np.int32), means, order, best, cell
            )
        else:
            for p in persons:
                best[p], cell[p] = _best_of_runs(
                    heat, maxima[k], small, means[p], order[p], rows, columns, best[p], cell[p]
                )
        put_joints(keypoints, found, k, persons, heat, cell, width, positive)


@kernel
def _best_of_runs(heat, maxima, tags, mean, order, rows, columns, best, cell):
    """Return the better of (best, cell) and the best cell of all runs."""
    for run in range(len(maxima)):
        highest = maxima[run]
        if highest < best:
            continue
        if not _far(tags, mean, order, rows, columns, run, _farthest(highest, best)):
            best, cell = _searched(heat, tags, mean, order, rows, columns, run, best, cell)
    return best, cell


@kernel
def _farthest(height, best):
    """Return the largest distance² at which a cell of this height can be as good as `best`."""
    most = np.floor(height - best + SLACK * (ONE + abs(best)))
    return (most + HALF) * (most + HALF) * MORE


@kernel
def _far(tags, mean, order, rows, columns, run, farthest):
    """Return whether no tag of a run can be near the person's mean.

    This follows from the highest and lowest of the small cells around it in the two dimensions of
    `order`.
    """
    width, cells = len(columns.first), len(columns.first) * len(rows.first)
    start, end = run * RUN, min(run * RUN + RUN, cells) - 1
    y, last = start // width, end // width
    left, right = (start % width, end % width) if y == last else (0, width - 1)
    total = np.float32(0)
    for d in order:
        row = tags[d]
        low = high = row[rows.first[y], columns.first[left]]
        for small in range(rows.first[y], rows.second[last] + 1):
            for column in range(columns.first[left], columns.second[right] + 1):
                value = row[small, column]
                low, high = min(low, value), max(high, value)
        rounding = ROUNDING * max(abs(low), abs(high))
        apart = max(low - mean[d], mean[d] - high) - rounding
        if apart > 0:
            total += apart * apart
    return total > (farthest if order[0] != order[1] else farthest + farthest)


@kernel
def _searched(heat, tags, mean, order, rows, columns, run, best, cell):
    """Return the better of (best, cell) and the best cell of a run."""
    width = len(columns.first)
    for i in range(run * RUN, min(run * RUN + RUN, len(heat))):
        height = heat[AT(i)]
        if height < best:
            continue
        farthest, y, x = _farthest(height, best), i // width, i % width
        near = np.float32(0)
        for d in order:
            difference = _tag(tags[d], rows, columns, x, y) - mean[d]
            near += difference * difference
        if near > (farthest if order[0] != order[1] else farthest + farthest):
            continue  # D = 1: counted twice
        distance = np.float32(0)
        for d in range(len(mean)):
            difference = _tag(tags[d], rows, columns, x, y) - mean[d]
            distance += difference * difference
            if distance > farthest:
                break
        if distance <= farthest:
            value = height - np.rint(np.sqrt(distance))
            if value > best or (value == best and i < cell):
                best, cell = value, i
    return best, cell
