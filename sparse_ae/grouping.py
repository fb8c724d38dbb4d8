"""Group the joints found in an image into persons.

Both rules come from associative embedding (Newell et al., 2017): joint kinds are visited in a fixed
order, and each kind's candidates are assigned to the persons found so far by the distance between
embeddings. They differ in the cost of a pair and in what happens to far candidates. "released" is
the rule of Coupled Embedding's released code (models/evaluate.py), "higherhrnet" that of
HigherHRNet (lib/core/group.py, with detection values used and nobody ignored).
"""

from __future__ import annotations

import numpy as np

from sparse_ae.runtime.assignment import assign
from sparse_ae.runtime.distances import distances_from
from sparse_ae.runtime.kernels import kernel

RULES = ("released", "higherhrnet")
FAR = 1e5  # released: the cost of a pair too far apart, and of starting a person
NEW = 1e10  # higherhrnet: the cost of starting a person
NAN_SCORE = 4  # see `_fault`
LARGEST = 1e15  # allowed number of a candidate: sums of squares stay finite in float32


def group(
    xy, score, tag, order, *, min_score=0.1, tag_threshold=1.0, rule="released", max_people=None
) -> np.ndarray:
    """Group candidates into persons, with at most one candidate per joint of a person.

    HigherHRNet keys a person by its first tag value, so equal values overwrite each other; here
    every founder is a person of its own. Among assignments of equal cost the solver chooses one, so
    results may depend on the order of candidates with nearly equal tags.

    Args:
        xy: (K, N, 2) positions in any unit, passed through unchanged.
        score: (K, N) detection scores. Candidates with a score of min_score or less are left out:
            pad a joint that has fewer than N candidates with score 0.
        tag: (K, N, D) embeddings; read only where the score is above min_score.
        order: the K joint indices in the order in which they are visited (`Skeleton.order`).
        min_score: see score.
        tag_threshold: the largest embedding distance (L2) at which a candidate joins a person.
        rule: "released" or "higherhrnet".
        max_people: with "higherhrnet", only the first `max_people` persons take further joints (30
            in its settings); None means no limit. "released" never has one.

    Returns:
        (P, K, 3 + D) float32: x, y, score, tag; a joint that was not found is all zero. Persons are
        in the order in which they were started.

    Raises:
        ValueError: Shapes are wrong, order is no permutation, rule is unknown, min_score is
            negative, tag_threshold is not positive, max_people is below 1, or candidates are not
            finite or larger than LARGEST.

    Source:
        models/evaluate.py of the released code; lib/core/group.py of HigherHRNet.

    Example:
        >>> import numpy as np
        >>> xy, score = np.zeros((2, 2, 2)), np.full((2, 2), 0.9)  # two joints, two candidates
        >>> tag = np.array([[[0.0], [5.0]], [[5.1], [0.2]]])
        >>> print(group(xy, score, tag, (0, 1))[..., 3])  # each person's tags
        [[0.  0.2]
         [5.  5.1]]
    """
    with np.errstate(over="ignore"):  # overflow gives inf, refused below
        xy, score, tag = (np.asarray(values, dtype=np.float32) for values in (xy, score, tag))
    _check(xy, score, tag, order, min_score, tag_threshold, rule, max_people)
    released = rule == "released"
    limit = len(score) * score.shape[1] if released or max_people is None else int(max_people)
    candidates = np.concatenate([xy, score[..., None], tag], axis=2)  # (K, N, 3 + D)
    order = np.asarray(order, np.int64)
    return _group(candidates, score > min_score, order, float(tag_threshold), released, limit)


@kernel
def _group(candidates, kept, order, threshold, released, limit):
    """Compiled part of `group`, on the candidates (K, N, 3 + D) that are `kept`."""
    kinds, most, numbers = candidates.shape
    people = np.zeros((kept.sum(), kinds, numbers), np.float32)  # at most one per candidate
    total = np.zeros((numbers - 3, len(people)), np.float32)  # (D, P) sum of each person's tags
    count = np.zeros(len(people), np.float32)  # number of its joints
    found = np.empty(most, np.int64)
    persons = 0
    for joint in order:
        n, columns = 0, min(persons, limit)
        for i in range(most):
            if kept[joint, i]:
                found[n] = i
                n += 1
        own = candidates[joint][found[:n]]  # (n, 3 + D)
        means = total[:, :columns] / count[:columns]
        if released:
            cost, near = _released_costs(own, means, np.float32(threshold))
        else:
            cost, near = _higherhrnet_costs(own, means, threshold)
        owner = assign(cost)
        for i in range(n):
            person = owner[i]
            if not near[i, person]:
                person, persons = persons, persons + 1
            people[person, joint] = own[i]
            total[:, person] += own[i, 3:]  # each person occurs once
            count[person] += 1
    return people[:persons].copy()


@kernel
def _released_costs(candidates, means, threshold):
    """Compute `pair_costs` of (n, 3 + D) and means (D, P), with columns for founders."""
    n, columns = len(candidates), means.shape[1]
    cost = np.full((n, max(n, columns)), FAR)
    near = np.zeros(cost.shape, np.bool_)
    square = np.empty(means.shape, np.float32)
    for i in range(n):
        distance = distances_from(candidates[i, 3:], means, square)
        for p in range(columns):
            rounded = np.rint(distance[p] / threshold)
            if rounded <= 1:
                cost[i, p] = rounded - candidates[i, 2]
            near[i, p] = distance[p] <= threshold
    return cost, near


@kernel
def _higherhrnet_costs(candidates, means, threshold):
    """Do as `_released_costs` by the rule "higherhrnet"."""
    n, columns = len(candidates), means.shape[1]
    cost = np.full((n, max(n, columns)), NEW)
    near = np.zeros(cost.shape, np.bool_)
    square = np.empty(means.shape, np.float64)
    for i in range(n):
        distance = distances_from(candidates[i, 3:], means, square)
        for p in range(columns):
            cost[i, p] = np.rint(distance[p]) * 100 - candidates[i, 2]
            near[i, p] = distance[p] < threshold
    return cost, near


def pair_costs(tags, scores, means, tag_threshold=1.0, rule="released"):
    """Compute the cost of letting each of n candidates join each of P persons.

    "higherhrnet" does not limit the cost: a pair far apart is assigned like any other and then
    refused. It computes in float64 from float32 tags and means, the released code in float32.

    Args:
        tags: (n, D) float32 tags of the candidates.
        scores: (n,) float32 scores of the candidates.
        means: (P, D) float32 mean tags of the persons.
        tag_threshold: as in `group`.
        rule: as in `group`.

    Returns:
        cost (n, P); near (n, P) bool, where a candidate may join; and the cost of starting a person
        instead.
    """
    if rule == "released":
        distance = _distances(tags, means)
        cost = np.round(distance / np.float32(tag_threshold))  # half to even, as torch.round
        cost = np.where(cost > 1, np.float32(FAR), cost - scores[:, None])
        return cost, distance <= tag_threshold, FAR
    distance = _distances(tags.astype(np.float64), means)
    return np.round(distance) * 100 - scores[:, None], distance < tag_threshold, NEW


def _distances(tags, means):
    """Return (n, P) Euclidean distances between (n, D) and (P, D)."""
    difference = tags[:, None, :] - means[None, :, :]
    return np.sqrt((difference * difference).sum(axis=2))


def _check(xy, score, tag, order, min_score, tag_threshold, rule, max_people):
    """Raise ValueError, naming the argument, what was expected and what was given."""
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
    fault = _fault(xy, score, tag, score > min_score)
    if fault == NAN_SCORE:
        raise ValueError("score: expected numbers, got NaN")
    if fault:
        name = ("xy", "tag", "score")[(abs(fault) - 1)]
        if fault > 0:
            raise ValueError(f"{name}: expected finite candidates, got NaN or infinity")
        raise ValueError(f"{name}: expected numbers up to {LARGEST:g}, got larger ones")


@kernel
def _fault(xy, score, tag, kept):
    """Return what is wrong with the scores and the kept candidates, 0 if nothing is.

    It is NAN_SCORE; 1, 2 or 3 for xy, tags or scores that are not finite; or −1, −2 or −3 for those
    that are too large.
    """
    if np.isnan(score).any():
        return NAN_SCORE
    largest = np.zeros(3, np.float32)
    for k in range(len(kept)):
        for i in range(kept.shape[1]):
            if kept[k, i]:
                largest[0] = _larger(largest[0], xy[k, i])
                largest[1] = _larger(largest[1], tag[k, i])
                largest[2] = _larger(largest[2], score[k, i : i + 1])
    for i in range(3):
        if not np.isfinite(largest[i]):
            return i + 1
        if largest[i] > LARGEST:
            return -i - 1
    return 0


@kernel
def _larger(largest, values):
    """Return the largest of a magnitude and those of values; once not finite, it stays so."""
    for value in values:
        if not abs(value) <= largest and np.isfinite(largest):
            largest = abs(value)
    return largest
