"""The script of the page "Try it" forms people as the library does: candidates in, people out."""

from __future__ import annotations

import numpy as np
import pytest
from opened_book import ROOT

from sparse_ae.decoding.nms import oks_nms
from sparse_ae.grouping import group
from sparse_ae.runtime.assignment import assign
from sparse_ae.skeleton import COCO, CROWDPOSE

SCRIPT = ROOT / "book" / "_ext" / "people_in_maps.js"
GROUP = """([xy, score, tag, order, settings]) => peopleInMaps.group(
  score.map((row, k) => row.map((one, i) => (
    { x: xy[k][i][0], y: xy[k][i][1], score: one, tag: Float32Array.from(tag[k][i]) }))),
  order, settings,
).map((person) => person.joints.map((one) => one ? [one.x, one.y, one.score, ...one.tag] : null))"""
# people, embeddings' dimensions, spread of a person's, grid that makes distances equal, threshold
INPUTS = [
    *((1, 1, 0.1, 0, 1.0), (3, 8, 0.2, 0, 1.0), (12, 8, 0.4, 0, 1.0), (5, 2, 0.5, 0.5, 1.0)),
    *((8, 1, 0.6, 0.25, 0.5), (30, 4, 0.8, 0, 2.0), (6, 9, 0.3, 0.125, 1.0), (4, 7, 0, 1.0, 1.0)),
    *((20, 16, 0.4, 0.25, 0.7), (0, 3, 0.1, 0, 1.0)),
]


@pytest.fixture(scope="module")
def page(browser):
    """An empty page with the script."""
    context = browser.new_context()
    page = context.new_page()
    page.add_script_tag(content=SCRIPT.read_text(encoding="utf-8"))
    page.evaluate("window.peopleInMaps = peopleInMaps")
    yield page
    context.close()


def candidates(seed: int, people: int, dim: int, spread: float, grid: float):
    """Candidates of COCO's joints in single precision: people's, some missing, and chance ones."""
    random = np.random.default_rng(seed)
    count = people + 4
    centre = random.normal(0, 2, (count, dim))
    tag = centre + spread * random.normal(0, 1, (17, count, dim))
    score = random.uniform(0.05, 1, (17, count)) * (random.random((17, count)) < 0.8)
    if grid:  # many distances and costs are the same, and half a threshold occurs
        tag, score = np.round(tag / grid) * grid, np.round(score, 1)
    xy = random.uniform(0, 500, (17, count, 2))
    return tuple(part.astype(np.float32) for part in (xy, score, tag))


@pytest.mark.parametrize("seed", range(len(INPUTS)))
def test_groups_are_exactly_those_of_the_library(page, seed):
    people, dim, spread, grid, threshold = INPUTS[seed]
    xy, score, tag = candidates(seed, people, dim, spread, grid)
    order = (*CROWDPOSE.order, 14, 15, 16) if seed % 2 else COCO.order
    expected = group(xy, score, tag, order, min_score=0.1, tag_threshold=threshold)
    settings = {"minScore": 0.1, "threshold": threshold}
    inputs = [part.tolist() for part in (xy, score, tag)]
    found = page.evaluate(GROUP, [*inputs, list(order), settings])
    nothing = [0.0] * (3 + dim)
    rows = [[joint or nothing for joint in person] for person in found]
    np.testing.assert_array_equal(np.array(rows, np.float32).reshape(expected.shape), expected)
    assert len(expected) > 3


def test_equal_costs_are_assigned_as_in_the_library(page):
    random = np.random.default_rng(0)
    for rows, columns in ((1, 1), (3, 3), (4, 9), (12, 12), (20, 30)):
        cost = random.integers(0, 3, (rows, columns)).astype(float)
        found = page.evaluate(
            "([cost, n]) => peopleInMaps.assign(cost, n)", [cost.tolist(), columns]
        )
        assert found == assign(cost).tolist()


def test_the_same_people_are_left_out(page):
    random = np.random.default_rng(0)
    people = np.concatenate([random.uniform(0, 200, (12, 17, 2)), random.random((12, 17, 1))], 2)
    people[6:, :, :2] = (
        people[:6, :, :2] + random.normal(0, 1, (6, 17, 2)) * np.arange(6)[:, None, None] * 4
    )
    people[random.random((12, 17)) < 0.3] = 0
    people[3] = 0  # nothing of it was found
    given = [[{"x": x, "y": y, "score": s, "person": i} for x, y, s in joints]
             for i, joints in enumerate(people.tolist())]  # fmt: skip
    found = page.evaluate(
        """([people, sigmas]) => peopleInMaps.distinct(people.map((joints) => ({ joints })), sigmas)
        .map((person) => person.joints[0].person)""", [given, list(COCO.sigmas)])  # fmt: skip
    expected = oks_nms(people, COCO).tolist()
    assert found == expected
    assert 6 < len(expected) < 12
