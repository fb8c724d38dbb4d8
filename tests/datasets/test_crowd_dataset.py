"""Crowds as a data set: arrays on disk, digests, COCO annotations."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sparse_ae.crowds import CrowdConfig
from sparse_ae.datasets import CrowdDataset
from sparse_ae.datasets import crowd_dataset as dataset
from sparse_ae.settings import AugmentSettings

CONFIG = CrowdConfig(split="val", size=96, persons=[2, 5])


@pytest.fixture(scope="module")
def crowds(tmp_path_factory):
    scenes = CrowdDataset(CONFIG, 12, tmp_path_factory.mktemp("cache"), workers=1)
    scenes.arrays(progress=False)
    return scenes


def no_drawing(*_):
    raise AssertionError("drawn again")


def test_arrays_are_the_scenes_padded(crowds):
    arrays = crowds.arrays()
    assert arrays["images"].shape == (12, 96, 96, 3)
    assert arrays["images"].dtype == np.uint8
    assert arrays["keypoints"].shape == (12, 5, 17, 3)
    for i, scene in enumerate(crowds.scenes()):
        count = arrays["counts"][i]
        assert count == len(scene.keypoints)
        np.testing.assert_array_equal(arrays["images"][i], scene.image)
        for name in ("keypoints", "boxes", "areas"):
            np.testing.assert_array_equal(arrays[name][i, :count], getattr(scene, name))
            assert not arrays[name][i, count:].any()
        assert arrays["crowd_index"][i] == np.float32(scene.crowd_index)


def test_arrays_are_drawn_once(crowds, monkeypatch):
    monkeypatch.setattr(dataset, "render_scene", no_drawing)
    again = CrowdDataset(CONFIG, 12, crowds.cache)
    np.testing.assert_array_equal(again.arrays()["images"], crowds.arrays()["images"])
    assert [path.name for path in crowds.cache.iterdir()] == [crowds.digest]


@pytest.mark.slow
def test_workers_draw_the_same(crowds, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "CHUNK", 5)
    parallel = CrowdDataset(CONFIG, 12, tmp_path, workers=2).arrays(progress=False)
    for name, values in crowds.arrays().items():
        np.testing.assert_array_equal(parallel[name], values)


def test_an_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "render_scene", no_drawing)
    with pytest.raises(AssertionError, match="drawn again"):
        CrowdDataset(CONFIG, 3, tmp_path, workers=1).arrays(progress=False)
    assert not list(tmp_path.iterdir())


def test_two_that_race_agree(tmp_path, monkeypatch):
    """While one draws, another finishes the same set first."""
    slow, fast = (CrowdDataset(CONFIG, 2, tmp_path, workers=1) for _ in range(2))
    draw = slow._write

    def overtaken(folder, progress):
        draw(folder, progress)
        fast.arrays(progress=False)

    monkeypatch.setattr(slow, "_write", overtaken)
    np.testing.assert_array_equal(slow.arrays(progress=False)["images"], fast.arrays()["images"])
    assert [path.name for path in tmp_path.iterdir()] == [slow.digest]


def test_digest_covers_what_the_scenes_depend_on(crowds, monkeypatch):
    digests = {crowds.digest, CrowdDataset(CONFIG, 13).digest}
    digests.add(CrowdDataset(CrowdConfig(split="val", size=96, persons=(2, 5), seed=1), 12).digest)
    assert len(digests) == 3
    assert CrowdDataset(CrowdConfig(**CONFIG.as_dict()), 12).digest == crowds.digest
    monkeypatch.setattr(dataset, "RENDERER", 999)
    assert crowds.digest not in digests


@pytest.mark.parametrize("skeleton", ["coco", "crowdpose"])
def test_pycocotools_reads_the_annotations(skeleton, tmp_path):
    config = CrowdConfig(split="val", skeleton=skeleton, size=96, persons=(1, 6))
    scenes = CrowdDataset(config, 8, tmp_path, workers=1)
    (tmp_path / "truth.json").write_text(json.dumps(scenes.ground_truth()))
    truth = COCO(tmp_path / "truth.json")
    assert [image["crowdIndex"] for image in truth.dataset["images"]] == pytest.approx(
        [scene.crowd_index for scene in scenes.scenes()]
    )
    persons = list(truth.anns.values())
    assert len(persons) == sum(len(scene.keypoints) for scene in scenes.scenes())
    names = truth.cats[1]["keypoints"]
    assert min(map(min, truth.cats[1]["skeleton"])) == 1
    assert max(map(max, truth.cats[1]["skeleton"])) == len(names)
    for person in persons:  # as large as COCO's medium persons, so that all areas count
        person["area"] = max(person["area"], 33.0**2)
    found = [{**{k: p[k] for k in ("image_id", "category_id", "keypoints")}, "score": 1.0}
             for p in persons]  # fmt: skip
    evaluation = COCOeval(truth, truth.loadRes(found), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.full(len(names), 0.07)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)
    assert evaluation.stats[5] == pytest.approx(1.0)


def test_an_unwritable_cache_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file/cache: cannot be written .*SPARSE_AE_CACHE"):
        CrowdDataset(CONFIG, 1, tmp_path / "file" / "cache").arrays()


def test_a_damaged_cache_is_named(tmp_path):
    scenes = CrowdDataset(CONFIG, 1, tmp_path)
    scenes.arrays(progress=False)
    path = tmp_path / scenes.digest / "images.npy"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=f"{scenes.digest}: damaged; delete it"):
        scenes.arrays()


def test_the_cache_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSE_AE_CACHE", str(tmp_path))
    assert CrowdDataset(CONFIG, 1).cache == tmp_path


@pytest.mark.parametrize("count", [0, -3, 2.5, "10", True])
def test_bad_counts(count):
    with pytest.raises(ValueError, match="expected an integer from 1"):
        CrowdDataset(CONFIG, count)


def test_indices(crowds):
    assert len(crowds) == 12
    assert crowds[-1].id == crowds.ids[-1] == 12
    np.testing.assert_array_equal(crowds[-1].image, crowds[11].image)
    np.testing.assert_array_equal(crowds.scene(-1).image, crowds.scene(11).image)
    with pytest.raises(IndexError, match="image 12 of 12"):
        crowds[12]
    with pytest.raises(IndexError):
        crowds.scene(12)


@pytest.mark.parametrize("cached", [True, False])
def test_samples_are_the_scenes(crowds, cached):
    data = CrowdDataset(CONFIG, 12, crowds.cache, cached=cached)
    for i, (sample, scene) in enumerate(zip(data, crowds.scenes(), strict=True)):
        np.testing.assert_array_equal(sample.image, scene.image)
        labelled = scene.keypoints[..., 2] > 0
        np.testing.assert_array_equal(sample.keypoints[..., 2] > 0, labelled)
        np.testing.assert_allclose(sample.keypoints[labelled], scene.keypoints[labelled])
        np.testing.assert_allclose(sample.scale, np.sqrt(scene.boxes[:, 2:].prod(1)) / 96, 1e-6)
        assert (sample.mask, sample.id) == (None, i + 1)


def test_views_are_the_same_from_arrays_and_rendered(crowds):
    views = [
        CrowdDataset(CONFIG, 12, crowds.cache, cached=cached).random_view(
            3, 64, AugmentSettings(), np.random.default_rng(5)
        )
        for cached in (True, False)
    ]
    for name in ("image", "keypoints", "boxes", "scale", "matrix"):
        np.testing.assert_array_equal(*(getattr(view, name) for view in views), err_msg=name)
    assert views[0].image.shape == (64, 64, 3)


def test_crowds_that_are_not_cached_write_nothing(tmp_path):
    data = CrowdDataset(CONFIG, 3, tmp_path, cached=False)
    assert len(list(data)) == 3
    assert not list(tmp_path.iterdir())


def test_what_a_view_shows_outside_a_scene_is_black(crowds):
    away = AugmentSettings(rotation=0.0, scale=(2.0, 2.0), shift=0.0, flip=0.0, colour=0.0)
    sample = crowds.random_view(0, 96, away, np.random.default_rng(0))
    assert not sample.image[:23].any()
    assert not sample.image[:, 73:].any()
    assert sample.image[25:71, 25:71].any(axis=2).mean() > 0.99
