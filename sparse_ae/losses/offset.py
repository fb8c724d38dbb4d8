"""Targets and loss of the baseline `offset`: people's centres, and offsets to their joints.

Instead of embeddings, the network predicts a map of people's centres and 2K maps that point from a
centre to the person's joints. In outline this follows CenterNet (Zhou et al., "Objects as Points",
2019) and DEKR (Geng et al., "Bottom-Up Human Pose Estimation via Disentangled Keypoint Regression",
CVPR 2021; github.com/HRNet/DEKR). `decoding.offset` decodes the maps.

Shapes: B images, P persons, K joints, h×w map cells at stride 4. Positions are in cells, measured
from the map's corner: the centre of the cell in column j and row i is (j + 0.5, i + 0.5).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sparse_ae.losses.tags import at_least_float32
from sparse_ae.targets import heatmap_targets

RADIUS = 2  # cells to each side of a centre's cell; DEKR has 4 of 128, and sigma 4 for centres
SMALLEST = 1.0  # cells; smaller persons count as this large
BETA = 1 / 9  # cells; error at which the loss turns from quadratic to linear, as in DEKR


class OffsetTargets(NamedTuple):
    """Training targets of the baseline, all float32.

    Attributes:
        centre: (h, w) in [0, 1].
        offsets: (2K, h, w) in cells, x then y of each joint.
        weight: (K, h, w), 0 where there is nothing to learn.
    """

    centre: np.ndarray
    offsets: np.ndarray
    weight: np.ndarray


def person_centres(joints, visible) -> np.ndarray:
    """Compute the mean of each person's visible joints, as in DEKR.

    Args:
        joints: (P, K, 2) x, y, read only where visible.
        visible: (P, K) bool.

    Returns:
        (P, 2) float64; nan for a person without a visible joint.

    Raises:
        ValueError: Shapes are wrong, or visible joints are not finite.
    """
    joints, visible = _check_joints(joints, visible)
    count = visible.sum(axis=1)[:, None]  # (P, 1)
    total = joints.sum(axis=1)  # (P, 2)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def offset_targets(joints, visible, scale, size, *, sigma) -> OffsetTargets:
    """Draw the target maps of one image.

    The (2 RADIUS + 1)² cells around each person's centre get offsets. A cell belongs to the person
    with the nearest centre, and in a tie to the smaller one. (In DEKR the smaller person takes a
    cell even if it is another's centre; in maps as small as these, that would leave many people in
    a crowd without a cell.) People whose centre lies outside the map get no cells.

    Args:
        joints: (P, K, 2) x, y in cells, read only where visible.
        visible: (P, K) bool.
        scale: (P,) sqrt(box area) / image side, read for persons with a visible joint.
        size: h = w in cells.
        sigma: standard deviation of the Gaussian at each centre, in cells.

    Returns:
        The centre map, drawn as `targets.heatmap_targets` draws a joint; the offsets from each
        cell's centre to the joints; and the weight, 1 / the person's size (scale · size cells) for
        visible joints, which makes errors relative to that size. DEKR's weight is 1/sqrt(area).

    Raises:
        ValueError: Shapes are wrong, visible joints are not finite, a scale is negative or not
            finite, or size or sigma are not positive.

    Example:
        >>> joints = np.array([[[2.5, 2.5], [4.5, 2.5]]])  # one person, two joints, in cells
        >>> found = offset_targets(joints, np.ones((1, 2), bool), np.array([0.5]), 8, sigma=1.0)
        >>> found.centre.shape, found.offsets[:, 2, 3].tolist()  # at the person's centre
        ((8, 8), [-1.0, 0.0, 1.0, 0.0])
    """
    joints, visible = _check_joints(joints, visible)
    scale = np.asarray(scale, np.float64)
    if scale.shape != joints.shape[:1]:
        raise ValueError(f"scale: expected ({len(joints)},), got shape {scale.shape}")
    seen = visible.any(axis=1)
    if not (np.isfinite(scale[seen]).all() and (scale[seen] >= 0).all()):
        raise ValueError("scale: expected finite sqrt(box area) / image side of 0 or more")
    if np.ndim(size) or int(size) != size or size < 1:
        raise ValueError(f"size: expected a positive number of cells, got {size!r}")
    size, kinds = int(size), joints.shape[1]
    centres = person_centres(joints, visible)
    centre = heatmap_targets(centres[:, None], seen[:, None], size, sigma=sigma)[0]
    offsets = np.zeros((2 * kinds, size, size), np.float32)
    weight = np.zeros((kinds, size, size), np.float32)

    persons = np.flatnonzero(seen & ((centres >= 0) & (centres < size)).all(axis=1))
    if len(persons):
        persons = persons[np.argsort(scale[persons], kind="stable")]  # the smaller wins a tie
        owner, row, column = _owners(centres[persons], size)
        who = persons[owner]  # (n,) of n cells
        cell = np.stack([column, row], axis=1) + 0.5  # (n, 2)
        there = visible[who]  # (n, K)
        offset = np.where(there[..., None], joints[who] - cell[:, None], 0)  # (n, K, 2)
        offsets[:, row, column] = offset.reshape(len(who), -1).T
        width = np.maximum(scale[who] * size, SMALLEST)  # (n,) cells
        weight[:, row, column] = (there / width[:, None]).T
    return OffsetTargets(centre, offsets, weight)


def offset_loss(
    pred: Tensor, target: Tensor, weight: Tensor, entries: Tensor | None = None
) -> Tensor:
    """Compute the weighted smooth L1 loss of the offsets.

    It turns from quadratic to linear at BETA, and is averaged over the entries of pred whose weight
    is above 0; entries of weight 0 get no gradient. DEKR adds it to its other losses with weight
    0.03. Half-precision inputs are computed in float32.

    Args:
        pred: (B, 2K, h, w) in cells, x then y of each joint.
        target: (B, 2K, h, w) from `offset_targets`.
        weight: (B, K, h, w) from `offset_targets`.
        entries: what to divide by instead of the number of these entries; processes that share a
            batch pass the mean of their numbers.

    Returns:
        The loss, a scalar; 0 where all weights are 0.

    Raises:
        ValueError: Shapes do not fit, or a weight is negative or NaN.

    Source:
        OffsetsLoss of DEKR (lib/core/loss.py).

    Example:
        >>> import torch
        >>> target = torch.zeros(1, 2, 1, 1)  # one joint in one cell
        >>> pred = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)  # 3 cells off in x
        >>> print(f"{offset_loss(pred, target, torch.full((1, 1, 1, 1), 0.5)):.4f}")
        0.7361
    """
    if pred.ndim != 4 or pred.shape[1] % 2:
        raise ValueError(f"pred: expected (B, 2K, h, w), got {tuple(pred.shape)}")
    if target.shape != pred.shape:
        raise ValueError(f"target: expected {tuple(pred.shape)} as pred, got {tuple(target.shape)}")
    images, channels, *cells = pred.shape
    if weight.shape != (images, channels // 2, *cells):
        expected = (images, channels // 2, *cells)
        raise ValueError(f"weight: expected {expected} to go with pred, got {tuple(weight.shape)}")
    if not bool((weight >= 0).all()):
        raise ValueError("weight: expected numbers of 0 or more, got others or NaN")
    image, joint, row, column = weight.nonzero(as_tuple=True)  # (n,) each
    chosen = image[:, None], 2 * joint[:, None] + torch.arange(2, device=joint.device)
    chosen = (*chosen, row[:, None], column[:, None])  # (n, 2): its x and its y
    pred, target = at_least_float32(pred[chosen]), at_least_float32(target[chosen])
    weight = at_least_float32(weight[image, joint, row, column])[:, None]
    distance = F.smooth_l1_loss(pred, target, beta=BETA, reduction="none")
    entries = max(pred.numel(), 1) if entries is None else entries.clamp(min=1e-6)
    return (distance * weight).sum() / entries


def _check_joints(joints, visible):
    """Return float64 joints (P, K, 2), 0 where not visible, and bool visible (P, K)."""
    joints, visible = np.asarray(joints, np.float64), np.asarray(visible)
    if joints.ndim != 3 or joints.shape[2] != 2:
        raise ValueError(f"joints: expected (P, K, 2), got shape {joints.shape}")
    if visible.shape != joints.shape[:2]:
        raise ValueError(f"visible: expected {joints.shape[:2]}, got shape {visible.shape}")
    visible = visible > 0
    joints = np.where(visible[..., None], joints, 0)
    if not np.isfinite(joints).all():
        raise ValueError("joints: expected finite visible joints, got NaN or infinity")
    return joints, visible


def _owners(centres, size):
    """Return the person, row and column of each of the n cells near a centre (P, 2)."""
    index = np.arange(size)
    near = np.abs(index - np.floor(centres)[..., None]) <= RADIUS  # (P, 2, size)
    square = (index + 0.5 - centres[..., None]) ** 2
    distance = square[:, 0, None, :] + square[:, 1, :, None]  # (P, size, size) squared
    distance[~(near[:, 0, None, :] & near[:, 1, :, None])] = np.inf
    owner = distance.argmin(axis=0)  # the first of equals
    row, column = np.nonzero(np.isfinite(distance).any(axis=0))
    return owner[row, column], row, column
