"""What went wrong with the decoded persons of an image, by kind: how often, and to whom.

Shapes: M decoded persons, P true persons, K joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sparse_ae.skeleton import Skeleton

KINDS = ("merged", "split", "swapped", "missed", "twice")
NEAR = 0.5  # similarity (OKS of a single joint) from which on a decoded joint is a true one's
FEWEST = 3  # joints that make a part of a person
KEPT = 2  # images of each kind that a record keeps


class ErrorCase(NamedTuple):
    """One failure, and whom it concerns: indices of decoded persons, the one that counts as the
    failure last, and of true persons, the one of whom most joints are there first."""

    decoded: tuple[int, ...]
    true: tuple[int, ...]


def count_errors(decoded, joints, area, skeleton: Skeleton) -> np.ndarray:
    """(5,) int: how often each of KINDS happened in one image, the number of its `find_errors`;
    arguments and errors as there."""
    found = find_errors(decoded, joints, area, skeleton)
    return np.array([len(found[kind]) for kind in KINDS], np.int64)


def find_errors(decoded, joints, area, skeleton: Skeleton) -> dict[str, list[ErrorCase]]:
    """What went wrong in one image, case by case, for each of KINDS.

    decoded: (M, K, 3) x, y in pixels and score, 0 where a person has no such joint; joints:
    (P, K, 3) x, y and v, read where v > 0; area: (P,) in pixels².
    A decoded joint belongs to the true person whose joint of that kind is the most similar, from
    NEAR on. "Parts" are FEWEST joints or more.
    merged: decoded persons with parts of two true persons or more.
    split: further decoded persons with a part of a true person that the one with most of it lacks.
    twice: further decoded persons with a part of a true person that is there already.
    swapped: decoded persons with a part of one true person and one or two joints of others.
    missed: true persons with a part to find, no part of whom any decoded person has.
    ValueError for wrong shapes.
    """
    owner = owners(decoded, joints, area, skeleton)
    owned = owner[:, None] == np.arange(len(joints))[:, None]  # (M, P, K)
    count = owned.sum(axis=2)  # (M, P)
    parts = count >= FEWEST
    split, twice = [], []
    for person in range(len(joints)):
        having = np.flatnonzero(parts[:, person])
        having = having[np.argsort(-count[having, person], kind="stable")]
        seen = np.zeros(len(skeleton), bool)
        for place, found in enumerate(having):
            mine = owned[found, person]
            if place and (mine & ~seen).sum() >= FEWEST:
                split.append(ErrorCase((int(having[0]), int(found)), (person,)))
            elif place:
                shared = (owned[having[:place], person] & mine).sum(axis=1)
                twice.append(ErrorCase((int(having[shared.argmax()]), int(found)), (person,)))
            seen |= mine
    several, alone = parts.sum(axis=1) > 1, parts.sum(axis=1) == 1
    strange = np.where(parts, 0, count).sum(axis=1)  # joints of persons of whom there is no part
    findable = (np.asarray(joints, float)[..., 2] > 0).sum(axis=1) >= FEWEST
    missed = np.flatnonzero(findable & ~parts.any(axis=0))
    return {
        "merged": [_mixture(m, count[m] * parts[m]) for m in np.flatnonzero(several)],
        "split": split,
        "swapped": [_mixture(m, count[m]) for m in np.flatnonzero(alone & (strange > 0))],
        "missed": [ErrorCase((), (int(person),)) for person in missed],
        "twice": twice,
    }


def _mixture(decoded: int, count: np.ndarray) -> ErrorCase:
    """A decoded person with joints of several true ones, (P,) of each."""
    most = np.argsort(-count, kind="stable")
    return ErrorCase((int(decoded),), tuple(int(person) for person in most if count[person]))


def owners(decoded, joints, area, skeleton: Skeleton) -> np.ndarray:
    """(M, K) int: whose each decoded joint is, the index of a true person, or −1 for nobody's;
    arguments and errors as of `find_errors`."""
    decoded, joints = np.asarray(decoded, float), np.asarray(joints, float)
    kinds = len(skeleton)
    for name, array in (("decoded", decoded), ("joints", joints)):
        if array.ndim != 3 or array.shape[1:] != (kinds, 3):
            raise ValueError(f"{name}: expected (n, {kinds}, 3), got shape {array.shape}")
    if np.shape(area) != (len(joints),):
        raise ValueError(f"area: expected ({len(joints)},), got shape {np.shape(area)}")
    square = ((decoded[:, None, :, :2] - joints[None, ..., :2]) ** 2).sum(axis=3)  # (M, P, K)
    width = (2 * np.asarray(skeleton.sigmas)) ** 2  # (K,)
    size = np.maximum(np.asarray(area, float), 1.0)[None, :, None]
    similar = np.exp(-square / (2 * size * width))
    similar = np.where((decoded[:, None, :, 2] > 0) & (joints[None, ..., 2] > 0), similar, 0.0)
    if not similar.size:
        return np.full((len(decoded), kinds), -1)
    return np.where(similar.max(axis=1) >= NEAR, similar.argmax(axis=1), -1)


def worst_images(
    counts: np.ndarray, people: Sequence[np.ndarray] | Mapping
) -> dict[str, np.ndarray]:
    """A record's arrays: the counts, and the images in which each kind happened most.

    counts: (I, 5), of `count_errors`; people: by image, those of `needed_images` at least, decoded
    (M, K, 3). failure_counts (I, 5) uint8; failure_index (5, KEPT) which images, −1 where there are
    fewer; failure_people (5, KEPT, M, K, 3) float16, their persons, NaN where there is none.
    """
    index = _index(counts)
    most = max((len(people[i]) for i in index.ravel() if i >= 0), default=0)
    joints = people[0].shape[1] if len(counts) else 0
    kept = np.full((*index.shape, most, joints, 3), np.nan, np.float16)
    for place in np.argwhere(index >= 0):
        found = people[index[tuple(place)]]
        kept[tuple(place)][: len(found)] = found
    return {
        "failure_counts": counts.clip(max=255).astype(np.uint8),
        "failure_index": index,
        "failure_people": kept,
    }


def needed_images(counts: np.ndarray) -> set[int]:
    """The images whose persons `worst_images` shows, of these and any number of further ones."""
    return {0, *_index(counts).ravel().tolist()} - {-1}


def _index(counts: np.ndarray) -> np.ndarray:
    """(5, KEPT) images in which each kind happened most, the first of equals, −1 for none."""
    index = np.full((counts.shape[1], KEPT), -1, np.int32)
    order = np.argsort(-counts, axis=0, kind="stable")[:KEPT].T  # (5, ≤ KEPT)
    index[:, : order.shape[1]] = np.where(np.take_along_axis(counts.T, order, 1) > 0, order, -1)
    return index
