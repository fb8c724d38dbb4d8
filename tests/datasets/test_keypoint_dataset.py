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

from sparse_ae.datasets.augment import aligned_view, random_view
from sparse_ae.datasets.keypoint_dataset import KeypointDataset
from sparse_ae.datasets.pictures import read_and_warp, read_photo
from sparse_ae.metrics import keypoint_ap
from sparse_ae.settings import AugmentSettings
from sparse_ae.skeleton import COCO, CROWDPOSE
from sparse_ae.training.batches import Targets, collate


def data_set(folder, data=None, **options) -> KeypointDataset:
    path = write(folder, content() if data is None else data)
    return KeypointDataset(path, folder / "images", TRIANGLE, **options)


def square(photos, index, size=64):
    """A photo in the middle of a square, whole: "letterboxed"."""
    width, height = photos.sizes[index].tolist()
    factor = size / max(width, height)
    middle = (np.subtract(size, 1) - factor * np.array([width - 1, height - 1])) / 2
    matrix = np.column_stack([np.eye(2) * factor, middle])
    return photos.view(index, matrix, False, (size, size))


def colour_at(image, point):
    """Which channel is brightest, red first, at a joint; -1 for grey."""
    x, y = np.rint(point).astype(int)
    pixel = image[y, x].astype(int)
    return int(pixel.argmax()) if np.ptp(pixel) > 60 else -1


@pytest.mark.parametrize("seed", range(6))
def test_one_affine_for_photo_joints_boxes_and_mask(tmp_path, seed):
    data = content(1)
    box = [60, 20, 30, 24]  # of a person without keypoints
    corners = [60, 20, 90, 20, 90, 44, 60, 44]
    data["annotations"].append(person(7, 1, keypoints=[0] * 9, segmentation=[corners], bbox=box))
    augment, rng = AugmentSettings(scale=(1.3, 1.5)), np.random.default_rng(seed)
    sample = data_set(tmp_path, data).random_view(0, 128, augment.model_copy(update={"colour": 0}),
                                                  rng)  # fmt: skip
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
        still = AugmentSettings(rotation=10.0, scale=(1.0, 1.0), shift=0.0, flip=0.0)
        matrix, _ = random_view(641, 480, size, np.random.default_rng(0), still)
        small = read_and_warp(path, 641, 480, matrix, (size, size)).astype(int)
        whole = cv2.warpAffine(read_photo(path, 641, 480)[0], matrix, (size, size))[..., ::-1]
        inside = cv2.warpAffine(np.ones((480, 641)), matrix, (size, size)) > 0.99
        inside = cv2.erode(inside.astype(np.uint8), np.ones((7, 7)), borderValue=0) > 0
        assert np.abs(small - whole)[inside].max() <= (0 if reduction == 1 else 6)
        assert np.abs(small - whole)[inside].mean() < 1  # half a pixel off would be 1.2 and more


def test_a_photo_as_it_is(tmp_path):
    photos = data_set(tmp_path)
    sample = photos[1]
    image = cv2.imread(str(tmp_path / "images" / "002.jpg"))[..., ::-1]
    assert np.array_equal(sample.image, image)
    assert sample.keypoints[0].ravel().tolist() == content()["annotations"][1]["keypoints"]
    assert (sample.boxes.tolist(), sample.id) == ([[8, 8, 26, 40]], 2)
    assert sample.scale[0] == pytest.approx(np.sqrt(26 * 40) / HEIGHT)
    np.testing.assert_array_equal(sample.matrix, np.eye(2, 3))
    assert photos[-2].id == 2
    assert [sample.id for sample in photos] == photos.ids.tolist() == [1, 2, 3]


def test_a_view_is_black_outside_the_photo(tmp_path):
    sample = square(data_set(tmp_path), 0, 96)  # 96 × 64 pixels in the middle
    assert not sample.image[:16].any()
    assert not sample.image[80:].any()
    assert sample.image[17:79].any(axis=2).all()
    assert sample.mask.all()  # the loss may look at the black, where nobody is


def test_views_depend_on_their_random_numbers_alone(tmp_path):
    photos, augment = data_set(tmp_path), AugmentSettings()

    def seen(seed):
        return [photos.random_view(i, 64, augment, np.random.default_rng([seed, i])).image
                for i in range(3)]  # fmt: skip

    first = seen(0)
    assert all(map(np.array_equal, first, seen(0)))
    assert not any(map(np.array_equal, first, seen(1)))
    assert not np.array_equal(first[0], first[1])


def test_a_batch_is_made_of_samples(tmp_path):
    photos = data_set(tmp_path)
    samples = [square(photos, i) for i in range(2)]
    batch = collate(samples, Targets())
    assert batch.image.shape == (2, 3, 64, 64)
    assert batch.targets[0][0].amax((1, 2))[:3].tolist() == [1, 1, 1]
    assert batch.masks is None  # nothing to ignore
    ignored = samples[0].mask.copy()
    ignored[:32, :16] = False
    masks = collate([samples[0]._replace(mask=ignored), samples[1]], Targets())
    coarse, fine = masks.masks
    assert not coarse[0, :8, :4].any()
    assert coarse.sum() == 2 * 16 * 16 - 8 * 4
    assert fine.sum() == 2 * 32 * 32 - 16 * 8
    scale = np.stack([np.pad(s.scale, (0, batch.scale.shape[1] - len(s.scale))) for s in samples])
    assert np.array_equal(batch.scale, scale)  # of the whole boxes, not of what is in the frame
    assert batch.ids.tolist() == [1, 2]


def test_photos_without_people_are_for_evaluation(tmp_path):
    data = content(3)
    data["annotations"] = data["annotations"][:2]
    assert len(data_set(tmp_path, data)) == 3
    assert data_set(tmp_path, data)[2].keypoints.shape == (0, 3, 3)
    assert len(data_set(tmp_path, data, empty=False)) == 2
    with pytest.raises(ValueError, match="no photo with a labelled person"):
        data_set(tmp_path, {**data, "annotations": []}, empty=False)


def test_a_part_of_the_photos_is_a_data_set_of_its_own(tmp_path):
    photos = data_set(tmp_path)
    part = photos.only([2, 0])
    assert part.ids.tolist() == [3, 1]
    assert [sample.id for sample in part] == [3, 1]
    assert {image["id"] for image in part.ground_truth()["images"]} == {1, 3}
    assert part.digest != photos.digest != photos.only([0, 1]).digest != part.digest
    assert photos.only(range(3)).digest == photos.digest
    assert len(photos) == 3


def test_the_digest_covers_the_annotations(tmp_path):
    first = data_set(tmp_path).digest
    assert data_set(tmp_path).digest == first
    assert len(first) == 16
    data = content()
    data["annotations"][0]["keypoints"][0] += 1
    assert data_set(tmp_path, data).digest != first


@pytest.mark.parametrize("crowd", [False, True])
def test_ground_truth_has_a_crowd_index_however_it_is_evaluated(tmp_path, crowd):
    data = content(2)
    data["images"][0]["crowdIndex"] = 0.5
    truth = data_set(tmp_path, data, as_crowds=crowd).ground_truth()
    assert [image["crowdIndex"] for image in truth["images"]] == [0.5, 0.0]


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-200])


def cut_to_a_png(path):
    code = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (64, 96, 3)))[1]
    path.write_bytes(code.tobytes()[:-500])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "002.jpg: no such file; fetch it, or check the folder"),
        (cut_short, "002.jpg: JPEG cut short; fetch it again"),
        (cut_to_a_png, "002.jpg: PNG cut short; fetch it again"),
        (lambda path: path.write_bytes(b""), "002.jpg: no picture of the kinds JPEG"),
        (lambda path: path.write_text("<html>404"), "002.jpg: no picture of the kinds JPEG"),
        (lambda path: cv2.imwrite(str(path), np.zeros((96, 64, 3), np.uint8)),
         "002.jpg: 64 × 96 pixels, but 96 × 64 in the annotations"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_photo_is_told_or_skipped_and_listed(tmp_path, damage, message, workers):
    path = write(tmp_path, content())
    damage(tmp_path / "images" / "002.jpg")

    def read(skip):
        photos = KeypointDataset(path, tmp_path / "images", TRIANGLE, skip_broken=skip)
        loader = DataLoader(photos, 1, num_workers=workers, collate_fn=list)
        return photos, [sample.id for batch in loader for sample in batch]

    with pytest.raises(ValueError, match=rf"(?s){message}.*people.json: image 2.*skip_broken=True"):
        read(False)
    photos, ids = read(True)
    assert ids in ([1, 3], [1, 3, 3])
    (line,) = photos.broken
    assert "002.jpg" in line
    assert "people.json: image 2" in line
    assert [image["id"] for image in photos.ground_truth()["images"]] == [1, 3]


def test_the_view_in_place_of_a_broken_photo_is_the_same_whenever_it_is_asked_for(tmp_path):
    """Which photos were tried before depends on workers and on resuming; views must not."""
    photos = data_set(tmp_path, skip_broken=True)
    cut_short(tmp_path / "images" / "002.jpg")
    first, again = (photos.random_view(1, 64, AugmentSettings(), np.random.default_rng(5))
                    for _ in range(2))  # fmt: skip
    assert len(photos.broken) == 1
    assert first.id == again.id == 3
    assert np.array_equal(first.matrix, again.matrix)
    assert np.array_equal(first.image, again.image)


def test_nothing_that_can_be_read(tmp_path):
    photos = data_set(tmp_path, skip_broken=True)
    for path in (tmp_path / "images").iterdir():
        cut_short(path)
    with pytest.raises(ValueError, match=r"no photo of .*people.json can be read"):
        photos[0]
    with pytest.raises(IndexError, match="image 3 of 3"):
        photos[3]


def test_photos_in_folders_of_their_own(tmp_path):
    data = content(2)
    data["images"][1]["file_name"] = "deeper/002.jpg"
    path = write(tmp_path, data)
    (tmp_path / "images" / "deeper").mkdir()
    shutil.move(tmp_path / "images" / "002.jpg", tmp_path / "images" / "deeper")
    assert KeypointDataset(path, tmp_path / "images", TRIANGLE)[1].id == 2


def test_official_folders(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="data set 'mpii': expected one of coco, crowdpose"):
        KeypointDataset.official("mpii", "val")
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"crowdpose_val.json: no such file; SPARSE_AE_DATA names"):
        KeypointDataset.official("crowdpose", "val")


@pytest.mark.slow
@pytest.mark.parametrize(("split", "photos", "persons"), [("train", 103, 282), ("val", 93, 315)])
def test_real_coco(real, split, photos, persons):
    found = KeypointDataset.official("coco", split, real, skip_broken=True)
    samples = list(found)
    assert (len(samples), sum(len(s.keypoints) for s in samples)) == (photos, persons)
    assert found.broken == []
    assert found.skeleton is COCO
    assert sum(not s.mask.all() for s in samples) > 5
    for index, sample in enumerate(samples):  # no joint is lost, but for rounding at the edge
        before = found.annotations.persons(index)[0]
        assert (before[..., 2] > 0).sum() - (sample.keypoints[..., 2] > 0).sum() <= 2
    rng = np.random.default_rng(0)
    assert found.random_view(0, 512, AugmentSettings(), rng).image.shape == (512, 512, 3)
    matrix, shape = aligned_view(*found.sizes[0].tolist(), 256)
    assert found.view(0, matrix, False, shape).image.shape[0] % 64 == 0


def test_real_crowdpose(real):
    folder = real / "crowdpose"
    path = folder / "json" / "crowdpose_sample.json"
    found = KeypointDataset(path, folder / "images", CROWDPOSE, as_crowds=True)
    assert [len(sample.keypoints) for sample in found] == [
        sum(any(p["keypoints"][2::3]) and not p["iscrowd"]
            for p in json.loads(path.read_text())["annotations"] if p["image_id"] == image)
        for image in found.ids
    ]  # fmt: skip
    truth = found.ground_truth()
    detections = [{**p, "score": 1.0} for p in truth["annotations"] if p["num_keypoints"]]
    assert keypoint_ap(truth, detections, CROWDPOSE, crowd=True)["AP"] == pytest.approx(1)
    with pytest.raises(ValueError, match="no such file; fetch it, or check the folder"):
        KeypointDataset.official("crowdpose", "val", real)


@pytest.mark.slow
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
