"""What is no part of the paper: by hand, and against NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from sparse_ae.losses import scale_code, scale_loss
from sparse_ae.losses.decorrelation import decorrelation_loss
from sparse_ae.models.tag_start import start_tags


def test_decorrelation_by_hand():
    """Persons at (0, 0) and (2, 2): variances and covariance are 2; 2 · 2² over two dimensions."""
    tags = torch.tensor([[[[0.0, 0]], [[2.0, 2]]]])  # (1, 2, 1, 2)
    visible = torch.ones(1, 2, 1, dtype=torch.bool)
    assert decorrelation_loss(tags, visible).item() == pytest.approx(2 * 2**2 / 2)
    crossed = torch.tensor([[[[1.0, 0]], [[-1.0, 0]], [[0, 1.0]], [[0, -1.0]]]])
    assert decorrelation_loss(crossed, torch.ones(1, 4, 1, dtype=torch.bool)).item() == 0


def test_decorrelation_equals_numpy_over_the_batch():
    rng = np.random.default_rng(0)
    tags, visible = rng.normal(size=(3, 4, 5, 6)), rng.random((3, 4, 5)) < 0.6
    visible[1, 2] = False
    means = [tags[b, p][visible[b, p]].mean(0) for b, p in np.ndindex(3, 4) if visible[b, p].any()]
    covariance = np.cov(np.array(means).T)
    wanted = (covariance**2).sum() - (np.diag(covariance) ** 2).sum()
    found = decorrelation_loss(torch.from_numpy(tags), torch.from_numpy(visible))
    assert found.item() == pytest.approx(wanted / 6)


def test_decorrelation_of_few_persons_is_nothing_and_half_precision_is_finite():
    tags = torch.ones(1, 2, 3, 4, requires_grad=True)
    visible = torch.zeros(1, 2, 3, dtype=torch.bool)
    visible[0, 0] = True
    loss = decorrelation_loss(tags, visible)
    loss.backward()
    assert loss.item() == 0
    assert tags.grad.abs().max() == 0
    half = torch.tensor([[[[500.0, 500]], [[-500, -500]]]], dtype=torch.float16)
    assert torch.isfinite(decorrelation_loss(half, torch.ones(1, 2, 1, dtype=torch.bool)))
    with pytest.raises(ValueError, match=r"expected \(B, P, K, D\) and \(B, P, K\)"):
        decorrelation_loss(tags, visible[0])


def test_starts():
    torch.manual_seed(0)
    head = nn.Conv2d(64, 24, 1)
    start_tags(head, "large")
    assert head.weight.std().item() == pytest.approx(0.1, rel=0.1)
    assert head.bias.abs().max() == 0
    start_tags(head, "orthogonal")
    rows = head.weight.flatten(1)
    assert torch.allclose(rows @ rows.T, 0.64 * torch.eye(24), atol=1e-5)
    with pytest.raises(ValueError, match="how: expected large or orthogonal, got 'small'"):
        start_tags(head, "small")


def test_log_bins_by_hand():
    """Of two bins the centres are 1/4 and 3/4; their geometric mean is as far from both."""
    middle = torch.tensor([(0.25 * 0.75) ** 0.5, 0.25, 0.75])
    code = scale_code(middle, 2, bins="log")
    wanted = torch.tensor([[0.5**0.5, 0.5**0.5], [1, 0], [0, 1]])
    assert torch.allclose(code, wanted, atol=1e-5)
    assert not torch.allclose(scale_code(middle, 2), wanted, atol=0.1)
    assert scale_code(torch.tensor([0.3]), 1, bins="log").item() == 1
    with pytest.raises(ValueError, match="bins: expected one of linear, log, got 'cubic'"):
        scale_code(middle, 2, bins="cubic")


@pytest.mark.parametrize("form", ["poster", "released"])
def test_signs_count_only_where_asked(form):
    code = scale_code(torch.tensor([0.3]), 4)  # (1, 4)
    tags, visible = -code[None, :, None], torch.ones(1, 1, 1, dtype=torch.bool)
    scale = torch.full((1, 1), 0.3)
    signed = scale_loss(tags, visible, scale, form=form, absolute=False)
    assert signed.item() == pytest.approx(2)
    magnitude = scale_loss(tags, visible, scale, form=form, absolute=True)
    assert magnitude.item() == pytest.approx(0, abs=1e-6)
    assert scale_loss(tags, visible, scale, form=form) == (
        signed if form == "poster" else magnitude
    )
