"""Photos with a share of rendered crowds among them: how many, which, and always the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flat import flat_settings
from photos import TRIANGLE, content, custom_preset, write

from sparse_ae.companion.experiment import open_stream
from sparse_ae.datasets import CrowdDataset, KeypointDataset
from sparse_ae.runtime.launch import Options, launch_fabric
from sparse_ae.settings import AugmentSettings, load_settings
from sparse_ae.training.batches import Targets
from sparse_ae.training.streams import Stream

AUGMENT = AugmentSettings()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    return KeypointDataset(write(folder, content(6)), folder / "images", TRIANGLE)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """What is mixed in: photos with ids of their own, for their skeleton is the photos'."""
    folder, data = tmp_path_factory.mktemp("others"), content(3)
    for image, person in zip(data["images"], data["annotations"], strict=True):
        image["id"] = person["image_id"] = image["id"] + 100
    return KeypointDataset(write(folder, data), folder / "images", TRIANGLE)


def stream(photos, mixed_in, **options):
    return Stream(photos, AUGMENT, 64, Targets(sigma=1.0), mixed_in=mixed_in,
                  **{"batch": 10, "steps": 30, "seed": 4, **options})  # fmt: skip


def ids(stream) -> list[int]:
    return torch.cat([batch.ids for batch in stream.batches()]).tolist()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_share_is_that_of_the_settings(photos, others, share):
    seen = np.array(ids(stream(photos, (others, share))))
    assert len(seen) == 300
    assert (seen > 100).mean() == pytest.approx(share, abs=0.06 * (0 < share < 1))
    assert set(seen[seen > 100]) == ({101, 102, 103} if share else set())


def test_the_photos_that_stay_are_those_without_crowds(photos, others):
    """What is mixed in stands in a photo's place; the order of the others does not move."""
    plain, mixed = (np.array(ids(stream(photos, m))) for m in (None, (others, 0.25)))
    stays = mixed < 100
    np.testing.assert_array_equal(mixed[stays], plain[stays])


@pytest.mark.parametrize("changed", [{"workers": 2}, {"seed": 5}])
def test_only_the_seed_changes_what_is_mixed_in(photos, others, changed):
    first, again = (
        list(stream(photos, (others, 0.5), steps=4, **options).batches())
        for options in ({}, changed)
    )
    same = [torch.equal(left.image, right.image) for left, right in zip(first, again, strict=True)]
    assert same == [changed != {"seed": 5}] * 4
    later = list(stream(photos, (others, 0.5), steps=4, **changed).batches(done=2))
    assert all(map(torch.equal, later[0].targets, again[2].targets))


def test_crowds_among_cocos_photos(real):
    """The settings, down to the batches: crowds have ids from 1 on, COCO's photos have others."""
    settings = flat_settings("smoke", "rve", 0, source="coco", skeleton="coco", crowd_share=0.5,
                             val_fraction=0.1, train_scenes=8, steps=3, batch=16)  # fmt: skip
    opened = open_stream(settings, Options(workers=0), launch_fabric(Options()), progress=False)
    crowds, share = opened.mixed_in
    assert isinstance(crowds, CrowdDataset)
    assert (len(crowds), crowds.config.skeleton, share) == (8, "coco", 0.5)
    seen, there = np.array(ids(opened)), set(opened.dataset.ids.tolist())
    mixed = ~np.isin(seen, list(there))
    assert 12 <= mixed.sum() <= 36
    assert set(seen[mixed]) <= set(range(1, 9))
    assert real


def test_crowds_cannot_be_mixed_in_where_they_have_other_joints(tmp_path):
    settings = load_settings(custom_preset(tmp_path), "rve", 0)
    assert settings.data.crowd_share == 0
    with pytest.raises(ValueError, match="crowd_share: only crowds of coco and crowdpose can"):
        load_settings(custom_preset(tmp_path, crowd_share=0.5), "rve", 0)
    with pytest.raises(
        ValueError, match=r"crowd_share: expected 0, for all images of .source: cro"
    ):
        flat_settings("smoke", "rve", 0, crowd_share=0.5)
