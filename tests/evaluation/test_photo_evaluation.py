"""Evaluation on photos: the figures of a perfect net, photos that are broken, and the command."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from oracle import Oracle, marked_photo
from photos import TRIANGLE, content, write

from sparse_ae.cli import main
from sparse_ae.datasets.keypoint_dataset import KeypointDataset
from sparse_ae.decoding import People
from sparse_ae.evaluation import evaluation as module
from sparse_ae.evaluation.evaluation import evaluate
from sparse_ae.evaluation.predictor import Usage
from sparse_ae.metrics.errors import KINDS
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.settings import DecodeSettings
from sparse_ae.skeleton import COCO

WIDTHS = (8, 16, 16, 24, 32)
CHOSEN = (0, 1, 2)  # landscape and portrait


class Marked(KeypointDataset):
    """Photos with an oracle's marks for pictures; `asked` says whose they are, in their order."""

    def __getitem__(self, index):
        size = tuple(self.sizes[index].tolist())
        self.asked.append((size, self.annotations.persons(index)[0]))
        return super().__getitem__(index)._replace(image=marked_photo(*size))


class Told(Oracle):
    """An oracle that is told which photo comes next, each seen at two scales."""

    def forward(self, images):
        if len(self.seen) % 2 == 0:
            self.size, self.people = self.asked.pop(0)
        return super().forward(images)


@pytest.mark.slow
def test_an_oracle_is_perfect_on_real_photos(real, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 1)
    data, net = Marked.official("coco", "val", real).only(list(CHOSEN)), Told(COCO)
    data.asked = net.asked = []
    decode = DecodeSettings(flip=True, scales=(1.0, 0.5))
    result = evaluate(net, data, decode, 512, examples=(0, 1, 2), keep_detections=True,
                      progress=False)  # fmt: skip
    assert [shape[0] for shape in net.seen] == [2] * 2 * len(CHOSEN)
    for name in ("AP", "APM", "APL", "AR"):  # with a similarity of 0.95 among the thresholds
        assert result.metrics[name] > 0.995, name
    persons = [len(data.annotations.persons(i)[0]) for i in range(len(CHOSEN))]
    assert result.per_image["persons"].tolist() == persons
    found = result.matches["match_matched"] & 1 & ~result.matches["match_skipped"]
    assert found.sum() == result.matches["match_persons"].sum() >= 8
    counts = result.examples["failure_counts"]
    assert counts[:, [KINDS.index("split"), KINDS.index("missed")]].tolist() == [[0, 0]] * 3
    assert result.metrics["grouping_accuracy"] > 0.95


def small_net():
    return PoseNet(3, 1, (4, 4, 4, 4, 4))


def decoded_as_labelled(data):
    """What stands for `in_image`: the labelled persons of one image after the other."""
    people = iter([data.annotations.persons(i)[0] for i in range(len(data)) if i != 1])

    def look(*_):
        keypoints = next(people).copy()
        keypoints[..., 2] = 1
        return People(keypoints, np.ones(len(keypoints), np.float32), np.zeros((1, 1)))

    return look


def test_photos_that_cannot_be_read_do_not_count(tmp_path, monkeypatch):
    path = write(tmp_path, content(4))
    (tmp_path / "images" / "002.jpg").write_bytes(b"no photo")
    for crowd in (False, True):
        data = KeypointDataset(path, tmp_path / "images", TRIANGLE, as_crowds=crowd,
                               skip_broken=True)  # fmt: skip
        monkeypatch.setattr(module, "in_image", decoded_as_labelled(data))
        result = evaluate(small_net(), data, DecodeSettings(), 64, keep_detections=True,
                          progress=False)  # fmt: skip
        assert [one["image_id"] for one in result.detections] == [1, 3, 4]
        assert result.matches["match_persons"].tolist() == [1, 1, 1]
        assert result.per_image["image_id"].tolist() == [1, 3, 4]
        assert result.metrics["AP"] == pytest.approx(1)
    whole = KeypointDataset(path, tmp_path / "images", TRIANGLE)
    with pytest.raises(ValueError, match=r"002\.jpg: no picture of the kinds JPEG"):
        evaluate(small_net(), whole, DecodeSettings(), 64, progress=False)


def test_another_skeleton_is_refused(tmp_path):
    data = KeypointDataset(write(tmp_path, content()), tmp_path / "images", TRIANGLE)
    with pytest.raises(ValueError, match="a net for 17 keypoints; skeleton 'triangle' has 3"):
        evaluate(Oracle(COCO), data, DecodeSettings(), 64, progress=False)


def test_a_net_whose_maps_are_not_finite_is_told_with_its_image(tmp_path):
    data = KeypointDataset(write(tmp_path, content()), tmp_path / "images", TRIANGLE)
    net = small_net()
    torch.nn.init.constant_(net.heatmap_head.bias, torch.nan)
    with pytest.raises(FloatingPointError, match=r"images 1, 2, 3: the net's heatmaps are not fin"):
        evaluate(net, data, DecodeSettings(), 64, progress=False)


@pytest.fixture
def official(tmp_path, monkeypatch):
    """Two photos in COCO's official folders, and weights of a net that finds nobody."""
    data = content(2)
    for person in data["annotations"]:
        person["keypoints"] = person["keypoints"] + [0] * (3 * 14)
    data["categories"][0]["keypoints"] = list(COCO.keypoints)
    path = write(tmp_path / "coco", data)
    (tmp_path / "coco/annotations").mkdir()
    path.rename(tmp_path / "coco/annotations/person_keypoints_val2017.json")
    (tmp_path / "coco/images").rename(tmp_path / "coco/val2017")
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    weights = tmp_path / "n.safetensors"
    save_checkpoint(PoseNet(17, 2, WIDTHS), weights, Usage(64, COCO).to_dict())
    return weights


def test_the_command_evaluates_on_photos(official, tmp_path, capsys):
    record, found = (tmp_path / name for name in ("r.json", "d.json"))
    arguments = ["evaluate", "--data", "coco", "--split", "val"]
    assert main(arguments) == 1
    assert "--data needs --weights" in capsys.readouterr().err
    arguments += ["--weights", str(official), "--record", str(record), "--detections", str(found)]
    assert main([*arguments, "--no-flip"]) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert (printed["AP"], printed["APM"]) == ("0.0000", "nan")
    assert json.loads(found.read_text()) == []
    written = json.loads(record.read_text())
    assert written["data"] == "coco/val"
    assert written["metrics"]["AP"] == 0
    assert written["metrics"]["APL"] is None  # there is no large person
    assert (written["usage"]["decode"]["flip"], written["usage"]["size"]) == (False, 64)
    assert len(written["weights"]["sha256"]) == 64
    data = KeypointDataset.official("coco", "val", tmp_path)
    assert written["provenance"]["data_digest"] == data.digest
    assert str(tmp_path) not in record.read_text()


def test_the_command_refuses_weights_for_other_joints(official, capsys):
    own = dataclasses.replace(COCO, name="own", keypoints=COCO.keypoints[::-1])
    save_checkpoint(PoseNet(17, 2, WIDTHS), official, Usage(64, own).to_dict())
    assert main(["evaluate", "--data", "coco", "--split", "val", "--weights", str(official)]) == 1
    error = capsys.readouterr().err
    assert "n.safetensors: finds the keypoints of 'own', not those of 'coco': evaluate a" in error
