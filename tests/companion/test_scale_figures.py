"""The scale that embeddings tell, in scenes whose persons' boxes are known."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from synthetic import CROWD, make_record

from sparse_ae.companion.figures import scales as scale_figures
from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.losses import scale_code

mpl.use("Agg")
SCENES = (0, 2)


def scale_of(scene):
    """By hand: the square root of the box's area over the image's side."""
    return np.sqrt(scene.boxes[:, 2] * scene.boxes[:, 3]) / 64


@pytest.fixture(scope="module")
def scenes():
    return [render_scene(CrowdConfig(**CROWD), index) for index in SCENES]


@pytest.fixture
def run(scenes):
    """A run whose embeddings are the codes of the persons' scales."""
    tags, seen = np.zeros((2, 5, 14, 8), np.float32), np.zeros((2, 5, 14), bool)
    for row, scene in enumerate(scenes):
        code = scale_code(torch.from_numpy(scale_of(scene)), 8).numpy()
        tags[row, : len(code)] = code[:, None]
        seen[row, : len(code)] = scene.keypoints[..., 2] > 0
    return {"example_id": np.array(SCENES), "example_tags": tags, "example_visible": seen}


def told(run, method="rve"):
    return scale_figures.scales_from_embeddings(
        [make_record(method)], {(method, 1): run}, (method,)
    )


def test_codes_tell_what_perfect_codes_tell(run, scenes):
    joints = told(run)
    assert len(joints) == run["example_visible"].sum()
    assert joints["told"].to_numpy() == pytest.approx(joints["perfect"].to_numpy(), rel=1e-4)
    wanted = np.concatenate([scale_of(scene) for scene in scenes])
    persons = joints.groupby(["example", "person"])["true"].agg(["min", "max"])
    assert persons["min"].to_numpy() == pytest.approx(wanted, rel=1e-5)
    assert persons["max"].to_numpy() == pytest.approx(wanted, rel=1e-5)


def test_an_embedding_in_one_dimension_tells_its_centre(run):
    run["example_tags"] = np.zeros_like(run["example_tags"])
    run["example_tags"][..., 2] = -3
    joints = told(run)
    assert joints["told"].to_numpy() == pytest.approx(2.5 / 8)
    assert joints["perfect"].std() > 0


def test_ranks_are_of_persons_and_a_run_each(run, scenes):
    small = scale_of(scenes[0]).argsort().argsort()  # 0 for the smallest person
    assert len(small) >= 2
    for number, bins, wanted in ((1, small, 1), (2, 7 - small, -1)):
        tags = np.zeros((1, 5, 14, 8), np.float32)
        tags[0, : len(small)] = np.eye(8)[bins][:, None]
        some = {"example_id": np.array(SCENES[:1]), "example_tags": tags,
                "example_visible": run["example_visible"][:1]}  # fmt: skip
        record = make_record("rve", number)
        found = scale_figures.scales_from_embeddings([record], {("rve", number): some}, ("rve",))
        assert scale_figures.rank_correlations(found)["rve", number] == pytest.approx(wanted)


def test_other_scenes_than_the_record_s_are_refused(run):
    run["example_visible"][1, 0] = ~run["example_visible"][1, 0]
    with pytest.raises(ValueError, match="smoke/rve/seed-1: example_visible: not the joints of"):
        told(run)


def test_the_figure_has_a_dot_a_person_and_both_lines(run, scenes):
    records = [make_record("ae8"), make_record("rve")]
    arrays = {("ae8", 1): run, ("rve", 1): run}
    joints = scale_figures.scales_from_embeddings(records, arrays, ("rve", "ae8"))
    figure = scale_figures.scale_figure(joints)
    titles = [axis.get_title().split("\n")[0] for axis in figure.axes]
    assert titles == ["RVE (the paper)", "AE, D = 8"]
    for axis in figure.axes:
        dots = axis.collections[0].get_offsets()
        assert len(dots) == sum(len(scene.keypoints) for scene in scenes)
        straight, wavy = (line.get_xydata() for line in axis.lines)
        assert (straight[:, 0] == straight[:, 1]).all()
        told_at = np.interp(dots[:, 0], *wavy.T)  # dots of perfect codes lie on their line
        assert np.abs(told_at - dots[:, 1]).max() < 0.01
    figure.canvas.draw()
    plt.close(figure)


def test_without_runs_the_figure_is_empty():
    joints = scale_figures.scales_from_embeddings([], {}, ("rve",))
    assert joints.empty
    figure = scale_figures.scale_figure(joints)
    figure.canvas.draw()
    plt.close(figure)
