"""Candidates → persons: which of the joints found in an image belong together.

Two rules, both from associative embedding (Newell et al., 2017): joint kinds are visited in a
fixed order, and each kind's candidates are assigned to the persons found so far by the distance
between embeddings. They differ in the cost of a pair and in what becomes of far candidates:
"released" is the rule of the released code of Coupled Embedding (models/evaluate.py),
"higherhrnet" that of HigherHRNet (lib/core/group.py, detection values used, nobody ignored).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

RULES = ("released", "higherhrnet")
FAR = 1e5  # released: the cost of a pair that should not be, and of founding a person
NEW = 1e10  # higherhrnet: the cost of founding a person
LARGEST = 1e15  # of a candidate's numbers: sums of their squares are finite in float32


def group(
    xy, score, tag, order, *, min_score=0.1, tag_threshold=1.0, rule="released", max_people=None
) -> np.ndarray:
    """The persons that candidates form, each joint of a person taken from one candidate.

    xy: (K, N, 2) positions, in any unit; they are passed through.
    score: (K, N) detection scores; candidates with a score of min_score or less are left out, so
        pad a joint that has fewer than N candidates with score 0.
    tag: (K, N, D) embeddings; read only where the score is above min_score.
    order: the K joint indices in the order in which they are visited (`Skeleton.order`).
    tag_threshold: the largest embedding distance (L2) at which a candidate joins a person.
    rule: "released" or "higherhrnet".
    max_people: with "higherhrnet", only the first so many persons take further joints (30 in its
        settings); None, the default, lets all. "released" knows no such limit.

    Returns (P, K, 3 + D) float32: x, y, score, tag; a joint that was not found is all zero. Persons
    come in the order of their founding. Of several assignments with the same cost the solver's
    choice stands, so that results may depend on the order of candidates with nearly equal tags.

    HigherHRNet keys a person by its first tag value, so that equal values overwrite each other;
    here every founder is a person of its own.

    ValueError for wrong shapes, an order that is no permutation, an unknown rule, a negative
    min_score, a tag_threshold that is not positive, a max_people below 1, or candidates that are
    not finite, or larger than LARGEST.
    """
    with np.errstate(over="ignore"):  # what overflows is infinite, and told
        xy, score, tag = (np.asarray(values, dtype=np.float32) for values in (xy, score, tag))
    _check(xy, score, tag, order, min_score, tag_threshold, rule, max_people)
    candidates = np.concatenate([xy, score[..., None], tag], axis=2)  # (K, N, 3 + D)
    limit = max_people if rule == "higherhrnet" else None
    kept = score > min_score
    most = int(kept.sum())  # persons, if nobody had two joints

    people = np.zeros((most, len(score), candidates.shape[2]), np.float32)  # (P, K, 3 + D)
    total = np.zeros((most, tag.shape[2]), np.float32)  # (P, D) sum of the tags of each person
    count = np.zeros((most, 1), np.float32)  # (P, 1) number of its joints
    persons = 0
    for joint in order:
        found = candidates[joint, kept[joint]]  # (n, 3 + D)
        if persons and len(found):
            means = (total[:persons] / count[:persons])[:limit]  # (p, D)
            owners = _owners(*pair_costs(found[:, 3:], found[:, 2], means, tag_threshold, rule))
        else:
            owners = np.full(len(found), -1)
        founders = owners < 0
        founded = np.count_nonzero(founders)
        owners[founders] = np.arange(persons, persons + founded)
        persons += founded
        people[owners, joint] = found
        total[owners] += found[:, 3:]  # an owner occurs once
        count[owners] += 1
    return people[:persons].copy()


def pair_costs(tags, scores, means, tag_threshold=1.0, rule="released"):
    """What it costs to let each of n candidates join each of P persons, and where it may.

    tags: (n, D) and scores: (n,) of the candidates, means: (P, D) of the persons' tags, float32.
    Returns cost (n, P), near (n, P) bool and the cost of founding a person instead.
    "higherhrnet" has no limit on the cost: a pair far apart is assigned like any other and then
    refused. It computes in float64 from float32 tags and means, the released code in float32.
    """
    if rule == "released":
        distance = _distances(tags, means)
        cost = np.round(distance / np.float32(tag_threshold))  # half to even, as torch.round
        cost = np.where(cost > 1, np.float32(FAR), cost - scores[:, None])
        return cost, distance <= tag_threshold, FAR
    distance = _distances(tags.astype(np.float64), means)
    return np.round(distance) * 100 - scores[:, None], distance < tag_threshold, NEW


def _distances(tags, means):
    """(n, P) Euclidean distances between (n, D) and (P, D)."""
    difference = tags[:, None, :] - means[None, :, :]
    return np.sqrt((difference * difference).sum(axis=2))


def _owners(cost, near, padding):
    """(n,) columns of the cheapest assignment; −1 where the pair is not `near`, or padding."""
    n, persons = cost.shape
    if n > persons:  # a column of padding for each candidate that must found a person
        padded, where = np.full((n, n), padding, cost.dtype), np.zeros((n, n), bool)
        padded[:, :persons], where[:, :persons] = cost, near
        cost, near = padded, where
    rows, columns = linear_sum_assignment(cost)  # rows = 0..n-1
    columns[~near[rows, columns]] = -1
    return columns


def _check(xy, score, tag, order, min_score, tag_threshold, rule, max_people):
    """One ValueError that names the argument, what was expected and what came."""
    if score.ndim != 2:
        raise ValueError(f"score: expected (K, N), got shape {score.shape}")
    joints, n = score.shape
    if xy.shape != (joints, n, 2):
        raise ValueError(f"xy: expected ({joints}, {n}, 2) to go with score, got shape {xy.shape}")
    if tag.ndim != 3 or tag.shape[:2] != (joints, n) or tag.shape[2] < 1:
        raise ValueError(
            f"tag: expected ({joints}, {n}, D) to go with score, D at least 1, "
            f"got shape {tag.shape}"
        )
    if sorted(order) != list(range(joints)):
        raise ValueError(
            f"order: expected each of the K = {joints} joints 0..{joints - 1} once, "
            f"got {tuple(order)}"
        )
    if rule not in RULES:
        raise ValueError(f"rule: expected one of {', '.join(RULES)}, got {rule!r}")
    if not 0 <= min_score < np.inf:
        raise ValueError(f"min_score: expected a number from 0 on, got {min_score!r}")
    if not 0 < tag_threshold < np.inf:
        raise ValueError(f"tag_threshold: expected a positive number, got {tag_threshold!r}")
    if max_people is not None and (max_people != max_people // 1 or not 1 <= max_people < 2**31):
        raise ValueError(f"max_people: expected a whole number from 1 on, got {max_people!r}")
    if np.isnan(score).any():
        raise ValueError("score: expected numbers, got NaN")
    kept = score > min_score
    for name, values in (("xy", xy), ("tag", tag), ("score", score)):
        values = values[kept]
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite candidates, got NaN or infinity")
        if np.abs(values).max(initial=0) > LARGEST:
            raise ValueError(f"{name}: expected numbers up to {LARGEST:g}, got larger ones")
