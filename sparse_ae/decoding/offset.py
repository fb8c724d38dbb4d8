"""The baseline `offset`: decode centres, offsets and heatmaps, and measure how it groups joints.

A person is a peak of the centre map. The offsets there tell roughly where its joints are; the
heatmaps tell exactly where joints are. Persons and the peaks of each joint are matched one to one.
CenterNet (Zhou et al., 2019) takes the nearest peak instead, and two persons can take the same one;
DEKR (Geng et al., CVPR 2021) also moves joints to near peaks. `losses.offset` has the targets and
loss.

Shapes: M decoded persons, P true persons, K joints. Positions are in cells of the heatmaps,
measured from the map's corner: the centre of the cell in column j and row i is (j + 0.5, i + 0.5).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from sparse_ae.decoding import host_maps
from sparse_ae.decoding.people import People, as_array

REACH = 0.3  # largest distance of a joint from its regressed position, in person sizes; CenterNet's
TWIN = 0.1  # two persons' joints nearer than this, in person sizes, are the same; DEKR has 0.05
FAR = 1e5  # cost of a pair out of reach
LEAST = 1e-4  # least score of a joint: 0 would say that the joint was not found


class Regressed(NamedTuple):
    """Persons from centres and offsets alone, highest score first; all float32.

    Attributes:
        keypoints: (M, K, 2) x, y.
        size: (M,) as of `pose_size`.
        score: (M,) of the centre.
    """

    keypoints: np.ndarray
    size: np.ndarray
    score: np.ndarray


def offset_decode(
    heatmaps, centre, offsets, *, min_score=0.1, max_people=30, nms=5, reach=REACH
) -> People:
    """Find the persons in one image's maps.

    Persons are those of `regress`. For each joint, persons and peaks are matched so as to minimise
    the sum of the distances, each divided by its person's size. A person without a peak costs
    `reach`, and takes no peak farther away. A matched joint takes its peak's position, a quarter of
    a cell from the cell's centre as in `decode`, and its score. Other joints keep their regressed
    position, even outside the map; their score is the heatmap's value in the nearest cell, at least
    LEAST. A person's score is the centre's times the mean of the joints', as in DEKR.

    Args:
        heatmaps: (K, H, W), a torch tensor on any device or an array.
        centre: (H, W), likewise.
        offsets: (2K, h, w) in their own cells, x then y of each joint, H / h = W / w.
        min_score: a peak, of a centre or a joint, is above it.
        max_people: largest number of persons, and of peaks taken per joint, the highest first.
        nms: as in `decode`.
        reach: largest distance of a joint from its regressed position, in person sizes.

    Returns:
        The persons; their tags are (M, 0).

    Raises:
        ValueError: Shapes are wrong, maps are not finite, or settings are out of range.
    """
    heatmaps, centre, offsets = (as_array(maps) for maps in (heatmaps, centre, offsets))
    if heatmaps.ndim != 3 or 0 in heatmaps.shape:
        raise ValueError(f"heatmaps: expected (K, H, W), got shape {heatmaps.shape}")
    kinds, height, width = heatmaps.shape
    if centre.shape != (height, width):
        raise ValueError(f"centre: expected {(height, width)}, got shape {centre.shape}")
    if offsets.ndim != 3 or len(offsets) != 2 * kinds:
        raise ValueError(f"offsets: expected ({2 * kinds}, h, w), got shape {offsets.shape}")
    _require_finite("heatmaps", heatmaps)
    _check_reach(reach)
    found = regress(centre, offsets, min_score=min_score, max_people=max_people, nms=nms)
    peaks, counts = _joint_peaks(heatmaps, min_score, max_people, nms)
    keypoints = np.empty((len(found.score), kinds, 3), np.float32)
    keypoints[..., :2] = found.keypoints
    last = np.array([width - 1, height - 1])
    column, row = np.clip(np.floor(found.keypoints), 0, last).astype(int).transpose(2, 0, 1)
    keypoints[..., 2] = np.maximum(heatmaps[np.arange(kinds), row, column], LEAST)
    for joint, count in enumerate(counts):
        points = peaks[:count, joint]  # (n, 3)
        peak = _assign(found.keypoints[:, joint], found.size, points[:, :2], reach)
        keypoints[peak >= 0, joint] = points[peak[peak >= 0]]
    scores = found.score * keypoints[..., 2].mean(axis=1)
    return People(keypoints, scores, np.zeros((len(scores), 0), np.float32))


def regress(centre, offsets, *, min_score=0.1, max_people=30, nms=5) -> Regressed:
    """Find the persons that centres and offsets give, without the heatmaps.

    Arguments and errors are those of `offset_decode`. The offsets are read in the cell of the
    centre's peak. If more than half of the joints of two persons are within TWIN times the
    higher-scored one's size of each other, only that one stays.
    """
    centre, offsets = as_array(centre), as_array(offsets)
    if centre.ndim != 2 or 0 in centre.shape:
        raise ValueError(f"centre: expected (H, W), got shape {centre.shape}")
    for name, maps in (("centre", centre), ("offsets", offsets)):
        _require_finite(name, maps)
    for name, value in (("max_people", max_people), ("nms", nms)):
        if int(value) != value or value < 1:
            raise ValueError(f"{name}: expected a whole number from 1 on, got {value!r}")
    if nms % 2 == 0 or not min_score >= 0:
        expected = "an odd nms and a min_score of 0 or more"
        raise ValueError(f"nms, min_score: expected {expected}, got {nms!r}, {min_score!r}")
    # equal neighbours are all peaks: up to four in an enlarged map, midway between cells
    peaks, (count,) = _joint_peaks(centre[None], min_score, 4 * max_people, nms)
    points, score = peaks[:count, 0, :2], peaks[:count, 0, 2]
    poses = regress_at(points, offsets, centre.shape)
    size = pose_size(poses)
    kept: list[int] = []
    for i, pose in enumerate(poses):
        distance = np.linalg.norm(pose - poses[kept], axis=2)  # (n, K)
        if not ((distance < TWIN * size[kept, None]).mean(axis=1) > 0.5).any():
            kept.append(i)
        if len(kept) == max_people:
            break
    return Regressed(poses[kept], size[kept], score[kept])


def regress_at(points, offsets, shape) -> np.ndarray:
    """Compute the joints (M, K, 2) that the offsets give at these centres.

    Args:
        points: (M, 2) x, y in cells of a map of `shape` (H, W), as are the joints; outside it the
            nearest cell is read.
        offsets: (2K, h, w) in their own cells, H / h = W / w.
        shape: (H, W) of that map.

    Raises:
        ValueError: Shapes are wrong, or points are not finite.
    """
    points, offsets = np.asarray(points, np.float32), as_array(offsets)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(f"points: expected finite (M, 2), got shape {points.shape}")
    if offsets.ndim != 3 or len(offsets) % 2 or 0 in offsets.shape:
        raise ValueError(f"offsets: expected (2K, h, w), got shape {offsets.shape}")
    channels, *cells = offsets.shape
    stride = shape[0] / cells[0]
    if shape[1] / cells[1] != stride:
        raise ValueError(f"offsets: expected the proportions of {tuple(shape)}, got {cells}")
    last = np.array(cells[::-1]) - 1
    cell = np.clip(np.floor(points / stride), 0, last).astype(int)  # (M, 2) column, row
    offset = offsets[:, cell[:, 1], cell[:, 0]].T.reshape(len(points), channels // 2, 2)
    return ((cell[:, None] + 0.5 + offset) * stride).astype(np.float32)


def pose_size(poses) -> np.ndarray:
    """Return the larger side (M,) of the box around each person's joints (M, K, 2), at least 1."""
    return np.ptp(poses, axis=1).max(axis=1).clip(min=1)


def group_by_offset(regressed, person_size, joints, visible, *, reach=REACH, seed=0) -> np.ndarray:
    """Find which decoded person takes each true joint.

    The visible joints take the place of the peaks in `offset_decode`. Their order depends on their
    positions and on `seed` alone; otherwise the solver could break ties by the persons' order in
    the list.

    Args:
        regressed, person_size: (M, K, 2) and (M,), as of `regress`.
        joints: (P, K, 2) in the same cells, read only where visible.
        visible: (P, K) bool.
        reach, seed: see above and `offset_decode`.

    Returns:
        (P, K) index of the decoded person, −1 for none.

    Raises:
        ValueError: Shapes are wrong, or values are not finite.
    """
    regressed, joints = np.asarray(regressed, np.float64), np.asarray(joints, np.float64)
    size, visible = np.asarray(person_size, np.float64), np.asarray(visible) > 0
    if joints.ndim != 3 or joints.shape[2] != 2:
        raise ValueError(f"joints: expected (P, K, 2), got shape {joints.shape}")
    kinds = joints.shape[1]
    if visible.shape != joints.shape[:2]:
        raise ValueError(f"visible: expected {joints.shape[:2]}, got shape {visible.shape}")
    if regressed.ndim != 3 or regressed.shape[1:] != (kinds, 2):
        raise ValueError(f"regressed: expected (M, {kinds}, 2), got shape {regressed.shape}")
    if size.shape != regressed.shape[:1] or not (size > 0).all():
        raise ValueError(f"person_size: expected {len(regressed)} positive numbers, got {size}")
    for name, values in (("regressed", regressed), ("joints", joints[visible])):
        _require_finite(name, values)
    _check_reach(reach)
    generator = np.random.default_rng(seed)
    owner = np.full(visible.shape, -1)
    for joint in range(kinds):
        index = np.flatnonzero(visible[:, joint])
        index = index[np.lexsort(joints[index, joint].T)]
        index = index[generator.permutation(len(index))]
        taken = _assign(regressed[:, joint], size, joints[index, joint], reach)
        owner[index[taken[taken >= 0]], joint] = np.flatnonzero(taken >= 0)
    return owner


def offset_grouping_accuracy(
    regressed, person_size, joints, visible, *, reach=REACH, seed=0
) -> float:
    """Compute the share of true joints that go to the right person, for this baseline.

    Arguments are those of `group_by_offset`. Decoded and true persons are matched one to one so
    that they share the most joints. Joints that no decoded person takes count as wrong. This is the
    counterpart of `metrics.grouping_accuracy`; it is nan without a visible joint.
    """
    owner = group_by_offset(regressed, person_size, joints, visible, reach=reach, seed=seed)
    count = (np.asarray(visible) > 0).sum()
    if not count:
        return float("nan")
    shared = np.zeros((len(regressed), len(owner)))
    person, joint = np.nonzero(owner >= 0)
    np.add.at(shared, (owner[person, joint], person), 1)
    return float(shared[linear_sum_assignment(shared, maximize=True)].sum() / count)


def _assign(places, size, points, reach):
    """Return the index (M,) of the point (n, 2) that each place (M, 2) takes; −1 for none."""
    distance = np.linalg.norm(places[:, None] - points[None], axis=2) / size[:, None]  # (M, n)
    alone = np.full((len(places), len(places)), reach)  # one column per person to take none
    cost = np.concatenate([np.where(distance <= reach, distance, FAR), alone], axis=1)
    taken = linear_sum_assignment(cost)[1]
    return np.where(taken < len(points), taken, -1)


def _joint_peaks(heatmaps, min_score, count, nms):
    """Return each joint's peaks (N, K, 3) x, y, score, highest first, adjusted; and counts (K,)."""
    maxima = host_maps.run_maxima(heatmaps)
    xy, score = host_maps.peaks(heatmaps, maxima, np.float32(min_score), int(nms) // 2, int(count))
    peaks = np.concatenate([xy, score[..., None]], axis=2, dtype=np.float32).transpose(1, 0, 2)
    peaks = np.ascontiguousarray(peaks)
    host_maps.adjust(peaks, peaks[..., 2] > 0, heatmaps)
    return peaks, (score > 0).sum(axis=1)


def _require_finite(name, values):
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: expected finite values, got NaN or infinity")


def _check_reach(reach):
    if not 0 < reach < np.inf:
        raise ValueError(f"reach: expected a positive number, got {reach!r}")
