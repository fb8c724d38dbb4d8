"""Arrays for `group` and `decode`, and what their results have to be."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
from hypothesis import strategies as st
from synthetic import PAIR

from sparse_ae.decoding import decode, decode_batch
from sparse_ae.grouping import group
from sparse_ae.skeleton import Skeleton

ODD = [0.0, -0.0, 0.1, 0.5, 1.0, -1.0, 1.5, 2.0, 1e-45, 1e-8, 1e8, 1e14, 1e16, -3e38, 3e38, 1e300,
       float("nan"), float("inf"), float("-inf")]  # fmt: skip
USUAL = st.floats(-3, 3, width=32)
NUMBERS = st.one_of(USUAL, USUAL, USUAL, st.sampled_from(ODD))
SCORES = st.one_of(st.floats(0, 1, width=32), st.floats(0, 1, width=32), st.sampled_from(ODD))
RULES = st.sampled_from(["released", "released", "higherhrnet", "higherhrnet", "best"])
PEOPLE = st.sampled_from([1, 2, 30, 30, 30, 0, -1, 1.5, float("nan"), float("inf")])


@st.composite
def numbers(draw, count: int, kind, plain: bool):
    """A list of so many numbers; plain: none that is odd."""
    one = st.floats(0, 1, width=32) if plain and kind is SCORES else USUAL if plain else kind
    return draw(st.lists(one, min_size=count, max_size=count))


@st.composite
def candidates(draw):
    """Arguments of `group`, as plain values."""
    joints, n, dim = draw(st.integers(1, 4)), draw(st.integers(0, 5)), draw(st.integers(1, 3))
    plain = draw(st.booleans())
    options = {"min_score": 0.1, "tag_threshold": 1.0, "rule": "released", "max_people": None}
    if not plain:
        options = {"min_score": draw(st.sampled_from([0, 0.1, 0.5, *ODD])),
                   "tag_threshold": draw(st.sampled_from([1.0, 0.5, 1e-6, *ODD])),
                   "rule": draw(RULES), "max_people": draw(st.none() | PEOPLE)}  # fmt: skip
    elif draw(st.booleans()):
        options["rule"] = "higherhrnet"
    return {
        "xy": draw(numbers(joints * n * 2, NUMBERS, plain)),
        "score": draw(numbers(joints * n, SCORES, plain)),
        "tag": draw(numbers(joints * n * dim, NUMBERS, plain)),
        "shape": [joints, n, dim], "order": draw(st.permutations(range(joints))),
        "options": options,
    }  # fmt: skip


def check_group(case: dict) -> bool:
    """Valid: (P, K, 3 + D) finite float32; every candidate above min_score is the joint of one
    person, nobody else's, and of its own kind; every person has a joint; what was not found is all
    zero; the arguments are as they were. Or a ValueError in one line."""
    joints, n, dim = case["shape"]
    xy = np.array(case["xy"], np.float64).reshape(joints, n, 2)
    score = np.array(case["score"], np.float64).reshape(joints, n)
    tag = np.array(case["tag"], np.float64).reshape(joints, n, dim)
    before = copy.deepcopy((xy, score, tag))
    try:
        people = group(xy, score, tag, case["order"], **case["options"])
    except ValueError as error:
        return in_a_line(error)
    for old, new in zip(before, (xy, score, tag), strict=True):
        assert np.array_equal(old, new, equal_nan=True)
    assert people.dtype == np.float32
    assert people.shape[1:] == (joints, 3 + dim)
    assert np.isfinite(people).all()
    found = people[..., 2] > 0
    assert found.any(axis=1).all()
    assert not people[~found].any()
    given = np.concatenate([xy, score[..., None], tag], 2).astype(np.float32)
    kept = score.astype(np.float32) > case["options"]["min_score"]
    for joint in range(joints):
        there = Counter(map(bytes, given[joint, kept[joint]] + 0.0))
        assert Counter(map(bytes, people[found[:, joint], joint] + 0.0)) == there
    return True


@st.composite
def maps(draw):
    """Arguments of `decode` for a skeleton of two joints, as plain values."""
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    dim, plain = draw(st.integers(1, 3)), draw(st.booleans())
    options = {"rule": draw(st.sampled_from(["released", "higherhrnet"])), "min_score": 0.1,
               "tag_threshold": 1.0, "max_people": draw(st.sampled_from([1, 3, 30])), "nms": 3,
               "refine": draw(st.booleans())}  # fmt: skip
    if not plain:
        options |= {"min_score": draw(st.sampled_from([0, 0.1, *ODD])), "rule": draw(RULES),
                    "tag_threshold": draw(st.sampled_from([1.0, 1e-6, *ODD])),
                    "max_people": draw(PEOPLE),
                    "nms": draw(st.sampled_from([1, 3, 5, 99, 2, 0, float("nan")]))}  # fmt: skip
    cells = 2 * height * width
    return {
        "heatmaps": draw(numbers(cells, SCORES, plain)),
        "tags": draw(numbers(cells * dim, NUMBERS, plain)),
        "shape": [height, width, dim], "options": options,
    }  # fmt: skip


def check_decode(case: dict) -> bool:
    """Valid: finite keypoints (P, K, 3) within the map, a score that the heatmap has or 0 with all
    zero, finite scores (P,) and tags (P, D); no two persons have one peak, unless they were
    refined; the same in a batch. Or a ValueError in one line."""
    height, width, dim = case["shape"]
    with np.errstate(over="ignore"):
        heatmaps = np.array(case["heatmaps"]).astype(np.float32).reshape(2, height, width)
        tags = np.array(case["tags"]).astype(np.float32).reshape(2, dim, height, width)
    try:
        people = decode(heatmaps, tags, PAIR, **case["options"])
    except ValueError as error:
        return in_a_line(error)
    check_people(people, PAIR, dim)
    keypoints = people.keypoints
    found = keypoints[..., 2] != 0
    assert (keypoints[..., 0] <= width).all()
    assert (keypoints[..., 1] <= height).all()
    assert (keypoints[..., :2] >= 0).all()
    assert np.isin(keypoints[..., 2], np.append(heatmaps, 0)).all()
    if not case["options"]["refine"]:
        assert not keypoints[~found].any()
        for joint in range(2):
            cells = keypoints[found[:, joint], joint, :2].astype(int)
            assert len(np.unique(cells, axis=0)) == len(cells)
    (again,) = decode_batch(heatmaps[None], tags[None], PAIR, workers=1, **case["options"])
    for one, other in zip(people, again, strict=True):
        assert np.array_equal(one, other)
    return True


def in_a_line(error: ValueError) -> bool:
    """A documented error, and no result."""
    assert "\n" not in str(error), error
    return False


def check_people(people, skeleton: Skeleton, dim: int | None = None) -> None:
    """Shapes that go together, and nothing that is not finite."""
    keypoints, scores, tags = people
    assert keypoints.shape[1:] == (len(skeleton), 3)
    assert scores.shape == keypoints.shape[:1]
    assert len(tags) == len(scores)
    assert dim is None or tags.shape[1:] == (dim,)
    assert all(np.isfinite(part).all() for part in people)
