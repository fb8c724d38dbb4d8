"""Evaluation: perfect maps score perfectly, and what each figure is a mean of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from flat import flat_settings
from photos import TRIANGLE, content, write
from torch import nn

from sparse_ae.datasets import KeypointDataset, open_dataset
from sparse_ae.decoding import People
from sparse_ae.evaluation.evaluation import as_results, evaluate
from sparse_ae.evaluation.measures import MEASURES, mean_of_defined, summary
from sparse_ae.metrics import keypoint_ap
from sparse_ae.models import PoseNet
from sparse_ae.models.outputs import PoseOutput
from sparse_ae.settings import DecodeSettings
from sparse_ae.training.batches import Targets, collate

TARGETS = Targets(sigma=1.0)
AP_OF_CROWDS = {"AP", "AP50", "AP75", "AP_easy", "AP_medium", "AP_hard", "AR"}


class Oracle(nn.Module):
    """Answers with the targets, and with one embedding a person, of the scenes in their order."""

    mean, std, keypoints = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0), 14

    def __init__(self, data, gap):
        super().__init__()
        self.data, self.gap, self.next = data, gap, 0

    def forward(self, image):
        samples = [self.data[i] for i in range(self.next, self.next + len(image))]
        self.next += len(image)
        shown = torch.from_numpy(np.stack([sample.image for sample in samples])).permute(0, 3, 1, 2)
        assert torch.allclose(image + 0.5, shown / 255, atol=1e-6)  # a scene is its own view
        stride = TARGETS.strides[0]
        cells = image.shape[2] // stride
        tags = torch.zeros(len(image), 14, 8, cells, cells)
        for b, sample in enumerate(samples):
            joints = (sample.keypoints[..., :2] + 0.5) / stride
            for person, places in enumerate(joints.astype(int)):
                for kind, (x, y) in enumerate(places):
                    if sample.keypoints[person, kind, 2] > 0:
                        tags[b, kind, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = (
                            self.gap * person
                        )
        return PoseOutput(collate(samples, TARGETS).targets, tags)


@pytest.fixture(scope="module")
def smoke():
    settings = flat_settings("smoke", "rve", 0)
    return settings, open_dataset(settings.data, "test")


def evaluated(smoke, gap, **options):
    settings, data = smoke
    return evaluate(Oracle(data, gap), data, settings.decode, settings.data.size, progress=False,
                    **options)  # fmt: skip


def test_the_true_maps_find_nearly_all_and_equal_embeddings_do_not(smoke):
    perfect = evaluated(smoke, 3.0)
    assert perfect.metrics["AP50"] > 0.8
    assert perfect.metrics["grouping_accuracy"] > 0.8  # neighbours share cells of 4 pixels
    assert perfect.metrics["group_margin"] > 1.0
    assert perfect.metrics["closest_gap"] > 1.0
    same = evaluated(smoke, 0.0)
    assert same.metrics["AP50"] < perfect.metrics["AP50"] - 0.1
    assert same.metrics["grouping_accuracy"] < 0.7
    assert same.metrics["group_margin"] == pytest.approx(-1.0)
    assert same.metrics["group_margin_negative"] == 1.0


def test_per_image_arrays_and_examples_fit_the_scenes(smoke):
    settings, data = smoke
    scenes = data.arrays(progress=False)
    result = evaluated(smoke, 3.0, examples=settings.report.examples)
    assert result.per_image["image_id"].tolist() == list(range(1, 25))
    assert result.per_image["persons"].tolist() == scenes["counts"].tolist()
    np.testing.assert_array_equal(result.per_image["crowd_index"], scenes["crowd_index"])
    alone = result.per_image["persons"] == 1
    assert alone.any()
    assert np.isnan(result.per_image["group_margin"][alone]).all()
    examples = result.examples
    assert examples["example_id"].tolist() == list(settings.report.examples)
    for row, index in enumerate(settings.report.examples):
        labelled = scenes["keypoints"][index, : scenes["counts"][index], :, 2] > 0
        assert examples["example_visible"][row, : len(labelled)].tolist() == labelled.tolist()
        assert not examples["example_visible"][row, len(labelled) :].any()
        people = examples["example_people"][row]
        found = people[~np.isnan(people[:, 0, 0])]
        nearest = np.abs(
            found[:, None, :, :2] - scenes["keypoints"][index, None, : len(labelled), :, :2]
        ).max(-1)
        both = (found[:, None, :, 2] > 0) & labelled[None]
        assert np.median(nearest.min(1)[both.any(1)]) < 1.5  # pixels
    assert len(evaluated(smoke, 3.0).examples["example_id"]) == 0


def test_detections_are_kept_if_asked_for(smoke):
    assert evaluated(smoke, 3.0).detections == []
    result = evaluated(smoke, 3.0, keep_detections=True)
    assert len(result.detections) == len(result.matches["match_score"])
    scores = [one["score"] for one in result.detections]
    assert sorted(np.float32(scores)) == sorted(result.matches["match_score"])
    assert {one["image_id"] for one in result.detections} <= set(range(1, 25))


def test_average_precision_is_that_of_all_detections_at_once(smoke, monkeypatch):
    """Images are matched chunk by chunk, so that detections need not be kept."""
    monkeypatch.setattr("sparse_ae.evaluation.evaluation.CHUNK", 5)
    monkeypatch.setattr("sparse_ae.evaluation.evaluation.BATCH", 3)
    data = smoke[1]
    result = evaluated(smoke, 1.2, keep_detections=True)
    whole = keypoint_ap(data.ground_truth(), result.detections, data.skeleton, crowd=True)
    assert 0.1 < whole["AP"] < 0.99
    for name in AP_OF_CROWDS:
        assert result.metrics[name] == pytest.approx(whole[name], abs=1e-12, nan_ok=True), name
    whole = keypoint_ap(data.ground_truth(), result.detections, data.skeleton)
    for name in ("APM", "APL"):
        assert result.metrics[name] == pytest.approx(whole[name], abs=1e-12, nan_ok=True), name


def test_photos_and_crowds_give_the_same_figures(smoke, tmp_path):
    """One evaluation of both: only what is asked for differs, never the names."""
    crowds = evaluated(smoke, 3.0, keep_detections=True)
    photos = KeypointDataset(write(tmp_path, content()), tmp_path / "images", TRIANGLE)
    net = PoseNet(3, 2, (4, 4, 4, 4, 4))
    found = evaluate(net, photos, DecodeSettings(), 64, keep_detections=True, progress=False)
    assert found.metrics.keys() == crowds.metrics.keys()
    assert found.metrics.keys() >= {*AP_OF_CROWDS, *MEASURES, "APM", "APL"}
    assert found.per_image.keys() == crowds.per_image.keys()
    assert found.matches.keys() == crowds.matches.keys()
    assert found.examples.keys() == crowds.examples.keys()
    plain = evaluate(net, photos, DecodeSettings(), 64, progress=False)
    assert plain.metrics.keys() == found.metrics.keys() - {"APM", "APL"}
    for name, value in plain.metrics.items():
        assert found.metrics[name] == pytest.approx(value, nan_ok=True), name
    assert plain.metrics.keys() == evaluated(smoke, 3.0).metrics.keys()


def test_a_method_without_embeddings_has_the_same_figures(smoke):
    settings, data = smoke
    net = PoseNet(14, 0, (4, 4, 4, 4, 4), offsets=True)
    result = evaluate(net, data, settings.decode, 64, progress=False)
    assert result.metrics.keys() == evaluated(smoke, 3.0).metrics.keys()
    assert math.isnan(result.metrics["group_margin"])
    assert 0 <= result.metrics["grouping_accuracy"] <= 1


def test_batches_change_nothing(smoke, monkeypatch):
    """Images of one shape go through the net together; the figures are those of each alone."""
    together = evaluated(smoke, 3.0)
    monkeypatch.setattr("sparse_ae.evaluation.evaluation.BATCH", 1)
    monkeypatch.setattr("sparse_ae.evaluation.evaluation.CHUNK", 3)
    alone = evaluated(smoke, 3.0)
    assert len(together.matches["match_score"]) > 24
    for part in ("per_image", "matches"):
        for name, values in getattr(together, part).items():
            np.testing.assert_array_equal(getattr(alone, part)[name], values, err_msg=name)
    for name, value in together.metrics.items():
        assert alone.metrics[name] == pytest.approx(value, abs=1e-12, nan_ok=True), name


def test_summary_by_hand():
    per_image = {name: np.array([1.0, 2.0, np.nan, 6.0]) for name in MEASURES}
    per_image["group_margin"] = np.array([-1.0, np.nan, 0.5, -2.5])
    per_image["crowd_index"] = np.array([0.0, 0.5, 0.8, 2.0])
    figures = summary(per_image)
    assert figures["grouping_accuracy"] == 3.0
    assert figures["grouping_accuracy_hard"] == 6.0
    assert figures["closest_gap"] == 3.0
    assert figures["closest_gap_hard"] == 6.0
    assert figures["group_margin"] == -1.0
    assert figures["group_margin_hard"] == -1.0
    assert figures["group_margin_negative"] == pytest.approx(2 / 3)
    assert np.isnan(mean_of_defined(np.array([np.nan])))


def test_results_in_coco_format():
    keypoints = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    people = People(keypoints, np.array([0.5], np.float32), np.zeros((1, 8), np.float32))
    assert as_results(people, 7, 1) == [
        {"image_id": 7, "category_id": 1, "keypoints": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "score": 0.5}
    ]
