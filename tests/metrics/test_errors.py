"""Failures of hand-made persons: one kind at a time."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from synthetic import CROWD, make_record

from sparse_ae.companion.figures import errors as failure_figures
from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.evaluation.evaluation import pack_examples, pack_matches
from sparse_ae.metrics import Matches
from sparse_ae.metrics.errors import (
    KINDS,
    ErrorCase,
    count_errors_at,
    find_errors,
    owners,
    worst_images,
)
from sparse_ae.skeleton import get_skeleton

mpl.use("Agg")
SKELETON = get_skeleton("crowdpose")
K = len(SKELETON)
AREA = np.array([1600.0, 1600.0])


def persons():
    """Two persons far from each other, every joint on a place of its own: (2, K, 3)."""
    joints = np.zeros((2, K, 3))
    joints[..., 0] = 20.0 * np.arange(K)
    joints[1, :, 1] = 500.0
    joints[..., 2] = 1
    return joints


def counted(decoded, joints, area):
    """How many errors of each kind an image has."""
    found = find_errors(decoded, joints, area, SKELETON)
    return np.array([len(found[kind]) for kind in KINDS])


def found(decoded, joints=None):
    joints = persons() if joints is None else joints
    return dict(zip(KINDS, counted(decoded, joints, AREA[: len(joints)]).tolist(),
                    strict=True))  # fmt: skip


def test_true_persons_are_no_failure():
    none = dict.fromkeys(KINDS, 0)
    assert found(persons()) == none
    assert found(persons()[::-1] + np.array([0.5, 0.5, 0])) == none
    empty = np.zeros((0, K, 3))
    assert found(empty, empty) == none


def test_each_kind_alone():
    true = persons()
    both = np.where(np.arange(K)[:, None] < 7, true[0], true[1])  # half of each
    assert found(np.stack([both])) == {**dict.fromkeys(KINDS, 0), "merged": 1}
    upper, lower = true[0].copy(), true[0].copy()
    upper[7:, 2], lower[:7, 2] = 0, 0
    halves = np.stack([upper, lower, true[1]])
    assert found(halves) == {**dict.fromkeys(KINDS, 0), "split": 1}
    assert found(np.stack([*true, true[1]])) == {**dict.fromkeys(KINDS, 0), "twice": 1}
    assert found(true[:1]) == {**dict.fromkeys(KINDS, 0), "missed": 1}
    arm = true.copy()
    arm[0, :2] = true[1, :2]  # two joints of the other person
    assert found(arm) == {**dict.fromkeys(KINDS, 0), "swapped": 1}


def concerned(decoded, joints=None):
    """Of the kinds that happened, the cases."""
    found = find_errors(decoded, persons() if joints is None else joints, AREA, SKELETON)
    return {kind: some for kind, some in found.items() if some}


def test_who_is_concerned():
    true = persons()
    third = np.arange(K)[:, None] < 5
    assert concerned(true[::-1]) == {}
    assert concerned(np.stack([true[0], np.where(third, true[0], true[1])])) == {
        "merged": [ErrorCase((1,), (1, 0))],  # nine joints of the second, five of the first
        "twice": [ErrorCase((0, 1), (0,))],
    }
    few, most = true[0].copy(), true[0].copy()
    few[5:, 2], most[:5, 2] = 0, 0
    assert concerned(np.stack([few, true[1], most])) == {"split": [ErrorCase((2, 0), (0,))]}
    again = few.copy()
    again[3:, 2] = 0  # three joints, which are those of `few` and not of `most`
    assert concerned(np.stack([again, few, true[1], most])) == {
        "split": [ErrorCase((3, 1), (0,))], "twice": [ErrorCase((1, 0), (0,))]}  # fmt: skip
    arm = true.copy()
    arm[1, :2] = true[0, :2]
    assert concerned(arm) == {"swapped": [ErrorCase((1,), (1, 0))]}
    assert concerned(true[1:]) == {"missed": [ErrorCase((), (0,))]}


def test_whose_a_joint_is():
    true = persons()
    mixed = true[:1].copy()
    mixed[0, 3] = true[1, 3]
    mixed[0, 4, 1] += 100
    mixed[0, 5, 2] = 0
    assert owners(mixed, true, AREA, SKELETON).tolist() == [[0, 0, 0, 1, -1, -1, *[0] * 8]]
    assert owners(mixed, true[:0], AREA[:0], SKELETON).tolist() == [[-1] * K]


def test_joints_far_off_unlabelled_or_absent_belong_to_nobody():
    true = persons()
    far = true + np.array([0.0, 100.0, 0.0])
    assert found(far)["missed"] == 2
    hidden = true.copy()
    hidden[1, 2:, 2] = 0  # two joints are no part: nothing to miss
    assert found(true[:1], hidden) == dict.fromkeys(KINDS, 0)
    absent = true.copy()
    absent[1, :, 2] = 0
    assert found(absent)["missed"] == 1


def test_order_does_not_matter():
    rng = np.random.default_rng(0)
    joints = np.concatenate([rng.uniform(0, 60, (4, K, 2)), np.ones((4, K, 1))], axis=2)
    decoded = joints[rng.integers(0, 4, (5, K)), np.arange(K)]
    area = np.full(4, 900.0)
    expected = counted(decoded, joints, area)
    assert expected.sum() > 0
    shuffled = counted(decoded[::-1], joints[[2, 0, 3, 1]], area)
    assert shuffled[[0, 2, 3]].tolist() == expected[[0, 2, 3]].tolist()
    assert shuffled[[1, 4]].sum() == expected[[1, 4]].sum()


def test_errors_above_a_score_are_those_of_the_persons_left():
    rng = np.random.default_rng(1)
    images, area = [], np.full(4, 900.0)
    for count in (3, 0, 4):
        joints = np.concatenate([rng.uniform(0, 60, (4, K, 2)), np.ones((4, K, 1))], axis=2)[:count]
        joints[:, :6, 2] = rng.random((count, 6)) < 0.5
        decoded = rng.normal(20, 9, (5, K, 3))
        if count:
            decoded = joints[rng.integers(0, count, (5, K)), np.arange(K)] + 0.0
        images.append((decoded, rng.random(len(decoded)), joints))
    arrays = {
        "found_owner": np.concatenate(
            [owners(d, j, area[: len(j)], SKELETON) for d, _, j in images]
        ),
        "found_score": np.concatenate([score for _, score, _ in images]),
        "found_image": np.repeat([0, 1, 2], 5),
        "person_joints": np.concatenate([(j[..., 2] > 0).sum(1) for *_, j in images]),
        "persons": np.array([3, 0, 4]),
    }
    for least in (0, 0.3, 0.7, 2):
        wanted = sum(counted(d[score >= least], j, area[: len(j)]) for d, score, j in images)
        assert count_errors_at(arrays, least).tolist() == wanted.tolist()
    assert count_errors_at(arrays, 2)[KINDS.index("missed")] > 3


def test_the_worst_images_are_kept():
    counts = np.array([[0, 0, 0, 0, 0], [1, 0, 0, 2, 0], [3, 0, 0, 2, 0]])
    people = [np.full((n, K, 3), n, float) for n in (1, 2, 4)]
    kept = worst_images(counts, people)
    assert kept["failure_counts"].tolist() == counts.tolist()
    assert kept["failure_index"].tolist() == [[2, 1], [-1, -1], [-1, -1], [1, 2], [-1, -1]]
    assert kept["failure_people"].shape == (5, 2, 4, K, 3)
    assert (kept["failure_people"][0, 0] == 4).all()
    assert (kept["failure_people"][0, 1, :2] == 2).all()
    assert np.isnan(kept["failure_people"][0, 1, 2:]).all()


def run_of(people, kind):
    """A run whose scene 0 is the worst of a kind, with these persons."""
    scene = render_scene(CrowdConfig(**CROWD), 0)
    counts = counted(people, scene.keypoints, scene.areas)
    assert counts[KINDS.index(kind)] == 1
    return make_record("rve", 2), worst_images(counts[None], [people]) | {"persons": np.array([4])}


def drawn(kind, people):
    """The panel of a run's worst scene."""
    figure = failure_figures.gallery_figure([run_of(people, kind)], [kind])
    figure.canvas.draw()
    plt.close(figure)
    (axis,) = (axis for axis in figure.axes if axis.get_title())
    assert axis.get_title() == f"RVE (the paper)\nscene 0, 4 people: 1 × {kind}"
    return axis


def test_the_gallery_shows_only_whom_a_failure_concerns():
    true = render_scene(CrowdConfig(**CROWD), 0).keypoints.astype(float)
    true[..., 2] = true[..., 2] > 0
    axis = drawn("missed", true[1:])
    assert not axis.lines
    assert len(axis.collections) == 1  # the outline of the one who is missed
    copy = true[:1].copy()
    copy[..., 2] *= 0.5
    axis = drawn("twice", np.concatenate([true, copy]))
    seen = int(true[0, :, 2].sum())
    assert len(axis.collections) == 2 * seen  # joints of one person, twice
    assert np.ptp(axis.get_xlim()) < 300  # of 512 pixels or more
    swapped = true.copy()
    swapped[1] = np.where(np.arange(K)[:, None] < 2, true[0], true[1])
    axis = drawn("swapped", swapped)
    colours = [tuple(dots.get_facecolor()[0]) for dots in axis.collections]
    assert sorted(map(colours.count, set(colours))) == [2, len(colours) - 2]


def test_the_surest_of_several_failures_is_shown():
    people = np.ones((3, K, 3))
    people[:, :, 2] = np.array([0.9, 0.2, 0.6])[:, None]
    several = [ErrorCase((0, 1), (4,)), ErrorCase((0, 2), (5,)), ErrorCase((1,), (6,))]
    assert failure_figures.most_confident(several, people) == several[1]
    assert failure_figures.most_confident([], people) == ErrorCase((), ())


def test_the_gallery_says_never_and_takes_runs_that_tell():
    counts = np.array([[0, 0, 0, 0, 0], [1, 0, 0, 2, 0], [3, 0, 0, 2, 0]])
    people = [np.full((n, K, 3), n, float) for n in (1, 2, 4)]
    arrays = worst_images(counts, people) | {"persons": np.array([1, 5, 6])}
    records = [make_record("rve", 1), make_record("rve", 2), make_record("ae8", 1)]
    kept = {("rve", 1): {}, ("rve", 2): arrays, ("ae8", 1): {}}
    runs = failure_figures.runs_with_failures(records, kept, ("ae8", "rve"))
    assert [record["seed"] for record, _ in runs] == [2]
    for kind, place, title in (
        ("merged", 0, "scene 2, 6 people: 3 × merged"),
        ("merged", 1, "scene 1, 5 people: 1 × merged"),
        ("split", 0, "never split"),
    ):
        figure = failure_figures.gallery_figure(runs, [kind], place)
        assert figure.axes[0].get_title() == f"RVE (the paper)\n{title}"
        plt.close(figure)
    with pytest.raises(ValueError, match="unknown kind 'lost': expected one of merged"):
        failure_figures.gallery_figure(runs, ["lost"])


@pytest.mark.parametrize(
    ("decoded", "joints", "area", "name"),
    [
        (np.zeros((1, 3, 3)), np.zeros((2, K, 3)), AREA, "decoded"),
        (np.zeros((1, K, 3)), np.zeros((2, K, 2)), AREA, "joints"),
        (np.zeros((1, K, 3)), np.zeros((2, K, 3)), AREA[:1], "area"),
    ],
)
def test_wrong_shapes_are_refused(decoded, joints, area, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        counted(decoded, joints, area)


@pytest.mark.parametrize(("largest", "kind"), [(2048, np.float16), (2049, np.float32)])
def test_coordinates_of_large_photos_are_kept_to_the_pixel(largest, kind):
    people = [np.full((1, K, 3), value, float) for value in (largest, 1.0)]
    kept = worst_images(np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]), people)["failure_people"]
    assert kept.dtype == kind
    assert (kept[0, 0] == largest).all()
    assert (kept[1, 0] == 1).all()


def test_the_numbers_of_forty_thousand_images_are_kept():
    """Of every array of a record that counts images, persons or detections."""
    count = 40_000
    counts = np.zeros((count, 5), int)
    counts[-1, 0] = 300
    kept = worst_images(counts, {0: np.zeros((0, K, 3)), count - 1: np.ones((1, K, 3))})
    assert kept["failure_index"][0].tolist() == [count - 1, -1]
    assert kept["failure_counts"][-1, 0] == 255  # as documented
    one = np.array([0, count - 1])
    none = np.zeros((10, 2), bool)
    persons = np.zeros(count, np.int64)
    persons[-1] = count
    packed = pack_matches(Matches(np.array([0.5, 0.25]), one, ~none, none, persons))
    assert packed["match_image"].tolist() == one.tolist()
    assert packed["match_persons"][-1] == count
    assert packed["match_matched"].tolist() == [1023, 1023]
    nobody = np.zeros((0, K, 2)), np.zeros((0, K), bool), np.zeros((0, K, 3))
    assert pack_examples({count - 1: nobody}, K)["example_id"].tolist() == [count - 1]
