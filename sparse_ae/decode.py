"""Maps → persons: peaks, grouping, quarter-cell adjustment, refinement.

The steps and their constants are those of the released code of Coupled Embedding
(models/evaluate.py), which follows HigherHRNet (lib/core/group.py). Where the two differ, `rule`
chooses.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from sparse_ae.grouping import RULES, group


class People(NamedTuple):
    """P persons decoded from one image, in the order of their founding.

    keypoints: (P, K, 3) float32 x, y, score; a joint that was not found is all zero.
    scores: (P,) float32 mean of the joint scores over all K joints, before refinement.
    tags: (P, D) float32 mean embedding over the joints found by grouping.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    tags: np.ndarray


def decode(
    heatmaps,
    tags,
    skeleton,
    *,
    rule="released",
    min_score=0.1,
    max_distance=1.0,
    max_people=30,
    nms=5,
    refine=True,
) -> People:
    """The persons in one image's maps.

    heatmaps: (K, H, W) and tags: (K, D, H, W), torch tensors on any device or arrays.
    skeleton: its order is the order in which grouping visits the K joints.
    rule, min_score, max_distance: see `grouping.group`; a peak counts from above min_score.
    max_people: the number of peaks taken per joint, the highest first.
    nms: odd window in cells; a cell is a peak where it equals the maximum of its window.
    refine: whether every joint that a person lacks is looked for once more: it is put where
        heatmap − round(‖tag − the person's mean tag‖) is largest, and scored by the heatmap there
        ("higherhrnet": only where that score is above 0).

    Coordinates are in cells of the maps, x right, y down, and the centre of the cell in column j
    and row i is at (j + 0.5, i + 0.5), as in both sources: subtract 0.5 where centres are at
    integers. Each joint sits a quarter of a cell from its peak's centre, towards the higher
    neighbour in x and in y (towards the lower index if they are equal).

    ValueError for wrong shapes, maps that are not finite, a number of joints other than the
    skeleton's, an unknown rule, or an nms or max_people that makes no sense.
    """
    heatmaps, tags = _array(heatmaps), _array(tags)
    _check(heatmaps, tags, skeleton, rule, max_people, nms)
    joints, dim = tags.shape[:2]

    xy, score = _peaks(heatmaps, np.float32(min_score), nms // 2, max_people)
    index = np.arange(joints)[:, None]
    tag = tags[index, :, xy[..., 1], xy[..., 0]]  # (K, N, D)
    persons = group(
        xy,
        score,
        tag,
        skeleton.order,
        min_score=min_score,
        max_distance=max_distance,
        rule=rule,
        max_people=max_people,
    )  # (P, K, 3 + D)

    keypoints, found = persons[..., :3].copy(), persons[..., 2] > 0
    scores = keypoints[..., 2].mean(axis=1)  # (P,)
    means = np.zeros((len(persons), dim), np.float32)
    for mean, person, mask in zip(means, persons, found, strict=True):
        mean[:] = person[mask, 3:].mean(axis=0)
    if refine:
        _fill(keypoints, found, heatmaps, tags, means, rule == "higherhrnet")
    _adjust(keypoints, found, heatmaps)
    return People(keypoints, scores, means)


@numba.njit(cache=True)
def _peaks(heatmaps, min_score, radius, count):
    """The `count` highest peaks of each joint, highest first; equal ones in reading order.

    Returns (K, count, 2) integer x, y and (K, count) float32 scores, 0 where there are fewer.
    """
    joints, height, width = heatmaps.shape
    xy = np.zeros((joints, count, 2), np.int64)
    score = np.zeros((joints, count), np.float32)
    for k in range(joints):
        heatmap, taken = heatmaps[k], 0
        for y in range(height):
            for x in range(width):
                value = heatmap[y, x]
                if not value > min_score or (taken == count and not value > score[k, count - 1]):
                    continue
                window = heatmap[
                    max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1
                ]
                if window.max() > value:
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


@numba.njit(cache=True)
def _fill(keypoints, found, heatmaps, tags, means, positive):
    """Put each missing joint at its person's best cell (in place), and mark it as found.

    keypoints: (P, K, 3); found: (P, K); means: (P, D). positive: fill only where the heatmap is
    above 0.
    """
    joints, height, width = heatmaps.shape
    dim = tags.shape[1]
    distance = np.empty(width, np.float32)
    for k in range(joints):
        row_max = np.empty(height, np.float32)
        for y in range(height):
            row_max[y] = heatmaps[k, y].max()
        for p in range(len(means)):
            if found[p, k]:
                continue
            best, best_x, best_y = np.float32(-np.inf), 0, 0
            for y in range(height):
                if row_max[y] <= best:  # a distance only lowers the heatmap
                    continue
                distance[:] = 0
                for d in range(dim):
                    for x in range(width):
                        difference = tags[k, d, y, x] - means[p, d]
                        distance[x] += difference * difference
                for x in range(width):
                    value = heatmaps[k, y, x] - np.rint(np.sqrt(distance[x]))
                    if value > best:
                        best, best_x, best_y = value, x, y
            score = heatmaps[k, best_y, best_x]
            if score > 0 or not positive:
                keypoints[p, k, 0] = best_x
                keypoints[p, k, 1] = best_y
                keypoints[p, k, 2] = score
                found[p, k] = True


@numba.njit(cache=True)
def _adjust(keypoints, found, heatmaps):
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


def _array(maps) -> np.ndarray:
    """A contiguous float32 array of a tensor or of anything that numpy takes."""
    if hasattr(maps, "detach"):  # a torch tensor, of any type and on any device
        maps = maps.detach().float().cpu().numpy()
    return np.ascontiguousarray(maps, dtype=np.float32)


def _check(heatmaps, tags, skeleton, rule, max_people, nms):
    """One ValueError that names the argument, what was expected and what came."""
    if heatmaps.ndim != 3 or heatmaps.size == 0:
        raise ValueError(f"heatmaps: expected (K, H, W), got shape {heatmaps.shape}")
    joints, height, width = heatmaps.shape
    if joints != len(skeleton):
        raise ValueError(
            f"heatmaps: expected K = {len(skeleton)} joints, those of skeleton "
            f"{skeleton.name!r}, got shape {heatmaps.shape}"
        )
    if tags.ndim != 4 or tags.size == 0 or (len(tags), *tags.shape[2:]) != heatmaps.shape:
        raise ValueError(
            f"tags: expected ({joints}, D, {height}, {width}) to go with heatmaps, "
            f"got shape {tags.shape}"
        )
    for name, maps in (("heatmaps", heatmaps), ("tags", tags)):
        if not np.isfinite(maps).all():
            raise ValueError(f"{name}: expected finite values, got NaN or infinity")
    if rule not in RULES:
        raise ValueError(f"rule: expected one of {', '.join(RULES)}, got {rule!r}")
    if int(nms) != nms or nms < 1 or nms % 2 == 0:
        raise ValueError(f"nms: expected an odd number of cells, got {nms!r}")
    if int(max_people) != max_people or max_people < 1:
        raise ValueError(f"max_people: expected a whole number from 1 on, got {max_people!r}")
