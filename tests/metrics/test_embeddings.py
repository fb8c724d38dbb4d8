"""Metrics: by hand, by invariance, and against the official evaluators' numbers."""

import copy
import json
import math

import numpy as np
import pytest
from synthetic import PAIR

from sparse_ae.metrics import (
    correctly_grouped,
    crowd_index,
    group_labels,
    group_margin,
    grouping_accuracy,
    keypoint_ap,
    linearity,
    sparsity,
)
from sparse_ae.skeleton import CROWDPOSE

COUNTS = ("AP", "AP50", "AP75", "AR", "AR50", "AR75")


def embeddings(seed=0, persons=5, joints=4, dim=3):
    generator = np.random.default_rng(seed)
    tags = generator.normal(size=(persons, joints, dim))
    return tags, generator.random((persons, joints)) < 0.7


def test_group_margin_by_hand():
    tags = np.zeros((3, 2, 2))
    tags[1], tags[2] = [[3, 3], [3, 5]], [[0, 9], [99, 99]]
    visible = np.array([[True, True], [True, True], [True, False]])
    assert group_margin(tags, visible) == pytest.approx(5 - 1)  # from (0, 0) to (3, 4)
    assert group_margin(tags, visible, threshold=7) == pytest.approx(-2)
    visible[2] = False
    assert group_margin(tags, visible) == pytest.approx(4)
    visible[1] = False
    assert math.isnan(group_margin(tags, visible))


def test_linearity_of_a_line_a_cross_and_a_constant():
    visible = np.ones((2, 2), bool)
    line = np.arange(4.0).reshape(2, 2, 1) * [1, -2, 0] + 7  # the third dimension does not vary
    assert linearity(line, visible) == pytest.approx((1, 1, 1))
    cross = np.array([[[3.0, 0], [-3, 0]], [[0, 1], [0, -1]]])
    shares = np.array([0.9, 0.1])
    rank = np.exp(-(shares * np.log(shares)).sum())
    assert linearity(cross, visible) == pytest.approx((0.9, 0, rank))
    for nothing in (linearity(np.full((2, 2, 3), 0.1), visible), linearity(cross, visible * 0)):
        assert np.isnan(nothing).all()
    single = linearity(line[..., :1], visible)
    assert single[::2] == pytest.approx((1, 1))
    assert math.isnan(single.correlation)


def test_linearity_agrees_with_numpy():
    tags, visible = embeddings(3)
    points = tags[visible]
    eigenvalues = np.linalg.eigvalsh(np.cov(points.T))
    correlation = np.corrcoef(points.T)[np.triu_indices(3, 1)]
    result = linearity(tags, visible)
    assert result.first_component == pytest.approx(eigenvalues[-1] / eigenvalues.sum())
    assert result.correlation == pytest.approx(np.abs(correlation).mean())


def test_sparsity_by_hand():
    visible = np.ones((1, 1), bool)
    assert sparsity([[[0, 0, -5, 0]]], visible) == pytest.approx(1)
    assert sparsity([[[2, -2, 2, 2]]], visible) == pytest.approx(0)
    assert sparsity([[[3, 4, 0, 0]]], visible) == pytest.approx((2 - 7 / 5) / (2 - 1))
    assert sparsity([[[3, 4, 0, 0]], [[0] * 4]], [[1], [1]]) == pytest.approx(0.6)  # 0 has none
    assert math.isnan(sparsity([[[3.0]]], visible))
    assert math.isnan(sparsity([[[3.0, 4]]], ~visible))


@pytest.mark.parametrize("metric", [group_margin, linearity, sparsity])
def test_order_and_padding_of_persons_do_not_matter(metric):
    tags, visible = embeddings()
    expected = pytest.approx(metric(tags, visible))
    assert metric(tags[::-1], visible[::-1]) == expected
    padded = np.concatenate([tags, np.full_like(tags, np.nan)])
    assert metric(padded, np.concatenate([visible, np.zeros_like(visible)])) == expected


@pytest.mark.parametrize("metric", [group_margin, linearity])
def test_shifting_all_tags_does_not_matter(metric):
    tags, visible = embeddings()
    assert metric(tags + 12.5, visible) == pytest.approx(metric(tags, visible))


@pytest.mark.parametrize("rule", ["released", "higherhrnet"])
def test_grouping_accuracy_by_hand(rule):
    tags, visible = np.zeros((2, 4, 1)), np.ones((2, 4), bool)
    tags[1] = 20
    assert grouping_accuracy(tags, visible, range(4), rule=rule) == 1
    tags[:, 3] = tags[::-1, 3]  # the last joints change places: 6 of 8 are right
    assert grouping_accuracy(tags, visible, range(4), rule=rule) == pytest.approx(0.75)
    visible[1, 3] = False
    assert grouping_accuracy(tags, visible, range(4), rule=rule) == pytest.approx(6 / 7)
    assert math.isnan(grouping_accuracy(tags, visible * 0, range(4), rule=rule))
    assert math.isnan(grouping_accuracy(tags[:0], visible[:0], range(4), rule=rule))


def test_which_joints_are_right():
    tags, visible = np.zeros((2, 4, 1)), np.ones((2, 4), bool)
    tags[1] = 20
    tags[:, 3] = tags[::-1, 3]
    visible[1, 0] = False
    assert correctly_grouped(tags, visible, range(4)).tolist() == [
        [True, True, True, False],
        [False, True, True, False],
    ]
    assert correctly_grouped(tags, visible * 0, range(4)).sum() == 0
    label = group_labels(tags, visible, range(4))
    first = label[0, 0]
    assert label[0].tolist() == [first, first, first, 1 - first]
    assert label[1].tolist() == [-1, 1 - first, 1 - first, first]


def test_a_person_split_in_two_counts_once():
    tags = np.array([[[0.0], [0.0], [50.0], [50.0], [50.0]]])
    assert grouping_accuracy(tags, np.ones((1, 5)), range(5)) == pytest.approx(0.6)


def test_two_persons_in_one_group_count_once():
    visible = np.array([[True, True, False], [False, False, True]])
    assert grouping_accuracy(np.zeros((2, 3, 1)), visible, range(3)) == pytest.approx(2 / 3)


def test_equal_tags_are_not_told_apart_by_their_place():
    """Ten persons with one tag: chance, not the order of the list, decides."""
    accuracy = grouping_accuracy(np.zeros((10, 17, 8)), np.ones((10, 17)), range(17))
    assert 0.1 <= accuracy < 0.5
    assert accuracy == grouping_accuracy(np.zeros((10, 17, 8)), np.ones((10, 17)), range(17))


def test_grouping_accuracy_of_persons_apart_is_whole_in_any_order():
    tags, visible = embeddings(persons=6, dim=2)
    tags = 0.05 * tags + 3 * np.arange(6)[:, None, None]
    assert grouping_accuracy(tags, visible, range(4)) == 1
    assert grouping_accuracy(tags[::-1], visible[::-1], range(4), seed=5) == 1


def test_crowd_index_by_hand():
    keypoints = np.zeros((3, 2, 3))
    keypoints[0] = [[1, 1, 2], [9, 9, 1]]
    keypoints[1] = [[10, 10, 2], [30, 30, 1]]  # the first on the border of person 0's box
    keypoints[2] = [[5, 5, 0], [6, 6, 0]]  # not labelled
    boxes = [[0, 0, 10, 10], [8, 8, 30, 30], [0, 0, 50, 50]]
    assert crowd_index(keypoints, boxes) == pytest.approx((1 / 2 + 1 / 2) / 2)
    keypoints[0, 0] = [-5, 0, 2]  # its own joints count wherever they are
    assert crowd_index(keypoints, boxes) == pytest.approx(0.5)
    keypoints[2, :, 2] = 1
    assert crowd_index(keypoints, boxes) == pytest.approx((3 / 2 + 1 / 2 + 3 / 2) / 3)
    assert crowd_index(keypoints[:0], np.zeros((0, 4))) == 0
    assert crowd_index(keypoints * [1, 1, 0], boxes) == 0


def test_crowd_index_reproduces_the_published_ones(real):
    data = json.loads((real / "crowdpose/json/crowdpose_val.json").read_text())
    persons = {image["id"]: [] for image in data["images"]}
    for person in data["annotations"]:
        if person["num_keypoints"] > 0:
            persons[person["image_id"]].append(person)
    close = 0
    for image in data["images"]:
        keypoints = np.reshape([p["keypoints"] for p in persons[image["id"]]], (-1, 14, 3))
        boxes = np.reshape([p["bbox"] for p in persons[image["id"]]], (-1, 4))
        close += abs(crowd_index(keypoints, boxes) - image["crowdIndex"]) < 0.0101
    assert close / len(data["images"]) >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("split", ["31", "32"])
def test_keypoint_ap_equals_the_official_evaluators(golden, real, split):
    data = json.loads((real / "crowdpose/json/crowdpose_val.json").read_text())
    folder = golden / "eval"
    chosen = set(json.loads((folder / f"image_ids_{split}.json").read_text()))
    data["images"] = [image for image in data["images"] if image["id"] in chosen]
    data["annotations"] = [p for p in data["annotations"] if p["image_id"] in chosen]
    detections = json.loads((folder / f"preds_{split}.json").read_text())
    numbers = json.loads((folder / "numbers.json").read_text())[split]
    assert len(data["annotations"]) == numbers["n_gt"]

    crowd = keypoint_ap(data, detections, CROWDPOSE, crowd=True)
    expected = numbers["crowdposetools"]
    for name in COUNTS:
        assert crowd[name] == pytest.approx(expected[name], abs=1e-12)
    for name in ("AP_easy", "AP_medium", "AP_hard"):  # printed with four digits there
        assert crowd[name] == pytest.approx(expected[name], abs=5.1e-5)
    assert set(crowd) == set(expected)

    for person in data["annotations"]:
        person["area"] = 0.53 * person["bbox"][2] * person["bbox"][3]
    plain = keypoint_ap(data, detections, CROWDPOSE)
    expected = numbers["pycocotools_keypoints_area_0.53bbox"]
    assert set(plain) == {*COUNTS, "APM", "APL", "ARM", "ARL"}
    assert plain == pytest.approx({name: expected[name] for name in plain}, abs=1e-12)


def scenes(*crowd_indices):
    """One person of 100 × 100 pixels in each image, and detections that are exactly right."""
    points, images, persons, found = [10, 10, 2, 90, 90, 2], [], [], []
    for image, level in enumerate(crowd_indices):
        images.append({"id": image, "width": 128, "height": 128, "crowdIndex": level})
        common = {"image_id": image, "category_id": 1, "keypoints": points}
        persons.append({**common, "id": image, "bbox": [0, 0, 100, 100], "area": 1e4})
        found.append({**common, "score": 0.9})
    categories = [{"id": 1, "name": "person"}]
    return {"images": images, "annotations": persons, "categories": categories}, found


@pytest.mark.filterwarnings("error")
def test_keypoint_ap_by_hand(capsys):
    annotations, found = scenes(0.1, 0.2, 0.8, 1.5)
    before = copy.deepcopy((annotations, found))
    perfect = keypoint_ap(annotations, found, PAIR, crowd=True)  # also of the annotation with id 0
    names = [*COUNTS, "AP_easy", "AP_medium", "AP_hard"]
    assert perfect == pytest.approx(dict.fromkeys(names, 1))
    some = keypoint_ap(annotations, found[:3], PAIR, crowd=True)
    assert [some["AR"], some["AP_easy"], some["AP_medium"]] == pytest.approx([0.75, 1, 1])
    assert some["AP_hard"] == pytest.approx(51 / 101)  # recalls 0 to 0.5, in steps of 0.01
    assert (annotations, found) == before
    assert capsys.readouterr() == ("", "")


def test_an_offset_costs_what_the_similarity_says():
    """An offset d gives exp(−d² / (2 area (2 sigma)²)); crowd mode has 0.53 of the area."""
    annotations, found = scenes(0.0)
    offset = math.sqrt(-2 * math.log(0.72) * 0.2**2 * 1e4)  # similarity 0.72: 5 of 10 thresholds
    found[0]["keypoints"] = [10 + offset, 10, 1, 90, 90 - offset, 1]
    plain = keypoint_ap(annotations, found, PAIR)
    assert [plain["AP"], plain["AP50"], plain["AP75"]] == pytest.approx([0.5, 1, 0])
    crowd = keypoint_ap(annotations, found, PAIR, crowd=True)
    assert crowd["AP"] == pytest.approx(0.1)  # 0.72 ** (1 / 0.53) = 0.538


def test_nobody_to_find_is_nan_and_nothing_found_is_zero():
    annotations, found = scenes(0.1, 0.9)
    nothing = keypoint_ap(annotations, [], PAIR, crowd=True)
    assert [nothing["AP"], nothing["AR50"], nothing["AP_easy"], nothing["AP_hard"]] == [0, 0, 0, 0]
    assert math.isnan(nothing["AP_medium"])
    plain = keypoint_ap(annotations, found, PAIR)
    assert [plain["APL"], math.isnan(plain["APM"])] == [1, True]
    annotations["annotations"] = []
    assert np.isnan(list(keypoint_ap(annotations, found, PAIR, crowd=True).values())).all()
    empty = {"images": [], "annotations": [], "categories": annotations["categories"]}
    assert np.isnan(list(keypoint_ap(empty, [], PAIR).values())).all()


TAGS, VISIBLE, POINTS, BOXES = (np.ones(s) for s in ((2, 3, 4), (2, 3), (2, 3, 3), (2, 4)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linearity(TAGS[0], VISIBLE), r"tags: expected \(P, K, D\).* got shape \(3, 4\)"),
        (lambda: group_margin(TAGS, VISIBLE.T), r"visible: expected \(2, 3\), got shape \(3, 2\)"),
        (lambda: sparsity(TAGS * np.nan, VISIBLE), "tags: expected finite embeddings"),
        (lambda: grouping_accuracy(TAGS, VISIBLE, range(4)), "order: expected each of the K = 3"),
        (lambda: grouping_accuracy(TAGS, VISIBLE, range(3), rule=""), "rule: expected one of"),
        (lambda: crowd_index(POINTS[0], BOXES), r"keypoints: expected \(P, K, 3\), got shape"),
        (lambda: crowd_index(POINTS, BOXES[1:]), r"boxes: expected \(2, 4\), got shape \(1, 4\)"),
        (lambda: crowd_index(POINTS * [np.nan, 1, 1], BOXES), "keypoints: expected finite"),
        (lambda: crowd_index(POINTS, BOXES * np.nan), "boxes: expected finite"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("where", "field", "value", "message"),
    [
        ("annotations", "keypoints", [1, 2, 2], "annotations: expected 6 finite numbers"),
        ("detections", "keypoints", [np.nan] * 6, "detections: expected 6 finite numbers"),
        ("detections", "image_id", 77, "detections: image_id 77 is not in annotations"),
        ("detections", "score", np.nan, "detections: expected a finite score, got nan"),
        ("detections", "score", None, "detections: expected .*; score is missing"),
        ("annotations", "bbox", None, "annotations: expected .*; bbox is missing"),
        ("images", "crowdIndex", None, 'annotations: crowd=True needs a finite "crowdIndex"'),
    ],
)
def test_bad_annotations_and_detections_are_named(where, field, value, message):
    annotations, detections = scenes(0.1, 0.9)
    entry = detections[1] if where == "detections" else annotations[where][1]
    entry.pop(field)
    if value is not None:
        entry[field] = value
    with pytest.raises(ValueError, match=message):
        keypoint_ap(annotations, detections, PAIR, crowd=True)
    with pytest.raises(ValueError, match="annotations: expected COCO format with 'images'"):
        keypoint_ap({}, detections, PAIR)
