"""Find and count the errors of each kind among the decoded people of an image.

Shapes: M decoded persons, P true persons, K joints, I images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sparse_ae.skeleton import Skeleton

KINDS = ("merged", "split", "swapped", "missed", "twice")
NEAR = 0.5  # least OKS of a single joint at which it belongs to a true one
FEWEST = 3  # least number of joints in a part of a person
KEPT = 2  # images per kind of error that a record keeps
COARSE = 2048  # pixels; beyond, float16 has only even numbers


class ErrorCase(NamedTuple):
    """One error, and the people involved.

    Attributes:
        decoded: indices of decoded persons; the last one counts as the error.
        true: indices of true persons, the one with the most joints in the decoded person first.
    """

    decoded: tuple[int, ...]
    true: tuple[int, ...]


def count_errors(owner: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Count the errors of one image.

    Args:
        owner, visible: see `errors_of_owners`.

    Returns:
        (5,) int64, the number of errors of each of KINDS.
    """
    found = errors_of_owners(owner, visible)
    return np.array([len(found[kind]) for kind in KINDS], np.int64)


def count_errors_at(arrays: Mapping[str, np.ndarray], score: float) -> np.ndarray:
    """Count the errors of all images among the decoded people with at least this score.

    Args:
        arrays: arrays of a run, with `found_owner`, `found_score`, `found_image`, `person_joints`
            and `persons` from `evaluation.evaluate`.
        score: the lowest score that counts.

    Returns:
        (5,) int64, the number of errors of each of KINDS.
    """
    kept = arrays["found_score"] >= score
    owner, image = arrays["found_owner"][kept], arrays["found_image"][kept]
    last = np.cumsum(arrays["persons"])
    total = np.zeros(len(KINDS), np.int64)
    for number, (end, count) in enumerate(zip(last, arrays["persons"], strict=True)):
        total += count_errors(owner[image == number], arrays["person_joints"][end - count : end])
    return total


def find_errors(decoded, joints, area, skeleton: Skeleton) -> dict[str, list[ErrorCase]]:
    """Find the errors in one image, case by case.

    A decoded joint belongs to the true person whose joint of the same kind is the most similar, if
    their OKS is at least NEAR. A "part" of a person is FEWEST joints or more.

    - merged: a decoded person has parts of two or more true persons.
    - split: a further decoded person has a part of a true person that earlier ones lack. The one
      with the most joints of the true person comes first.
    - twice: a further decoded person has a part of a true person that earlier ones have too.
    - swapped: a decoded person has a part of one true person, and one or two joints of others.
    - missed: a true person has a part to find, and no decoded person has a part of it.

    Args:
        decoded: (M, K, 3) x, y in pixels and score; score 0 where a person lacks a joint.
        joints: (P, K, 3) x, y in pixels and v; read where v > 0.
        area: (P,) areas of the true persons, in square pixels.
        skeleton: a `Skeleton` of K keypoints, whose sigmas are used.

    Returns:
        The `ErrorCase`s for each of KINDS, by name.

    Raises:
        ValueError: wrong shapes.
    """
    owner = owners(decoded, joints, area, skeleton)
    return errors_of_owners(owner, (np.asarray(joints, float)[..., 2] > 0).sum(axis=1))


def errors_of_owners(owner: np.ndarray, visible: np.ndarray) -> dict[str, list[ErrorCase]]:
    """Find the errors, as `find_errors` does, from the owners of the decoded joints.

    Args:
        owner: (M, K) int from `owners`.
        visible: (P,) int, how many joints of each true person can be found.

    Returns:
        As in `find_errors`.
    """
    owned = owner[:, None] == np.arange(len(visible))[:, None]  # (M, P, K)
    count = owned.sum(axis=2)  # (M, P)
    parts = count >= FEWEST
    split, twice = [], []
    for person in range(len(visible)):
        having = np.flatnonzero(parts[:, person])
        having = having[np.argsort(-count[having, person], kind="stable")]
        seen = np.zeros(owner.shape[1], bool)
        for place, found in enumerate(having):
            mine = owned[found, person]
            if place and (mine & ~seen).sum() >= FEWEST:
                split.append(ErrorCase((int(having[0]), int(found)), (person,)))
            elif place:
                shared = (owned[having[:place], person] & mine).sum(axis=1)
                twice.append(ErrorCase((int(having[shared.argmax()]), int(found)), (person,)))
            seen |= mine
    several, alone = parts.sum(axis=1) > 1, parts.sum(axis=1) == 1
    strange = np.where(parts, 0, count).sum(axis=1)  # joints of other people
    missed = np.flatnonzero((np.asarray(visible) >= FEWEST) & ~parts.any(axis=0))
    return {
        "merged": [_mixture(m, count[m] * parts[m]) for m in np.flatnonzero(several)],
        "split": split,
        "swapped": [_mixture(m, count[m]) for m in np.flatnonzero(alone & (strange > 0))],
        "missed": [ErrorCase((), (int(person),)) for person in missed],
        "twice": twice,
    }


def _mixture(decoded: int, count: np.ndarray) -> ErrorCase:
    """Return the case of a decoded person that has count[p] joints of the true person p."""
    most = np.argsort(-count, kind="stable")
    return ErrorCase((int(decoded),), tuple(int(person) for person in most if count[person]))


def owners(decoded, joints, area, skeleton: Skeleton) -> np.ndarray:
    """Assign each decoded joint to a true person.

    Args:
        decoded, joints, area, skeleton: see `find_errors`.

    Returns:
        (M, K) int, the index of the true person to whom the joint belongs, or −1 for nobody.

    Raises:
        ValueError: wrong shapes.
    """
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
    """Select the images with the most errors of each kind, as arrays for a record.

    Args:
        counts: (I, 5) from `count_errors`.
        people: decoded persons (M, K, 3) by image, at least for the images of `needed_images`.

    Returns:
        failure_counts: (I, 5) uint8, the counts, at most 255; failure_index: (5, KEPT) int32, the
        images with the most errors, −1 where there are fewer; failure_people: (5, KEPT, M, K, 3),
        the decoded people of these images, NaN where there is none: float16, or float32 if a
        coordinate exceeds COARSE, beyond which float16 has only even numbers.
    """
    index = _index(counts)
    most = max((len(people[i]) for i in index.ravel() if i >= 0), default=0)
    joints = people[0].shape[1] if len(counts) else 0
    kept = np.full((*index.shape, most, joints, 3), np.nan, np.float32)
    for place in np.argwhere(index >= 0):
        found = people[index[tuple(place)]]
        kept[tuple(place)][: len(found)] = found
    if not (np.abs(kept) > COARSE).any():
        kept = kept.astype(np.float16)
    return {
        "failure_counts": counts.clip(max=255).astype(np.uint8),
        "failure_index": index,
        "failure_people": kept,
    }


def needed_images(counts: np.ndarray) -> set[int]:
    """Return the images whose persons `worst_images` may need, whatever images follow.

    Args:
        counts: (I, 5) from `count_errors`, for the images seen so far.

    Returns:
        Indices of images; the first image is always among them, for the number of joints.
    """
    return {0, *_index(counts).ravel().tolist()} - {-1}


def _index(counts: np.ndarray) -> np.ndarray:
    """Return (5, KEPT) the images with the most errors of each kind, the first of equals, or −1."""
    index = np.full((counts.shape[1], KEPT), -1, np.int32)
    order = np.argsort(-counts, axis=0, kind="stable")[:KEPT].T  # (5, ≤ KEPT)
    index[:, : order.shape[1]] = np.where(np.take_along_axis(counts.T, order, 1) > 0, order, -1)
    return index
