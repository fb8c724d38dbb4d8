"""The steps of grouping: each says what there was to choose from, and what was chosen."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from synthetic import PAIR

from sparse_ae.companion.figures.grouping_steps import grouping_steps, step_figure
from sparse_ae.metrics import grouping_accuracy

mpl.use("Agg")


def test_two_persons_by_hand():
    tags = np.array([[[0.0], [0.25]], [[3.0], [2.5]]])  # (P, K, 1)
    first, second = grouping_steps(tags, np.ones((2, 2), bool), (0, 1))
    assert first.distance.shape == (2, 0)
    assert first.chosen.tolist() == [0, 1]
    assert first.right.all()
    assert second.main.tolist() == [0, 1]
    assert second.distance == pytest.approx(np.array([[0.25, 2.75], [2.5, 0.5]]))
    assert (second.cost >= 1e5).tolist() == [[False, True], [True, False]]
    assert second.chosen.tolist() == [0, 1]
    assert second.right.all()


def test_a_stray_joint_founds_a_person_and_a_swap_is_wrong():
    tags = np.array([[[0.0], [3.0]], [[3.0], [0.0]], [[9.0], [20.0]]])
    step = grouping_steps(tags, np.ones((3, 2), bool), (0, 1))[1]
    assert step.chosen.tolist() == [1, 0, 3]
    assert step.right.tolist() == [False, False, False]
    visible = np.array([[True, True], [True, True], [False, True]])
    step = grouping_steps(tags, visible, (0, 1))[1]
    assert step.chosen.tolist() == [1, 0, 2]
    assert step.right.tolist() == [False, False, True]  # the third had no person yet


def test_as_many_are_right_as_accuracy_says_where_persons_are_apart():
    rng = np.random.default_rng(0)
    tags = 4 * np.arange(5.0)[:, None, None] + rng.normal(0, 0.1, (5, 2, 3))
    visible = rng.random((5, 2)) < 0.8
    steps = grouping_steps(tags, visible, (0, 1))
    assert sum(len(step.owner) for step in steps) == visible.sum()
    assert all(step.right.all() for step in steps)
    assert grouping_accuracy(tags, visible, (0, 1)) == 1


def test_the_figure_frames_the_choices():
    tags = np.array([[[0.0], [3.0]], [[3.0], [0.0]], [[9.0], [9.0]]])
    steps = grouping_steps(tags, np.ones((3, 2), bool), (0, 1))
    figure = step_figure(steps, PAIR)
    assert [axis.get_title() for axis in figure.axes] == ["a", "b"]
    frames = figure.axes[1].patches
    assert [frame.get_linestyle() for frame in frames] == ["--", "--", "-"]
    assert [round(frame.get_x() + 0.45) for frame in frames] == [1, 0, 2]
    assert [text.get_text() for text in figure.axes[1].texts][:3] == ["3.0", "0.0", "6.0"]
    figure.canvas.draw()
    plt.close(figure)


def test_pairs_beyond_the_threshold_are_refused_and_hatched():
    tags = np.array([[[0.0], [1.25]], [[5.0], [5.75]]])  # 1.25 rounds to 1, and costs as 0.75 does
    steps = grouping_steps(tags, np.ones((2, 2), bool), (0, 1))
    assert (steps[1].cost < 1e5).tolist() == [[True, False], [False, True]]
    assert steps[1].near.tolist() == [[False, False], [False, True]]
    assert steps[1].chosen.tolist() == [2, 1]
    figure = step_figure(steps, PAIR)
    above, below = (axis.get_position() for axis in figure.axes)
    assert above.y0 > below.y1
    hatched = [patch for patch in figure.axes[1].patches if patch.get_hatch()]
    assert [(patch.get_x(), patch.get_y()) for patch in hatched] == [(-0.5, -0.5)]
    assert not [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    plt.close(figure)
