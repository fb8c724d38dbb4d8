"""Where batches come from: the same images of a step, whoever loads them and however many share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flat import flat_settings, stream_of
from photos import content, custom_preset, person

from sparse_ae.datasets import PoseDataset, Sample, open_dataset
from sparse_ae.settings import AugmentSettings
from sparse_ae.training import Stream, Targets

STILL = {"flip": 0.0, "rotation": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "colour": 0.0}


def same(left, right):
    """Whether two batches are equal to the bit."""
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left is right is None or torch.equal(left, right)


def as_rank(monkeypatch, rank, world_size):
    """From now on streams are those of one of several processes."""
    monkeypatch.setattr("sparse_ae.training.streams.rank_and_world_size",
                        lambda: (rank, world_size))  # fmt: skip


def test_shares_of_a_batch_are_the_whole(monkeypatch):
    """Images, targets and ids, of two shares that two processes draw each for itself."""
    settings = flat_settings("smoke", "offset", 5, steps=3)
    whole, halves = list(stream_of(settings).batches()), []
    for rank in (0, 1):
        as_rank(monkeypatch, rank, 2)
        halves.append(list(stream_of(settings).batches()))
    for batch, first, second in zip(whole, *halves, strict=True):
        for name in ("image", "scale", "ids"):
            parts = [getattr(half, name) for half in (first, second)]
            if name == "scale":  # padded to the most persons of each share
                most = batch.scale.shape[1]
                parts = [torch.nn.functional.pad(p, (0, most - p.shape[1])) for p in parts]
            assert torch.equal(getattr(batch, name), torch.cat(parts)), name
        for target, *parts in zip(batch.targets, first.targets, second.targets, strict=True):
            assert torch.equal(target, torch.cat(parts))
        centres = [half.offsets.centre for half in (first, second)]
        assert torch.equal(batch.offsets.centre, torch.cat(centres))


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    stream = stream_of(flat_settings("smoke", "rve", 0, batch=10))
    as_rank(monkeypatch, 0, 3)
    with pytest.raises(ValueError, match="batch: 10 images cannot be shared equally by 3 proc"):
        stream.batches()


def test_a_stream_goes_on_from_any_step():
    """Whatever was drawn before: a step's images depend on its number alone."""
    stream = stream_of(flat_settings("smoke", "rve", 2, steps=7))
    kept = list(stream.batches())
    rest = list(stream.batches(done=4))
    assert len(rest) == 3
    assert all(map(same, rest, kept[4:]))


@pytest.fixture(scope="module")
def rendered():
    return flat_settings("smoke", "rve", 1, source="rendered", steps=4, train_scenes=20)


@pytest.mark.slow
def test_rendered_scenes_do_not_depend_on_workers(rendered):
    here = list(stream_of(rendered).batches())
    there = list(stream_of(rendered, workers=2).batches())
    assert len(here) == len(there) == 4
    assert all(map(same, here, there))
    assert all(map(same, here[2:], stream_of(rendered, workers=1).batches(done=2)))
    ids = torch.cat([batch.ids for batch in here])
    assert sorted(ids[:20].tolist()) == list(range(1, 21))  # an epoch of 20, over 2.5 batches
    other = flat_settings("smoke", "rve", 2, source="rendered", steps=4, train_scenes=20)
    assert not same(here[0], next(stream_of(other).batches()))


@pytest.mark.parametrize("source", ["rendered", "crowds"])
def test_a_scene_that_is_seen_as_it_is_is_that_of_the_data_set(source):
    still = flat_settings("smoke", "rve", 1, source=source, steps=1, train_scenes=20, **STILL)
    batch = next(stream_of(still).batches())
    crowd = open_dataset(still.data, "train")
    for image, number in zip(batch.image, batch.ids.tolist(), strict=True):
        expected = torch.from_numpy(crowd.scene(number - 1).image).permute(2, 0, 1)
        assert (image.int() - expected.int()).abs().max() <= 1


class Numbers(PoseDataset):
    """Images that are not there, and which of them were asked for."""

    broken, as_crowds = (), True
    digest = "0" * 16

    def __init__(self, count, colour=0):
        self.ids, self.sizes = np.arange(count), np.full((count, 2), 32)
        self.colour, self.seen = colour, []

    def view(self, index, matrix, _mirrored, shape):
        self.seen.append(index)
        nobody = np.zeros((0, 2, 3)), np.zeros((0, 4)), np.zeros(0)
        image = np.full((*shape, 3), self.colour, np.uint8)
        return Sample(image, *nobody, None, matrix, index)

    def ground_truth(self):
        return {}


def stream_over(numbers, **more):
    augment = AugmentSettings(colour=0.0)
    return Stream(numbers, augment, 32, Targets(), **{"batch": 5, "steps": 6, "seed": 0, **more})


def test_an_epoch_has_every_image_once_and_the_next_another_order():
    numbers = Numbers(10)
    assert len(list(stream_over(numbers).batches())) == 6
    epochs = [numbers.seen[start : start + 10] for start in (0, 10, 20)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_a_share_of_the_images_is_mixed_in():
    """About a quarter, the same ones whoever asks, and the others are still all of an epoch."""
    photos, crowds = Numbers(40), Numbers(7, colour=255)
    stream = stream_over(photos, steps=80, mixed_in=(crowds, 0.25))
    first = [batch.image[:, 0, 0, 0].tolist() for batch in stream.batches()]
    assert first == [batch.image[:, 0, 0, 0].tolist() for batch in stream.batches()]
    share = np.mean(first) / 255
    assert 0.19 < share < 0.31  # 400 images: 0.25 ± 3 standard deviations
    assert set(crowds.seen) == set(range(7))


def test_photos_do_not_depend_on_workers(tmp_path):
    settings = flat_settings(str(custom_preset(tmp_path)), "rve", 3)
    here, there = (list(stream_of(settings, workers=n).batches()) for n in (0, 2))
    assert len(here) == 12
    assert all(map(same, here, there))
    pictures = {batch.image.numpy().tobytes() for batch in here}
    assert len(pictures) == 12  # views are drawn anew in each epoch
    assert all(set(batch.ids.tolist()) <= set(range(1, 7)) for batch in here)


def test_crowd_regions_reach_the_masks(tmp_path):
    data = content(4)
    data["annotations"] += [person(900 + i, i, keypoints=[0] * 9, bbox=[60, 20, 30, 24])
                            for i in range(1, 5)]  # fmt: skip
    settings = flat_settings(str(custom_preset(tmp_path, data, batch=4)), "rve", 0)
    batch = next(stream_of(settings).batches())
    assert [mask.shape for mask in batch.masks] == [(4, 16, 16), (4, 32, 32)]
    assert any(not mask.all() for mask in batch.masks)


def test_what_is_held_back_is_not_trained_on(tmp_path):
    preset = custom_preset(tmp_path, content(40), val_fraction=0.3, test_set=[])
    data = flat_settings(str(preset), "rve", 0).data
    train, val = (set(open_dataset(data, split).ids.tolist()) for split in ("train", "val"))
    assert not train & val
    assert train | val == set(range(1, 41))
    assert 5 <= len(val) <= 20
    with pytest.raises(ValueError, match="test_set: missing, as"):
        open_dataset(data, "test")


def test_a_broken_photo_stops_the_run_or_is_listed(tmp_path):
    settings = flat_settings(str(custom_preset(tmp_path, steps=3)), "rve", 3)
    (tmp_path / "images" / "002.jpg").write_bytes(b"\xff\xd8 no photo")
    with pytest.raises(ValueError, match=r"002\.jpg"):
        list(stream_of(settings).batches())
    stream = stream_of(settings, workers=1, skip_broken=True)
    assert len(list(stream.batches())) == 3
    assert len(stream.broken()) == 1
    assert "002.jpg" in stream.broken()[0]


def test_official_folders(real):
    settings = flat_settings("coco", "rve", 0, batch=4, steps=2, size=128, pretrained="")
    first = next(stream_of(settings, workers=2).batches())
    assert first.image.shape == (4, 3, 128, 128)
    assert first.visible.any()
    split = {name: open_dataset(settings.data, name) for name in ("val", "test")}
    assert split["val"].annotations.path.name == "person_keypoints_train2017.json"
    assert split["test"].annotations.path.name == "person_keypoints_val2017.json"
    assert len(split["test"].digest) == 16
    with pytest.raises(ValueError, match="val_fraction: 0, but COCO's val photos are those"):
        open_dataset(flat_settings("coco", "rve", 0, val_fraction=0.0).data, "val")
    assert real


def test_bad_settings_of_data(tmp_path):
    for values, message in (
        ({"source": "custom"}, "data.train_set: missing"),
        ({"train_set": ["a.json", "b"]}, "data.train_set: expected, with `source: custom`"),
        ({"source": "coco"}, "data.skeleton: expected 'coco' for its data"),
        ({"val_fraction": 1.0}, "data.val_fraction: expected less than 1"),
        ({"source": "photos"}, "data.source: expected 'crowds', .*, got 'photos'"),
        ({"split": "by_id"}, "data.split: by_id is for `source: coco`"),
    ):
        with pytest.raises(ValueError, match=message):
            flat_settings("smoke", "rve", 0, **values)
    lost = flat_settings("smoke", "rve", 0, source="custom",
                         train_set=[str(tmp_path / "a.json"), "b"])  # fmt: skip
    with pytest.raises(ValueError, match=r"a.json: cannot be read \(No such file"):
        open_dataset(lost.data, "train")
