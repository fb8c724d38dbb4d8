"""Testing on whole photos: the geometry of every step, the mirror, the scales, and the figures."""

from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracle import Oracle, marked_photo
from photos import TRIANGLE, content, write

from sparse_ae.cli import main
from sparse_ae.datasets.keypoint_dataset import KeypointDataset
from sparse_ae.datasets.pictures import warp
from sparse_ae.decoding import People
from sparse_ae.evaluation import evaluate_photos as module
from sparse_ae.evaluation.evaluate_photos import evaluate_photos
from sparse_ae.evaluation.photo_settings import PhotoSettings
from sparse_ae.evaluation.photo_test import find_people, photo_maps, views
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.skeleton import COCO, CROWDPOSE

WIDTHS = (8, 16, 16, 24, 32)
COCOS = ["AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"]
CROWDPOSES = ["AP", "AP50", "AP75", "AP_easy", "AP_hard", "AP_medium", "AR", "AR50", "AR75"]
CHOSEN = (0, 1, 2)  # landscape and portrait


@pytest.mark.parametrize("size", [(81, 81), (97, 151), (151, 97), (640, 427), (400, 90)])
@pytest.mark.parametrize(("flip", "scales"), [(False, (1,)), (True, (1, 0.5)), (True, (2, 1))])
def test_joints_come_back_to_where_they_are_in_the_photo(size, flip, scales):
    rng = np.random.default_rng(sum(size))
    net = Oracle(CROWDPOSE)
    net.size, net.people = size, np.ones((3, 14, 3))
    net.people[..., :2] = rng.uniform(0.08, 0.92, (3, 14, 2)) * size
    settings = PhotoSettings(192)
    people = find_people(net, marked_photo(*size), settings, flip=flip, scales=scales)
    assert len(people.scores) == 3
    assert [shape[0] for shape in net.seen] == [1 + flip] * len(scales)
    assert all(side % 32 == 0 for shape in net.seen for side in shape[2:])
    which = (people.tags[:, 0] / 2).round().astype(int)
    error = people.keypoints[..., :2] - net.people[which, :, :2]
    pixel = min(size) / 192  # of the view, in the photo's
    assert people.tags.shape == (3, 2 + 2 * flip)
    assert abs(error).max() < 0.75 * pixel + 0.1  # a cell, less a quarter
    assert abs(error.mean(axis=(0, 1))).max() < 0.1 * pixel + 0.1  # not half a pixel to any side


def test_an_oracle_is_perfect_on_real_photos(real, monkeypatch):
    data = KeypointDataset.official("coco", "val", real, size=512)
    net = Oracle(COCO)
    truth, people, whole = data.ground_truth(), {}, KeypointDataset.whole

    def marked(self, index):
        photo, image = whole(self, index)
        net.size, net.people = photo.shape[1::-1], self.annotations.persons(index)[0]
        return marked_photo(*net.size), image

    def chosen(self):
        return (marked(self, index) for index in CHOSEN)

    ids = {int(data.annotations.ids[index]) for index in CHOSEN}
    part = {name: [one for one in truth[name] if one[key] in ids]
            for name, key in (("images", "id"), ("annotations", "image_id"))}  # fmt: skip
    monkeypatch.setattr(module, "_photos", chosen)
    monkeypatch.setattr(KeypointDataset, "ground_truth", lambda *_, **__: truth | part)
    find = module.find_people
    monkeypatch.setattr(
        module, "find_people",
        lambda *given, **options: people.setdefault(len(people), find(*given, **options)),
    )  # fmt: skip
    result = evaluate_photos(net, data, scales=(1, 0.5), progress=False)
    assert sorted(result.metrics) == sorted(COCOS)
    assert result.metrics["AP"] > 0.995  # with a similarity of 0.95 among its thresholds
    assert result.metrics["AR"] > 0.995
    wrong = result.wrong
    assert wrong["found"] == wrong["persons"] >= 8
    assert [wrong[k] for k in ("photos", "nobody", "split", "missed")] == [len(CHOSEN), 0, 0, 0]
    assert {people[i].tags.shape[1] for i in people} == {4}


def nets(name):
    torch.manual_seed(3)
    options = {"dim": 0, "offsets": True} if name == "offset" else {"dim": 2}
    net = PoseNet(14, widths=WIDTHS, **options).eval()
    for name, part in net.named_children():
        if name.endswith("head"):  # they start near 0
            torch.nn.init.normal_(part.weight)
    return net


def patches(height, width):
    """A photo of soft patches."""
    grey = np.random.default_rng(1).integers(0, 255, (7, 8, 3), np.uint8)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("name", ["embeddings", "offset"])
@pytest.mark.parametrize("scales", [(1,), (1, 0.5, 1.25)])
def test_a_mirrored_photo_has_mirrored_maps(name, scales):
    images, _ = views(patches(70, 101), 64, scales)
    net, flip = nets(name), torch.from_numpy(CROWDPOSE.flip)
    ours = photo_maps(net, images, CROWDPOSE)
    theirs = photo_maps(net, [image[:, ::-1] for image in images], CROWDPOSE)
    torch.testing.assert_close(ours.heatmaps, theirs.heatmaps.flip(-1)[:, flip])
    alone = photo_maps(net, images, CROWDPOSE, flip=False).heatmaps
    assert (ours.heatmaps - alone).abs().max() > 0.1 * alone.abs().max()
    assert ours.heatmaps.shape == (1, 14, 64, 128)
    if name == "embeddings":  # and the embedding of the mirror is behind the other
        tags = theirs.tags.flip(-1)[:, flip]
        torch.testing.assert_close(ours.tags, torch.cat([tags[:, :, 2:], tags[:, :, :2]], 2))
        return
    torch.testing.assert_close(ours.centre, theirs.centre.flip(-1))
    offsets = theirs.offsets.unflatten(0, (14, 2)).flip(-1)[flip]
    offsets = offsets * torch.tensor([-1.0, 1])[:, None, None]
    torch.testing.assert_close(ours.offsets, offsets.flatten(0, 1))


def test_maps_are_averaged_as_in_the_released_code():
    """Its order: coarse heatmaps as large as fine ones, their mean, as large as the image, then
    mirror and scales; embeddings trilinear with their dimensions last, of the first scale."""
    photo = patches(80, 64)
    net, images = nets("embeddings"), views(photo, 64, (1, 0.5))[0]
    size, total, kept = images[0].shape[:2], 0, None
    for image in images:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - 0.5
        with torch.no_grad():
            output = net(torch.cat([pixels, pixels.flip(3)]))
        coarse, fine = output.heatmaps
        heat = (F.interpolate(coarse, fine.shape[2:], mode="bilinear") + fine) / 2
        heat = F.interpolate(heat, size, mode="bilinear")
        total = total + (heat[:1] + heat[1:].flip(3)[:, CROWDPOSE.flip]) / 2
        tags = output.tags.permute(0, 1, 3, 4, 2)
        tags = F.interpolate(tags, (*size, 2), mode="trilinear")
        tags = torch.cat([tags[:1], tags[1:].flip(3)[:, CROWDPOSE.flip]], 4)
        kept = tags if kept is None else kept
    ours = photo_maps(net, images, CROWDPOSE)
    torch.testing.assert_close(ours.heatmaps, total / 2, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.tags, kept.permute(0, 1, 4, 2, 3), atol=1e-5, rtol=1e-4)
    rough = photo_maps(net, images, CROWDPOSE, precision="bfloat16").heatmaps
    assert 0 < (rough - ours.heatmaps).abs().max() < 0.05 * ours.heatmaps.abs().max()


def test_a_reduced_photo_is_seen_in_its_place():
    """A ramp keeps its slope and its place, whatever it is reduced by."""
    ramp = np.tile(np.arange(0, 250)[None, :, None], (160, 1, 3)).astype(np.uint8)
    for factor in (0.9, 0.5, 0.24, 0.12):
        matrix = np.array([[factor, 0, 2], [0, factor, 0]])
        view = warp(ramp, matrix, (24, 8))[4, 4:, 0]
        np.testing.assert_allclose(view, (np.arange(4, 24) - 2) / factor, atol=1.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"photo": np.zeros((9, 9), np.uint8)}, r"photo: expected uint8 of shape \(H, W, 3\)"),
        ({"photo": np.zeros((9, 9, 3))}, "got float64 of shape"),
        ({"photo": np.zeros((9, 0, 3), np.uint8)}, "expected uint8"),
        ({"photo": np.zeros((10, 90, 3), np.uint8)}, "90 × 10 pixels: longer than 8 times"),
        ({"scales": (0.5,)}, r"scales: expected numbers up to 4 with 1 among them, got \[0.5\]"),
        ({"scales": (1, -1)}, "scales: expected"),
        ({"precision": "float16"}, "precision: expected float32 or bfloat16, got 'float16'"),
        ({"settings": PhotoSettings(64, COCO)}, "14 keypoints; skeleton 'coco' has 17"),
    ],
)
def test_what_cannot_be_tested_is_told(change, message):
    given = {"net": Oracle(CROWDPOSE), "photo": np.zeros((9, 9, 3), np.uint8),
             "settings": PhotoSettings(64), **change}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        find_people(**given)


def test_settings_go_through_json():
    own = dataclasses.replace(COCO, name="own", sigmas=(0.1,) * 17)
    settings = PhotoSettings(320, own, "higherhrnet", 0.2, 0.5, 9)
    assert PhotoSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
    for change, message in (({"size": "big"}, "size: expected an integer"),
                            ({"skeleton": None}, "missing or unknown"),
                            ({"colour": 1}, "missing or unknown.*colour")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            PhotoSettings.from_dict(settings.to_dict() | change)


def look(_net, photo, _settings, **_options):
    """The person of tests/photos.py, wherever it is."""
    shift = 0 if photo[12, 20, 0] > 150 else 30
    keypoints = np.array([[[20 + shift, 12, 1], [30 + shift, 44, 1], [12 + shift, 40, 1]]])
    return People(keypoints.astype(np.float32), np.ones(1, np.float32), np.zeros((1, 1)))


def test_photos_that_cannot_be_read_do_not_count(tmp_path, monkeypatch):
    path = write(tmp_path, content(4))
    (tmp_path / "images" / "002.jpg").write_bytes(b"no photo")
    monkeypatch.setattr(module, "find_people", look)
    data = KeypointDataset(path, tmp_path / "images", TRIANGLE, size=64, skip_broken=True)
    for crowd, names in ((False, COCOS), (True, CROWDPOSES)):
        result = evaluate_photos(Oracle(TRIANGLE), data, crowd=crowd, progress=False)
        assert sorted(result.metrics) == sorted(names)
        assert result.metrics["AP"] == pytest.approx(1)
        assert [one["image_id"] for one in result.detections] == [1, 3, 4]
        assert [result.wrong[k] for k in ("photos", "persons", "found", "nobody")] == [3, 3, 3, 0]
    whole = KeypointDataset(path, tmp_path / "images", TRIANGLE, size=64)
    with pytest.raises(ValueError, match=r"002\.jpg: no picture that OpenCV can decode"):
        evaluate_photos(Oracle(TRIANGLE), whole, progress=False)


def test_another_skeleton_is_refused(tmp_path):
    data = KeypointDataset(write(tmp_path, content()), tmp_path / "images", TRIANGLE, size=64)
    with pytest.raises(ValueError, match=r"people\.json: keypoints of 'triangle', the net finds"):
        evaluate_photos(Oracle(COCO), data, settings=PhotoSettings(64, COCO), progress=False)


def test_the_command_evaluates_on_photos(tmp_path, monkeypatch, capsys):
    data = content(2)
    for person in data["annotations"]:
        person["keypoints"] = person["keypoints"] + [0] * (3 * 14)
    data["categories"][0]["keypoints"] = list(COCO.keypoints)
    path = write(tmp_path / "coco", data)
    (tmp_path / "coco/annotations").mkdir()
    path.rename(tmp_path / "coco/annotations/person_keypoints_val2017.json")
    (tmp_path / "coco/images").rename(tmp_path / "coco/val2017")
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    weights, record, found = (tmp_path / name for name in ("n.safetensors", "r.json", "d.json"))
    save_checkpoint(PoseNet(17, 2, WIDTHS), weights, PhotoSettings(64, COCO).to_dict())
    arguments = ["evaluate", "--data", "coco", "--split", "val"]
    assert main(arguments) == 1
    assert "--data needs --weights" in capsys.readouterr().err
    arguments += ["--weights", str(weights), "--record", str(record), "--detections", str(found)]
    assert main([*arguments, "--no-flip"]) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert (printed["AP"], printed["photos"], printed["persons"]) == ("0.0000", "2", "2")
    assert json.loads(found.read_text()) == []
    written = json.loads(record.read_text())
    assert written["metrics"]["AP"] == 0
    assert written["wrong"]["missed"] == 2
    assert (written["settings"]["flip"], written["settings"]["size"]) == (False, 64)
    assert len(written["weights"]["sha256"]) == len(written["provenance"]["data_digest"]) == 64
    assert str(tmp_path) not in record.read_text()
