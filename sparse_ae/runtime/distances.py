"""Compute distances of one embedding from many, compiled, bit for bit as NumPy does.

NumPy adds fewer than eight numbers one after the other, more of them in eight sums, and more than
128 in two halves. Grouping depends on the last bit where two distances are nearly equal.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.runtime.kernels import kernel


@kernel
def distances_from(tag, means, square):
    """Compute the Euclidean distances of a tag from means, in the type of `square`.

    Args:
        tag: (D,) float32.
        means: (D, P) float32.
        square: (D, P) float32 or float64, workspace.

    Returns:
        (P,) distances, the first row of `square`.
    """
    dim, persons = square.shape
    for d in range(dim):
        for p in range(persons):
            square[d, p] = tag[d]
            square[d, p] -= means[d, p]
            square[d, p] *= square[d, p]
    _sum_rows(square)
    for p in range(persons):
        square[0, p] = np.sqrt(square[0, p])
    return square[0]


@kernel
def _sum_rows(rows):
    """Add up rows into the first one, in NumPy's order: more than 128 rows in two halves."""
    parts = [(0, len(rows), 0)]  # first, count, other; if count is 0, add row other to row first
    while len(parts):
        first, count, other = parts.pop()
        if count > 128:
            half = count // 2 - count // 2 % 8
            parts += [(first, 0, first + half), (first, half, 0), (first + half, count - half, 0)]
        elif count:
            _sum_by_eight(rows, first, count)
        else:
            _add_row(rows, first, other)


@kernel
def _sum_by_eight(rows, first, count):
    """Add up to 128 rows into the first one, in NumPy's order: in eight interleaved sums."""
    if count < 8:
        for i in range(1, count):
            _add_row(rows, first, first + i)
        return
    whole = count - count % 8
    for i in range(8, whole):
        _add_row(rows, first + i % 8, first + i)
    for step in (1, 2, 4):
        for i in range(0, 8, 2 * step):
            _add_row(rows, first + i, first + i + step)
    for i in range(whole, count):
        _add_row(rows, first, first + i)


@kernel
def _add_row(rows, to, other):
    for p in range(rows.shape[1]):
        rows[to, p] += rows[other, p]
