"""Refine persons in host memory: find the best cells for the joints that they lack.

Shapes: K joints, D embedding dimensions, H×W cells, P persons. The results are, to the bit, those
of a search through every cell of every map; but most runs of cells (host_maps) are skipped, because
their highest value or two dimensions of their tags show that they cannot win.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.decoding.host_maps import AT, INFINITE, RUN, largest_of_rows
from sparse_ae.runtime.kernels import kernel

BLOCK = 64  # runs that are checked, and searched person by person, while they are cached
STRETCH = 4  # most runs in a row that are searched at once
ONE, HALF = np.float32(1), np.float32(0.5)
MORE = np.float32(1.0001)  # a factor above what rounding can do to a sum of squares
SLACK = np.float32(1e-5)  # more than rounding can do to a heatmap minus a whole number


def fill(keypoints, found, heatmaps, maxima, tags, means, positive) -> bool:
    """Put each missing joint at its person's best cell, in place, and mark it as found.

    The best cell has the largest heatmap − round(‖tag − mean‖).

    Args:
        keypoints: (P, K, 3) x, y of a cell, score.
        found: (P, K) bool.
        heatmaps: (K, H, W).
        maxima: (K, runs), `host_maps.run_maxima` of the heatmaps.
        tags: (K, D, H, W).
        means: (P, D) the persons' mean tags.
        positive: whether to fill only where the heatmap is above 0.

    Returns:
        Whether all tags are finite; if they are not, the joints that were filled in mean nothing.
    """
    order = distinguishing_dimensions(means)
    flat = tags.reshape(len(tags), -1)
    return _fill(
        keypoints, found, heatmaps, maxima, flat, flat.view(np.int32), means, order, positive
    )


def distinguishing_dimensions(means: np.ndarray) -> np.ndarray:
    """Return the two dimensions (P, 2) in which each of the means (P, D) is farthest from average.

    With D = 1, both are the same.
    """
    apart = np.abs(means - means.mean(axis=0)) if len(means) else means
    order = np.argsort(-apart, axis=1)
    return np.ascontiguousarray(order[:, [0, min(1, means.shape[1] - 1)]])


@kernel
def _fill(keypoints, found, heatmaps, maxima, tags, bits, means, order, positive):
    """Do `fill` with tags (K, D·H·W) and their bits."""
    width = heatmaps.shape[2]
    largest = np.int32(0)
    for k in range(len(heatmaps)):
        heat = heatmaps[k].ravel()
        persons = np.flatnonzero(~found[:, k])
        best, cell = _first_guesses(
            persons, keypoints, found, width, heat, maxima[k], tags[k], means, order
        )
        largest = max(
            largest,
            best_cells(persons, heat, maxima[k], tags[k], bits[k], means, order, best, cell),
        )
        put_joints(keypoints, found, k, persons, heat, cell, width, positive)
    return largest < INFINITE


@kernel
def put_joints(keypoints, found, k, persons, heat, cell, width, positive):
    """Put joint k of these persons at their cells (P,), in place, and mark it as found."""
    for p in persons:
        score = heat[cell[p]]
        if score > 0 or not positive:
            keypoints[p, k, 0] = cell[p] % width
            keypoints[p, k, 1] = cell[p] // width
            keypoints[p, k, 2] = score
            found[p, k] = True


@kernel
def _first_guesses(persons, keypoints, found, width, heat, maxima, tags, means, order):
    """Search one map where each person's other joints are: values and cells, both (P,).

    Matching tags are often near a person's other joints, and a good value from the start saves most
    of the search.
    """
    best, cell = np.full(len(means), -np.inf, np.float32), np.zeros(len(means), np.int64)
    for p in persons:
        for k in range(found.shape[1]):
            if found[p, k]:
                x, y = np.int64(keypoints[p, k, 0]), np.int64(keypoints[p, k, 1])
                run = (y * width + x) // RUN
                best[p], cell[p] = _search(
                    heat, maxima, tags, means, order, p, run, run + 1, best[p], cell[p]
                )
    return best, cell


@kernel
def best_cells(persons, heat, maxima, tags, bits, means, order, best, cell):
    """Update each person's best cell in one map, and its value, in place.

    Return the largest magnitude of the map's tags, as bits.
    """
    dim, cells = means.shape[1], len(heat)
    largest = np.int32(0)
    for first in range(0, len(maxima), BLOCK):
        last = min(first + BLOCK, len(maxima))
        start, length = first * RUN, min(last * RUN, cells) - first * RUN
        for d in range(0, dim, 4):
            second, third, fourth = min(d + 1, dim - 1), min(d + 2, dim - 1), min(d + 3, dim - 1)
            rows = d * cells, second * cells, third * cells, fourth * cells
            largest = max(largest, largest_of_rows(bits, rows, start, length))
        for p in persons:
            best[p], cell[p] = _search(
                heat, maxima, tags, means, order, p, first, last, best[p], cell[p]
            )
    return largest


@kernel
def _search(heat, maxima, tags, means, order, p, run, last, best, cell):
    """Return the better of (best, cell) and the best cell of the runs from `run` to before `last`.

    A distance only lowers the heatmap, so a run is searched only if its maximum is as high as the
    best value yet. A cell can only win with a distance that rounds to highest − best or less.
    """
    first, second = order[p]  # the same at D = 1
    m1, m2 = means[p, first], means[p, second]
    one, two = first * len(heat), second * len(heat)
    while run < last:
        highest = maxima[run]
        if highest < best:
            run += 1
            continue
        start = run * RUN
        end = min(run + STRETCH, last)
        run += 1
        while run < end and maxima[run] >= best:
            highest = max(highest, maxima[run])
            run += 1
        length = min(run * RUN, len(heat)) - start
        most = np.floor(highest - best + SLACK * (ONE + abs(best)))
        farthest = (most + HALF) * (most + HALF) * MORE
        limit = farthest if first != second else farthest + farthest  # D = 1: counted twice
        if _any_near(heat, tags, one + start, two + start, m1, m2, start, length, limit, best):
            best, cell = _searched(heat, tags, means, p, start, length, farthest, best, cell)
    return best, cell


@kernel
def _any_near(heat, tags, one, two, m1, m2, start, length, limit, best):
    """Return whether a cell is as high as `best` and near the person in two dimensions.

    m1 and m2 are the person's mean in these dimensions; `one` and `two` say where the tags have
    them.
    """
    near = False
    for i in range(length):
        d1, d2 = tags[AT(one + i)] - m1, tags[AT(two + i)] - m2
        near |= (d1 * d1 + d2 * d2 <= limit) & (heat[AT(start + i)] >= best)
    return near


@kernel
def _searched(heat, tags, means, p, start, length, farthest, best, cell):
    """Return the better of (best, cell) and the best cell whose distance² is up to `farthest`."""
    distance = np.zeros(length, np.float32)
    for d in range(means.shape[1]):
        mean, row = means[p, d], d * len(heat) + start
        for i in range(length):
            difference = tags[AT(row + i)] - mean
            distance[i] += difference * difference
    for i in range(length):
        if distance[i] <= farthest:
            value = heat[AT(start + i)] - np.rint(np.sqrt(distance[i]))
            if value > best or (value == best and start + i < cell):
                best, cell = value, start + i
    return best, cell
