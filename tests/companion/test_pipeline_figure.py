"""The way from a picture to people, drawn for a net that knows where everybody is."""

import numpy as np
from oracle import Oracle, marked_photo

from sparse_ae.companion.figures.pipeline import pipeline_figure
from sparse_ae.companion.figures.style import person_colour
from sparse_ae.evaluation import Predictor, Usage
from sparse_ae.skeleton import CROWDPOSE

SIDE = 128


def test_joints_and_people_have_the_same_colour_in_every_panel():
    net = Oracle(CROWDPOSE)
    rng = np.random.default_rng(0)
    people = np.ones((2, 14, 3))
    people[0, :, :2] = rng.uniform((10, 10), (50, 118), (14, 2))
    people[1, :, :2] = rng.uniform((78, 10), (118, 118), (14, 2))
    net.people, net.size = people, (SIDE, SIDE)
    image = marked_photo(SIDE, SIDE)
    sharp = image.repeat(4, 0).repeat(4, 1)
    figure = pipeline_figure(Predictor(net, Usage(SIDE, CROWDPOSE)), image, sharp)
    figure.canvas.draw()
    _, heat, embeddings, drawn = figure.axes
    response = np.asarray(heat.images[1].get_array())
    for x, y in people[..., :2].reshape(-1, 2).round().astype(int):
        assert response[y, x] > 0.5
    assert len(embeddings.collections) == 4  # joints and means of two people
    joints = np.concatenate([dots.get_offsets() for dots in drawn.collections])
    true = 4 * people[..., :2].reshape(-1, 2) + 1.5
    assert np.abs(joints[:, None] - true).max(2).min(1).max() < 6  # of 512 pixels
    colours = {tuple(dots.get_facecolor()[0][:3].round(3)) for dots in drawn.collections}
    assert len(colours) == 2
    assert person_colour(0) != person_colour(1)


def test_nobody_is_no_error():
    net = Oracle(CROWDPOSE)
    net.people, net.size = np.zeros((0, 14, 3)), (SIDE, SIDE)
    image = marked_photo(SIDE, SIDE)
    figure = pipeline_figure(Predictor(net, Usage(SIDE, CROWDPOSE)), image, image)
    assert not figure.axes[3].collections
