"""Decoding: by hand, by invariance, and against what the peers' own code decodes."""

import dataclasses
import importlib.util

import numpy as np
import pytest
import torch
from synthetic import PAIR

from sparse_ae.decoding import decode
from sparse_ae.decoding import people as module
from sparse_ae.skeleton import COCO, CROWDPOSE

RULES = ["released", "higherhrnet"]


@pytest.fixture(scope="module")
def maps(golden, decode_case):
    """heatmaps (K, H, W) and tags (K, D, H, W) of a case, checked against its checksum."""
    spec = importlib.util.spec_from_file_location("build_maps", golden / "build_maps.py")
    build_maps = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_maps)
    heatmaps, tags = build_maps.build(decode_case)
    assert build_maps.digest(heatmaps, tags) == str(decode_case["sha256"])
    return heatmaps, np.ascontiguousarray(tags.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(("rule", "peer"), [("released", "ce"), ("higherhrnet", "higher")])
def test_agrees_with_the_peers(maps, decode_case, rule, peer):
    order = tuple(decode_case[f"{peer}_order"].tolist())
    skeleton = dataclasses.replace(COCO if len(order) == 17 else CROWDPOSE, order=order)
    final, adjusted = (decode_case[f"{peer}_{step}"][..., :3] for step in ("final", "adjusted"))
    people = decode(*maps, skeleton, rule=rule)
    before = decode(*maps, skeleton, rule=rule, refine=False)
    np.testing.assert_array_equal(people.scores, before.scores)
    assert (people.keypoints[..., 2] > 0).all()  # these maps are above 0 everywhere
    if decode_case[f"{peer}_solver_dependent"]:  # assignments of equal cost
        assert abs(len(final) - len(people.scores)) <= 0.1 * len(final)
        assert as_joints(before.keypoints) == as_joints(adjusted)
    else:
        np.testing.assert_array_equal(people.keypoints, final.reshape(people.keypoints.shape))
        np.testing.assert_array_equal(before.keypoints, adjusted.reshape(before.keypoints.shape))
        scores = decode_case[f"{peer}_scores"]
        np.testing.assert_allclose(people.scores, scores, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_on_an_accelerator_the_same_persons_are_found(maps, rule, monkeypatch):
    """The code for an accelerator, run on tensors in the host's memory; on large maps, where that
    takes seconds, once."""
    skeleton = COCO if len(maps[0]) == 17 else CROWDPOSE
    ways = [{"rule": rule}, {"rule": rule, "refine": False}][: 1 if maps[0].shape[1] > 256 else 2]
    expected = [decode(*maps, skeleton, **way) for way in ways]
    monkeypatch.setattr(module, "_on_device", lambda _: True)
    heatmaps, tags = map(torch.from_numpy, maps)
    for way, one in zip(ways, expected, strict=True):
        same(decode(heatmaps, tags, skeleton, **way), one)


def same(people, others):
    for part, other in zip(people, others, strict=True):
        np.testing.assert_array_equal(part, other)
        assert part.dtype == other.dtype


def as_joints(keypoints):
    """All found joints of all persons, whoever has them."""
    _, k = np.nonzero(keypoints[..., 2])
    return sorted(zip(k, *keypoints[keypoints[..., 2] > 0].T, strict=True))


def blank(height=12, width=16, dim=2):
    return np.zeros((2, height, width), np.float32), np.zeros((2, dim, height, width), np.float32)


def two_people():
    """Both joints of person 0 (tags 0), and only joint 0 of person 1 (tags 5)."""
    heatmaps, tags = blank()
    heatmaps[0, 3, 4], heatmaps[0, 3, 5], heatmaps[0, 2, 4] = 0.9, 0.4, 0.2
    heatmaps[1, 6, 4] = 0.7
    heatmaps[0, 9, 12], heatmaps[0, 9, 11] = 0.8, 0.3
    tags[0, :, 9, 12] = 5
    heatmaps[1, 8, 13], tags[1, :, 8, 13] = 0.05, 5.2  # too weak to be a candidate
    return heatmaps, tags


@pytest.mark.parametrize("rule", RULES)
def test_two_people_by_hand(rule):
    people = decode(*two_people(), PAIR, rule=rule)
    np.testing.assert_allclose(
        people.keypoints,
        [[[4.75, 3.25, 0.9], [4.25, 6.25, 0.7]], [[12.25, 9.25, 0.8], [13.25, 8.25, 0.05]]],
    )
    np.testing.assert_allclose(people.scores, [0.8, 0.4])  # before refinement
    np.testing.assert_allclose(people.tags, [[0, 0], [5, 5]])
    alone = decode(*two_people(), PAIR, rule=rule, refine=False)
    assert not alone.keypoints[1, 1].any()
    np.testing.assert_array_equal(alone.keypoints[0], people.keypoints[0])
    assert {part.dtype for part in people} == {np.dtype(np.float32)}


def test_refinement_weighs_the_heatmap_against_the_rounded_distance():
    heatmaps, tags = blank()
    heatmaps[0, 5, 5] = 0.9
    heatmaps[1] = 0.01
    heatmaps[1, 2, 2], tags[1, 0, 2, 2] = 0.06, 0.49  # rounds to 0
    heatmaps[1, 8, 8], tags[1, 0, 8, 8] = 0.09, 0.51  # rounds to 1
    (person,) = decode(heatmaps, tags, PAIR).keypoints
    np.testing.assert_allclose(person[1], [2.25, 2.25, 0.06])


def test_only_the_released_rule_fills_in_where_the_heatmap_is_not_positive():
    heatmaps, tags = blank()
    heatmaps[0, 5, 5], heatmaps[1] = 0.9, -0.3
    heatmaps[1, 4, 7] = -0.1
    (released,) = decode(heatmaps, tags, PAIR).keypoints
    (higherhrnet,) = decode(heatmaps, tags, PAIR, rule="higherhrnet").keypoints
    np.testing.assert_allclose(released[1], [7.25, 4.25, -0.1])
    assert not higherhrnet[1].any()


def test_quarters_point_to_the_higher_neighbour_and_stop_at_the_border():
    heatmaps, tags = blank()
    heatmaps[0, 0, 0], heatmaps[0, 0, 1] = 0.9, 0.5  # its left neighbour is itself
    heatmaps[0, 11, 15], heatmaps[0, 10, 15] = 0.8, 0.5  # its lower neighbour is itself
    tags[0, :, 11, 15] = 9
    first, last = decode(heatmaps, tags, PAIR, refine=False).keypoints[:, 0, :2]
    assert first.tolist() == [0.25, 0.25]
    assert last.tolist() == [15.75, 11.75]


def test_peaks_are_the_highest_of_their_window():
    heatmaps, tags = blank()
    heatmaps[0, 5, 5], heatmaps[0, 5, 7], heatmaps[0, 5, 8] = 0.5, 0.6, 0.4
    tags[0, :, 5, 7] = 9
    assert decode(heatmaps, tags, PAIR).scores.tolist() == [np.float32(0.6) / 2]
    assert decode(heatmaps, tags, PAIR, nms=3).scores.tolist() == [0.25, np.float32(0.6) / 2][::-1]
    assert len(decode(heatmaps, tags, PAIR, nms=1).scores) == 3
    assert len(decode(heatmaps, tags, PAIR, nms=1, max_people=2).scores) == 2
    assert len(decode(heatmaps, tags, PAIR, nms=3, min_score=0.55).scores) == 1


@pytest.mark.parametrize("rule", RULES)
def test_tensors_shifted_tags_and_shifted_maps(rule):
    heatmaps, tags = two_people()
    ours = decode(heatmaps, tags, PAIR, rule=rule)
    tensors = decode(
        torch.tensor(heatmaps, dtype=torch.float64, requires_grad=True),
        torch.tensor(tags).permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1),
        PAIR,
        rule=rule,
    )
    for part, other in zip(ours, tensors, strict=True):
        np.testing.assert_array_equal(part, other)
    np.testing.assert_array_equal(
        decode(heatmaps, tags + 4, PAIR, rule=rule).keypoints, ours.keypoints
    )
    moved = decode(np.roll(heatmaps, 1, axis=2), np.roll(tags, 1, axis=3), PAIR, rule=rule)
    np.testing.assert_array_equal(moved.keypoints, ours.keypoints + np.float32([1, 0, 0]))
    np.testing.assert_array_equal(decode(heatmaps, tags, PAIR, rule=rule).tags, ours.tags)


def test_nobody():
    people = decode(*blank(dim=3), PAIR)
    assert [part.shape for part in people] == [(0, 2, 3), (0,), (0, 3)]


HEATMAPS, TAGS = blank()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heatmaps": HEATMAPS[0]}, r"heatmaps: expected \(K, H, W\), got shape \(12, 16\)"),
        ({"heatmaps": HEATMAPS * np.nan}, "heatmaps: expected finite"),
        ({"tags": TAGS + np.inf}, "tags: expected finite"),
        ({"tags": TAGS[:, 0]}, r"tags: expected \(2, D, 12, 16\).* got shape \(2, 12, 16\)"),
        ({"tags": TAGS[..., :9]}, r"tags: expected .* got shape \(2, 2, 12, 9\)"),
        ({"tags": TAGS[:, :0]}, r"tags: expected .* got shape \(2, 0, 12, 16\)"),
        ({"skeleton": COCO}, "heatmaps: expected K = 17 joints, those of skeleton 'coco'"),
        ({"rule": "none"}, "rule: expected one of released, higherhrnet, got 'none'"),
        ({"nms": 4}, "nms: expected an odd number of cells, got 4"),
        ({"max_people": 0}, "max_people: expected .* got 0"),
        ({"min_score": -1}, "min_score: expected .* got -1"),
        ({"tag_threshold": -1}, "tag_threshold: expected .* got -1"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"heatmaps": HEATMAPS, "tags": TAGS, "skeleton": PAIR, **change}
    with pytest.raises(ValueError, match=message):
        decode(**given)
