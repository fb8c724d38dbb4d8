"""Crowds as a COCO data set on disk: what is in it, who reads it, and what may stop its writing."""

import json
import signal
import subprocess
import sys
import time

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sparse_ae.crowds import CrowdConfig
from sparse_ae.datasets import CrowdDataset
from sparse_ae.datasets import crowd_writer as writer
from sparse_ae.datasets.crowd_coco import person_entries
from sparse_ae.datasets.crowd_folder import CHUNK, read_manifest
from sparse_ae.datasets.crowd_writer import write_crowds
from sparse_ae.metrics.average_precision import keypoint_ap
from sparse_ae.skeleton import get_skeleton

COUNT = 12
FIELDS = {"id", "image_id", "category_id", "iscrowd", "keypoints", "num_keypoints", "bbox", "area",
          "segmentation"}  # fmt: skip


def config(**settings) -> CrowdConfig:
    return CrowdConfig(**{"split": "val", "size": 96, "persons": (2, 5), **settings})


def write(folder, count=COUNT, quality=None, **settings):
    return write_crowds(config(**settings), count, folder, workers=1, quality=quality,
                        progress=False)  # fmt: skip


@pytest.fixture(scope="module", params=["coco", "crowdpose"])
def crowds(request, tmp_path_factory):
    """A written data set and the scenes that it was written from."""
    chosen = config(skeleton=request.param)
    path = write(tmp_path_factory.mktemp("crowds"), skeleton=request.param)
    return path, list(CrowdDataset(chosen, COUNT).scenes())


def test_pictures_and_masks_are_those_of_the_scenes(crowds):
    path, scenes = crowds
    truth = COCO(path)
    for i, scene in enumerate(scenes):
        image = truth.imgs[i + 1]
        picture = cv2.imread(str(path.parents[1] / "images" / "val" / image["file_name"]))
        np.testing.assert_array_equal(picture[..., ::-1], scene.image)
        persons = truth.imgToAnns[i + 1]
        assert len(persons) == len(scene.keypoints)
        for person, annotation in enumerate(persons):
            mask = truth.annToMask(annotation)
            np.testing.assert_array_equal(mask, scene.masks == person)
            assert annotation["area"] == mask.sum() == rle.area(annotation["segmentation"])
            joints = np.reshape(annotation["keypoints"], (-1, 3))
            np.testing.assert_allclose(joints, scene.keypoints[person].clip(0), atol=6e-4)
            corners = np.add(annotation["bbox"], [0, 0, *annotation["bbox"][:2]])
            box = scene.boxes[person]
            expected = [*box[:2].clip(0), *(box[:2] + box[2:])]
            np.testing.assert_allclose(corners, expected, atol=2e-3)


def test_what_begins_before_the_first_pixel_is_moved_to_it():
    keypoints = np.array([[[-0.4, 7.25, 2.0], [0.0, 0.0, 0.0], [30.5, -0.5, 1.0]]])
    boxes = np.array([[-0.5, 2.0, 40.5, 10.0]])
    (person,) = person_entries(3, keypoints, boxes, np.array([55.0]))
    assert person["keypoints"] == [0.0, 7.25, 2.0, 0.0, 0.0, 0.0, 30.5, 0.0, 1.0]
    assert person["bbox"] == [0.0, 2.0, 40.0, 10.0]
    assert (person["image_id"], person["area"], person["num_keypoints"]) == (4, 55.0, 2)


def test_every_field_is_as_the_format_has_it(crowds):
    path, _ = crowds
    content = json.loads(path.read_text())
    assert set(content) == {"info", "licenses", "images", "annotations", "categories"}
    (category,) = content["categories"]
    assert (category["id"], category["name"]) == (1, "person")
    ends = np.array(category["skeleton"])
    assert (ends.min(), ends.max()) == (1, len(category["keypoints"]))
    licences = {licence["id"] for licence in content["licenses"]}
    for i, image in enumerate(content["images"]):
        assert image["id"] == i + 1
        assert (image["width"], image["height"]) == (96, 96)
        assert image["license"] in licences
    assert [person["id"] for person in content["annotations"]] == list(
        range(1, len(content["annotations"]) + 1)
    )
    for person in content["annotations"]:
        assert set(person) == FIELDS
        assert 1 <= person["image_id"] <= COUNT
        assert (person["category_id"], person["iscrowd"]) == (1, 0)
        assert all(round(value, 3) == value for value in (*person["keypoints"], *person["bbox"]))
        x, y, v = np.reshape(person["keypoints"], (-1, 3)).T
        assert set(v) <= {0, 1, 2}
        assert not x[v == 0].any()
        assert not y[v == 0].any()
        assert person["num_keypoints"] == (v > 0).sum() > 0
        left, top, width, height = person["bbox"]
        assert min(left, top, *x, *y) >= 0
        assert max(left + width, top + height, *x, *y) <= 96
        assert min(width, height) > 0
        assert person["segmentation"]["size"] == [96, 96]
        assert isinstance(person["segmentation"]["counts"], str)


@pytest.mark.parametrize("kind", ["keypoints", "segm", "bbox"])
def test_truth_as_detections_is_perfect(crowds, kind):
    path, _ = crowds
    truth = COCO(path)
    skeleton = get_skeleton("coco" if "nose" in truth.cats[1]["keypoints"] else "crowdpose")
    field = {"segm": "segmentation"}.get(kind, kind)
    found = [{"image_id": person["image_id"], "category_id": 1, field: person[field], "score": 1.0}
             for person in truth.anns.values()]  # fmt: skip
    evaluation = COCOeval(truth, truth.loadRes(found), kind)
    evaluation.params.kpt_oks_sigmas = np.array(skeleton.sigmas)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0, abs=1e-9)
    if kind == "keypoints":
        content = json.loads(path.read_text())
        for crowd in (False, True):
            metrics = keypoint_ap(content, found, skeleton, crowd=crowd)
            assert metrics["AP"] == metrics["AR"] == pytest.approx(1.0, abs=1e-9)


def test_a_viewer_draws_masks_and_skeletons(crowds):
    path, scenes = crowds
    plt.switch_backend("agg")
    truth = COCO(path)
    figure, axis = plt.subplots()
    axis.imshow(scenes[0].image)
    truth.showAnns(truth.imgToAnns[1], draw_bbox=True)
    figure.canvas.draw()
    assert len(axis.images) == 1 + len(scenes[0].keypoints)
    assert axis.lines
    plt.close(figure)


def test_the_data_set_says_the_same(crowds, tmp_path):
    path, _ = crowds
    content = json.loads(path.read_text())
    skeleton = "coco" if len(content["categories"][0]["keypoints"]) == 17 else "crowdpose"
    arrays = CrowdDataset(config(skeleton=skeleton), COUNT, tmp_path, workers=1).ground_truth()
    for person in content["annotations"]:
        del person["segmentation"]
    assert arrays == content


def test_the_manifest_tells_what_is_there(crowds):
    path, scenes = crowds
    entry = read_manifest(path.parents[1])["splits"]["val"]
    index = np.array([scene.crowd_index for scene in scenes])
    easy, hard = int((index < 0.2).sum()), int((index >= 0.8).sum())
    assert entry["difficulty"] == {"easy": easy, "medium": COUNT - easy - hard, "hard": hard}
    assert entry["persons"] == sum(len(scene.keypoints) for scene in scenes)
    assert (entry["complete"], entry["count"], entry["images"]) == (True, COUNT, "png")
    chosen = CrowdConfig(**entry["configuration"])
    assert CrowdDataset(chosen, COUNT).digest == entry["digest"]
    assert {file.name for file in path.parents[1].iterdir()} == {
        "annotations", "images", "manifest.json",
    }  # fmt: skip


def test_what_is_complete_is_left_alone(tmp_path, capsys, monkeypatch):
    path = write(tmp_path, 2)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    monkeypatch.setattr(writer, "render_scene", None)
    assert write_crowds(config(), 2, tmp_path) == path
    assert "complete already, nothing to do" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def test_a_lost_picture_is_drawn_again(tmp_path):
    path = write(tmp_path, 2)
    truth, picture = path.read_bytes(), tmp_path / "images" / "val" / "000001.png"
    pixels = picture.read_bytes()
    picture.unlink()
    write(tmp_path, 2)
    assert (path.read_bytes(), picture.read_bytes()) == (truth, pixels)


def test_splits_of_one_configuration_live_together(tmp_path):
    write(tmp_path, 2)
    write(tmp_path, 3, split="test")
    counts = {name: entry["count"] for name, entry in read_manifest(tmp_path)["splits"].items()}
    assert counts == {"val": 2, "test": 3}
    assert len(list((tmp_path / "images" / "test").iterdir())) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "manifest.json: split val has seed 0, not 1; choose another folder"),
        ({"size": 64}, "manifest.json: split val has size 96, not 64"),
        ({"size": 64, "split": "test"}, "manifest.json: split val has size 96, not 64"),
        ({"count": 3}, "manifest.json: split val has count 2, not 3"),
        ({"quality": 95}, "manifest.json: split val has images png, not jpeg95"),
        ({"quality": 95, "split": "test"}, "manifest.json: split val has images png, not jpeg95"),
    ],
)
def test_two_configurations_do_not_mix(tmp_path, change, message):
    write(tmp_path, 2)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=message):
        write(tmp_path, **{"count": 2, **change})
    assert sorted(tmp_path.rglob("*")) == before


def test_shards_of_other_scenes_are_refused(tmp_path):
    (tmp_path / ".partial" / "val-0123456789abcdef-png").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"0123456789abcdef-png: of other scenes; choose another"):
        write(tmp_path)


@pytest.mark.parametrize("name", ["annotations/person_keypoints_val.json", "images/val/1.png"])
def test_files_of_others_are_not_overwritten(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=r"not in manifest.json; choose another folder"):
        write(tmp_path)


def test_bad_folders_and_values(tmp_path):
    (tmp_path / "manifest.json").write_text('{"splits": 3}')
    with pytest.raises(ValueError, match=r"manifest.json: not a manifest of crowds"):
        write(tmp_path)
    with pytest.raises(OSError, match=r"cannot be made \(.*\); choose another folder"):
        write(tmp_path / "manifest.json")
    with pytest.raises(ValueError, match="quality 101: expected an integer from 1 to 100"):
        write(tmp_path, quality=101)
    with pytest.raises(ValueError, match="workers 0: expected an integer from 1"):
        write_crowds(config(), 1, tmp_path, workers=0)


def start(folder, *arguments) -> subprocess.Popen:
    """Write in a process of its own; returns when the first shard is there."""
    process = subprocess.Popen(
        [sys.executable, *arguments], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background
    )  # fmt: skip
    end = time.monotonic() + 60
    while not list(folder.glob(".partial/*/*.json")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)
    return process


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    count = 20 * CHUNK
    broken = tmp_path / "broken"
    code = ("from sparse_ae.crowds import CrowdConfig; "
            "from sparse_ae.datasets.crowd_writer import write_crowds; "
            f"write_crowds(CrowdConfig(**{config(size=48).as_dict()}), {count}, {str(broken)!r}, "
            "workers=2)")  # fmt: skip
    process = start(broken, "-c", code)
    process.kill()
    process.communicate(timeout=30)  # until the workers, who have its stderr too, have ended
    shards = list(broken.glob(".partial/*/*.json"))
    assert 0 < len(shards) < 20
    assert read_manifest(broken)["splits"]["val"]["complete"] is False
    drawn = []
    draw = writer.render_scene
    monkeypatch.setattr(writer, "render_scene", lambda c, i: drawn.append(i) or draw(c, i))
    path = write(broken, count, size=48)
    assert len(drawn) == 1 + CHUNK * (20 - len(shards))
    assert not (broken / ".partial").exists()
    whole = write_crowds(config(size=48), count, tmp_path / "whole", workers=2, progress=False)
    assert path.read_bytes() == whole.read_bytes()
    for picture in (tmp_path / "whole" / "images" / "val").iterdir():
        assert (broken / "images" / "val" / picture.name).read_bytes() == picture.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_says_so_in_one_line(tmp_path, number):
    command = "-m sparse_ae.cli crowds --preset smoke --split val --count 3000 --workers 2 --out"
    process = start(tmp_path, *command.split(), str(tmp_path))
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert error.splitlines()[-1] == (
        "sparse-ae: interrupted; the same command goes on where this one stopped"
    )
    assert "Traceback" not in error
