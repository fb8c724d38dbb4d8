"""Training and evaluation read an annotation file in one and the same way."""

from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pytest
from photos import TRIANGLE, content, custom_preset, person, write

from sparse_ae.datasets.annotations import ground_truth, read_annotations
from sparse_ae.datasets.keypoint_dataset import KeypointDataset
from sparse_ae.metrics import keypoint_ap
from sparse_ae.settings import load_settings
from sparse_ae.skeleton import read_skeleton

BOX = [60.0, 8.0, 26.0, 40.0]
OUTLINE = [60, 8, 86, 8, 86, 48, 60, 48]


def unlabelled(**changes) -> dict:
    """Two photos with a person each, and in the first a third person without keypoints."""
    data = content(2)
    extra = person(9, 1, bbox=BOX, num_keypoints=0)
    del extra["keypoints"]
    data["annotations"].append({**extra, **changes})
    return data


def found_everywhere(truth: dict) -> list[dict]:
    """Detections that are right, and before them one on the person without keypoints."""
    right = [{**p, "score": 0.5} for p in truth["annotations"] if any(p["keypoints"][2::3])]
    inside = [70.0, 20.0, 1.0, 75.0, 40.0, 1.0, 65.0, 30.0, 1.0]
    first = {"image_id": 1, "category_id": 1, "keypoints": inside, "score": 0.9}
    return [first, *({k: p[k] for k in first} for p in right)]


@pytest.mark.parametrize("changes", [{}, {"keypoints": []}, {"keypoints": [0] * 9}])
@pytest.mark.parametrize("outline", [[], None, [[]], [[], OUTLINE], [OUTLINE]])
@pytest.mark.parametrize("skip", [False, True])
def test_a_person_without_keypoints_is_hidden_and_does_not_count(tmp_path, changes, outline, skip):
    path = write(tmp_path, unlabelled(segmentation=outline, **changes))
    found = read_annotations(path, TRIANGLE, skip_broken=skip)
    assert found.broken == ()
    assert len(found.keypoints) == 2
    (region,) = found.regions[0]
    low, high = np.reshape(OUTLINE, (-1, 2)).min(0), np.reshape(OUTLINE, (-1, 2)).max(0)
    if outline and OUTLINE in outline:
        assert (region.min(0).tolist(), region.max(0).tolist()) == (low.tolist(), high.tolist())
    else:
        assert region.tolist() == BOX
    truth = ground_truth(path, TRIANGLE, skip_broken=skip)
    assert len(truth["annotations"]) == 3
    assert keypoint_ap(truth, found_everywhere(truth), TRIANGLE)["AP"] == pytest.approx(1)


def test_an_outline_does_without_a_box(tmp_path):
    data = unlabelled(segmentation=[OUTLINE])
    del data["annotations"][-1]["bbox"]
    path = write(tmp_path, data)
    assert read_annotations(path, TRIANGLE).regions[0][0].tolist() == [
        [60, 8], [86, 8], [86, 48], [60, 48]]  # fmt: skip
    truth = ground_truth(path, TRIANGLE)
    assert truth["annotations"][1]["bbox"] == BOX
    assert keypoint_ap(truth, found_everywhere(truth), TRIANGLE)["AP"] == pytest.approx(1)
    data["annotations"][-1]["segmentation"] = [[]]
    with pytest.raises(ValueError, match="annotation 9: bbox: expected 4 numbers"):
        read_annotations(write(tmp_path, data), TRIANGLE)


def test_keypoints_that_are_counted_but_missing_are_told(tmp_path):
    path = write(tmp_path, unlabelled(num_keypoints=3))
    for read in (read_annotations, ground_truth):
        with pytest.raises(ValueError, match="9: keypoints: expected 9 numbers, got none, but num"):
            read(path, TRIANGLE)


@pytest.mark.parametrize(
    "broken",
    [{"keypoints": [1, 2, 2]}, {"keypoints": [5] * 9}, {"area": "large"}, {"iscrowd": "no"},
     {"num_keypoints": -1}, {"segmentation": [[1, 2, 3]]}],
)  # fmt: skip
def test_a_broken_person_is_hidden_from_training_and_from_evaluation(tmp_path, broken):
    path = write(tmp_path, unlabelled(**broken))
    for read in (read_annotations, ground_truth):
        with pytest.raises(ValueError, match=f"annotation 9: .*{next(iter(broken))}|visibility"):
            read(path, TRIANGLE)
    found = read_annotations(path, TRIANGLE, skip_broken=True)
    assert len(found.broken) == 1
    assert found.regions[0][0].tolist() == BOX
    truth = ground_truth(path, TRIANGLE, skip_broken=True)
    assert keypoint_ap(truth, found_everywhere(truth), TRIANGLE)["AP"] == pytest.approx(1)


@pytest.mark.parametrize("first", [{}, {"width": 0}])
def test_images_that_share_an_id_are_left_out_with_their_persons(tmp_path, first):
    data = content(3)
    data["images"][0].update(first)
    data["images"][1]["id"] = 1
    data["annotations"][1]["image_id"] = 1
    path = write(tmp_path, data)
    found = read_annotations(path, TRIANGLE, skip_broken=True)
    assert (found.ids.tolist(), found.names, len(found.keypoints)) == ([3], ("003.jpg",), 1)
    assert any("image 1: another image has this id too" in line for line in found.broken)
    truth = ground_truth(path, TRIANGLE, skip_broken=True)
    assert [image["id"] for image in truth["images"]] == [3]
    assert [p["id"] for p in truth["annotations"]] == [103]


def test_what_evaluation_refuses_is_refused_before_the_training(tmp_path):
    for kind, field in (("images", "crowdIndex"), ("annotations", "num_keypoints")):
        data = content(2)
        data[kind][1][field] = "many"
        path = write(tmp_path, data)
        for read in (read_annotations, ground_truth):
            with pytest.raises(ValueError, match=f"{field}: expected a number from 0 on"):
                read(path, TRIANGLE)


@pytest.mark.parametrize("second", [True, False])
def test_categories_of_one_skeleton_are_one(tmp_path, second):
    data = content(2)
    data["categories"] = [{**data["categories"][0], "id": 7}, data["categories"][0], {"id": 3}]
    if second:
        data["annotations"][1]["category_id"] = 7
    path = write(tmp_path, data)
    assert len(read_annotations(path, TRIANGLE).keypoints) == 2
    truth = ground_truth(path, TRIANGLE)
    assert [c["id"] for c in truth["categories"]] == [1]
    assert [p["category_id"] for p in truth["annotations"]] == [1, 1]
    found = [{**p, "score": 0.5} for p in truth["annotations"]]
    assert keypoint_ap(truth, found, TRIANGLE)["AP"] == pytest.approx(1)


def test_a_number_for_two_categories_is_told(tmp_path):
    data = content(2)
    data["categories"].append({"id": 1, "name": "dog", "keypoints": ["nose"]})
    with pytest.raises(ValueError, match=r"people.json: categories: two have the id 1; give each"):
        read_annotations(write(tmp_path, data), TRIANGLE)


@pytest.mark.slow
def test_a_run_with_two_categories_of_one_skeleton_gives_its_record(tmp_path):
    from sparse_ae.companion.experiment import run

    data = content(6)
    data["categories"].append({**data["categories"][0], "id": 2})
    settings = load_settings(str(custom_preset(tmp_path, data)), "ae8", 0)
    assert run(settings, tmp_path / "runs", progress=False)["metrics"]["AP"] >= 0


@pytest.mark.parametrize(
    ("areas", "told"),
    [
        ((0, 500), 1), ((0, 0.5), 2), ((500, 1e6), 1), ((10.4, 500), 1), ((10.5, 10_400), None),
    ],
)  # fmt: skip
def test_areas_that_contradict_the_box_are_told_by_their_number(tmp_path, areas, told):
    data = content(2)  # boxes of 1,040 square pixels
    for one, area in zip(data["annotations"], areas, strict=True):
        one["area"] = area
    data["annotations"].append(person(7, 2, area=0, keypoints=[0] * 9))  # does not count
    path = write(tmp_path, data)
    for read in (read_annotations, ground_truth):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            read(path, TRIANGLE)
        assert len(seen) == (told is not None)
        for one in seen:
            assert f"{path}: the area of {told} labelled persons is 0, or" in str(one.message)


@pytest.mark.parametrize("box", [[20, 12, 0, 0], [0.2, 0.1, 0.3, 0.5], [12, 12, 18, 0.1]])
@pytest.mark.parametrize("area", [None, 0.1, 500])
def test_boxes_that_contradict_their_joints_are_told_by_their_number(tmp_path, box, area):
    """A box of nothing, or of shares of the photo, from which a missing area would be taken."""
    data = content(2)
    data["annotations"][0] |= {"bbox": box, "area": area}
    if area is None:
        del data["annotations"][0]["area"]
    data["annotations"].append(person(7, 2, bbox=box, keypoints=[5, 5, 2] + [0] * 6))
    data["annotations"].append(person(9, 2, bbox=[0, 0, 0, 0], keypoints=[0] * 9))
    told = 1 + (box[2] * box[3] < 50)  # of one joint, the area contradicts the box
    with pytest.warns(UserWarning, match=f"the area of {told} labelled persons is 0, .*or the box"):
        read_annotations(write(tmp_path, data), TRIANGLE)


def test_real_areas_are_not_told(real):
    from sparse_ae.skeleton import COCO

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = real / "coco/annotations/person_keypoints_val2017.json"
        assert len(json.loads(path.read_text())["annotations"]) > len(
            read_annotations(path, COCO).keypoints
        )


def test_names_that_look_the_same(tmp_path):
    """é as one sign, as most systems write it, and as e with an accent, as some do."""
    data = content(2)
    one, two = "caf\u00e9.jpg", "cafe\u0301.jpg"
    data["images"][1]["file_name"] = one
    path = write(tmp_path, data)
    (tmp_path / "images" / one).rename(tmp_path / "images" / two)
    with pytest.raises(ValueError, match="no such file, but one whose name only looks the same"):
        KeypointDataset(path, tmp_path / "images", TRIANGLE)
    data["images"][1]["file_name"] = "\u00e9/003.jpg"
    path = write(tmp_path, data)
    (tmp_path / "images" / "e\u0301").mkdir()
    (tmp_path / "images" / "003.jpg").rename(tmp_path / "images" / "e\u0301" / "003.jpg")
    with pytest.raises(ValueError, match="no such file, but one whose name only looks the same"):
        KeypointDataset(path, tmp_path / "images", TRIANGLE)
    data = content(2)
    names = ["t\u00eate", "left", "right"]
    data["categories"][0]["keypoints"] = ["te\u0302te", *names[1:]]
    skeleton = dataclasses.replace(TRIANGLE, keypoints=tuple(names))
    assert len(read_annotations(write(tmp_path, data), skeleton).keypoints) == 2
    path = tmp_path / "skeleton.yaml"
    path.write_text("name: one\nkeypoints: [t\u00eate, left]\nsigmas: [0.1, 0.1]\n"
                    "flip_pairs: []\nlimbs: [[te\u0302te, left]]\n", encoding="utf-8")  # fmt: skip
    assert read_skeleton(path).limbs == ((0, 1),)
