"""Figures of the method: what they draw is what the losses compute."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sparse_ae.companion.figures import method


def test_the_weight_of_a_cell():
    """In the background W is |response|, so that a cell costs the cube of it; at a peak 1 − it."""
    left, right = method.weight_figure().axes
    response, background = left.lines[0].get_data()
    assert background == pytest.approx(response, rel=1e-4)
    assert left.lines[3].get_ydata() == pytest.approx(1 - response, abs=1e-4)
    assert right.lines[0].get_ydata() == pytest.approx(response**2, rel=1e-4)
    assert right.lines[1].get_ydata() == pytest.approx(response**3, rel=1e-4)


def test_widths_follow_the_scale():
    figure = method.widths_figure((0.2, 0.5, 0.8))
    spread = [np.asarray(axis.images[0].get_array()).sum() for axis in figure.axes]
    assert spread[0] < spread[1] < spread[2]
    assert spread[3] > spread[0]  # a perfect code reads small people as larger
    assert spread[5] < spread[2]  # and large ones as smaller


def test_the_codes_of_one_scale_are_equal():
    right = method.scale_code_figure().axes[1]
    cosine = np.asarray(right.images[0].get_array())
    assert np.diag(cosine) == pytest.approx(1, abs=1e-5)
    assert cosine.max() <= 1 + 1e-5


def test_a_path_starts_small_and_ends_large():
    path = np.zeros((5, 2, 3, 2))
    path[-1, 1] = 4
    figure = method.descent_figure(path)
    (axis,) = figure.axes
    assert len(axis.lines) == 6
    assert np.asarray(axis.collections[-1].get_offsets()).tolist() == [[4, 4]] * 3
    plt.close("all")
