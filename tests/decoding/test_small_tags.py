"""Tags smaller than heatmaps: the people, to the bit, of tags that were enlarged first."""

import numpy as np
import pytest
import torch

from sparse_ae.decoding import decode, decode_batch, small_tags
from sparse_ae.decoding.enlarge import enlarge_bilinear
from sparse_ae.grouping import RULES
from sparse_ae.skeleton import COCO

SIZES = [((32, 32), (128, 128)), ((9, 21), (36, 84)), ((40, 13), (200, 65)), ((50, 70), (50, 70)),
         ((7, 5), (21, 15))]  # the last so small that torch enlarges  # fmt: skip


def enlarged(tags, size):
    flat = torch.from_numpy(tags).flatten(0, 1)[None]
    return enlarge_bilinear(flat, size).numpy().reshape(*tags.shape[:2], *size)


def maps(small, size, dim, noise, seed=0):
    """Random peaks; tags that are the same over large parts and, with noise, nowhere."""
    generator = np.random.default_rng(seed)
    heat = torch.from_numpy(generator.random((1, 17, *small)).astype(np.float32)) ** 6
    parts = generator.integers(0, 3, (dim, 1, 3)).repeat(small[0], 1).repeat(-(-small[1] // 3), 2)
    tags = parts[None, ..., : small[1]] + noise * generator.normal(0, 1, (17, dim, *small))
    return enlarge_bilinear(heat, size)[0].numpy(), np.ascontiguousarray(tags, np.float32)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dim", [1, 2, 8])
@pytest.mark.parametrize(("small", "size"), SIZES)
def test_people_are_those_of_enlarged_tags(small, size, dim, rule):
    for noise in (0.01, 1.0):
        heatmaps, tags = maps(small, size, dim, noise)
        found = decode(heatmaps, tags, COCO, rule=rule)
        expected = decode(heatmaps, enlarged(tags, size), COCO, rule=rule)
        assert len(found.scores) > 2
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
        batch = decode_batch(heatmaps[None], tags[None], COCO, rule=rule)
        np.testing.assert_array_equal(batch[0].keypoints, expected.keypoints)


@pytest.mark.parametrize("cells", [0, 10**9])
def test_the_joints_found_do_not_depend_on_when_tags_are_enlarged(cells, monkeypatch):
    """Cell by cell, or after enlarging: the compiled code takes either way by the same rule."""
    heatmaps, tags = maps((32, 32), (128, 128), 4, 0.3)
    expected = decode(heatmaps, enlarged(tags, (128, 128)), COCO)
    monkeypatch.setattr(small_tags, "CELLS_A_RUN", cells)
    # of compiled code a global is a constant
    monkeypatch.setattr(small_tags, "_fill", small_tags._fill.py_func)
    np.testing.assert_array_equal(decode(heatmaps, tags, COCO).keypoints, expected.keypoints)


def test_tags_of_single_cells_are_those_of_the_enlarged_maps():
    _, tags = maps((11, 13), (67, 71), 3, 1.0)
    place = np.random.default_rng(0).integers(0, (71, 67), (17, 40, 2))
    expected = enlarged(tags, (67, 71))
    found = small_tags.tags_at(tags, place, (67, 71))
    for k in range(17):
        x, y = place[k].T
        np.testing.assert_array_equal(found[k], expected[k][:, y, x].T)


@pytest.mark.parametrize("refine", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_tag_that_is_not_finite_is_told(value, refine):
    heatmaps, tags = maps((32, 32), (128, 128), 2, 0.1)
    tags[16, 1, 31, 31] = value
    with pytest.raises(ValueError, match="tags: expected finite values"):
        decode(heatmaps, tags, COCO, refine=refine)
