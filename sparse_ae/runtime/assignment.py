"""The assignment problem, compiled: which rows take which columns, at the lowest total cost."""

from __future__ import annotations

import numpy as np

from sparse_ae.runtime.kernels import kernel

AT = np.uintp  # an index that is known not to be negative: loops over others are slow


@kernel
def assign(cost):
    """Assign each row of a cost matrix a column of its own, at the lowest total cost.

    The shortest augmenting path algorithm, a row at a time. Of several cheapest assignments it
    finds the one that `scipy.optimize.linear_sum_assignment` finds: sums are formed in its order,
    and of equally near columns one that is free goes before others, and the last free one that is
    looked at before the others of these.

    Args:
        cost: (n, m) float64, finite, n at most m.

    Returns:
        (n,) the column of each row.

    Source:
        Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions on
        Aerospace and Electronic Systems 52(4), 2016.
    """
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    column_of, row_of = np.full(rows, -1), np.full(columns, -1)
    distance, before = np.empty(columns), np.empty(columns, np.int64)
    unreached = np.empty(columns, np.int64)
    for start in range(rows):
        left, reached = _shortest_path(
            cost, start, row_price, column_price, row_of, distance, before, unreached
        )
        # the columns that the search has reached are behind those that are left
        row_price[start] += reached
        for i in range(left, columns):
            column = unreached[i]
            if row_of[column] >= 0:
                row_price[row_of[column]] += reached - distance[column]
            column_price[column] -= reached - distance[column]
        column = unreached[left]  # the free one, reached last
        while True:  # along the path, every row passes its column on
            row = before[column]
            row_of[column] = row
            column_of[row], column = column, column_of[row]
            if row == start:
                break
    return column_of


@kernel
def _shortest_path(cost, row, row_price, column_price, row_of, distance, before, unreached):
    """Search the shortest path from a row to a free column.

    Fills in each column's distance and the row before it, and orders `unreached`: the columns not
    reached come first, then the reached ones, the latest first. Returns how many are not reached,
    and how far the free one is.
    """
    columns = cost.shape[1]
    for j in range(columns):
        unreached[j] = columns - 1 - j  # backwards: equal costs give the identity
        distance[j] = np.inf
    left, reached = columns, 0.0
    while True:
        nearest, lowest = -1, np.inf
        for i in range(left):
            column = AT(unreached[AT(i)])
            length = reached + cost[AT(row), column] - row_price[AT(row)] - column_price[column]
            if length < distance[column]:
                before[column] = row
                distance[column] = length
            far = distance[column]
            if far < lowest or (far == lowest and row_of[column] < 0):
                lowest, nearest = far, i
        reached, left = lowest, left - 1
        column = unreached[nearest]
        unreached[nearest], unreached[left] = unreached[left], column
        if row_of[column] < 0:
            return left, reached
        row = row_of[column]
