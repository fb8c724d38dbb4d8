"""Average precision against pycocotools, on made-up crowds with everything that its rules know."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO as Index
from pycocotools.cocoeval import COCOeval
from synthetic import PAIR

from sparse_ae.metrics.average_precision import keypoint_ap
from sparse_ae.metrics.oks import Detections, Persons, match, similarity

NAMES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")


def crowd(seed, images=30, categories=(1,)):
    """Annotations and detections: regions, persons without labelled joints, of all sizes, found
    several times or not at all, with equal scores, more than twenty in an image."""
    generator = np.random.default_rng(seed)
    persons, found = [], []
    ids = generator.permutation(10 * images)[:images].tolist()  # not in order
    for image in ids:
        for _ in range(generator.integers(0, 14)):
            x, y = generator.uniform(0, 400, 2)
            width, height = generator.uniform(10, 160, 2)
            points = generator.uniform((x, y), (x + width, y + height), (2, 2))
            visible = generator.integers(0, 3, (2, 1))
            one = {"image_id": image, "category_id": int(generator.choice(categories))}
            labels = np.hstack([points, visible]).ravel().tolist()
            persons.append({
                **one, "keypoints": labels, "bbox": [x, y, width, height],
                "area": 0.6 * width * height, "iscrowd": int(generator.random() < 0.1),
                "num_keypoints": int((visible > 0).sum()), "id": len(persons) + 1,
            })  # fmt: skip
            for _ in range(generator.integers(0, 6)):
                guess = points + generator.normal(0, 0.1, (2, 2)) * (width, height)
                score = int(generator.integers(1, 9)) / 8
                guess = np.hstack([guess, np.ones((2, 1))]).ravel().tolist()
                found.append({**one, "keypoints": guess, "score": score})
    places = generator.permutation(len(found))
    data = {
        "images": [{"id": image, "crowdIndex": generator.uniform()} for image in ids],
        "annotations": persons,
        "categories": [{"id": category} for category in categories],
    }
    return data, [found[place] for place in places]


def by_pycocotools(data, found):
    with contextlib.redirect_stdout(io.StringIO()):
        index = Index()
        index.dataset = data
        index.createIndex()
        evaluation = COCOeval(index, index.loadRes([dict(one) for one in found]), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(PAIR.sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(NAMES, evaluation.stats, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("categories", [(1,), (3, 1)])
def test_equals_pycocotools(seed, categories):
    data, found = crowd(seed, categories=categories)
    assert max(np.bincount([one["image_id"] for one in found])) > 20
    expected = by_pycocotools(data, found)
    ours = keypoint_ap(data, found, PAIR)
    assert ours == pytest.approx(expected, abs=1e-12)
    assert 0.05 < ours["AP"] < 0.95


def test_levels_are_evaluations_of_their_images_alone():
    data, found = crowd(7)
    whole = keypoint_ap(data, found, PAIR, crowd=True)
    for name, low, high in (("easy", 0, 0.2), ("medium", 0.2, 0.8), ("hard", 0.8, 9)):
        chosen = [image for image in data["images"] if low <= image["crowdIndex"] < high]
        ids = {image["id"] for image in chosen}
        part = [one for one in found if one["image_id"] in ids]
        alone = keypoint_ap({**data, "images": chosen}, part, PAIR, crowd=True)
        assert whole[f"AP_{name}"] == pytest.approx(alone["AP"], abs=1e-12)


def test_the_order_of_entries_does_not_matter():
    data, found = crowd(8)
    found = [{**one, "score": 1 / (1 + i)} for i, one in enumerate(found)]
    turned = {**data, "images": data["images"][::-1]}
    assert keypoint_ap(turned, found[::-1], PAIR) == keypoint_ap(data, found, PAIR)


def test_similarity_by_hand():
    variance = np.array([0.04, 0.09])
    person, box = np.array([[10.0, 10, 2], [20, 20, 1]]), np.array([5.0, 5, 20, 20])
    found = np.array([[13.0, 14, 1], [20, 20, 1]])
    near = np.exp(-25 / 0.04 / 400 / 2)
    assert similarity(found, person, box, 400.0, variance) == pytest.approx((near + 1) / 2)
    person[0, 2] = 0
    assert similarity(found, person, box, 400.0, variance) == 1
    person[1, 2] = 0  # nothing labelled: the box from −15 to 45 counts
    assert similarity(found, person, box, 400.0, variance) == 1
    found[0] = [48, -19, 1]
    assert similarity(found, person, box, 400.0, variance) == pytest.approx((near + 1) / 2)


def test_unknown_images_and_categories_are_told():
    data, found = crowd(9)
    for field in ("image_id", "category_id"):
        with pytest.raises(ValueError, match=f"detections: {field} 9999 is not in annotations"):
            keypoint_ap(data, [*found, {**found[0], field: 9999}], PAIR)


def test_what_is_matched_does_not_depend_on_the_type_of_the_numbers():
    """Also not on that of an area without end, which no machine's integer holds."""
    first = np.array([0, 1])
    box, no = np.array([[0.0, 0, 10, 10]]), np.zeros(1, bool)
    person = Persons(np.array([[[5.0, 5, 2]]]), np.array([100.0]), box, no, no, first)
    for apart, found in ((3.3, True), (3.4, False)):  # exp(−d² / (2 · 100 · (2/7)²)) is 0.5 at 3.36
        seen = Detections(np.array([[[5.0 + apart, 5, 1]]]), np.array([50.0]), first)
        for sigma in (np.array([1 / 7]), np.array([1 / 7], np.float16), ["0.142857"]):
            matched, skipped, ignored = match(person, seen, sigma, [0.5], [(0, 10**20), (200, 300)])
            assert matched[:, 0, 0].tolist() == [found] * 2
            assert skipped[:, 0, 0].tolist() == [False, True]
            assert ignored[:, 0].tolist() == [False, True]
