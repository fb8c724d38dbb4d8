"""Losses where a fault put in on purpose had passed: signs, factors, one cell, messages."""

import math

import pytest
import torch

from sparse_ae.losses import (
    gather_tags,
    grouping_loss,
    heatmap_loss,
    scale_code,
    scale_from_tags,
    scale_loss,
)

CELL = torch.ones(1, 1, 1, 1)


def test_magnitudes_or_signs_can_be_asked_for_in_either_form():
    code = scale_code(torch.tensor([[0.3]]), 4)
    tags, visible = -code[:, :, None], torch.ones(1, 1, 1, dtype=torch.bool)
    expected = {("poster", None): 2, ("poster", False): 2, ("poster", True): 0,
                ("released", None): 0, ("released", False): 2, ("released", True): 0}  # fmt: skip
    for (form, absolute), loss in expected.items():
        found = scale_loss(tags, visible, torch.tensor([[0.3]]), form=form, absolute=absolute)
        assert found.item() == pytest.approx(loss, abs=1e-6), (form, absolute)


def test_the_bins_of_the_loss_are_those_asked_for():
    scale, visible = torch.tensor([[0.2]]), torch.ones(1, 1, 1, dtype=torch.bool)
    for bins, other in (("log", "linear"), ("linear", "log")):
        tags = scale_code(scale, 4, bins=bins)[:, :, None]
        assert scale_loss(tags, visible, scale, bins=bins).item() == pytest.approx(0, abs=1e-6)
        assert scale_loss(tags, visible, scale, bins=other).item() > 0.01


def test_log_bins_by_hand():
    """Centres 1/8, 3/8, 5/8, 7/8: the same ends, and each 7^(1/3) times the last."""
    ratio = 7 ** (1 / 3)
    centres = [0.125 * ratio**k for k in range(4)]
    for scale in (0.05, centres[1] * math.sqrt(ratio), 0.875, 2.0):
        apart = torch.tensor([abs(math.log(scale / centre)) + 1e-12 for centre in centres])
        expected = (1 / apart) / (1 / apart).norm()
        found = scale_code(torch.tensor(scale), 4, bins="log")
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    one = scale_code(torch.tensor([0.0, 0.3]), 1, bins="log")  # a scale of 0 has no logarithm
    torch.testing.assert_close(one, torch.ones(2, 1))


def test_two_log_bins_have_the_centres_of_linear_ones_by_hand():
    """1/4 and 3/4: half of a logarithm's way between them both are equally near."""
    for scale, code in ((0.25, [1, 0]), (0.75, [0, 1]), (math.sqrt(3) / 4, [math.sqrt(0.5)] * 2)):
        found = scale_code(torch.tensor(scale, dtype=torch.float64), 2, bins="log")
        torch.testing.assert_close(found, torch.tensor(code, dtype=torch.float64))


def test_log_bins_of_float64_are_as_exact_as_it():
    scale = 0.125 * 7 ** torch.arange(4, dtype=torch.float64).div(3)  # the centres of four bins
    found = scale_code(scale, 4, bins="log")
    torch.testing.assert_close(found, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-10)


def test_the_loss_is_as_exact_as_the_embeddings_and_the_maps():
    """Not as what is given beside them: a scale in float64 or in float16."""
    tags, visible = torch.rand(1, 2, 3, 4), torch.ones(1, 2, 3, dtype=torch.bool)
    for form in ("poster", "released"):
        loss = scale_loss(tags, visible, torch.full((1, 2), 0.3, dtype=torch.float64), form=form)
        assert loss.dtype == torch.float32
    scale = torch.tensor([[[[0.3]]]], dtype=torch.float16)
    assert heatmap_loss(CELL, CELL / 2, scale) == heatmap_loss(CELL, CELL / 2, scale.float())


def test_one_dimension_has_a_code():
    torch.testing.assert_close(scale_code(torch.tensor([0.1, 0.9]), 1), torch.ones(2, 1))


def test_the_scale_that_embeddings_tell_does_not_depend_on_their_length():
    maps = torch.rand(1, 2, 4, 3, 3) + 0.1
    for factor in (1e-6, 1e-3, 1e3):
        torch.testing.assert_close(scale_from_tags(factor * maps), scale_from_tags(maps))


def test_a_loss_of_one_cell_is_a_mean_over_one():
    assert heatmap_loss(CELL * 0.5, CELL, focal=False).item() == pytest.approx(0.25)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan])
def test_a_scale_that_is_not_positive_is_named(scale):
    message = r"^scale: expected positive values, got 0, a negative value or NaN$"
    with pytest.raises(ValueError, match=message):
        heatmap_loss(CELL, CELL, CELL * scale)


def test_messages_as_they_are_read():
    with pytest.raises(
        ValueError, match=r"^target: expected heatmaps in \[0, 1\], got other .*NaN$"
    ):
        heatmap_loss(CELL, 2 * CELL)
    with pytest.raises(ValueError, match=r"^bins: expected one of linear, log, got 'wide'$"):
        scale_code(torch.tensor(0.5), 4, bins="wide")
    with pytest.raises(
        ValueError, match=r"^scale: expected sqrt.box area. / image side, got a negative value$"
    ):
        scale_loss(CELL, torch.ones(1, 1, 1, dtype=torch.bool), torch.tensor([[-0.1]]))
    with pytest.raises(
        ValueError, match=r"^visible: expected bool of \(1, 2, 3\) \(B, P, K\), got torch\.float32"
    ):
        grouping_loss(torch.zeros(1, 2, 3, 4), torch.ones(1, 2, 3))


def test_joints_beyond_the_map_read_its_edge():
    maps = torch.arange(12.0).view(1, 1, 1, 3, 4)
    joints = torch.tensor([[[[-5, 0]], [[9, 9]], [[1, -1]]]])  # x, y
    assert gather_tags(maps, joints).flatten().tolist() == [0, 11, 1]
