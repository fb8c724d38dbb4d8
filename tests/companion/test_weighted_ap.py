"""Average precision of resampled images: as if each image were listed as often as it was drawn."""

import numpy as np
import pytest
from synthetic import PAIR, make_matches

from sparse_ae.companion.statistics.bootstrap import draw_resamples
from sparse_ae.companion.statistics.weighted_ap import (
    average_precision,
    in_level,
    precisions,
    rank_detections,
    select_images,
)
from sparse_ae.evaluation.evaluation import pack_matches
from sparse_ae.metrics import keypoint_ap, keypoint_matches


def world(seed, images=12):
    """Annotations and detections of random persons, some to be ignored, some found."""
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    for i in range(images):
        for _ in range(rng.integers(0, 5)):
            place = rng.uniform(0, 100, (2, 2))
            keypoints = np.column_stack((place, (2, 2)))
            low, size = place.min(0), np.ptp(place, axis=0) + 10
            entry = {"image_id": i, "category_id": 1, "bbox": [*low, *size], "id": len(annotations),
                     "keypoints": keypoints.ravel().tolist(), "iscrowd": 0,
                     "num_keypoints": int(rng.random() < 0.8) * 2}  # fmt: skip
            annotations.append(entry)
            for _ in range(rng.integers(0, 3)):
                moved = keypoints + np.array([1, 1, 0]) * rng.normal(0, 6, (2, 1))
                detections.append({"image_id": i, "category_id": 1, "score": rng.random(),
                                   "keypoints": moved.ravel().tolist()})  # fmt: skip
    listed = [{"id": i, "crowdIndex": 0.1 * i} for i in range(images)]
    return {"images": listed, "annotations": annotations, "categories": [{"id": 1}]}, detections


def repeated(annotations, detections, weights):
    """The same with each image listed as often as its weight says."""
    images, persons, found = [], [], []
    for i, weight in enumerate(weights):
        for _ in range(weight):
            new = {"image_id": len(images)}
            images.append({**annotations["images"][i], "id": len(images)})
            persons += [{**p, **new} for p in annotations["annotations"] if p["image_id"] == i]
            found += [{**d, **new} for d in detections if d["image_id"] == i]
    return {**annotations, "images": images, "annotations": persons}, found


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_evaluation_of_the_listed_images(seed):
    annotations, detections = world(seed)
    packed = pack_matches(keypoint_matches(annotations, detections, PAIR, crowd=True))
    weights = draw_resamples(1, 12, 6, seed).images
    ranking = rank_detections(packed)
    found = precisions(ranking, weights)
    assert found.mean(1) == pytest.approx(average_precision(ranking, weights))
    for row, weight in zip(found, weights, strict=True):
        values = [row.mean(), row[0], row[5]]
        wanted = keypoint_ap(*repeated(annotations, detections, weight), PAIR, crowd=True)
        assert values == pytest.approx([wanted[name] for name in ("AP", "AP50", "AP75")], abs=1e-12)


def test_levels_by_hand_and_as_evaluated():
    annotations, detections = world(5)
    level = np.array([image["crowdIndex"] for image in annotations["images"]])
    packed = pack_matches(keypoint_matches(annotations, detections, PAIR, crowd=True))
    wanted = keypoint_ap(annotations, detections, PAIR, crowd=True)
    for name in ("easy", "medium", "hard"):
        found = average_precision(rank_detections(packed), in_level(level, name)[None])
        assert found[0] == pytest.approx(wanted[f"AP_{name}"], abs=1e-12)
    assert in_level(np.array([0.1, 0.2, 0.79, 0.8]), "medium").tolist() == [
        False,
        True,
        True,
        False,
    ]


def test_by_hand():
    """Half of the persons are found at every threshold, the others at the lowest, all before the
    only mistake: 1 at 0.5, and 51 of 101 recalls at the other nine."""
    value = average_precision(
        rank_detections(make_matches(4)), np.array([[1, 1, 1, 1], [0, 3, 0, 1]])
    )
    assert value == pytest.approx([(1 + 9 * 51 / 101) / 10] * 2)


def test_nobody_is_nan_and_nothing_is_zero():
    arrays = make_matches(3)
    assert np.isnan(average_precision(rank_detections(arrays), np.zeros((1, 3), int))).all()
    empty = {name: values[:0] for name, values in arrays.items()} | {"match_persons": np.ones(3)}
    assert average_precision(rank_detections(empty), np.ones((1, 3), int)).tolist() == [0.0]


def test_only_numbers_the_images_anew():
    counted = np.array([False, True, False, True])
    kept = select_images(rank_detections(make_matches(4)), counted)
    assert sorted(kept.image.tolist()) == [0, 0, 0, 1, 1, 1]
    assert kept.persons.tolist() == [2, 2]
    whole = average_precision(rank_detections(make_matches(4)), counted[None].astype(int))
    assert average_precision(kept, np.ones((1, 2), int)) == pytest.approx(whole)


@pytest.mark.parametrize("weights", [np.ones((1, 4)), np.ones(3), -np.ones((1, 3))])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match=r"weights: expected \(R, 3\)"):
        average_precision(rank_detections(make_matches(3)), weights)
