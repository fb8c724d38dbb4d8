"""Embeddings of one scene while a net trains: which scene, and what is kept of it."""

import importlib.util

import numpy as np
import pytest
from opened_book import ROOT

from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.settings import load_settings


@pytest.fixture(scope="module")
def steps():
    spec = importlib.util.spec_from_file_location("steps", ROOT / "experiments" / "steps.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_hard_scene_with_enough_people_is_followed(steps):
    crowd = CrowdConfig(split="val", skeleton="crowdpose", size=64, persons=(1, 6))
    number, scene = steps.choose_scene(crowd, 4)
    earlier = [render_scene(crowd, i) for i in range(number)]
    assert scene.crowd_index >= 0.8
    assert len(scene.keypoints) >= 4
    assert all(one.crowd_index < 0.8 or len(one.keypoints) < 4 for one in earlier)


@pytest.mark.slow
def test_embeddings_are_kept_from_the_start_on(steps):
    crowd = CrowdConfig(split="val", skeleton="crowdpose", size=64, persons=(3, 3))
    settings = load_settings("smoke", "ae8", 1, {"optim": {"steps": 4, "validate_every": 2}})
    scene = render_scene(crowd, 0)
    kept, tags = steps.follow(settings, scene)
    assert kept.tolist() == [0, 2, 4]
    assert tags.shape == (3, *scene.keypoints.shape[:2], 8)
    assert np.abs(tags[2] - tags[0]).max() > 0
    again = steps.follow(settings, scene)[1]
    assert (again == tags).all()  # what is looked at does not change the training
