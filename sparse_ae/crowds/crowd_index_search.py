"""A search for sideways positions that give a crowd the wanted crowd index.

A set of joints is an integer with one bit per joint.
"""

from __future__ import annotations

import numpy as np

from sparse_ae.crowds.camera.portable import snap
from sparse_ae.runtime.kernels import kernel

STARTS = 10  # random arrangements to choose from
MOVES = 50  # per person
GOOD_ENOUGH = 0.03  # cost at which the search stops
MIN_GAP = 0.42  # metres on the ground between the middles of two persons
MIN_INSIDE = 0.5  # share of a person's joints that should lie in the frame
MIN_UNCOVERED = 3  # joints of a person that should lie outside the boxes of nearer persons
COVERED_COST = 0.15  # cost per joint below that number


@kernel
def count_bits(joints):
    """Return how many joints a set holds."""
    found = 0
    while joints:
        joints &= joints - 1
        found += 1
    return found


@kernel
def joints_in_frame(person, shift, joints, size):
    """Return the set of a person's joints in the frame when it is moved `shift` pixels right."""
    inside = 0
    for k in range(joints.shape[1]):
        x, y = joints[person, k, 0] + shift, joints[person, k, 1]
        inside |= int(-0.5 <= x < size - 0.5 and -0.5 <= y < size - 0.5) << k
    return inside


@kernel
def joints_in_box(box, person, shifts, joints, boxes, size):
    """Return the set of joints of `person` in the frame and in the box of another, `box`."""
    left = max(boxes[box, 0] + shifts[box], -0.5)
    right = min(boxes[box, 2] + shifts[box], size - 0.5)
    top, bottom = max(boxes[box, 1], -0.5), min(boxes[box, 3], size - 0.5)
    shift, inside = shifts[person], 0
    if boxes[person, 0] + shift > right or boxes[person, 2] + shift < left:
        return 0
    for k in range(joints.shape[1]):
        x, y = joints[person, k, 0] + shift, joints[person, k, 1]
        inside |= int(left <= x <= right and top <= y <= bottom) << k
    return inside


@kernel
def crowd_index_and_cost(own, inside, shifts, depth, distance, joints, focal, target):
    """Return the crowd index of an arrangement and its cost.

    The cost is the distance to the wanted crowd index, plus penalties for people who overlap on the
    ground, are cut off by the frame, or are hidden by nearer people.

    Args:
        own: (P,) sets of joints in the frame.
        inside: (P, P) sets of joints of the column's person in the box of the row's person.
        shifts: (P,) pixels that each person is moved to the right.
        depth: (P,) metres along the camera's axis.
        distance: (P,) metres along the ground.
        joints: (P, K, 3) pixels.
        focal: Focal length, pixels.
        target: The crowd index wanted.
    """
    persons, total = len(own), joints.shape[1]
    result, index, counted = 0.0, 0.0, 0
    for p in range(persons):
        mine = count_bits(own[p])
        result += 0.5 * max(0.0, MIN_INSIDE - mine / total)
        if mine < 4:
            result += 1.0
        others, covered = 0, 0
        for q in range(persons):
            others += count_bits(inside[p, q])
            if depth[q] < depth[p]:
                covered |= inside[q, p]
            if q > p:
                across = (shifts[p] * depth[p] - shifts[q] * depth[q]) / focal
                gap = np.sqrt(across**2 + (distance[p] - distance[q]) ** 2)
                result += 2.0 * max(0.0, MIN_GAP - gap)
        result += COVERED_COST * max(0, MIN_UNCOVERED - count_bits(own[p] & ~covered))
        if mine > 0:
            index += others / mine
            counted += 1
    index /= max(counted, 1)
    return index, result + abs(index - target)


@kernel
def update_sets(person, own, inside, shifts, joints, boxes, size):
    """Update the sets of joints after a person was moved."""
    own[person] = joints_in_frame(person, shifts[person], joints, size)
    for other in range(len(own)):
        if other != person:
            inside[person, other] = joints_in_box(person, other, shifts, joints, boxes, size)
            inside[other, person] = joints_in_box(other, person, shifts, joints, boxes, size)


def draw_search_moves(rng: np.random.Generator, persons: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the random numbers of a search.

    Args:
        rng: Generator of this scene's positions.
        persons: P, the number of persons.

    Returns:
        Starts (STARTS, P + 1), in shares of the image's side: each person's distance from the
        middle at full spread, then the middle. And moves (MOVES · P, 2): if the first number is
        below 0.3, a jump to the second one; otherwise a step by the second one.
    """
    starts = rng.uniform(-0.5, 0.5, (STARTS, persons + 1))
    far = rng.random(MOVES * persons)
    by = np.where(far < 0.3, rng.uniform(-0.5, 0.5, len(far)), rng.normal(0, 0.12, len(far)))
    return snap(starts), snap(np.stack((far, by), 1))


@kernel
def search_positions(starts, moves, joints, boxes, distance, depth, size, focal, target):
    """Search for shifts that bring a crowd's index close to `target`.

    The search takes the best of some random arrangements and improves it by moving one person at a
    time.

    Args:
        starts: Random starts from `draw_search_moves`.
        moves: Random moves from `draw_search_moves`.
        joints: (P, K, 3) pixels, of persons in the image's middle.
        boxes: (P, 4) left, top, right, bottom in pixels, of persons in the image's middle.
        distance: (P,) metres along the ground.
        depth: (P,) metres along the camera's axis.
        size: Side of the image, pixels.
        focal: Focal length, pixels.
        target: The crowd index wanted.

    Returns:
        (P,) pixels to move each person to the right of the middle, and the crowd index they give.
    """
    persons = len(boxes)
    best, least = np.zeros(persons), np.inf
    own, inside = np.zeros(persons, np.int64), np.zeros((persons, persons), np.int64)
    for start in range(len(starts)):
        spread = 1.1 * (start + 1) / len(starts)
        middle = 0.6 * starts[start, persons] * (1 - min(spread, 1.0))
        shifts = size * (middle + spread * starts[start, :persons])
        for p in range(persons):
            update_sets(p, own, inside, shifts, joints, boxes, size)
        _, found = crowd_index_and_cost(own, inside, shifts, depth, distance, joints, focal, target)
        if found < least:
            best, least = shifts, found
    shifts = best.copy()
    for p in range(persons):
        update_sets(p, own, inside, shifts, joints, boxes, size)
    row, column = np.empty(persons, np.int64), np.empty(persons, np.int64)
    index, _ = crowd_index_and_cost(own, inside, shifts, depth, distance, joints, focal, target)
    for move in range(len(moves)):
        p = move % persons
        before, had = shifts[p], own[p]
        row[:], column[:] = inside[p], inside[:, p]
        shifts[p] = moves[move, 1] * size + (0.0 if moves[move, 0] < 0.3 else before)
        update_sets(p, own, inside, shifts, joints, boxes, size)
        reached, found = crowd_index_and_cost(
            own, inside, shifts, depth, distance, joints, focal, target
        )
        if found < least:
            index, least = reached, found
        else:
            shifts[p], own[p] = before, had
            inside[p], inside[:, p] = row, column
        if least < GOOD_ENOUGH:
            break
    return shifts, index
