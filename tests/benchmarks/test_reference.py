"""What the benchmarks compare with gives the library's results."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sparse_ae.decoding import decode
from sparse_ae.losses import (
    gather_tags,
    grouping_loss,
    heatmap_loss,
    scale_from_tags,
    swahr_loss,
)
from sparse_ae.skeleton import COCO
from sparse_ae.targets import heatmap_targets

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import reference
import scenes


@pytest.mark.parametrize("dim", [1, 8])
@pytest.mark.parametrize("persons", [0, 1, 6])
def test_embedding_loss_and_its_gradient(persons, dim):
    generator = torch.Generator().manual_seed(persons + dim)
    maps = torch.randn(2, 5, dim, 16, 12, generator=generator, dtype=torch.float64)
    joints = torch.rand(2, persons, 5, 2, generator=generator) * torch.tensor([12, 16])
    visible = torch.rand(2, persons, 5, generator=generator) < 0.6
    gradients = []
    for loss in (
        lambda tags: grouping_loss(gather_tags(tags, joints), visible, form="released"),
        lambda tags: reference.embedding_loss(tags, joints, visible),
        lambda tags: reference.embedding_loss(tags, joints, visible, at_once=True),
    ):
        tags = maps.clone().requires_grad_()
        pull, push = loss(tags)
        gradients.append([float(torch.as_tensor(part).detach()) for part in (pull, push)])
        if persons:
            (pull + push).backward()
            gradients[-1].append(tags.grad)
    for ours, *theirs in zip(*gradients, strict=True):
        for other in theirs:
            np.testing.assert_allclose(ours, other, rtol=1e-9, atol=1e-12)


def maps(seed):
    """Predictions, targets half of which are 0, scales and a mask."""
    generator = torch.Generator().manual_seed(seed)
    pred, target, scale = (torch.rand(2, 3, 20, 24, generator=generator) for _ in range(3))
    mask = (torch.rand(2, 20, 24, generator=generator) < 0.8).float()
    return pred, torch.where(target > 0.5, target, 0), 0.3 + scale, mask


@pytest.mark.parametrize("form", ["plain", "focal", "scaled", "masked"])
def test_heatmap_loss_and_its_gradient(form):
    pred, target, scale, mask = maps(0)
    options = {"focal": form != "plain", "mask": mask if form == "masked" else None,
               "scale": scale if form in ("scaled", "masked") else None}  # fmt: skip
    found = []
    for loss in (heatmap_loss, reference.heatmap_loss):
        leaf = pred.clone().requires_grad_()
        value = loss(leaf, target, **options)
        found.append((value.detach(), torch.autograd.grad(value, leaf)[0]))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-9)


def test_scales_of_tags():
    tags = torch.randn(2, 3, 8, 5, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(scale_from_tags(tags), reference.scale_from_tags(tags))


def test_swahr_losses_and_their_gradients():
    pred, target, scale, _ = maps(1)
    found = []
    for losses in (swahr_loss, reference.swahr_losses):
        leaves = pred.clone().requires_grad_(), (scale - 0.8).requires_grad_()
        parts = losses(leaves[0], target, leaves[1])
        slopes = torch.autograd.grad(sum(parts), leaves)
        found.append([part.detach() for part in parts] + list(slopes))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("size", [24, 64])
def test_targets(size):
    generator = np.random.default_rng(size)
    joints, visible = generator.uniform(-4, size + 4, (7, 5, 2)), generator.random((7, 5)) < 0.8
    np.testing.assert_array_equal(
        heatmap_targets(joints, visible, size), reference.heatmap_targets(joints, visible, size)
    )


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("dim", [1, 8])
@pytest.mark.parametrize("persons", [1, 7])
def test_decoding(persons, dim, noise):
    heatmaps, tags = scenes.maps(persons, 128, dim, noise=noise, seed=persons)
    ours = decode(heatmaps, tags, COCO)
    keypoints, scores, means = reference.decode(heatmaps, tags, COCO.order)
    np.testing.assert_array_equal(ours.keypoints, keypoints)
    np.testing.assert_allclose(ours.scores, scores, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(ours.tags, means)
    assert len(scores) >= persons
