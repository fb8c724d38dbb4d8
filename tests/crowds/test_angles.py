"""Joint angles and the poses behind them: values worked out by hand, and invariances."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from sparse_ae.crowds import load_bodies
from sparse_ae.crowds.people.angles import ANGLES, angle_distance, joint_angles
from sparse_ae.skeleton import get_skeleton

DATA = Path(__file__).parents[2] / "data"
# a person seen from the front, pixels: the left side is at larger x
PLACES = {"shoulder": (20, 100), "elbow": (20, 140), "wrist": (20, 180), "hip": (10, 180),
          "knee": (10, 240), "ankle": (10, 300)}  # fmt: skip
MIDDLE = {"nose": (0, 60), "eye": (5, 55), "ear": (8, 58), "head": (0, 40), "neck": (0, 90)}


def person(skeleton="coco", **moved):
    """Return (1, K, 3) keypoints of an upright person, arms down, with some joints moved."""
    joints = []
    for name in get_skeleton(skeleton).keypoints:
        side, _, part = name.rpartition("_")
        x, y = {**PLACES, **MIDDLE}[part]
        joints.append((*moved.get(name, (-x if side == "right" else x, y)), 2))
    return np.array([joints], float)


@pytest.fixture
def made_with(monkeypatch):
    """Import a file of data/ by its name."""
    monkeypatch.syspath_prepend(str(DATA))
    return importlib.import_module


def crowd(count=40, skeleton="coco", seed=0):
    rng = np.random.default_rng(seed)
    k = len(get_skeleton(skeleton))
    return np.concatenate((rng.normal(100, 40, (count, k, 2)), np.full((count, k, 1), 2.0)), 2)


@pytest.mark.parametrize("skeleton", ["coco", "crowdpose"])
def test_a_straight_person_has_angles_of_zero(skeleton):
    angles = joint_angles(person(skeleton), skeleton)
    assert tuple(angles) == ANGLES[: 10 if skeleton == "crowdpose" else 9]
    assert all(value.tolist() == [0.0] for value in angles.values())


@pytest.mark.parametrize(
    ("moved", "name", "expected"),
    [
        ({"left_wrist": (60, 140)}, "left_elbow", -90.0),  # forearm to the picture's right
        ({"right_wrist": (-60, 140)}, "right_elbow", 90.0),
        ({"left_wrist": (20, 100)}, "left_elbow", 180.0),  # folded back, never -180
        ({"left_elbow": (60, 100)}, "left_shoulder", -90.0),
        ({"right_elbow": (-20, 60)}, "right_shoulder", 180.0),
        ({"left_knee": (70, 180)}, "left_hip", -90.0),
        ({"right_ankle": (-70, 300)}, "right_knee", 45.0),
        ({"left_shoulder": (100, 100), "right_shoulder": (60, 100)}, "trunk", 45.0),
        ({"left_shoulder": (20, 260), "right_shoulder": (-20, 260)}, "trunk", 180.0),
    ],
)
def test_angles_by_hand(moved, name, expected):
    np.testing.assert_allclose(joint_angles(person(**moved))[name], [expected], atol=1e-12)


def test_head_by_hand():
    angles = joint_angles(person("crowdpose", head=(50, 90)), "crowdpose")
    np.testing.assert_allclose(angles["head"], [90.0])


def test_only_labelled_joints_count():
    two = np.concatenate((person(), person(left_wrist=(60, 140))))
    two[0, 9, 2] = 0  # the first person's left wrist
    angles = joint_angles(two)
    np.testing.assert_allclose(angles["left_elbow"], [-90.0])
    assert {name: len(value) for name, value in angles.items() if len(value) != 2} == {
        "left_elbow": 1
    }
    two[1, 11, 2] = 0  # a hip: no trunk, nothing that is measured against it
    lengths = {name: len(value) for name, value in joint_angles(two).items()}
    assert lengths["trunk"] == lengths["left_shoulder"] == lengths["right_hip"] == 1
    assert lengths["right_elbow"] == lengths["right_knee"] == 2


def test_a_segment_without_length_gives_no_angle():
    angles = joint_angles(person(left_elbow=(20, 100)))
    assert len(angles["left_elbow"]) == len(angles["left_shoulder"]) == 0
    assert len(angles["right_elbow"]) == 1


@pytest.mark.parametrize("skeleton", ["coco", "crowdpose"])
def test_shift_and_scale_change_no_angle(skeleton):
    one = crowd(skeleton=skeleton)
    other = one * (3.0, 3.0, 1) + (50, -70, 0)
    for name, value in joint_angles(other, skeleton).items():
        np.testing.assert_allclose(value, joint_angles(one, skeleton)[name], atol=1e-9)


def test_turning_the_picture_turns_the_trunk_alone():
    one, turned = crowd(), crowd()
    cos, sin = np.cos(np.radians(30)), np.sin(np.radians(30))
    turned[..., :2] = one[..., :2] @ np.array([[cos, sin], [-sin, cos]])  # clockwise, y down
    before, after = joint_angles(one), joint_angles(turned)
    expected = (before.pop("trunk") + 30 + 180) % 360 - 180
    np.testing.assert_allclose(after.pop("trunk"), expected, atol=1e-9)
    for name in before:
        np.testing.assert_allclose(after[name], before[name], atol=1e-9)


def test_a_mirror_changes_sides_and_signs():
    skeleton = get_skeleton("coco")
    one = crowd()
    mirrored = (one * (-1, 1, 1))[:, skeleton.flip]
    before, after = joint_angles(one), joint_angles(mirrored)
    for side, other in (("left", "right"), ("right", "left")):
        for joint in ("shoulder", "elbow", "hip", "knee"):
            expected = -before[f"{other}_{joint}"]
            np.testing.assert_allclose(after[f"{side}_{joint}"], expected, atol=1e-9)


@pytest.mark.parametrize(
    ("keypoints", "skeleton", "expected"),
    [
        (np.zeros((2, 14, 3)), "coco", r"expected \(P, 17, 3\) for 'coco'"),
        (np.zeros((17, 3)), "coco", r"shape \(17, 3\)"),
        (np.full((1, 17, 3), np.nan), "coco", "finite"),
        (np.zeros((1, 17, 3)), "dance", "unknown skeleton"),
    ],
)
def test_wrong_keypoints(keypoints, skeleton, expected):
    with pytest.raises(ValueError, match=expected):
        joint_angles(keypoints, skeleton)


def test_no_persons_give_no_angles():
    assert all(len(value) == 0 for value in joint_angles(np.zeros((0, 17, 3))).values())


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0], [10], 10), ([175], [-175], 10), ([0], [180], 180), ([0, 90], [90, 0], 0),
        ([0, 0, 0, 90], [0], 22.5), ([0, 180], [90, -90], 90), ([-180], [180], 0),
        ([0, 100], [350, 110], 10), ([-1e-20], [0], 0),
    ],
)  # fmt: skip
def test_distances_by_hand(a, b, expected):
    assert angle_distance(a, b) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_distance_equals_the_best_assignment(seed):
    a, b = np.random.default_rng(seed).uniform(-180, 180, (2, 30)) * (1, 1, 0.3, 2, 0.1)[seed]
    cost = np.abs((a[:, None] - b + 180) % 360 - 180)
    rows, columns = linear_sum_assignment(cost)
    assert angle_distance(a, b) == pytest.approx(cost[rows, columns].mean())


def test_distance_is_a_distance_on_the_circle():
    a, b, c = (np.random.default_rng(i).normal(100 * i, 60, 50 + i) for i in range(3))
    assert angle_distance(a, b) == pytest.approx(angle_distance(b, a))
    assert angle_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert angle_distance(a, c) <= angle_distance(a, b) + angle_distance(b, c)
    assert angle_distance(a + 200, b + 200) == pytest.approx(angle_distance(a, b))
    assert angle_distance(-a, -b) == pytest.approx(angle_distance(a, b))
    assert angle_distance(np.repeat(a, 3), b) == pytest.approx(angle_distance(a, b))
    assert angle_distance(a, a + 7) <= 7 + 1e-9


@pytest.mark.parametrize(("a", "b"), [([], [1]), ([1], []), ([np.inf], [1]), ([1], [np.nan])])
def test_empty_samples_have_no_distance(a, b):
    with pytest.raises(ValueError, match="none of them empty"):
        angle_distance(a, b)


def test_the_committed_comparison_belongs_to_the_committed_bank(made_with):
    path = DATA / "pose_angles.json"
    assert path.stat().st_size < 60_000
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["bank"]["digest"] == load_bodies().digest, "run data/compare_poses.py"
    assert tuple(found["joints"]) == ANGLES
    compare = made_with("compare_poses")
    for name, angles in compare.bank_angles("crowdpose").items():
        joint = found["joints"][name]
        assert all(abs(sum(shares) - 1) < 1e-3 for shares in joint["shares"].values())
        assert all(len(shares) == len(found["bins"]) - 1 for shares in joint["shares"].values())
        assert joint["persons"]["bank"] == len(angles)
        np.testing.assert_allclose(compare.histogram(angles), joint["shares"]["bank"], atol=2e-4)
        assert max(joint["distances"].values()) < 20


def test_winding_number_and_distance_of_a_cube(made_with):
    checks = made_with("body_checks")
    cube = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (0, 2)], float)
    sides = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    corners = np.array([cube[[a, *pair]] for a, b, c, d in sides for pair in ((b, c), (c, d))])
    points = np.array([(0, 0, 1), (0.9, 0, 0.5), (3, 0, 1), (2, 2, 1)], float)
    np.testing.assert_allclose(abs(checks.winding_number(points, corners)), [1, 1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(checks.distance_to_triangles(points, corners), [1, 0.1, 2, 2**0.5])


def test_poses_keep_to_the_table_of_limits(made_with):
    poses, families = made_with("body_poses"), made_with("pose_families")
    assert tuple(families.FAMILIES) == load_bodies().families
    assert sum(share for share, _ in families.FAMILIES.values()) == 100
    for name in families.FAMILIES:
        rng = np.random.default_rng(3)
        assert not any(poses.broken_limits(families.draw_pose(rng, name)) for _ in range(30))
    straight = (
        [poses.arm(0, 10, 20), poses.arm(0, 10, 160)],
        [poses.leg(0, 0, 5), poses.leg(-50, 0, 5)],
    )
    broken = poses.broken_limits(poses.Pose(*straight, trunk=(100, 0, 0)))
    assert sorted(broken) == ["elbow bends", "thigh forwards", "trunk forwards"]


def test_a_limb_reaches_its_target(made_with):
    """The two segments end at a target that is near enough."""
    poses = made_with("body_poses")
    target, (upper, lower) = np.array((0.1, -0.3, 0.3)), poses.ARM
    found = poses.arm_to(target)
    axis = np.cross(found.along, found.towards) / np.linalg.norm(
        np.cross(found.along, found.towards)
    )
    bend = np.radians(found.bend)
    forearm = np.cos(bend) * found.along + np.sin(bend) * np.cross(axis, found.along)
    np.testing.assert_allclose(poses.SHOULDER + upper * found.along + lower * forearm, target)


def test_the_data_card_says_what_was_measured():
    measured = json.loads((DATA / "pose_angles.json").read_text(encoding="utf-8"))
    card = (DATA / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ((?:left|right) \w+|trunk) \| (.*) \|$", card, re.MULTILINE))
    assert len(rows) == 9
    for name, row in rows.items():
        distances = measured["joints"][name.replace(" ", "_")]["distances"]
        _, coco, _, crowdpose, between = (float(cell) for cell in row.split(" | "))
        assert coco == pytest.approx(distances["bank to coco"], abs=0.051)
        assert crowdpose == pytest.approx(distances["bank to crowdpose"], abs=0.051)
        assert between == pytest.approx(distances["coco to crowdpose"], abs=0.051)
