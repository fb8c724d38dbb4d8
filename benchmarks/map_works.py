"""Rows of the core benchmark that read whole maps: heatmap losses, Γ, enlarging and decoding.

Each loss runs forward and backward. Maps have the memory layout of a network's output: contiguous
in float32 or, as in training on a CPU, channels last in bfloat16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import reference
import scenes
import torch
import torch.nn.functional as F

from sparse_ae.decoding.enlarge import enlarge_bilinear
from sparse_ae.evaluation.infer import decode_maps, infer
from sparse_ae.losses import heatmap_loss, scale_from_tags, swahr_loss
from sparse_ae.models.outputs import PoseOutput
from sparse_ae.settings import DecodeSettings
from sparse_ae.skeleton import COCO
from sparse_ae.targets import heatmap_targets

IMAGES, KINDS = 8, 17


class Work(NamedTuple):
    """One row of the benchmark.

    It has a name, the library's function, the other one, the least ratio of their times, the most
    milliseconds, and, if memory-bound, the bytes that must be read and written.
    """

    name: str
    ours: Callable
    other: Callable | None
    ratio: float | None = None
    limit: float | None = None
    moved: int | None = None


def _as_trained(maps):
    return maps.bfloat16().contiguous(memory_format=torch.channels_last)


def _targets(persons, size, images):
    generator = np.random.default_rng(0)
    present = np.ones((persons, KINDS), bool)
    return torch.from_numpy(np.stack([
        heatmap_targets(scenes.joints(generator, persons, size, KINDS), present, size)
        for _ in range(images)
    ]))  # fmt: skip


def _taken(loss, *leaves):
    """Compute the gradients of a loss, or of a sum of losses."""
    given = [leaf.detach().requires_grad_() for leaf in leaves]
    found = loss(*given)
    (found if isinstance(found, torch.Tensor) else sum(found)).backward()


def heatmap_work(form, persons=30, size=128, images=IMAGES, *, trained=False, ratio=None) -> Work:
    """Make the heatmap loss's row: "plain", "Γ + W" (scales given) or "Γ of tags, W, mask"."""
    generator = torch.Generator().manual_seed(0)
    target = _targets(persons, size, images)
    pred = 0.5 * target + 0.3 * torch.rand(target.shape, generator=generator)
    tags = torch.randn(images, KINDS * 8, size, size, generator=generator)
    scale = 0.1 + 0.4 * torch.rand(target.shape, generator=generator)
    mask = (torch.rand(images, size, size, generator=generator) < 0.9).float()
    if trained:
        pred, tags = _as_trained(pred), _as_trained(tags)
    tags = tags.unflatten(1, (KINDS, 8))

    def run(loss, from_tags):
        if form == "plain":
            return _taken(lambda pred: loss(pred, target, focal=False), pred)
        if form == "Γ + W":
            return _taken(lambda pred: loss(pred, target, scale), pred)
        return _taken(lambda pred: loss(pred, target, from_tags(tags), mask=mask), pred)

    # prediction and target are read, the gradient is written, and other inputs are read
    read = {"plain": (), "Γ + W": (scale,)}.get(form, (tags, mask))
    moved = sum(part.nbytes for part in (pred, pred, target, *read))
    return Work(
        f"heatmap loss, {form}, {persons} persons, {size}²" + ", bf16 channels last" * trained,
        lambda: run(heatmap_loss, scale_from_tags),
        lambda: run(reference.heatmap_loss, reference.scale_from_tags),
        ratio,
        moved=moved,
    )


def swahr_work(persons=30, size=128, images=IMAGES, *, ratio=None) -> Work:
    """Make the row of SWAHR's losses."""
    generator = torch.Generator().manual_seed(0)
    target = _targets(persons, size, images)
    pred = 0.5 * target + 0.3 * torch.rand(target.shape, generator=generator)
    scale = 0.3 * torch.randn(target.shape, generator=generator)
    return Work(
        f"SWAHR's losses, {persons} persons, {size}²",
        lambda: _taken(lambda pred, scale: swahr_loss(pred, target, scale), pred, scale),
        lambda: _taken(
            lambda pred, scale: reference.swahr_losses(pred, target, scale), pred, scale
        ),
        ratio,
        moved=5 * target.nbytes,  # three maps are read, two gradients written
    )


def enlarge_work(size, target, channels=136, images=1, *, ratio=None) -> Work:
    """Make the row of bilinear enlargement into the same memory; torch takes new memory."""
    maps = torch.rand(images, channels, size, size, generator=torch.Generator().manual_seed(0))
    out = torch.empty(images, channels, target, target)
    return Work(
        f"enlarge {images} × {channels} maps, {size}² to {target}²; torch",
        lambda: enlarge_bilinear(maps, (target, target), out=out),
        lambda: scenes.enlarge(maps.numpy(), target),
        ratio,
        moved=maps.nbytes + out.nbytes,
    )


class _Given:
    """A stand-in for a network, which returns given maps."""

    keypoints, mean, std = KINDS, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)

    def __init__(self, output: PoseOutput):
        self.output = output

    def parameters(self):
        """Return an empty iterator."""
        return iter(())

    def __call__(self, _):
        return self.output


def photo_work(persons=15, size=512, *, ratio=None, limit=None) -> Work:
    """Make the row from a network's output, for a photo and its mirror image, to people."""
    heatmaps, tags = scenes.small_maps(persons, size // 4, 8, np.random.default_rng(0))
    mirrored = np.ascontiguousarray(heatmaps[COCO.flip, :, ::-1]), tags[COCO.flip, ..., ::-1].copy()
    coarse, embeddings = (
        torch.from_numpy(np.stack(pair)) for pair in zip((heatmaps, tags), mirrored, strict=True)
    )
    fine = F.interpolate(coarse, scale_factor=2, mode="bilinear")
    net = _Given(PoseOutput((coarse, fine), embeddings))
    image, decode, memory = np.zeros((1, size, size, 3), np.uint8), DecodeSettings(flip=True), {}

    def plainly():
        mean = (F.interpolate(coarse, scale_factor=2, mode="bilinear") + fine) / 2
        both = (mean[:1] + mean[1:].flip(-1)[:, COCO.flip]) / 2
        vectors = torch.cat([embeddings[:1], embeddings[1:].flip(-1)[:, COCO.flip]], 2)[0]
        reference.decode(scenes.enlarge(both.numpy(), size)[0],
                         scenes.enlarge(vectors.numpy(), size), COCO.order)  # fmt: skip

    return Work(
        f"from a network's output to people, {persons} persons, {size}², with its mirror image",
        lambda: decode_maps(infer(net, [image], COCO, flip=True, memory=memory), COCO, decode),
        plainly,
        ratio,
        limit,
    )
