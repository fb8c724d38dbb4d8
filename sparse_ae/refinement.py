"""Refinement in the host's memory: where the joints that persons lack are best looked for.

K joints, D embedding dimensions, H×W cells, P persons. A search through every cell of every map, to
the bit; but most runs of cells (host_maps) are passed over, or seen not to win by two dimensions.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.host_maps import INFINITE, RUN, SIGN, as_bits
from sparse_ae.kernels import kernel

FIRST = 16  # so many runs, the highest, are searched before the rest
ONE, HALF = np.float32(1), np.float32(0.5)
MORE = np.float32(1.0001)  # a factor greater than what rounding can do to a sum of squares
SLACK = np.float32(1e-5)  # more than it can do to a heatmap less a whole number


def fill(keypoints, found, heatmaps, maxima, tags, means, positive) -> np.ndarray | None:
    """Put each missing joint at its person's best cell, in place, and mark it as found.

    keypoints: (P, K, 3) x, y of a cell, score; found: (P, K); tags: (K, D, H, W); means: (P, D).
    The best cell has the largest heatmap − round(‖tag − mean‖). positive: fill only where the
    heatmap is above 0. Returns (K, runs) bool, the runs whose tags were read, or None if those are
    not finite.
    """
    read = np.zeros(maxima.shape, bool)
    apart = np.abs(means - means.mean(axis=0)) if len(means) else means
    order = np.ascontiguousarray(
        np.argsort(-apart, axis=1)[:, :2]
    )  # the dimensions that tell a person from others
    finite = _fill(
        keypoints, found, heatmaps, maxima, tags, as_bits(tags), means, order, positive, read
    )
    return read if finite else None


@kernel
def _fill(keypoints, found, heatmaps, maxima, tags, bits, means, order, positive, read):
    width = heatmaps.shape[2]
    missing = np.empty(len(means), np.int64)
    best = np.empty(len(means), np.float32)
    cell = np.zeros(len(means), np.int64)
    for k in range(len(heatmaps)):
        count = 0
        for p in range(len(means)):
            if not found[p, k]:
                missing[count] = p
                count += 1
        if count == 0:
            continue
        best[:] = -np.inf
        flat = heatmaps[k].ravel()
        persons = missing[:count]
        if not _best_cells(
            flat, maxima[k], tags[k], bits[k], means, order, persons, best, cell, read[k]
        ):
            return False
        for p in persons:
            score = flat[cell[p]]
            if score > 0 or not positive:
                keypoints[p, k, 0] = cell[p] % width
                keypoints[p, k, 1] = cell[p] // width
                keypoints[p, k, 2] = score
                found[p, k] = True
    return True


@kernel
def _best_cells(heatmap, maxima, tags, bits, means, order, persons, best, cell, read):
    """Each person's best cell in one map (H·W,), and what it is worth, in place; False if a tag
    that was read is not finite.

    A distance only lowers the heatmap, so a run is searched only if its maximum is as high as the
    best value yet. The highest runs come first; the others follow as they lie in memory.
    """
    dim = means.shape[1]
    flat = tags.reshape(dim, len(heatmap))
    heat, block = np.empty(RUN, np.float32), np.empty((dim, RUN), np.float32)
    distance = np.empty(RUN, np.float32)
    largest = np.int32(0)
    runs = np.argsort(-maxima)
    runs[FIRST:] = np.sort(runs[FIRST:])
    for run in runs:
        start = run * RUN
        length = min(RUN, len(heatmap) - start)
        for p in persons:
            if maxima[run] < best[p]:
                continue
            if not read[run]:  # copied once for all persons
                heat[:length] = heatmap[start : start + length]
                for d in range(dim):
                    row, row_bits = flat[d, start : start + length], bits[d, start : start + length]
                    for i in range(length):
                        block[d, i] = row[i]
                        largest = max(largest, row_bits[i] & SIGN)
                read[run] = True
            best[p], cell[p] = _search(
                heat, block, means, order, p, length, maxima[run], best[p], cell[p], start,
                distance,
            )  # fmt: skip
    return largest < INFINITE


@kernel
def _search(heat, block, means, order, p, length, highest, best, cell, start, distance):
    """The better of (best, cell) and what a run of `length` cells from `start` on has.

    A cell can only win with a distance that rounds to highest − best or less. For most runs two
    dimensions tell that none has.
    """
    most = np.floor(highest - best + SLACK * (ONE + abs(best)))
    farthest = (most + HALF) * (most + HALF) * MORE
    first, second = order[p, 0], order[p, -1]  # the same at D = 1
    m1, m2 = means[p, first], means[p, second]
    limit = farthest if first != second else farthest + farthest  # D = 1: counted twice
    near = np.int32(0)
    for i in range(length):
        d1, d2 = block[first, i] - m1, block[second, i] - m2
        near += np.int32(d1 * d1 + d2 * d2 <= limit)
    if near == 0:
        return best, cell
    for i in range(length):
        distance[i] = 0
    for d in range(means.shape[1]):
        mean = means[p, d]
        for i in range(length):
            difference = block[d, i] - mean
            distance[i] += difference * difference
    for i in range(length):
        if distance[i] <= farthest:
            value = heat[i] - np.rint(np.sqrt(distance[i]))
            if value > best or (value == best and start + i < cell):
                best, cell = value, start + i
    return best, cell
