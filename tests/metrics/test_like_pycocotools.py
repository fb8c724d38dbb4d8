"""All figures against pycocotools, on whatever annotations and detections hypothesis thinks of."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as rle
from pycocotools.coco import COCO as Index
from pycocotools.cocoeval import COCOeval
from synthetic import PAIR

from sparse_ae.metrics import ap_of_matches, keypoint_ap, keypoint_matches

NAMES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
IMAGES = (40_000, 3, 2**40)
CATEGORIES = (2, 1)
CROWD_AREA = 0.53

# few different places and sizes, about the borders of 32² and 96², so that equals meet
places = st.sampled_from([0.0, 3.0, 10.0, 32.0, 96.0, 200.0, -50.0])
sides = st.sampled_from([0.0, 1.0, 31.9, 32.0, 33.0, 96.0, 96.1, 300.0])
boxes = st.tuples(places, places, sides, sides).map(list)
scores = st.sampled_from([0.0, 0.25, 0.5, 0.5000001, 1.0, -1.0, 3.0])
images = st.sampled_from(IMAGES)
areas = st.sampled_from([0.0, 100.0, 1023.9, 1024.0, 9216.0, 9216.1, 1e5, 1e10, 2e10])
joints = st.tuples(places, places)


@st.composite
def persons(draw, category):
    points = [draw(joints) for _ in range(2)]
    seen = [draw(st.integers(0, 2)) for _ in range(2)]
    labelled = sum(v > 0 for v in seen)
    count = draw(st.sampled_from([labelled, labelled, 0, 2]))  # CrowdPose has counts of its own
    return {
        "image_id": draw(images), "category_id": draw(category), "bbox": draw(boxes),
        "area": draw(areas), "iscrowd": draw(st.sampled_from([0, 0, 0, 1])),
        "num_keypoints": count,
        "keypoints": [v for (x, y), s in zip(points, seen, strict=True) for v in (x, y, s)],
    }  # fmt: skip


@st.composite
def cases(draw, categories):
    """Annotations and detections, some of which sit on a person, all with a bbox or none."""
    category = st.sampled_from(categories)
    people = draw(st.lists(persons(category), max_size=8))
    found = []
    kind = draw(st.sampled_from(["keypoints", "bbox", "segmentation"]))
    for _ in range(draw(st.integers(1, 30))):
        one = {"image_id": draw(images), "category_id": draw(category), "score": draw(scores)}
        points = [v for _ in range(2) for v in (*draw(joints), 1.0)]
        if people and draw(st.booleans()):
            person = draw(st.sampled_from(people))
            one |= {field: person[field] for field in ("image_id", "category_id")}
            points = [float(v) + draw(st.sampled_from([0.0, 0.0, 1.0, 3.0, 10.0])) for v in
                      person["keypoints"]]  # fmt: skip
        one["keypoints"] = points
        if kind == "bbox":
            one["bbox"] = draw(boxes)
        elif kind == "segmentation":
            mask = np.zeros((320, 320), np.uint8, order="F")
            mask[: draw(st.integers(1, 320)), :32] = 1
            one["segmentation"] = rle.encode(mask)
        found.append(one)
    return {
        "images": [{"id": i, "crowdIndex": level} for i, level in
                   zip(IMAGES, (0.1, 0.2, 0.8), strict=True)],
        "annotations": [{**p, "id": number} for number, p in enumerate(people, 1)],
        "categories": [{"id": c} for c in categories],
    }, found  # fmt: skip


def by_pycocotools(data: dict, found: list[dict], ids=IMAGES) -> dict[str, float]:
    """The ten figures, nan where pycocotools says −1."""
    with contextlib.redirect_stdout(io.StringIO()):
        index = Index()
        index.dataset = {**data, "annotations": [dict(p) for p in data["annotations"]]}
        index.createIndex()
        results = index.loadRes([dict(one) for one in found])
        evaluation = COCOeval(index, results, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(PAIR.sigmas)
        evaluation.params.imgIds = sorted(ids)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: math.nan if value == -1 else value
            for name, value in zip(NAMES, evaluation.stats, strict=True)}  # fmt: skip


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(cases(CATEGORIES))
def test_ten_figures_of_coco(case):
    data, found = case
    expected = by_pycocotools(data, found)
    assert keypoint_ap(data, found, PAIR) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(cases((1,)))
def test_figures_of_crowdpose(case):
    """Its evaluation is COCO's with other areas, without their ranges, and by crowd index."""
    data, found = case
    found = [{k: v for k, v in one.items() if k not in ("bbox", "segmentation")} for one in found]
    boxed = [{**p, "area": CROWD_AREA * p["bbox"][2] * p["bbox"][3]} for p in data["annotations"]]
    boxed = {**data, "annotations": boxed}
    ours = keypoint_ap(data, found, PAIR, crowd=True)
    expected = by_pycocotools(boxed, found)
    for name, image in zip(("easy", "medium", "hard"), IMAGES, strict=True):
        expected[f"AP_{name}"] = by_pycocotools(boxed, found, [image])["AP"]
    assert ours == pytest.approx({k: expected[k] for k in ours}, abs=1e-12, nan_ok=True)
    assert len(ours) == 9
    matches = keypoint_matches(data, found, PAIR, crowd=True)
    levels = [dict(zip(IMAGES, (0.1, 0.2, 0.8), strict=True))[i] for i in sorted(IMAGES)]
    assert ap_of_matches(matches, levels) == pytest.approx(ours, nan_ok=True)


def one_of(size: float, **fields) -> tuple[dict, list[dict]]:
    """A person of 40² pixels, and beside a right detection one of nobody, 50 pixels large."""
    person = {"image_id": 1, "category_id": 1, "keypoints": [0.0, 0, 2, 40, 40, 2]}
    truth = {**person, "id": 1, "bbox": [0, 0, 40, 40], "area": 1600.0, "num_keypoints": 2}
    data = {"images": [{"id": 1}], "categories": [{"id": 1}], "annotations": [truth]}
    nobody = {**person, "keypoints": [500.0, 500, 1, 500 + size, 500 + size, 1], "score": 0.9}
    return data, [{**nobody, **fields}, {**person, "score": 0.5, **fields}]


def test_the_area_is_that_of_the_box_where_results_carry_one():
    """By hand: a false detection of a large area does not count among the medium persons."""
    assert keypoint_ap(*one_of(50), PAIR)["APM"] == pytest.approx(0.5)
    assert keypoint_ap(*one_of(200), PAIR)["APM"] == pytest.approx(1)
    assert keypoint_ap(*one_of(50, bbox=[0, 0, 200, 200]), PAIR)["APM"] == pytest.approx(1)
    assert keypoint_ap(*one_of(200, bbox=[0, 0, 50, 50]), PAIR)["APM"] == pytest.approx(0.5)


@pytest.mark.parametrize("box", [None, [0, 0, 5], "box", [0, 0, math.nan, 1]])
def test_a_box_in_the_first_only_is_told(box):
    data, found = one_of(50, bbox=[0, 0, 50, 50])
    found[1]["bbox"] = box
    with pytest.raises(ValueError, match="detections: the first has a bbox, and all areas"):
        keypoint_ap(data, found, PAIR)
    del found[1]["bbox"]
    with pytest.raises(ValueError, match="detections: the first has a bbox, and all areas"):
        keypoint_ap(data, found, PAIR)


@pytest.mark.parametrize("field", ["images", "categories"])
def test_ids_of_several_types_are_told(field):
    data, found = one_of(50)
    data[field].append({"id": "one"})
    with pytest.raises(ValueError, match=f"annotations: {field}: ids of several types .int, str"):
        keypoint_ap(data, found, PAIR)
