"""Photos as a data set: one affine for all that a view shows, and what happens to broken files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from photos import HEIGHT, TRIANGLE, WIDTH, content, person, write
from torch.utils.data import DataLoader

from sparse_ae.datasets.keypoint_dataset import KeypointDataset, as_list, in_worker
from sparse_ae.datasets.pictures import (
    View,
    aligned_view,
    random_view,
    read_and_warp,
    read_photo,
    whole_view,
)
from sparse_ae.metrics import keypoint_ap
from sparse_ae.settings.config import Config
from sparse_ae.skeleton import COCO, CROWDPOSE
from sparse_ae.training.batches import collate

STILL = View(rotation=0, scale=(1, 1), shift=0, flip=0)


def data_set(folder, data=None, **options) -> KeypointDataset:
    path = write(folder, content() if data is None else data)
    return KeypointDataset(path, folder / "images", TRIANGLE, **{"size": 64, **options})


def colour_at(image, point):
    """Which channel is brightest, red first, at a joint; -1 for grey."""
    x, y = np.rint(point).astype(int)
    pixel = image[y, x].astype(int)
    return int(pixel.argmax()) if np.ptp(pixel) > 60 else -1


def test_views_by_hand():
    rng = np.random.default_rng(0)
    matrix, mirrored = random_view(96, 64, 32, rng, STILL)
    assert not mirrored
    # the middle 64 × 64 pixels, halved: pixel centre 16 + 0.5 goes to 0
    np.testing.assert_allclose(matrix, [[0.5, 0, -8.25], [0, 0.5, -0.25]])
    matrix, mirrored = random_view(64, 64, 64, rng, View(0, (1, 1), 0, 1))
    assert mirrored
    np.testing.assert_allclose(matrix, [[-1, 0, 63], [0, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(whole_view(96, 64, 96), [[1, 0, 0], [0, 1, 16]], atol=1e-12)
    matrix, shape = aligned_view(640, 480, 512)  # 682.7 pixels wide, then a multiple of 64
    assert shape == (704, 512)
    assert matrix[0, 0] == pytest.approx(512 / 480)
    assert aligned_view(480, 640, 512)[1] == (512, 704)
    assert aligned_view(512, 512, 500)[1] == (512, 512)


def test_the_ranges_of_views_are_the_papers():
    rng, middle = np.random.default_rng(1), np.array([319.5, 239.5])
    drawn = [random_view(640, 480, 512, rng, View())[0] for _ in range(4000)]
    factors = np.array([480 / 512 * np.sqrt(abs(np.linalg.det(m[:, :2]))) for m in drawn])
    assert 1 / 1.5 <= factors.min() < 0.67
    assert 1.32 < factors.max() <= 1 / 0.75
    assert np.mean(1 / factors) == pytest.approx(1.125, abs=0.02)  # uniform in the cut-out's side
    shifts = np.array([m[:, :2] @ middle + m[:, 2] - 255.5 for m in drawn])
    assert 39 < np.abs(shifts).max() <= 40
    angles = np.degrees([np.arctan2(m[1, 0], m[1, 1]) for m in drawn])
    assert 29 < np.abs(angles).max() <= 30
    assert np.mean([np.linalg.det(m[:, :2]) < 0 for m in drawn]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("seed", range(6))
def test_one_affine_for_photo_joints_boxes_and_mask(tmp_path, seed):
    data = content(1)
    box = [60, 20, 30, 24]  # of a person without keypoints
    corners = [60, 20, 90, 20, 90, 44, 60, 44]
    data["annotations"].append(person(7, 1, keypoints=[0] * 9, segmentation=[corners], bbox=box))
    sample = data_set(tmp_path, data, size=128, view=View(scale=(1.3, 1.5)), seed=seed)[0]
    matrix = sample.matrix
    (before,) = np.reshape(data["annotations"][0]["keypoints"], (1, 3, 3))
    back = (sample.keypoints[0, :, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    mirrored = np.linalg.det(matrix[:, :2]) < 0
    expected = before[TRIANGLE.flip] if mirrored else before
    seen = sample.keypoints[0, :, 2] > 0
    assert seen.sum() >= 2
    np.testing.assert_allclose(back[seen], expected[seen, :2], atol=1e-3)
    for k in np.flatnonzero(seen):  # in a mirrored view a left joint is what was a right one
        shown = TRIANGLE.flip[k] if mirrored else k
        assert colour_at(sample.image, sample.keypoints[0, k, :2]) == shown
    x, y, w, h = data["annotations"][0]["bbox"]
    turned = np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]]) @ matrix[:, :2].T
    turned = (turned + matrix[:, 2]).clip(0, 127)
    np.testing.assert_allclose(sample.boxes[0, :2], turned.min(0), atol=1e-3)
    np.testing.assert_allclose(sample.boxes[0, 2:], np.ptp(turned, 0), atol=1e-3)
    factor = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    assert sample.scale[0] == pytest.approx(factor * np.sqrt(w * h) / 128)
    inside = np.zeros((HEIGHT, WIDTH), np.uint8)
    inside[20:44, 60:90] = 1
    warped = cv2.warpAffine(inside, matrix, (128, 128), flags=cv2.INTER_NEAREST) > 0
    union = (~sample.mask | warped).sum()
    assert (~sample.mask & warped).sum() > 0.93 * union  # but for the outline


def test_a_photo_decoded_small_shows_the_same(tmp_path):
    y, x = np.mgrid[:480, :641]  # smooth, and of odd width
    image = np.stack([127 + 100 * np.sin(x / 40), 127 + 100 * np.cos(y / 50), (x + y) / 5], 2)
    path = tmp_path / "smooth.jpg"
    cv2.imwrite(str(path), image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 98])
    for size, reduction in ((120, 4), (200, 2), (480, 1)):
        matrix, _ = random_view(641, 480, size, np.random.default_rng(0), View(10, (1, 1), 0, 0))
        small = read_and_warp(path, 641, 480, matrix, (size, size)).astype(int)
        whole = cv2.warpAffine(read_photo(path, 641, 480)[0], matrix, (size, size))[..., ::-1]
        inside = cv2.warpAffine(np.ones((480, 641)), matrix, (size, size)) > 0.99
        inside = cv2.erode(inside.astype(np.uint8), np.ones((7, 7)), borderValue=0) > 0
        assert np.abs(small - whole)[inside].max() <= (0 if reduction == 1 else 6)
        assert np.abs(small - whole)[inside].mean() < 1  # half a pixel off would be 1.2 and more


def test_views_depend_on_seed_epoch_and_photo_alone(tmp_path):
    first = data_set(tmp_path, view=View(colour=0.2), seed=3)
    views = [sample.image for sample in first]
    workers = DataLoader(first, 2, num_workers=2, collate_fn=as_list, worker_init_fn=in_worker,
                         persistent_workers=True)  # fmt: skip
    for _ in range(2):
        loaded = [sample.image for batch in workers for sample in batch]
        assert all(map(np.array_equal, views, loaded))
    first.set_epoch(1)  # reaches the workers, too
    later = [sample.image for batch in workers for sample in batch]
    assert not any(map(np.array_equal, views, later))
    assert all(map(np.array_equal, later, [sample.image for sample in first]))


def test_a_batch_is_made_of_samples(tmp_path):
    samples = [data_set(tmp_path)[i] for i in range(2)]
    whole = [np.pad(s.keypoints, ((0, 0), (0, 11), (0, 0))) for s in samples]
    samples = [s._replace(keypoints=k) for s, k in zip(samples, whole, strict=True)]
    batch = collate(samples, Config("x", "ae8", 0, size=64))
    assert batch.image.shape == (2, 3, 64, 64)
    assert batch.targets[0][0].amax((1, 2))[:3].tolist() == [1, 1, 1]
    assert batch.masks is None  # nothing to ignore
    ignored = samples[0].mask.copy()
    ignored[:32, :16] = False
    masks = collate([samples[0]._replace(mask=ignored), samples[1]], Config("x", "ae8", 0, size=64))
    coarse, fine = masks.masks
    assert not coarse[0, :8, :4].any()
    assert coarse.sum() == 2 * 16 * 16 - 8 * 4
    assert fine.sum() == 2 * 32 * 32 - 16 * 8
    scale = np.stack([np.pad(s.scale, (0, batch.scale.shape[1] - len(s.scale))) for s in samples])
    assert np.array_equal(batch.scale, scale)  # of the whole boxes, not of what is in the frame


def test_photos_without_people_are_for_evaluation(tmp_path):
    data = content(3)
    data["annotations"] = data["annotations"][:2]
    assert len(data_set(tmp_path, data)) == 3
    assert data_set(tmp_path, data)[2].keypoints.shape == (0, 3, 3)
    assert len(data_set(tmp_path, data, view=View())) == 2
    assert len(data_set(tmp_path, data, view=View(), empty=True)) == 3
    with pytest.raises(ValueError, match="no photo with a labelled person"):
        data_set(tmp_path, {**data, "annotations": []}, view=View())


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-200])


def cut_to_a_png(path):
    code = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (64, 96, 3)))[1]
    path.write_bytes(code.tobytes()[:-500])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "002.jpg: no such file; fetch it, or check the folder"),
        (cut_short, "002.jpg: JPEG cut short; fetch it again"),
        (cut_to_a_png, "002.jpg: PNG cut short; fetch it again"),
        (lambda path: path.write_bytes(b""), "002.jpg: no picture that OpenCV can decode"),
        (lambda path: path.write_text("<html>404"), "002.jpg: no picture that OpenCV can decode"),
        (lambda path: cv2.imwrite(str(path), np.zeros((96, 64, 3), np.uint8)),
         "002.jpg: 64 × 96 pixels, but 96 × 64 in the annotations"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_photo_is_told_or_skipped_and_listed(tmp_path, damage, message, workers):
    path = write(tmp_path, content())
    damage(tmp_path / "images" / "002.jpg")

    def read(skip):
        photos = KeypointDataset(path, tmp_path / "images", TRIANGLE, size=64, skip_broken=skip)
        return photos, [s.id for b in DataLoader(photos, 1, num_workers=workers, collate_fn=as_list)
                        for s in b]  # fmt: skip

    with pytest.raises(ValueError, match=rf"(?s){message}.*people.json: image 2.*skip_broken=True"):
        read(False)
    photos, ids = read(True)
    assert ids in ([1, 3], [1, 3, 3])
    (line,) = photos.broken
    assert "002.jpg" in line
    assert "people.json: image 2" in line
    assert [image["id"] for image in photos.ground_truth()["images"]] == [1, 3]


def test_nothing_that_can_be_read(tmp_path):
    photos = data_set(tmp_path, skip_broken=True)
    for path in (tmp_path / "images").iterdir():
        cut_short(path)
    with pytest.raises(ValueError, match=r"no photo of .*people.json can be read"):
        photos[0]
    with pytest.raises(IndexError, match="photo 3 of 3"):
        photos[3]


def test_photos_in_folders_of_their_own(tmp_path):
    data = content(2)
    data["images"][1]["file_name"] = "deeper/002.jpg"
    path = write(tmp_path, data)
    (tmp_path / "images" / "deeper").mkdir()
    shutil.move(tmp_path / "images" / "002.jpg", tmp_path / "images" / "deeper")
    assert KeypointDataset(path, tmp_path / "images", TRIANGLE, size=64)[1].id == 2


def test_official_folders(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="data set 'mpii': expected one of coco, crowdpose"):
        KeypointDataset.official("mpii", "val")
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"crowdpose_val.json: no such file; SPARSE_AE_DATA names"):
        KeypointDataset.official("crowdpose", "val")


@pytest.mark.parametrize(("split", "photos", "persons"), [("train", 103, 282), ("val", 93, 315)])
def test_real_coco(real, split, photos, persons):
    found = KeypointDataset.official("coco", split, real, size=256, skip_broken=True)
    samples = list(found)
    assert (len(samples), sum(len(s.keypoints) for s in samples)) == (photos, persons)
    assert found.broken == []
    assert found.skeleton is COCO
    assert sum(not s.mask.all() for s in samples) > 5
    for sample in samples:  # whole photos: no joint is lost, but for rounding at the edge
        before = found.annotations.persons(found.annotations.ids.tolist().index(sample.id))[0]
        assert (before[..., 2] > 0).sum() - (sample.keypoints[..., 2] > 0).sum() <= 2
    views = KeypointDataset.official("coco", split, real, view=View())
    assert views[0].image.shape == (512, 512, 3)
    assert found.aligned(0).image.shape[0] % 64 == 0


def test_real_crowdpose(real):
    folder = real / "crowdpose"
    path = folder / "json" / "crowdpose_sample.json"
    found = KeypointDataset(path, folder / "images", CROWDPOSE)
    assert [len(sample.keypoints) for sample in found] == [
        sum(any(p["keypoints"][2::3]) and not p["iscrowd"]
            for p in json.loads(path.read_text())["annotations"] if p["image_id"] == image)
        for image in found.annotations.ids
    ]  # fmt: skip
    truth = found.ground_truth(crowd=True)
    detections = [{**p, "score": 1.0} for p in truth["annotations"] if p["num_keypoints"]]
    assert keypoint_ap(truth, detections, CROWDPOSE, crowd=True)["AP"] == pytest.approx(1)
    with pytest.raises(ValueError, match="no such file; fetch it, or check the folder"):
        KeypointDataset.official("crowdpose", "val", real)


def test_the_benchmark_of_loading_writes_its_record(real, tmp_path):
    out = tmp_path / "loading.json"
    command = [sys.executable, "benchmarks/loading.py", "--quick", "--size", "64", "--out", out]
    environment = {**os.environ, "SPARSE_AE_DATA": str(real)}
    root = Path(__file__).resolve().parents[2]
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
    found = json.loads(out.read_text())
    assert found["photos_per_second"] > 0
    assert min(found["one_core_ms"].values()) >= 0
    assert found["one_core_ms"]["a whole sample"] > 0
