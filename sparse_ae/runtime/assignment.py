"""Solve the assignment problem, compiled: give each row a column, at the lowest total cost."""

from __future__ import annotations

import numpy as np

from sparse_ae.runtime.kernels import kernel

AT = np.uintp  # for indices known not to be negative: with signed ones loops are slow


@kernel
def assign(cost):
    """Assign each row of a cost matrix a column of its own, at the lowest total cost.

    This is the shortest augmenting path algorithm, row by row. Of several cheapest assignments it
    finds the one that `scipy.optimize.linear_sum_assignment` finds: it forms sums in the same
    order; of equally near columns it prefers free ones, and of these the last that it examines.

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
        # `unreached` has the columns that the search has reached after those that are left
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
    """Find the shortest path from a row to a free column.

    Fill in each column's distance and the row before it, and order `unreached`: columns that were
    not reached come first, then the reached ones, the latest first. Return how many were not
    reached, and the distance of the free one.
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
