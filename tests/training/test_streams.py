"""Where batches come from: the same images of a step, whoever loads them and however many share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from photos import content, custom_preset, person

from sparse_ae.datasets.preset_crowds import preset_crowds
from sparse_ae.runtime.distributed import rank_and_world_size
from sparse_ae.settings.config import Config
from sparse_ae.settings.presets import load_config
from sparse_ae.training.batches import Draw, batches, collate, share
from sparse_ae.training.streams import LoadedStream, open_stream, photo_set, photos_digest


@pytest.fixture(scope="module")
def scenes():
    return preset_crowds(load_config("smoke", "offset", 0), "train").arrays(progress=False)


def same(left, right):
    """Whether two batches are equal to the bit."""
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left is right is None or torch.equal(left, right)


def test_shares_of_a_batch_are_the_whole(scenes):
    """Images, targets and ids, of two shares that two processes draw each for itself."""
    config = load_config("smoke", "offset", 5, steps=3)
    whole = batches(config, scenes)
    halves = (batches(config, scenes, place=(number, 2)) for number in (0, 1))
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


def test_a_batch_that_cannot_be_shared_is_refused():
    assert share(12, (2, 3)) == (8, 12)
    assert rank_and_world_size() == (0, 1)
    with pytest.raises(ValueError, match="batch: 10 images cannot be shared equally by 3 proc"):
        share(10, (0, 3))


def test_memory_goes_on_from_where_it_was(scenes):
    config = load_config("smoke", "rve", 2, steps=7)
    draw, kept = Draw(2), []
    for step, batch in enumerate(batches(config, scenes, draw), 1):
        kept.append(batch)
        if step == 4:
            state = draw.state()
    again = Draw(2)
    again.restore(state)
    rest = list(batches(config, scenes, again, done=4))
    assert len(rest) == 3
    assert all(map(same, rest, kept[4:]))


@pytest.fixture(scope="module")
def rendered():
    return load_config("smoke", "rve", 1, data="rendered", steps=4, train_scenes=20)


def test_rendered_scenes_do_not_depend_on_workers(rendered):
    here = list(open_stream(rendered).batches())
    there = list(open_stream(rendered, workers=2).batches())
    assert len(here) == len(there) == 4
    assert all(map(same, here, there))
    assert all(map(same, here[2:], open_stream(rendered, workers=1).batches(done=2)))
    ids = torch.cat([batch.ids for batch in here])
    assert sorted(ids[:20].tolist()) == list(range(1, 21))  # an epoch of 20, over 2.5 batches
    assert not same(here[0], next(open_stream(load_config(
        "smoke", "rve", 2, data="rendered", steps=4, train_scenes=20)).batches()))  # fmt: skip


def test_a_rendered_scene_is_that_of_the_data_set():
    still = load_config("smoke", "rve", 1, data="rendered", steps=1, flip=0.0, rotation=0.0,
                        zoom=(1.0, 1.0), shift=0.0, colour=0.0)  # fmt: skip
    batch = next(open_stream(still).batches())
    crowd = preset_crowds(still, "train")
    for image, number in zip(batch.image, batch.ids.tolist(), strict=True):
        expected = torch.from_numpy(crowd[number - 1].image).permute(2, 0, 1)
        assert (image.int() - expected.int()).abs().max() <= 1


def test_an_epoch_has_every_image_once_and_the_next_another_order():
    config = Config("p", "rve", 0, steps=6, batch=5, size=32)
    seen = []

    def image(epoch, index, position):
        seen.append((epoch, index, position))
        raise LookupError

    shares = LoadedStream(config, image, 10).batches()
    for _ in range(6):
        with pytest.raises(LookupError):
            next(shares)
    assert [number for number, _, _ in seen] == [0, 0, 1, 1, 2, 2]
    assert [position for _, _, position in seen] == [0, 5, 10, 15, 20, 25]


def test_photos_do_not_depend_on_workers(tmp_path):
    config = load_config(str(custom_preset(tmp_path)), "rve", 3)
    here, there = (list(open_stream(config, workers=n).batches()) for n in (0, 2))
    assert len(here) == 12
    assert all(map(same, here, there))
    pictures = {batch.image.numpy().tobytes() for batch in here}
    assert len(pictures) == 12  # views are drawn anew in each epoch
    assert all(set(batch.ids.tolist()) <= set(range(1, 7)) for batch in here)


def test_crowd_regions_reach_the_masks(tmp_path):
    data = content(4)
    data["annotations"] += [person(900 + i, i, keypoints=[0] * 9, bbox=[60, 20, 30, 24])
                            for i in range(1, 5)]  # fmt: skip
    config = load_config(str(custom_preset(tmp_path, data, batch=4)), "rve", 0)
    batch = next(open_stream(config).batches())
    assert [mask.shape for mask in batch.masks] == [(4, 16, 16), (4, 32, 32)]
    assert any(not mask.all() for mask in batch.masks)


def test_what_is_held_out_is_not_trained_on(tmp_path):
    preset = custom_preset(tmp_path, content(40), held_out=0.3, test_set=[])
    config = load_config(str(preset), "rve", 0)
    train, val = (set(photo_set(config, split).annotations.ids.tolist())
                  for split in ("train", "val"))  # fmt: skip
    assert not train & val
    assert train | val == set(range(1, 41))
    assert 5 <= len(val) <= 20
    other = load_config(str(preset), "rve", 7)
    assert set(photo_set(other, "val").annotations.ids.tolist()) == val  # whatever the seed
    assert photo_set(config, "val").view is None
    with pytest.raises(ValueError, match="test_set: missing, as"):
        photo_set(config, "test")


def test_a_broken_photo_stops_the_run_or_is_listed(tmp_path):
    config = load_config(str(custom_preset(tmp_path, steps=3)), "rve", 3)
    (tmp_path / "images" / "002.jpg").write_bytes(b"\xff\xd8 no photo")
    with pytest.raises(ValueError, match=r"002\.jpg"):
        list(open_stream(config).batches())
    stream = open_stream(config, workers=1, skip_broken=True)
    assert len(list(stream.batches())) == 3
    assert len(stream.broken()) == 1
    assert "002.jpg" in stream.broken()[0]


def test_official_folders(real):
    config = load_config("coco", "rve", 0, batch=4, steps=2, size=128, pretrained="")
    stream = open_stream(config, workers=2)
    first = next(stream.batches())
    assert first.image.shape == (4, 3, 128, 128)
    assert first.visible.any()
    split = {name: photo_set(config, name) for name in ("val", "test")}
    assert split["val"].annotations.path.name == "person_keypoints_train2017.json"
    assert split["test"].annotations.path.name == "person_keypoints_val2017.json"
    assert len(photos_digest(config, "train")) == 16
    whole = load_config("coco", "rve", 0, held_out=0.0)
    with pytest.raises(ValueError, match="held_out: 0, but COCO's val photos are those"):
        photo_set(whole, "val")
    assert real


def test_bad_settings_of_data(tmp_path):
    for settings, message in (
        ({"data": "custom"}, "train_set: missing"),
        ({"train_set": ["a.json", "b"]}, "train_set: expected, with `data: custom`"),
        ({"data": "coco"}, "skeleton: expected 'coco' for its data"),
        ({"held_out": 1.0}, "held_out: expected a share"),
        ({"data": "photos"}, "unknown data 'photos'"),
    ):
        with pytest.raises(ValueError, match=message):
            load_config("smoke", "rve", 0, **settings)
    lost = load_config("smoke", "rve", 0, data="custom", train_set=(str(tmp_path / "a.json"), "b"))
    with pytest.raises(ValueError, match=r"a.json: no such file"):
        photos_digest(lost, "train")


def test_collate_without_ids_has_none(scenes):
    from sparse_ae.training.batches import scene_example

    batch = collate([scene_example(scenes, 3)], load_config("smoke", "rve", 0))
    assert batch.ids is None
    assert np.array_equal(batch.image[0].permute(1, 2, 0).numpy(), scenes["images"][3])
