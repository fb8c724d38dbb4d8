"""Distributions of a data set, against values worked out by hand."""

import copy

import pytest

from sparse_ae.crowds import CrowdConfig
from sparse_ae.crowds.statistics import HISTOGRAMS, statistics
from sparse_ae.datasets import CrowdDataset

NAMES = ["a", "b", "c", "d"]


def person(number, image, box, *joints, **fields):
    """Return a person; joints: x, y, v of four keypoints."""
    return {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "bbox": list(box),
            "keypoints": [value for joint in joints for value in joint],
            "num_keypoints": sum(joint[2] > 0 for joint in joints), **fields}  # fmt: skip


NONE = (0, 0, 0)
# image 1: a box of 40 × 40 with four labelled joints of its own, one of them hidden, and one of
# the other's two inside; a box of 10 × 10 with none of the first's. Image 2: one person alone.
DATA = {
    "categories": [{"id": 1, "name": "person", "keypoints": NAMES}],
    "images": [
        {"id": 1, "width": 100, "height": 50, "crowdIndex": 0.25},
        {"id": 2, "width": 40, "height": 80, "crowdIndex": 0.0},
        {"id": 3, "width": 40, "height": 80},
    ],
    "annotations": [
        person(1, 1, (0, 0, 40, 40), (5, 5, 2), (6, 6, 2), (7, 7, 1), (8, 8, 2)),
        person(2, 1, (35, 35, 10, 10), (39, 39, 2), (44, 44, 1), NONE, NONE),
        person(3, 2, (0, 0, 20, 80), (1, 1, 2), NONE, NONE, NONE),
        person(4, 2, (0, 0, 9, 9), (1, 1, 2), (1, 1, 2), (1, 1, 2), (1, 1, 2), iscrowd=1),
        person(5, 3, (0, 0, 9, 9), NONE, NONE, NONE, NONE),
        person(6, 3, (0, 0, 9, 9), (1, 1, 2), NONE, NONE, NONE, num_keypoints=0),
    ],
}


def filled(found, name):
    """Return the lower edges of the bins that are not empty, with their counts."""
    histogram = found["histograms"][name]
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1
    pairs = zip(histogram["edges"], histogram["counts"], strict=False)
    return {edge: count for edge, count in pairs if count}


def test_worked_out_by_hand():
    found = statistics(DATA)
    assert (found["images"], found["persons"]) == (2, 3)
    assert filled(found, "persons") == {1: 1, 2: 1}
    # 40/100, 10/100, sqrt(1600)/80
    assert filled(found, "scale") == {0.1: 1, 0.4: 1, 0.5: 1}
    assert filled(found, "scale_spread") == {4.0: 1}
    # image 1: (1/4 + 0/2) / 2 = 0.125
    assert filled(found, "crowd_index") == {0.0: 1, 0.1: 1}
    assert filled(found, "crowd_index_given") == {0.0: 1, 0.2: 1}
    assert filled(found, "hidden") == {0.0: 1, 0.25: 1, 0.5: 1}
    assert filled(found, "unlabelled") == {0.0: 1, 0.5: 1, 0.75: 1}
    assert found["joints"] == {"a": [0, 0, 3], "b": [1, 1, 1], "c": [2, 1, 0], "d": [2, 0, 1]}
    assert found["difficulty"] == {"easy": 2, "medium": 0, "hard": 0}
    scale = found["histograms"]["scale"]
    assert scale["mean"] == pytest.approx((0.4 + 0.1 + 0.5) / 3, abs=1e-4)
    assert scale["quantiles"][2] == 0.4
    assert scale["what"] == HISTOGRAMS["scale"][0]


def test_what_lies_beyond_the_bins_is_in_the_last():
    data = copy.deepcopy(DATA)
    data["annotations"][0]["bbox"] = [0, 0, 400, 400]
    assert filled(statistics(data), "scale") == {0.1: 1, 0.5: 1, 0.975: 1}


def test_bounds_of_difficulty_belong_to_the_harder():
    data = copy.deepcopy(DATA)
    data["annotations"][0]["bbox"] = [0, 0, 38, 38]  # no joint of another: 0
    data["annotations"][1]["bbox"] = [0, 0, 5, 5]  # one of the other's four, of two own: 1/2 / 2
    data["annotations"][1]["keypoints"][6:9] = [90, 1, 2]
    data["annotations"][1]["keypoints"][9:] = [90, 1, 2]  # now four own: 1/4 / 2
    assert filled(statistics(data), "crowd_index") == {0.0: 1, 0.1: 1}
    data["annotations"][1]["bbox"] = [0, 0, 10, 10]  # all four of the other's: 4/4 / 2
    assert statistics(data)["difficulty"] == {"easy": 1, "medium": 1, "hard": 0}


def test_order_and_others_do_not_matter():
    data = copy.deepcopy(DATA)
    data["annotations"].reverse()
    data["images"].reverse()
    assert statistics(data) == statistics(DATA)
    data["annotations"] = [p for p in data["annotations"] if p["id"] < 4]
    assert statistics(data) == statistics(DATA)


def test_missing_fields():
    data = copy.deepcopy(DATA)
    for row in data["annotations"][:3]:
        del row["num_keypoints"]
    del data["images"][1]["crowdIndex"]
    expected = statistics(DATA)
    del expected["histograms"]["crowd_index_given"]
    assert statistics(data) == expected


def test_no_person_is_no_histogram():
    found = statistics({**DATA, "annotations": []})
    assert (found["images"], found["persons"], found["histograms"]) == (0, 0, {})


def test_bad_annotations_are_named():
    data = copy.deepcopy(DATA)
    data["annotations"][2]["image_id"] = 9
    with pytest.raises(ValueError, match="annotation 3: no image has id 9"):
        statistics(data)
    data["annotations"][1]["keypoints"].pop()
    with pytest.raises(ValueError, match="annotation 2: expected x, y, v of 4 keypoints"):
        statistics(data)


def test_statistics_of_rendered_crowds(tmp_path):
    config = CrowdConfig(split="val", size=96, persons=(2, 5))
    crowds = CrowdDataset(config, 8, tmp_path, workers=1)
    found = statistics(crowds.ground_truth())
    scenes = list(crowds)
    assert found["images"] == 8
    assert found["persons"] == sum(len(scene.keypoints) for scene in scenes)
    histograms = found["histograms"]
    assert histograms["crowd_index"]["counts"] == histograms["crowd_index_given"]["counts"]
    for name, of in (("persons", "images"), ("scale", "persons"), ("hidden", "persons")):
        assert sum(histograms[name]["counts"]) == found[of]
    assert set(histograms) == set(HISTOGRAMS)
