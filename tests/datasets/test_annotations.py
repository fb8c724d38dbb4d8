"""Annotations: read as they are, broken ones told by file, record and remedy, truth for AP."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bad_inputs.people import BROKEN
from bad_inputs.settings import SKELETON
from photos import TRIANGLE, content, person, write
from pycocotools import mask as rle

from sparse_ae.datasets.annotations import ground_truth, read_annotations
from sparse_ae.datasets.loss_masks import downsample_mask, loss_mask, read_region
from sparse_ae.metrics import crowd_index, keypoint_ap
from sparse_ae.skeleton import COCO, CROWDPOSE, read_skeleton

IDENTITY = np.eye(2, 3)


def test_persons_are_those_with_a_labelled_joint_and_no_crowd(tmp_path):
    data = content(2)
    data["annotations"] += [
        person(7, 1, num_keypoints=0),  # labelled all the same, as in CrowdPose
        person(8, 1, keypoints=[0] * 9, num_keypoints=0),
        person(9, 2, iscrowd=1),
        person(10, 2, category_id=3),
    ]
    found = read_annotations(write(tmp_path, data), TRIANGLE)
    assert found.ids.tolist() == [1, 2]
    assert found.names == ("001.jpg", "002.jpg")
    assert found.sizes.tolist() == [[96, 64]] * 2
    keypoints, boxes = found.persons(0)
    assert keypoints.shape == (2, 3, 3)
    assert keypoints[0].ravel().tolist() == data["annotations"][0]["keypoints"]
    assert boxes[1].tolist() == data["annotations"][2]["bbox"]
    assert len(found.persons(1)[0]) == 1
    assert [len(regions) for regions in found.regions] == [1, 1]
    second = found.only([1])
    assert np.array_equal(second.persons(0)[0], found.persons(1)[0])
    assert (second.names, len(second.keypoints)) == (("002.jpg",), 1)


@pytest.mark.parametrize(("damage", "message"), BROKEN)
def test_a_broken_record_is_told_or_skipped_and_listed(tmp_path, damage, message):
    data = content(3)
    damage(data)
    path = tmp_path / "people.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=f"people.json: .*{message}.*skip_broken=True"):
        read_annotations(path, TRIANGLE)
    found = read_annotations(path, TRIANGLE, skip_broken=True)
    assert 1 in found.ids
    assert 3 in found.ids
    assert len(found.keypoints) == 2
    assert any(str(path) in line for line in found.broken)
    truth = ground_truth(path, TRIANGLE, skip_broken=True)
    assert {101, 103} <= {p["id"] for p in truth["annotations"]}
    detections = [{**p, "score": 1.0} for p in truth["annotations"] if not p["iscrowd"]]
    assert keypoint_ap(truth, detections, TRIANGLE)["AP"] == pytest.approx(1)
    assert len(found.broken) == (2 if data["images"][1]["id"] == [] else 1)


def test_a_person_that_cannot_be_used_becomes_a_region(tmp_path):
    data = content(2)
    data["annotations"][1]["keypoints"] = [1, 2, 2]
    found = read_annotations(write(tmp_path, data), TRIANGLE, skip_broken=True)
    assert found.regions[1][0].tolist() == data["annotations"][1]["bbox"]


def test_a_file_that_is_none_cannot_be_skipped(tmp_path):
    path = tmp_path / "people.json"
    for text, message in (("[1", "cut short or no JSON"), ("[]", "expected COCO's format")):
        path.write_text(text)
        with pytest.raises(ValueError, match=f"people.json: {message}"):
            read_annotations(path, TRIANGLE, skip_broken=True)


def test_a_skeleton_from_a_file(tmp_path):
    path = tmp_path / "skeleton.yaml"
    path.write_text(SKELETON)
    assert read_skeleton(path) == TRIANGLE
    path.write_text(SKELETON + "order: [right, top, left]")
    assert read_skeleton(path).order == (2, 0, 1)


def test_regions_by_hand():
    box = np.array([2, 2, 6, 4], np.float32)
    everything = loss_mask([], np.zeros((0, 4)), IDENTITY, (16, 12))
    assert everything.shape == (12, 16)
    assert everything.all()
    outline = read_region([[2, 2, 8, 2, 8, 6, 2, 6]], box, 16, 12)
    mask = loss_mask(outline, np.array([[0.0, 0, 16, 12]]), IDENTITY, (16, 12))
    assert not mask[3:5, 3:7].any()
    assert mask[[0, 7, 3, 3], [4, 4, 0, 9]].all()
    plain = loss_mask(
        read_region(None, box, 16, 12), np.array([[5.0, 0, 9, 12]]), IDENTITY, (16, 12)
    )
    assert not plain[3:5, 3:4].any()  # the box of a labelled person is left out of it
    assert plain[3:5, 6:].all()


def test_run_lengths_are_ignored_to_the_pixel():
    mask = np.zeros((12, 16), np.uint8, order="F")
    mask[3:9, 5:7] = mask[2, 1] = 1
    coded = rle.encode(mask)
    text = {"size": [12, 16], "counts": coded["counts"].decode()}
    runs = np.diff(np.flatnonzero(np.diff(mask.ravel("F"), prepend=0, append=1 - mask[-1, -1])),
                   prepend=0).tolist()  # fmt: skip
    for segmentation in (text, {"size": [12, 16], "counts": runs}):
        region = read_region(segmentation, np.zeros(4), 16, 12)
        found = loss_mask(region, np.zeros((0, 4)), IDENTITY, (16, 12))
        assert np.array_equal(found, mask == 0)


def test_a_cell_counts_if_more_than_half_of_it_does():
    mask = np.ones((4, 8), bool)
    mask[:2, :4] = False  # exactly half of the first cell
    mask[0, 4:] = False
    assert downsample_mask(mask, 4).tolist() == [[False, True]]


def test_truth_for_average_precision(tmp_path):
    data = content(2)
    for p in data["annotations"]:
        del p["area"], p["num_keypoints"]
    data["annotations"].append(person(9, 2, num_keypoints=0))
    path = write(tmp_path, data)
    truth = ground_truth(path, TRIANGLE, crowd=True)
    assert [p["area"] for p in truth["annotations"]] == [0.53 * 26 * 40] * 2 + [500.0]
    assert [p["num_keypoints"] for p in truth["annotations"]] == [3, 3, 0]
    assert [image["crowdIndex"] for image in truth["images"]] == [0.0, 0.0]
    found = [{**p, "score": 0.5} for p in truth["annotations"][:2]]
    assert keypoint_ap(truth, found, TRIANGLE, crowd=True)["AP"] == pytest.approx(1)
    assert [p["id"] for p in ground_truth(path, TRIANGLE, [2])["annotations"]] == [102, 9]


@pytest.mark.slow
@pytest.mark.parametrize("crowd", [False, True])
def test_truth_of_crowdpose_gives_the_official_figures(real, golden, crowd):
    path, folder = real / "crowdpose/json/crowdpose_val.json", golden / "eval"
    chosen = json.loads((folder / "image_ids_31.json").read_text())
    truth = ground_truth(path, CROWDPOSE, chosen, crowd=crowd)
    found = json.loads((folder / "preds_31.json").read_text())
    numbers = json.loads((folder / "numbers.json").read_text())["31"]["crowdposetools"]
    result = keypoint_ap(truth, found, CROWDPOSE, crowd=crowd)
    assert result["AP"] == pytest.approx(numbers["AP"], abs=1e-12)


def test_a_missing_crowd_index_is_computed(real, tmp_path):
    data = json.loads((real / "crowdpose/json/crowdpose_sample.json").read_text())
    for image in data["images"]:
        del image["crowdIndex"]
    path = tmp_path / "sample.json"
    path.write_text(json.dumps(data))
    for image in ground_truth(path, CROWDPOSE, crowd=True)["images"]:
        people = [p for p in data["annotations"]
                  if p["image_id"] == image["id"] and p["num_keypoints"]]  # fmt: skip
        keypoints = np.reshape([p["keypoints"] for p in people], (-1, 14, 3))
        expected = crowd_index(keypoints, [p["bbox"] for p in people])
        assert image["crowdIndex"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("file", "skeleton", "images", "persons"),
    [
        ("coco/annotations/person_keypoints_train2017.json", COCO, 103, 282),
        ("coco/annotations/person_keypoints_val2017.json", COCO, 93, 315),
        # 7,074 with num_keypoints, 954 labelled with 0, less 66 labelled in crowd regions
        ("crowdpose/json/crowdpose_val.json", CROWDPOSE, 2000, 7962),
    ],
)
def test_real_annotations(real, file, skeleton, images, persons):
    found = read_annotations(real / file, skeleton)
    assert (len(found), len(found.keypoints), found.broken) == (images, persons, ())
