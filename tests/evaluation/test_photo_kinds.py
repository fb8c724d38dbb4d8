"""What can be given to `predict`: photos, videos, standard input, and what is told when it is none
of these; the shipped net; and people as the supervision library has them."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
import types

import cv2
import numpy as np
import pytest
from PIL import Image

import sparse_ae
from sparse_ae.cli import main
from sparse_ae.decoding import People
from sparse_ae.evaluation import predictor
from sparse_ae.evaluation.photo_files import predict_files, read_picture
from sparse_ae.evaluation.predictor import Predictor, Usage
from sparse_ae.evaluation.videos import read_frames
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.skeleton import COCO

LEVELS = (40, 90, 140, 190, 240)  # grey of a video's frames
SIDE = 64


def picture(width=SIDE, height=SIDE, level=90) -> bytes:
    """A grey PNG."""
    return cv2.imencode(".png", np.full((height, width, 3), level, np.uint8))[1].tobytes()


@pytest.fixture
def video(tmp_path):
    """A video of five frames, blue first 40, then brighter."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (SIDE, SIDE))
    for level in LEVELS:
        writer.write(np.full((SIDE, SIDE, 3), (level, 0, 0), np.uint8))
    writer.release()
    return path


class Brightness(Predictor):
    """Finds one person, whose joints lie where the image's blue says."""

    def __init__(self):
        super().__init__(None, Usage(64, COCO))

    def predict(self, image, *, min_score=0.2):  # noqa: ARG002
        keypoints = np.full((1, 17, 3), image[..., 2].mean(), np.float32)
        return People(keypoints, np.ones(1, np.float32), np.zeros((1, 2), np.float32))


def test_each_frame_of_a_video_is_an_image(tmp_path, video):
    (tmp_path / "clip.png").write_bytes(picture(level=7))
    photos = [tmp_path / "clip.png", video, tmp_path / "clip.png"]
    answered = predict_files(Brightness(), photos, tmp_path / "out", progress=False)
    assert answered.failed == []
    assert [path.relative_to(tmp_path / "out").as_posix() for path in answered.pictures] == [
        "clip.people.jpg", *(f"clip-2/00000{i}.people.jpg" for i in range(5)), "clip-3.people.jpg",
    ]  # fmt: skip
    assert all(read_picture(path).shape == (SIDE, SIDE, 3) for path in answered.pictures)
    found = json.loads((tmp_path / "out" / "people.json").read_text())
    assert [one["image_id"] for one in found] == list(range(1, 8))
    assert [one.get("frame") for one in found] == [None, 0, 1, 2, 3, 4, None]
    named = [str(photos[0]), *[str(video)] * 5, str(photos[2])]
    assert [one["file_name"] for one in found] == named
    assert [one["keypoints"][0] for one in found[1:6]] == pytest.approx(LEVELS, abs=6)


def test_a_video_that_is_cut_short_gives_what_can_be_read(tmp_path, video):
    frames = video.read_bytes().split(b"00dc")  # each begins with that in an AVI
    video.write_bytes(b"00dc".join(frames[:3]))
    (tmp_path / "a.png").write_bytes(picture())
    answered = predict_files(Brightness(), [video, tmp_path / "a.png"], tmp_path, progress=False)
    read = sum(one["file_name"] == str(video) for one in answered.results)
    assert 0 < read < 3
    assert answered.failed == [f"{video}: cut short: only {read} of 5 frames can be read"]
    assert answered.results[-1]["file_name"] == str(tmp_path / "a.png")


def test_frames_are_red_first(video):
    assert next(iter(read_frames(video)))[0, 0].tolist() == pytest.approx([0, 0, 40], abs=6)


@pytest.mark.slow
def test_bad_input_is_told_in_a_line_each_and_the_rest_goes_on(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(predictor, "load", lambda *_, **__: Brightness())
    contents = {
        "a.png": picture(), "text.jpg": b"no picture", "dot.png": picture(1, 1),
        "huge.png": picture(10_000, 10_000), "broken.mp4": b"nonsense" * 50, "empty.mov": b"",
        "video.jpg": b"\0\0\0\x18ftypmp42" + bytes(500), "z.png": picture(level=3),
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    words = ["predict", *(str(tmp_path / name) for name in contents), str(tmp_path / "gone.webm")]
    assert main([*words, "--out", str(tmp_path / "out")]) == 1
    printed = capfd.readouterr()
    assert "2 people in 2 pictures" in printed.out
    told = [line for line in printed.err.splitlines() if line.startswith(("left", "sparse"))]
    for line, words in zip(told, (
        "text.jpg: no picture that Pillow can read", "dot.png: 1 × 1 pixels: too small to show any",
        "huge.png: 10000 × 10000 pixels, more than 80 million", "broken.mp4: no video that OpenCV",
        "empty.mov: no video that OpenCV", "video.jpg: no picture that Pillow can read",
        "gone.webm: no such file", "7 of 9 photos could not be used"), strict=True,
    ):  # fmt: skip
        assert words in line
    assert "moov atom" not in printed.err  # FFmpeg has no word
    assert "WARN" not in printed.err  # nor has OpenCV


def test_a_picture_from_standard_input(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(picture(level=33))))
    answered = predict_files(Brightness(), ["-"], tmp_path, progress=False)
    assert [path.name for path in answered.pictures] == ["stdin.people.jpg"]
    assert answered.results[0]["file_name"] == "-"
    assert answered.results[0]["keypoints"][0] == 33


def test_frames_never_fall_on_a_photo(tmp_path, video):
    theirs = tmp_path / "clip" / "000000.people.jpg"
    theirs.parent.mkdir()
    Image.new("RGB", (20, 20)).save(theirs)
    with pytest.raises(ValueError, match="clip: is one of the photos, and would be written over"):
        predict_files(Brightness(), [video, theirs], tmp_path, progress=False)


def test_without_weights_the_shipped_net_is_used(tmp_path, monkeypatch, capsys):
    shipped = tmp_path / "people.safetensors"
    monkeypatch.setattr(predictor, "SHIPPED", shipped)
    (tmp_path / "a.png").write_bytes(picture())
    words = ["predict", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert f"{shipped}: this copy of sparse_ae has no net of its own: name weights" in error
    assert error.count("\n") == 1
    save_checkpoint(PoseNet(17, 2, (4, 4, 4, 4, 4)), shipped, Usage(64, COCO).to_dict())
    assert sparse_ae.load().usage == Usage(64, COCO)
    assert main(words) == 0
    assert (tmp_path / "out" / "a.people.jpg").is_file()


def test_the_shipped_net_lies_in_the_repository_or_in_the_wheel():
    assert predictor.SHIPPED.name == "people.safetensors"
    assert (predictor.SHIPPED.parent / "README.md").is_file()


@dataclasses.dataclass
class KeyPoints:
    """As supervision 0.31 documents it; earlier, the third field was called confidence."""

    xy: np.ndarray
    class_id: np.ndarray | None = None
    keypoint_confidence: np.ndarray | None = None
    detection_confidence: np.ndarray | None = None


def test_people_as_the_supervision_library_has_them(monkeypatch):
    keypoints = np.arange(102, dtype=np.float32).reshape(2, 17, 3)
    people = People(keypoints, np.ones(2), np.zeros((2, 1)))
    monkeypatch.setitem(sys.modules, "supervision", types.SimpleNamespace(KeyPoints=KeyPoints))
    found = people.to_supervision()
    np.testing.assert_array_equal(found.xy, keypoints[..., :2])
    np.testing.assert_array_equal(found.keypoint_confidence, keypoints[..., 2])
    assert (found.class_id.tolist(), found.xy.dtype) == ([0, 0], np.float32)
    nobody = People(keypoints[:0], np.ones(0), np.zeros((0, 1))).to_supervision()
    assert (nobody.xy.shape, nobody.class_id.shape) == ((0, 17, 2), (0,))
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ImportError, match=r"needs the library supervision .*pip install supervis"):
        people.to_supervision()
