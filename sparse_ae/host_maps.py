"""What decoding reads of maps in the host's memory: peaks, and the best cell for a tag.

K joints, D embedding dimensions, H×W cells, P persons; all maps float32 and contiguous. Most of a
map is never looked at twice: its cells in reading order are cut into runs, and a run whose highest
value cannot win is passed over. The results are those of a search through every cell, to the bit;
of equal cells the first in reading order wins.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.kernels import kernel

RUN = 256  # cells
FIRST = 16  # so many runs, the highest, are searched before the rest
SIGN, INFINITE = np.int32(0x7FFFFFFF), np.int32(0x7F800000)  # bits of a float32
ONE, HALF = np.float32(1), np.float32(0.5)
MORE = np.float32(1.0001)  # a factor greater than what rounding can do to a sum of squares
SLACK = np.float32(1e-5)  # more than it can do to a heatmap less a whole number


def all_finite(maps) -> bool:
    """Whether a contiguous float32 array holds neither NaN nor infinity."""
    return bool(_largest_magnitude(maps.reshape(-1).view(np.int32)) < INFINITE)


def rest_finite(tags, read) -> bool:
    """Whether the tags (K, D, H, W) are finite in the runs that `read` (K, runs) leaves out."""
    return bool(_largest_unread(_bits(tags), read) < INFINITE)


def _bits(tags):
    """(K, D, H·W) int32 bits of tags (K, D, H, W)."""
    return tags.reshape(*tags.shape[:2], -1).view(np.int32)


@kernel
def _largest_magnitude(bits):
    """The largest of float32 numbers given by their bits, without the sign; NaN is above inf."""
    largest = np.int32(0)
    for i in range(len(bits)):
        largest = max(largest, bits[i] & SIGN)
    return largest


@kernel
def _largest_unread(bits, read):
    """`_largest_magnitude` of the runs (K, runs) that were not read."""
    largest = np.int32(0)
    for k in range(len(bits)):
        for d in range(bits.shape[1]):
            for run in range(read.shape[1]):
                if not read[k, run]:
                    part = bits[k, d, run * RUN : (run + 1) * RUN]
                    largest = max(largest, _largest_magnitude(part))
    return largest


def run_maxima(heatmaps) -> np.ndarray:
    """(K, runs) the highest value of each run of the maps (K, H, W)."""
    flat = heatmaps.reshape(len(heatmaps), -1)
    return np.maximum.reduceat(flat, np.arange(0, flat.shape[1], RUN), axis=1)


@kernel
def peaks(heatmaps, maxima, min_score, radius, count):
    """The `count` highest peaks of each joint, highest first; equal ones in reading order.

    A peak is above min_score and nowhere exceeded within `radius` cells. Returns (K, count, 2)
    integer x, y and (K, count) float32 scores, 0 where there are fewer.
    """
    joints, _, width = heatmaps.shape
    xy = np.zeros((joints, count, 2), np.int64)
    score = np.zeros((joints, count), np.float32)
    for k in range(joints):
        heatmap, taken = heatmaps[k], 0
        flat = heatmap.ravel()
        for run in range(maxima.shape[1]):
            if not maxima[k, run] > min_score:
                continue
            for i in range(run * RUN, min(len(flat), (run + 1) * RUN)):
                value = flat[i]
                if not value > min_score or (taken == count and not value > score[k, count - 1]):
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
def _is_highest(heatmap, x, y, radius):
    """Whether no cell within `radius` cells of (x, y) is higher."""
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


def fill(keypoints, found, heatmaps, maxima, tags, means, positive) -> np.ndarray | None:
    """Put each missing joint at its person's best cell, in place, and mark it as found.

    keypoints: (P, K, 3) x, y of a cell, score; found: (P, K); tags: (K, D, H, W); means: (P, D).
    The best cell has the largest heatmap − round(‖tag − mean‖). positive: fill only where the
    heatmap is above 0. Returns (K, runs) bool, the runs whose tags were read, or None if those are
    not finite.
    """
    read = np.zeros(maxima.shape, bool)
    apart = np.abs(means - means.mean(axis=0)) if len(means) else means
    order = np.argsort(-apart, axis=1)  # dimensions that tell a person from others come first
    finite = _fill(
        keypoints, found, heatmaps, maxima, tags, _bits(tags), means, order, positive, read
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
                heat, block, means[p], order[p], length, maxima[run], best[p], cell[p], start,
                distance,
            )  # fmt: skip
    return largest < INFINITE


@kernel
def _search(heat, block, mean, order, length, highest, best, cell, start, distance):
    """The better of (best, cell) and what a run of `length` cells from `start` on has.

    With q = the largest whole number of highest − best, a cell can only win with a distance that
    rounds to less than q, or to q if its heatmap is at least best + q. Whether any cell can is
    asked after 2, 4, 8 … dimensions; then the distances are summed anew, in the tags' own order.
    """
    slack = SLACK * (ONE + abs(best))
    most = np.floor(highest - best + slack)
    outer = (most + HALF) * (most + HALF) * MORE
    inner = (most - HALF) * (most - HALF) * MORE if most > 0 else -ONE
    need = best + most - slack
    for i in range(length):
        distance[i] = 0
    dim, check = len(mean), 2
    for n in range(dim):
        d = order[n]
        centre = mean[d]
        for i in range(length):
            difference = block[d, i] - centre
            distance[i] += difference * difference
        if n + 1 == check or n + 1 == dim:
            check *= 2
            near = np.int32(0)
            for i in range(length):
                near += np.int32(
                    (distance[i] <= inner) | ((distance[i] <= outer) & (heat[i] >= need))
                )
            if near == 0:
                return best, cell
    for i in range(length):
        if distance[i] > outer:
            continue
        exact = np.float32(0)
        for d in range(dim):
            difference = block[d, i] - mean[d]
            exact += difference * difference
        value = heat[i] - np.rint(np.sqrt(exact))
        if value > best or (value == best and start + i < cell):
            best, cell = value, start + i
    return best, cell


@kernel
def adjust(keypoints, found, heatmaps):
    """Move found joints from their cell's index to a quarter of a cell from its centre, in place.

    At the border the missing neighbour is the cell itself.
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
