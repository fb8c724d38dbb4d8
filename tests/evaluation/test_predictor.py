"""From weights files and photos to persons: what a user asks for, gets, and is told."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import sparse_ae
from sparse_ae.cli import main
from sparse_ae.decoding import People
from sparse_ae.decoding.nms import oks_nms
from sparse_ae.evaluation import photo_files
from sparse_ae.evaluation.drawing import draw_people
from sparse_ae.evaluation.infer import find_people
from sparse_ae.evaluation.photo_files import find_photos, predict_files, read_picture
from sparse_ae.evaluation.predictor import Predictor, Usage, load
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.models.official import CoupledNet, HigherHRNet
from sparse_ae.settings import DecodeSettings
from sparse_ae.skeleton import COCO, CROWDPOSE, Skeleton

WIDTHS = (8, 16, 16, 24, 32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Of a small net that sees joints everywhere."""
    torch.manual_seed(0)
    net = PoseNet(14, 2, WIDTHS)
    for head in (net.heatmap_head, net.fine_heatmap_head):
        torch.nn.init.normal_(head.weight)
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    save_checkpoint(net, path, Usage(64, CROWDPOSE, DecodeSettings(min_score=0.05)).to_dict())
    return path


def photo(width=80, height=60, seed=0):
    patches = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return cv2.resize(patches, (width, height), interpolation=cv2.INTER_LINEAR)


def saved(path, image=None, **options):
    Image.fromarray(photo() if image is None else image).save(path, **options)
    return path


def test_import_stays_light():
    code = "import sys, sparse_ae; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert sparse_ae.load is load
    with pytest.raises(AttributeError, match="no attribute 'loads'"):
        sparse_ae.loads  # noqa: B018


def test_the_way_of_the_readme(weights):
    predictor = sparse_ae.load(weights)
    assert (predictor.usage.size, predictor.usage.decode.min_score) == (64, 0.05)
    assert predictor.skeleton == CROWDPOSE
    people = predictor.predict(photo(), min_score=0)
    assert people.keypoints.shape[1:] == (14, 3)
    assert len(people.keypoints) == len(people.scores) == len(people.tags) > 0
    assert (np.diff(people.scores) <= 0).all()
    some = people.scores[0] - 1e-6
    assert len(predictor.predict(photo(), min_score=some).scores) < len(people.scores)
    assert len(load(weights, size=128).predict(photo(), min_score=9).scores) == 0


@pytest.mark.slow
def test_sizes_and_skeletons_are_told_from_the_file(tmp_path):
    old = tmp_path / "old.safetensors"
    save_checkpoint(PoseNet(17, 2, WIDTHS), old)
    with pytest.raises(ValueError, match=r"old\.safetensors: does not say at which size"):
        load(old)
    assert load(old, size=96).usage == Usage(96, COCO)
    theirs = tmp_path / "theirs.pth"
    for net, expected in (
        (CoupledNet(14, 2, 4), Usage(512, CROWDPOSE)),
        (HigherHRNet(17, 1, 4), Usage(512, COCO, DecodeSettings(rule="higherhrnet"))),
    ):
        torch.save(net.state_dict(), theirs)
        assert load(theirs).usage == expected
    torch.save(CoupledNet(5, 2, 4).state_dict(), theirs)
    with pytest.raises(ValueError, match=r"theirs\.pth: a net for 5 keypoints, of no skeleton"):
        load(theirs)
    torch.save({"a": torch.zeros(2)}, theirs)
    with pytest.raises(ValueError, match=r"theirs\.pth"):
        load(theirs)


def test_settings_that_make_no_sense_are_told_with_their_file(tmp_path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(PoseNet(14, 2, WIDTHS), path, {"size": 64})
    with pytest.raises(ValueError, match=r"net\.safetensors: usage: missing or"):
        load(path)
    save_checkpoint(PoseNet(14, 2, WIDTHS), path, Usage(64, COCO).to_dict())
    with pytest.raises(ValueError, match="a net for 14 keypoints; skeleton 'coco' has 17"):
        load(path).predict(photo())


def test_single_settings_of_decoding_replace_those_of_the_file(weights):
    plain, changed = load(weights).usage, load(weights, decode={"flip": True}).usage
    assert changed.decode == plain.decode.model_copy(update={"flip": True})
    assert (changed.size, changed.skeleton) == (plain.size, plain.skeleton)
    both = load(weights, decode={"scales": (1.0, 2.0), "max_people": 1})
    assert len(both.predict(photo(), min_score=0).scores) == 1
    for wrong, message in (({"scales": (0.5,)}, "scales: expected 1 among them, got .0.5"),
                           ({"flop": True}, "unknown setting 'flop': expected one of flip, max_"),
                           ({"min_score": 2}, "min_score: expected at most 1, got 2")):  # fmt: skip
        with pytest.raises(ValueError, match=rf"net\.safetensors: {message}"):
            load(weights, decode=wrong)


def test_a_predictor_shows_each_person_once(weights):
    """`find_people` gives all detections, as average precision counts them."""
    predictor = load(weights)
    usage = predictor.usage
    everybody = find_people(predictor.net, photo(), CROWDPOSE, usage.size, usage.decode)
    order = np.argsort(-everybody.scores, kind="stable")
    shown = predictor.predict(photo(), min_score=0).keypoints
    kept = oks_nms(everybody.keypoints[order], CROWDPOSE)
    np.testing.assert_array_equal(shown, everybody.keypoints[order][kept])


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photos_are_read_upright(tmp_path, orientation):
    """Exif's 6: the camera was turned, its first row is the photo's right side."""
    upright = np.zeros((40, 64, 3), np.uint8)
    upright[:12, :20] = (250, 0, 0)  # red at the top left
    turns = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]  # back to the sensor, against the clock
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.jpg", np.rot90(upright, turns), exif=exif, quality=95)
    read = read_picture(path)
    assert read.shape == (40, 64, 3)
    assert read[4, 5, 0] > 220
    assert read[4, 5, 1:].max() < 40
    assert read[30, 50].max() < 20


def test_pictures_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    whole = saved(tmp_path / "a.jpg")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:-900])
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    for path, message in ((cut, "cannot be read"), (text, "no picture that Pillow can read"),
                          (tmp_path / "none.jpg", "cannot be read .No such file")):  # fmt: skip
        with pytest.raises(ValueError, match=f"{path.name}: {message}"):
            read_picture(path)
    monkeypatch.setattr(photo_files, "MOST_PIXELS", 4000)
    with pytest.raises(ValueError, match="80 × 60 pixels, more than 0 million"):
        read_picture(whole)
    grey = saved(tmp_path / "grey.png", photo(20, 10)[..., 0])
    assert read_picture(grey).shape == (10, 20, 3)


def test_files_folders_and_patterns(tmp_path):
    for name in ("b.JPG", "a.png", "c.txt", "a.people.jpg"):
        (tmp_path / name).write_bytes(b"")
    a, b = tmp_path / "a.png", tmp_path / "b.JPG"
    assert find_photos([tmp_path]) == [a, b]
    assert find_photos([tmp_path / "*.JPG", tmp_path, tmp_path / "gone.jpg"]) == [
        b, a, tmp_path / "gone.jpg",
    ]  # fmt: skip
    (tmp_path / "[1].jpg").write_bytes(b"")
    assert find_photos([tmp_path / "[1].jpg"]) == [tmp_path / "[1].jpg"]
    for nothing in (tmp_path / "*.gif", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=f"{nothing.name.replace('*', '.')}: no photo there"):
            find_photos([nothing])


class Fixed(Predictor):
    """Finds one person, everywhere the same."""

    def __init__(self):
        super().__init__(None, Usage(64, CROWDPOSE))

    def predict(self, image, *, min_score=0.2):  # noqa: ARG002
        keypoints = np.full((1, 14, 3), 0.5, np.float32)
        keypoints[0, :, :2] = np.linspace(5, 40, 28).reshape(14, 2)
        return People(keypoints, np.full(1, 0.75, np.float32), np.zeros((1, 1)))


def test_photos_with_one_name_and_broken_ones(tmp_path):
    (tmp_path / "x").mkdir()
    photos = [saved(tmp_path / "a.png"), saved(tmp_path / "x" / "a.jpg"), tmp_path / "b.jpg",
              saved(tmp_path / "A.bmp")]  # fmt: skip
    photos[2].write_bytes(b"\xff\xd8 broken")
    before = [path.read_bytes() for path in photos]
    answered = predict_files(Fixed(), photos, tmp_path, progress=False)
    names = ["a.people.jpg", "a-2.people.jpg", "A-3.people.jpg"]
    assert [path.name for path in answered.pictures] == names
    assert all(read_picture(tmp_path / name).shape == (60, 80, 3) for name in names)
    assert len(answered.failed) == 1
    assert answered.failed[0].startswith(f"{photos[2]}: no picture")
    assert [path.read_bytes() for path in photos] == before
    results = json.loads((tmp_path / "people.json").read_text())
    assert results == answered.results
    assert [one["image_id"] for one in results] == [1, 2, 4]
    assert results[1]["file_name"] == str(photos[1])
    assert results[0].keys() == {"image_id", "category_id", "file_name", "keypoints", "score"}
    assert len(results[0]["keypoints"]) == 42
    assert results[0]["keypoints"][:3] == [5, pytest.approx(6.296, abs=1e-3), 0.5]


def test_a_photo_is_never_written_over(tmp_path):
    theirs = saved(tmp_path / "a.jpg").rename(tmp_path / "a.people.jpg")
    other = saved(tmp_path / "a.jpg")
    before = theirs.read_bytes()
    with pytest.raises(ValueError, match=r"a\.people\.jpg: is one of the photos"):
        predict_files(Fixed(), [other, theirs], tmp_path, progress=False)
    assert theirs.read_bytes() == before
    with pytest.raises(OSError, match="no such folder can be made"):
        predict_files(Fixed(), [other], other, progress=False)


def test_drawings():
    image = np.full((120, 160, 3), 90, np.uint8)
    people = np.zeros((2, 14, 3))
    people[0, [0, 2]] = [[30, 20, 1], [30, 90, 1]]  # a left upper arm
    people[1, [0, 2]] = [[60, 20, 0.05], [60, 90, 1]]  # its shoulder is hardly there
    drawn = draw_people(image, people, CROWDPOSE)
    assert (image == 90).all()
    changed = (drawn != 90).any(axis=2)
    assert changed[20:90, 30].all()
    assert changed[89:92, 59:62].all()
    assert not changed[15:80, 45:].any()
    assert (draw_people(image, people[:0], CROWDPOSE) == 90).all()
    people[1, 0, 2] = 1
    both = draw_people(image, people, CROWDPOSE)
    assert (both[55, 30] != both[55, 60]).any()  # neighbours have different colours
    far = people + np.array([1e9, -1e9, 0])
    assert draw_people(image, far, CROWDPOSE).shape == image.shape
    with pytest.raises(ValueError, match=r"people: expected \(P, 17, 3\), got shape \(2, 14, 3\)"):
        draw_people(image, people, COCO)


@pytest.mark.parametrize("count", [4, 14, 17])
def test_a_skeleton_of_ones_own_is_drawn_by_its_own_limbs(count):
    """Also one with as many joints as CrowdPose's or COCO's, and one that has no limbs."""
    names = tuple(f"corner {number}" for number in range(count))
    own = Skeleton("own", names, (0.1,) * count, (), ((0, 3),), tuple(range(count)))
    image = np.full((120, 160, 3), 90, np.uint8)
    people = np.ones((1, count, 3))
    people[0, :, :2] = 10
    people[0, :4, :2] = [[20, 20], [140, 20], [20, 100], [140, 100]]
    drawn = (draw_people(image, people, own) != 90).any(axis=2)
    assert drawn[60, 80]  # the only limb, from corner to corner
    assert not drawn[[20, 60, 60, 100], [80, 20, 140, 80]].any()  # from no other to another
    without = dataclasses.replace(own, limbs=())
    assert not (draw_people(image, people, without) != 90)[60, 80].any()


def test_the_command(tmp_path, weights, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    saved(photos / "a.jpg")
    saved(photos / "b.png", photo(60, 90))
    arguments = ["predict", str(photos), "--weights", str(weights), "--out", str(out)]
    assert main([*arguments, "--min-score", "0.05", "--scales", "1", "0.5"]) == 0
    captured = capsys.readouterr()
    assert "people in 2 pictures" in captured.out
    assert "2/2" in captured.err  # the bar
    assert {path.name for path in out.iterdir()} == {
        "a.people.jpg", "b.people.jpg", "people.json",
    }  # fmt: skip
    assert cv2.imread(str(out / "b.people.jpg")).shape == (90, 60, 3)
    saved(photos / "wide.png", photo(300, 20))
    (photos / "c.jpg").write_bytes(b"")
    assert main([*arguments, "--no-flip", "--bf16", "--size", "128"]) == 1
    error = capsys.readouterr().err
    assert f"left out: {photos / 'c.jpg'}: no picture" in error
    assert f"left out: {photos / 'wide.png'}: image: 300 × 20 pixels: longer than 8" in error
    assert "sparse-ae: error: 2 of 4 photos could not be used" in error
    (tmp_path / "other.pth").write_bytes(b"PK nonsense")
    assert main([*arguments[:3], str(tmp_path / "other.pth"), *arguments[4:]]) == 1
    assert "other.pth is damaged, incomplete" in capsys.readouterr().err
