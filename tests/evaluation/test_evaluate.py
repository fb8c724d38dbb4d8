"""Evaluation: perfect maps score perfectly, and what each figure is a mean of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sparse_ae.datasets.augment import Example
from sparse_ae.datasets.preset_crowds import preset_crowds
from sparse_ae.decoding import People
from sparse_ae.evaluation.evaluate import MEASURES, as_results, evaluate, mean_of_defined, summary
from sparse_ae.models.outputs import PoseOutput
from sparse_ae.settings.presets import load_config
from sparse_ae.training.batches import STRIDES, collate


class Oracle(nn.Module):
    """Answers with the targets, and with one embedding a person, of the scenes in their order."""

    mean, std = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)

    def __init__(self, scenes, config, gap):
        super().__init__()
        self.scenes, self.config, self.gap, self.next = scenes, config, gap, 0

    def forward(self, image):
        chosen = range(self.next, self.next + len(image))
        self.next += len(image)
        scenes, counts = self.scenes, self.scenes["counts"]
        examples = [
            Example(scenes["images"][i], scenes["keypoints"][i, : counts[i]],
                    scenes["boxes"][i, : counts[i]])
            for i in chosen
        ]  # fmt: skip
        targets = collate(examples, self.config).targets
        cells = self.config.size // STRIDES[0]
        tags = torch.zeros(len(image), 14, self.config.dim, cells, cells)
        for b, example in enumerate(examples):
            joints = (example.keypoints[..., :2] + 0.5) / STRIDES[0]
            for person, places in enumerate(joints.astype(int)):
                for kind, (x, y) in enumerate(places):
                    if example.keypoints[person, kind, 2] > 0:
                        tags[b, kind, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = (
                            self.gap * person
                        )
        return PoseOutput(targets, tags)


@pytest.fixture(scope="module")
def smoke():
    config = load_config("smoke", "rve", 0)
    scenes = preset_crowds(config, "test")
    return config, scenes.arrays(progress=False), scenes.annotations()


def test_the_true_maps_find_nearly_all_and_equal_embeddings_do_not(smoke):
    config, scenes, annotations = smoke
    perfect = evaluate(Oracle(scenes, config, 3.0), config, scenes, annotations, progress=False)
    assert perfect.metrics["AP50"] > 0.8
    assert perfect.metrics["grouping_accuracy"] > 0.8  # neighbours share cells of 4 pixels
    assert perfect.metrics["group_margin"] > 1.0
    same = evaluate(Oracle(scenes, config, 0.0), config, scenes, annotations, progress=False)
    assert same.metrics["AP50"] < perfect.metrics["AP50"] - 0.1
    assert same.metrics["grouping_accuracy"] < 0.7
    assert same.metrics["group_margin"] == pytest.approx(-1.0)
    assert same.metrics["group_margin_negative"] == 1.0


def test_per_image_arrays_and_examples_fit_the_scenes(smoke):
    config, scenes, annotations = smoke
    result = evaluate(Oracle(scenes, config, 3.0), config, scenes, annotations, progress=False)
    assert result.per_image["image_id"].tolist() == list(range(1, 25))
    assert result.per_image["persons"].tolist() == scenes["counts"].tolist()
    alone = result.per_image["persons"] == 1
    assert np.isnan(result.per_image["group_margin"][alone]).all()
    examples = result.examples
    assert examples["example_id"].tolist() == list(config.examples)
    for row, index in enumerate(config.examples):
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


def test_summary_by_hand():
    per_image = {name: np.array([1.0, 2.0, np.nan, 6.0]) for name in MEASURES}
    per_image["group_margin"] = np.array([-1.0, np.nan, 0.5, -2.5])
    per_image["crowd_index"] = np.array([0.0, 0.5, 0.8, 2.0])
    figures = summary(per_image)
    assert figures["grouping_accuracy"] == 3.0
    assert figures["grouping_accuracy_hard"] == 6.0
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
