"""The data that settings name: which photos a split has, and data sets put together."""

from __future__ import annotations

import zlib
from collections import Counter

import numpy as np
import pytest
from flat import flat_settings
from photos import TRIANGLE, content, custom_preset, write

from sparse_ae.datasets import CrowdDataset, KeypointDataset, open_dataset
from sparse_ae.datasets.dataset import Concatenated
from sparse_ae.datasets.open import by_id, open_crowds, spread
from sparse_ae.settings import AugmentSettings, load_settings
from sparse_ae.skeleton import COCO

AUGMENT = AugmentSettings()


def coco(folder, split, images, empty=()):
    """Photos with a person each, but for `empty`, as an official split of COCO."""
    data = content(images)
    for person in data["annotations"]:
        person["keypoints"] = person["keypoints"] + [0] * (3 * 14)
    data["annotations"] = [p for p in data["annotations"] if p["image_id"] not in empty]
    data["categories"][0]["keypoints"] = list(COCO.keypoints)
    path = write(folder / "coco" / "now", data)
    (folder / "coco/annotations").mkdir(exist_ok=True)
    path.rename(folder / f"coco/annotations/person_keypoints_{split}2017.json")
    (folder / "coco/now/images").rename(folder / f"coco/{split}2017")


def by_ids(**values):
    settings = flat_settings("smoke", "rve", 0, source="coco", skeleton="coco", split="by_id",
                             **values)  # fmt: skip
    return settings.data


def test_a_split_is_told_by_the_id_alone():
    """The rule as the settings state it; CRC-32's published check value; and photos of COCO."""
    for number in range(2000):
        digit = zlib.crc32(str(number).encode()) % 10
        assert by_id(number) == {0: "test", 1: "test", 2: "val"}.get(digit, "train")
    assert by_id(123456789) == "val"  # 0xCBF43926 = 3,421,780,262
    chosen = [by_id(number) for number in (139, 785, 872, 1268, 1425)]
    assert chosen == ["train", "train", "val", "test", "test"]
    shares = Counter(map(by_id, range(20_000)))
    for split, share in (("test", 0.2), ("val", 0.1), ("train", 0.7)):
        assert shares[split] / 20_000 == pytest.approx(share, abs=0.01)


def test_cocos_val_photos_are_divided_by_their_ids(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    coco(tmp_path, "val", 40, empty=(3, 5, 8))
    ids = {split: open_dataset(by_ids(), split).ids.tolist() for split in ("train", "val", "test")}
    for number in range(1, 41):
        has = [split for split in ids if number in ids[split]]
        left_out = by_id(number) == "train" and number in (3, 5, 8)  # it teaches nothing
        assert has == ([] if left_out else [by_id(number)])
    assert {by_id(number) for number in (3, 5, 8)} >= {"train"}
    assert min(map(len, ids.values())) > 1
    assert isinstance(open_dataset(by_ids(), "train"), KeypointDataset)


def test_train2017_is_trained_on_too_if_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    coco(tmp_path, "val", 30)
    alone = open_dataset(by_ids(), "train")
    test = open_dataset(by_ids(), "test").ids.tolist()
    coco(tmp_path, "train", 5)
    both = open_dataset(by_ids(), "train")
    assert both.ids.tolist() == [*alone.ids.tolist(), 1, 2, 3, 4, 5]  # ids of other photos
    assert both.digest == f"{alone.digest}+{both.parts[1].digest}"
    assert open_dataset(by_ids(), "test").ids.tolist() == test


def test_data_that_cannot_be_divided_by_ids(tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match=r"data\.split: by_id is for `source: coco`, not for crowdp"
    ):
        flat_settings("smoke", "rve", 0, source="crowdpose", split="by_id")
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"person_keypoints_val2017\.json: no such file"):
        open_dataset(by_ids(), "test")
    coco(tmp_path, "val", 1)
    with pytest.raises(ValueError, match="no photo to "):
        [open_dataset(by_ids(), split) for split in ("val", "test")]


def test_real_photos_divided_by_their_ids(real):
    assert real
    sets = {split: open_dataset(by_ids(), split) for split in ("train", "val", "test")}
    assert isinstance(sets["train"], Concatenated)  # train2017 is there
    official = KeypointDataset.official("coco", "val").ids.tolist()
    assert all(by_id(number) == "test" for number in sets["test"].ids.tolist())
    divided = [*sets["val"].ids, *sets["test"].ids, *sets["train"].parts[0].ids]
    assert set(divided) <= set(official)
    assert len(set(divided)) == len(divided)


@pytest.fixture
def parts(tmp_path):
    """Three photos, and two others of which the first is broken."""
    first = KeypointDataset(write(tmp_path / "a", content()), tmp_path / "a/images", TRIANGLE)
    path = write(tmp_path / "b", content(2))
    (tmp_path / "b/images/001.jpg").write_bytes(b"no photo")
    second = KeypointDataset(path, tmp_path / "b/images", TRIANGLE, skip_broken=True)
    return first, second


def test_data_sets_one_after_the_other(parts):
    both = Concatenated(parts)
    assert len(both) == 5
    assert both.ids.tolist() == [1, 2, 3, 1, 2]
    assert both.sizes.tolist() == [[96, 64]] * 5
    assert both.skeleton is TRIANGLE
    assert both.digest == f"{parts[0].digest}+{parts[1].digest}"
    for index in (0, 2, 4):
        part = parts[index > 2]
        inner = index - 3 * (index > 2)
        for one, other in ((both[index], part[inner]),
                           (both.random_view(index, 64, AUGMENT, np.random.default_rng(index)),
                            part.random_view(inner, 64, AUGMENT, np.random.default_rng(index)),
                            )):  # fmt: skip
            for left, right in zip(one, other, strict=True):
                np.testing.assert_array_equal(left, right)
    assert both[-1].id == 2
    with pytest.raises(IndexError, match="image 5 of 5"):
        both[5]
    with pytest.raises(ValueError, match="ground truth: ask each data set for its own"):
        both.ground_truth()


def test_a_broken_photo_is_replaced_by_one_of_its_own_data_set(parts):
    both = Concatenated(parts)
    assert both.broken == []
    assert (both[3].id, both[2].id) == (2, 3)
    (line,) = both.broken
    assert "001.jpg" in line
    np.testing.assert_array_equal(both[3].image, parts[1][1].image)
    rng = np.random.default_rng(0)
    assert both.random_view(3, 64, AUGMENT, rng).id == 2


def test_crowds_and_photos_of_one_skeleton_go_together(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSE_AE_DATA", str(tmp_path))
    coco(tmp_path, "val", 12)
    data = by_ids(train_scenes=3)
    both = Concatenated([open_dataset(data, "train"), open_crowds(data, "train")])
    assert both.ids[-3:].tolist() == [1, 2, 3]
    assert both[-1].image.shape == (64, 64, 3)
    assert both[0].image.shape == (64, 96, 3)
    assert both[-1].keypoints.shape[1:] == both[0].keypoints.shape[1:] == (17, 3)


def test_what_is_kept_back_is_not_trained_on(tmp_path):
    preset = custom_preset(tmp_path, content(40), val_fraction=0.3, test_set=[])
    data = load_settings(preset, "rve", 0).data
    train, val = (set(open_dataset(data, split).ids.tolist()) for split in ("train", "val"))
    assert not train & val
    assert train | val == set(range(1, 41))
    assert val == {number for number in train | val if spread(number) < 0.3}
    assert 5 <= len(val) <= 20
    other = load_settings(preset, "ae8", 7).data
    assert set(open_dataset(other, "val").ids.tolist()) == val  # whatever the seed and method
    with pytest.raises(ValueError, match="test_set: missing, as"):
        open_dataset(data, "test")
    few = data.model_copy(update={"val_fraction": 1e-9})
    with pytest.raises(ValueError, match="val_fraction: 1e-09 of 40 photos leaves none to val on"):
        open_dataset(few, "val")


def test_crowds_are_those_that_the_settings_describe():
    data = flat_settings("smoke", "rve", 3).data
    for split, count in (("train", 64), ("val", 16), ("test", 24)):
        crowds = open_dataset(data, split)
        assert isinstance(crowds, CrowdDataset)
        assert (len(crowds), crowds.config.split, crowds.cached) == (count, split, True)
        assert crowds.digest == open_dataset(flat_settings("smoke", "ae8", 0).data, split).digest
    rendered = data.model_copy(update={"source": "rendered"})
    assert not open_dataset(rendered, "train").cached
    assert open_dataset(rendered, "test").cached


def test_the_val_photos_of_coco_are_not_validated_on():
    data = flat_settings("smoke", "rve", 0, source="coco", skeleton="coco").data
    with pytest.raises(ValueError, match="val_fraction: 0, but COCO's val photos are those that"):
        open_dataset(data, "val")


def test_knob_scenes_of_a_skeleton_of_ones_own_are_refused(tmp_path):
    preset = custom_preset(tmp_path, knob_scenes=2)
    with pytest.raises(ValueError, match=r"report\.knob_scenes: expected 0, for only crowds"):
        load_settings(preset, "rve", 0)


@pytest.mark.parametrize("source", ["crowds", "rendered"])
def test_crowds_of_a_skeleton_of_ones_own_are_refused(tmp_path, source):
    """Seventeen joints of COCO would stand under its header."""
    unused = {"train_set": [], "val_set": [], "test_set": []}
    preset = custom_preset(tmp_path, source=source, **unused)
    with pytest.raises(ValueError, match="skeleton: only coco and crowdpose can be rendered, got"):
        load_settings(preset, "rve", 0)
