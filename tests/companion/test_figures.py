"""Figures: what they draw is what the arrays say. How they look is for eyes."""

import dataclasses

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from synthetic import CROWD, make_arrays, make_examples, make_record

from sparse_ae.companion import records as results
from sparse_ae.companion.figures.curves import training_figure
from sparse_ae.companion.figures.embeddings import draw_embeddings, margin_figure, pca_figure
from sparse_ae.companion.figures.export import write_figures
from sparse_ae.companion.figures.scenes import (
    crowded_example,
    enlarge_points,
    example_people_figure,
    labels_figure,
    people_figure,
    people_to_show,
    sharp_scene,
    show_scene,
)
from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.skeleton import CROWDPOSE

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    """No figure outlives its test."""
    yield
    plt.close("all")


@pytest.fixture
def pair():
    """A run on a line and one off it, as (record, arrays) each."""
    return (
        (make_record("ae8"), make_examples(line=True)),
        (make_record("rve"), make_examples()),
    )


def test_pca_figure_shows_a_line_as_a_line(pair):
    scene, on, off = pca_figure(pair, example=1).axes
    assert scene.get_title().startswith("test scene 2,")
    assert on.get_title().startswith("AE, D = 8\n100.0% on one axis, ")
    for axis in (on, off):
        assert axis.get_aspect() == 1
        assert axis.get_xlim() == axis.get_ylim()
    points = np.concatenate([dots.get_offsets() for dots in on.collections])
    assert np.abs(points[:, 1]).max() < 1e-5 * np.abs(points[:, 0]).max()
    points = np.concatenate([dots.get_offsets() for dots in off.collections])
    assert np.abs(points[:, 1]).max() > 0.1 * np.abs(points[:, 0]).max()


def test_wrong_joints_are_counted_and_ringed(pair):
    _, arrays = pair[1]
    persons = np.arange(3.0)[:, None, None]
    arrays["example_tags"] = np.stack([5 * persons * np.ones((3, 14, 8))] * 2)
    arrays["example_tags"][0, :2, 3] = arrays["example_tags"][0, 1::-1, 3]  # two change places
    wrong, right = (pca_figure([pair[1]], example).axes[1] for example in (0, 1))
    assert wrong.get_title().endswith(", 2 of 42 joints wrong")
    assert right.get_title().endswith(", 0 of 42 joints wrong")
    assert len(wrong.collections) == len(right.collections) + 1
    assert len(wrong.collections[-1].get_offsets()) == 2


def test_embeddings_of_one_dimension_are_drawn():
    figure, axis = plt.subplots()
    draw_embeddings(axis, np.arange(6.0).reshape(2, 3, 1), np.ones((2, 3), bool))
    assert len(axis.collections) == 4  # joints and mean of two persons
    figure.canvas.draw()


def test_distances_survive_the_projection():
    figure, axis = plt.subplots()
    tags = np.zeros((2, 1, 8))
    tags[1, 0, 3:5] = 3, 4
    draw_embeddings(axis, tags, np.ones((2, 1), bool))
    first, second = axis.collections[0].get_offsets()[0], axis.collections[2].get_offsets()[0]
    assert np.linalg.norm(first - second) == pytest.approx(5)
    figure.canvas.draw()


def test_margin_figure_counts_negative_margins():
    records = [make_record("ae8"), make_record("rve")]
    crowding = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    margins = {"ae8": [-1, 1, -1, -1, np.nan], "rve": [1, 1, -1, 2, 3]}
    arrays = {
        (method, 1): make_arrays(5, crowd_index=crowding, group_margin=np.array(values, float))
        for method, values in margins.items()
    }
    everything, hard = margin_figure(records, arrays).axes
    texts = [[text.get_text() for text in axis.get_legend().get_texts()]
             for axis in (everything, hard)]  # fmt: skip
    assert texts[0] == ["AE, D = 8: 75% below, median −1.00",
                        "RVE (the paper): 20% below, median 1.00"]  # fmt: skip
    assert texts[1] == ["AE, D = 8: 100% below, median −1.00",
                        "RVE (the paper): 33% below, median 2.00"]  # fmt: skip


def test_figures_without_runs_are_empty_not_broken():
    for figure in (margin_figure([], {}), training_figure([], {})):
        figure.canvas.draw()


def test_training_figure_leaves_out_what_was_not_trained(pair):
    records = [pair[0][0], pair[1][0]]
    arrays = {(record["method"], 1): made for record, made in pair}
    axes = training_figure(records, arrays).axes
    assert [len(axis.lines) for axis in axes] == [2, 2, 2, 0]  # no method has a scale loss here
    arrays["rve", 1]["loss_scale"] = np.linspace(1, 0.5, 5)
    arrays["ae8", 1]["loss_scale"] = np.zeros(5)
    axes = training_figure(records, arrays).axes
    assert [len(axis.lines) for axis in axes] == [2, 2, 2, 1]


def test_a_sharp_scene_has_everything_in_its_place():
    config = CrowdConfig(**CROWD)
    small, (large, factor) = render_scene(config, 0), sharp_scene(config, 0)
    assert factor == 512 // config.size
    assert large.image.shape == (512, 512, 3)
    assert large.crowd_index == small.crowd_index
    moved = enlarge_points(small.keypoints, factor)
    labelled = small.keypoints[..., 2] > 0
    assert (
        np.abs(moved - large.keypoints)[labelled, :2].max() < factor / 4
    )  # a quarter of a small pixel
    assert enlarge_points([[30, 0, 0.9]], 4).tolist() == [[121.5, 1.5, 0.9]]


def test_people_are_drawn_at_their_place():
    image = np.full((512, 512, 3), 90, np.uint8)
    people = np.full((2, 14, 3), np.nan)  # the second is nobody
    people[0] = 0, 0, 0  # not found, but for an upper arm
    people[0, [0, 2]] = [[121, 82, 0.9], [121, 361, 0.9]]
    (axis,) = people_figure([image], [people], CROWDPOSE).axes
    changed = (np.asarray(axis.images[0].get_array()) != 90).any(axis=2)
    assert changed[82:361, 120:123].all()
    assert not changed[:, :100].any()
    assert not changed[:, 143:].any()
    assert (image == 90).all()


def test_a_skeleton_of_ones_own_has_its_own_limbs():
    pair = dataclasses.replace(CROWDPOSE, keypoints=("a", "b"), sigmas=(0.1, 0.1),
                               flip_pairs=(), limbs=(), order=(0, 1))  # fmt: skip
    person = np.array([[[100, 100, 0.9], [400, 400, 0.9]]])
    assert people_to_show(person, pair).tolist() == person.tolist()
    figures = [people_figure([np.full((512, 512, 3), 90, np.uint8)], [person], skeleton)
               for skeleton in (pair, dataclasses.replace(pair, limbs=((0, 1),)))]  # fmt: skip
    pictures = [figure.axes[0].images[0].get_array() for figure in figures]
    assert [bool((picture[250, 250] != 90).any()) for picture in pictures] == [False, True]


def test_joints_are_marked_as_seen_or_hidden():
    scene = render_scene(CrowdConfig(**CROWD), 0)
    seen, hidden = labels_figure(scene).axes[1].collections
    assert len(seen.get_offsets()) == (scene.keypoints[..., 2] == 2).sum() > 0
    assert len(hidden.get_offsets()) == (scene.keypoints[..., 2] == 1).sum() > 0


def test_a_scene_is_tinted_where_a_person_is_seen():
    scene = render_scene(CrowdConfig(**CROWD), 0)
    _, axis = plt.subplots()
    show_scene(axis, scene)
    shown = axis.images[0].get_array()
    changed = np.abs(shown - scene.image / 255).max(2) > 1e-6
    assert not changed[scene.masks < 0].any()
    assert changed[scene.masks >= 0].mean() > 0.95


def test_crowded_example_is_chosen_by_the_scene():
    arrays = make_examples() | {"persons": np.array([5, 5, 5, 5])}
    for crowding, expected in (([0.9, 2.0, 1.5, 0], 0), ([0.1, 2.0, 0.7, 0], 1)):
        chosen = crowded_example(arrays | {"crowd_index": np.array(crowding)})
        assert chosen == expected


@pytest.mark.slow
def test_write_figures(tmp_path, pair):
    with pytest.raises(ValueError, match="ae8 and rve"):
        write_figures("smoke", tmp_path, tmp_path / "out")
    for record, arrays in pair:
        results.write_record(record, arrays, tmp_path)
    paths = write_figures("smoke", tmp_path, tmp_path / "out")
    assert sorted(path.name for path in paths) == [
        "embeddings.svg", "group-margin.svg", "people.svg", "training.svg",
    ]  # fmt: skip
    assert all(path.read_text().startswith("<?xml") for path in paths)


@pytest.mark.slow
def test_photos_have_the_figures_that_need_no_scene(tmp_path, pair):
    for record, arrays in pair:
        identity = {"settings": record["settings"], "data": {"test_digest": "0"}}
        photos = {**record, **identity, "settings_digest": results.settings_digest(identity)}
        results.write_record(photos, arrays, tmp_path)
    with pytest.raises(ValueError, match="preset smoke: tested on photos, and only the scenes of"):
        example_people_figure(photos, arrays)
    paths = write_figures("smoke", tmp_path, tmp_path / "out")
    assert [path.name for path in paths] == ["group-margin.svg", "training.svg"]


def test_people_to_show_by_hand():
    """One good person, nearly the same again, another elsewhere, and one that scores too low."""
    person = np.column_stack([np.arange(14) * 3.0, np.arange(14) * 5.0, np.full(14, 0.6)])
    again = person + np.array([0.5, 0.0, -0.1])
    elsewhere = person + np.array([60.0, 0.0, 0.1])
    faint = np.column_stack([person[:, :2] + 200, np.full(14, 0.2)])
    nobody = np.full((14, 3), np.nan)
    kept = people_to_show(np.stack([again, person, faint, nobody, elsewhere]), CROWDPOSE)
    assert np.array_equal(kept, np.stack([elsewhere, person]))
    assert people_to_show(np.zeros((0, 14, 3)), CROWDPOSE).shape == (0, 14, 3)
