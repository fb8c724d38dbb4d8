"""Data that is odd but not wrong: nobody in it, two hundred in a scene, one pixel, a hundred
million."""

from __future__ import annotations

import json
import math
import re

import cv2
import numpy as np
import pytest
import torch
from photos import TRIANGLE, content, custom_preset, person, write

from sparse_ae.cli import main
from sparse_ae.datasets.keypoint_dataset import KeypointDataset
from sparse_ae.decoding import decode
from sparse_ae.evaluation.evaluation import evaluate
from sparse_ae.evaluation.infer import find_people, views
from sparse_ae.evaluation.photo_files import read_picture
from sparse_ae.evaluation.predictor import Usage
from sparse_ae.grouping import group
from sparse_ae.losses import grouping_loss, scale_loss
from sparse_ae.metrics import crowd_index, group_margin, grouping_accuracy, keypoint_ap, linearity
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.settings import AugmentSettings, DecodeSettings
from sparse_ae.skeleton import COCO
from sparse_ae.targets import heatmap_targets
from sparse_ae.training.batches import Targets, collate

CROWD = 200
PLACES = np.stack(np.meshgrid(np.arange(20), np.arange(10)), -1).reshape(-1, 1, 2) * 24 + 14
JOINTS = (PLACES + np.array([[0, 0], [6, 8], [-6, 8]])).astype(float)  # (200, 3, 2)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return PoseNet(3, 2, (4, 4, 4, 4, 4)).eval()


def crowd() -> dict:
    """Annotations of one photo of 512 × 256 pixels with 200 persons."""
    data = content(1)
    data["images"][0] |= {"width": 512, "height": 256}
    data["annotations"] = [
        person(number, 1, keypoints=[v for x, y in joints for v in (x, y, 2)],
               bbox=[*(joints.min(0) - 3), 18.0, 14.0], area=200.0)
        for number, joints in enumerate(JOINTS, 1)
    ]  # fmt: skip
    return data


def test_two_hundred_persons_in_a_scene(tmp_path):
    path = write(tmp_path, crowd())
    cv2.imwrite(str(tmp_path / "images" / "001.jpg"), np.full((256, 512, 3), 90, np.uint8))
    data = KeypointDataset(path, tmp_path / "images", TRIANGLE)
    assert len(data[0].keypoints) == CROWD
    sample = data.random_view(0, 512, AugmentSettings(flip=0.0), np.random.default_rng(0))
    assert len(sample.keypoints) == len(sample.boxes) == len(sample.scale) == CROWD
    batch = collate([sample], Targets())
    assert batch.joints.shape[:2] == batch.visible.shape[:2] == (1, CROWD)
    tags = torch.randn(1, CROWD, 3, 8, generator=torch.Generator().manual_seed(0))
    losses = (*grouping_loss(tags, batch.visible), scale_loss(tags, batch.visible, batch.scale))
    assert all(loss.isfinite() for loss in losses)
    truth = data.ground_truth()
    found = [{**one, "score": 1 - one["id"] / 1000} for one in truth["annotations"]]
    # 20 detections an image count: right up to a recall of 0.1, that is at 11 of 101 places
    assert keypoint_ap(truth, found, TRIANGLE)["AP"] == pytest.approx(11 / 101)


@pytest.mark.parametrize("rule", ["released", "higherhrnet"])
def test_two_hundred_persons_are_grouped_and_decoded(rule):
    tags = 3.0 * np.arange(CROWD)[:, None] * np.ones((1, 3))  # (200, 3)
    assert grouping_accuracy(tags[..., None], np.ones((CROWD, 3), bool), (0, 1, 2), rule=rule) == 1
    xy = JOINTS.transpose(1, 0, 2)
    people = group(xy, np.full((3, CROWD), 0.9), tags.T[..., None], (0, 1, 2), rule=rule)
    assert np.array_equal(people[..., :2], JOINTS)
    seen = np.ones((CROWD, 3), bool)
    heatmaps = heatmap_targets(JOINTS, seen, (256, 512), sigma=1.0)
    maps = np.zeros((3, 1, 256, 512), np.float32)
    for number, joints in enumerate(JOINTS.astype(int)):
        for kind, (x, y) in enumerate(joints):
            maps[kind, 0, y - 2 : y + 3, x - 2 : x + 3] = 3.0 * number
    found = decode(heatmaps, maps, TRIANGLE, rule=rule, max_people=CROWD)
    order = np.argsort(found.tags[:, 0])
    assert np.abs(found.keypoints[order, :, :2] - JOINTS - 0.5).max() == 0.25
    assert len(decode(heatmaps, maps, TRIANGLE, rule=rule).scores) < 3 * 30 + 1


def test_measures_of_two_hundred_persons_and_of_nobody():
    tags, seen = np.random.default_rng(0).normal(size=(CROWD, 3, 8)), np.ones((CROWD, 3), bool)
    assert all(math.isfinite(value) for value in linearity(tags, seen))
    assert math.isfinite(group_margin(tags, seen))
    assert math.isnan(group_margin(tags[:0], seen[:0]))
    assert all(math.isnan(value) for value in linearity(tags[:0], seen[:0]))
    assert math.isnan(grouping_accuracy(tags[:0], seen[:0], (0, 1, 2)))
    assert crowd_index(np.zeros((0, 3, 3)), np.zeros((0, 4))) == 0


def nobody(**changes) -> dict:
    """Two photos without a person."""
    return content(2) | {"annotations": []} | changes


def test_a_data_set_without_a_person(tmp_path, net):
    path = write(tmp_path, nobody())
    with pytest.raises(ValueError, match=r"people.json: no photo with a labelled person in .*imag"):
        KeypointDataset(path, tmp_path / "images", TRIANGLE, empty=False)
    data = KeypointDataset(path, tmp_path / "images", TRIANGLE)
    assert [len(sample.keypoints) for sample in data] == [0, 0]
    result = evaluate(net, data, DecodeSettings(), 64, examples=(0, 1), keep_detections=True,
                      progress=False)  # fmt: skip
    assert all(map(math.isnan, result.metrics.values())), result.metrics
    assert result.per_image["image_id"].tolist() == [1, 2]
    assert result.per_image["persons"].tolist() == [0, 0]
    assert result.matches["match_persons"].tolist() == [0, 0]
    assert result.examples["example_tags"].shape[:2] == (2, 0)
    empty = write(tmp_path, nobody(images=[]))
    with pytest.raises(ValueError, match=r"people.json: no photo with a labelled person"):
        KeypointDataset(empty, tmp_path / "images", TRIANGLE)


def test_a_run_on_photos_of_nobody_is_told_before_it_begins(tmp_path, capsys):
    preset = custom_preset(tmp_path, nobody())
    assert main(["train", "--preset", str(preset), "--root", str(tmp_path / "runs")]) == 1
    error = capsys.readouterr().err
    assert re.search(r"people.json: no photo with a labelled person in .*images", error)
    assert not list(tmp_path.glob("runs/**/*.*"))


def test_a_picture_of_one_pixel(tmp_path, net):
    data = content(1)
    data["images"][0] |= {"width": 1, "height": 1}
    data["annotations"][0] |= {"keypoints": [0, 0, 2] * 3, "bbox": [0, 0, 1, 1]}
    path = write(tmp_path, data)
    picture = tmp_path / "images" / "001.jpg"
    cv2.imwrite(str(picture), np.full((1, 1, 3), 200, np.uint8))
    data = KeypointDataset(path, tmp_path / "images", TRIANGLE)
    random = data.random_view(0, 64, AugmentSettings(), np.random.default_rng(0))
    for sample, side in ((data[0], 1), (random, 64)):
        assert sample.image.shape == (side, side, 3)
        assert np.isfinite(sample.keypoints).all()
        assert np.isfinite(sample.scale).all()
    evaluated = evaluate(net, data, DecodeSettings(min_score=0.0), 64, progress=False)
    assert evaluated.per_image["persons"].tolist() == [1]
    with pytest.raises(ValueError, match="too small to show anybody"):
        read_picture(picture)
    photo = np.full((1, 1, 3), 200, np.uint8)
    people = find_people(net, photo, TRIANGLE, 64, DecodeSettings(min_score=0.0))
    assert all(np.isfinite(part).all() for part in people)
    assert heatmap_targets(np.zeros((1, 3, 2)), np.ones((1, 3), bool), 1).tolist() == [[[1.0]]] * 3
    one = decode(np.full((3, 1, 1), 0.9), np.zeros((3, 1, 1, 1)), TRIANGLE)
    assert one.keypoints.tolist() == [[[0.25, 0.25, pytest.approx(0.9)]] * 3]


@pytest.mark.slow
def test_a_picture_of_a_hundred_million_pixels(tmp_path, net):
    side = 10_000
    data = content(1)
    data["images"][0] |= {"width": side, "height": side}
    joints = [4000, 2000, 2, 5000, 7000, 2, 3000, 7000, 2]
    data["annotations"][0] |= {"keypoints": joints, "bbox": [2500, 1500, 3000, 6000]}
    path = write(tmp_path, data)
    picture = tmp_path / "images" / "001.jpg"
    image = np.full((side, side, 3), 60, np.uint8)
    cv2.circle(image, (4000, 2000), 200, (0, 0, 255), -1)
    cv2.imwrite(str(picture), image, [cv2.IMWRITE_JPEG_QUALITY, 50])
    matrix = views(image, 512)[1]
    data = KeypointDataset(path, tmp_path / "images", TRIANGLE)
    sample = data.view(0, matrix, False, (512, 512))
    x, y = np.rint(sample.keypoints[0, 0, :2]).astype(int)
    assert (x, y) == (204, 102)
    assert sample.image[y, x, 0] > 200  # red is first
    assert sample.image[y, x + 30, 0] < 80
    people = find_people(net, image, TRIANGLE, 64, DecodeSettings(min_score=0.0))
    assert all(np.isfinite(part).all() for part in people)
    message = r"001.jpg: 10000 × 10000 pixels, more than 80 million: make it smaller"
    with pytest.raises(ValueError, match=message):  # for predict, which draws on it
        read_picture(picture)


def test_maps_of_a_large_view_are_decoded():
    heatmaps = np.zeros((3, 1500, 1500), np.float32)
    for kind in range(3):
        heatmaps[kind, 1400, 20 + 700 * kind] = 0.9
    found = decode(heatmaps, np.zeros((3, 1, 1500, 1500), np.float32), TRIANGLE)
    assert found.keypoints[0, :, 0].tolist() == [20.25, 720.25, 1420.25]


def test_figures_of_nobody_are_null_where_nothing_is_defined(tmp_path, monkeypatch, capsys):
    """`sparse-ae evaluate --data`, on COCO's folders without a person."""
    data = nobody()
    data["categories"][0]["keypoints"] = list(COCO.keypoints)
    path = write(tmp_path / "coco", data)
    (tmp_path / "coco/annotations").mkdir()
    path.rename(tmp_path / "coco/annotations/person_keypoints_val2017.json")
    (tmp_path / "coco/images").rename(tmp_path / "coco/val2017")
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    weights, record = tmp_path / "net.safetensors", tmp_path / "record.json"
    save_checkpoint(PoseNet(17, 2, (4, 4, 4, 4, 4)), weights, Usage(64, COCO).to_dict())
    words = ["evaluate", "--data", "coco", "--split", "val", "--weights", str(weights)]
    assert main([*words, "--record", str(record)]) == 0
    assert "nan" in capsys.readouterr().out
    assert json.loads(record.read_text())["metrics"]["AP"] is None
