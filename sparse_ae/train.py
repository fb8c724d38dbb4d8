"""One training run: scenes in, a trained PoseNet and its loss curve out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sparse_ae.augment import Example, augment
from sparse_ae.config import Config
from sparse_ae.losses import (
    gather_tags,
    grouping_loss,
    heatmap_loss,
    scale_from_tags,
    scale_loss,
)
from sparse_ae.metrics import linearity
from sparse_ae.model import PoseNet, PoseOutput
from sparse_ae.skeleton import get_skeleton
from sparse_ae.targets import heatmap_targets, person_scale

STRIDES = (4, 2)  # of the heatmaps, coarse to fine; embeddings have the coarse one
PARTS = ("heatmap", "pull", "push", "scale")
LINE = ("first_component", "correlation", "effective_rank")  # of metrics.Linearity
CURVE_EVERY = 20  # steps between two points of the curve


class Batch(NamedTuple):
    """image (B, 3, S, S); targets (B, K, h, w) for each stride; joints (B, P, K, 2) in coarse
    cells; visible (B, P, K); scale (B, P)."""

    image: Tensor
    targets: tuple[Tensor, ...]
    joints: Tensor
    visible: Tensor
    scale: Tensor


class Training(NamedTuple):
    """The trained net in evaluation mode, its curve, and what it took.

    curve: step (T,); since the point before, the means of loss_heatmap, loss_pull, loss_push,
    loss_scale (T,); of the last batch, the means over its images of line_first_component,
    line_correlation, line_effective_rank (T,).
    """

    model: PoseNet
    curve: dict[str, np.ndarray]
    seconds: float
    images_per_second: float


def train(config: Config, scenes: Mapping[str, np.ndarray], *, progress: bool = True) -> Training:
    """Train `config.method` on `scenes`, as of `CrowdDataset.arrays`.

    One seed gives one result on one machine: it draws the initial weights, the order of the
    scenes and their augmentation. FloatingPointError where a loss is no longer finite.
    """
    torch.manual_seed(config.seed)
    model = PoseNet(len(get_skeleton(config.skeleton)), config.dim, config.widths)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, config.steps)
    curve: list[tuple[float, ...]] = []
    recent: list[Tensor] = []
    start = time.perf_counter()
    bar = tqdm(
        batches(config, scenes), f"{config.method} seed {config.seed}", config.steps,
        unit_scale=config.batch, unit=" images", disable=not progress,
    )  # fmt: skip
    for step, batch in enumerate(bar, 1):
        parts, tags = training_losses(model, batch, config)
        optimizer.zero_grad(set_to_none=True)
        total(parts, config).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        schedule.step()
        recent.append(torch.stack(parts).detach())
        if step % CURVE_EVERY == 0 or step == config.steps:
            values = torch.stack(recent).mean(0).tolist()
            recent.clear()
            if not np.isfinite(values).all():
                losses = ", ".join(f"{p} {v:g}" for p, v in zip(PARTS, values, strict=True))
                raise FloatingPointError(f"step {step}: a loss is no longer finite: {losses}")
            curve.append((step, *values, *mean_linearity(tags, batch.visible)))
            shown = {part: f"{value:.1e}" for part, value in zip(PARTS, values, strict=True)}
            bar.set_postfix(shown, refresh=False)
    seconds = time.perf_counter() - start
    names = ("step", *(f"loss_{part}" for part in PARTS), *(f"line_{name}" for name in LINE))
    columns = dict(zip(names, np.array(curve, np.float32).T, strict=True))
    return Training(model.eval(), columns, seconds, config.steps * config.batch / seconds)


def mean_linearity(tags: Tensor, visible: Tensor) -> np.ndarray:
    """(3,) the measures LINE of embeddings (B, P, K, D), visible (B, P, K), each the mean over the
    images in which it is defined."""
    pairs = zip(tags.detach().float().numpy(), visible.numpy(), strict=True)
    found = np.array([linearity(tags, visible) for tags, visible in pairs])
    defined = np.isfinite(found)
    return np.where(defined, found, 0).sum(0) / np.where(defined.any(0), defined.sum(0), np.nan)


def training_losses(
    model: PoseNet, batch: Batch, config: Config
) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """The unweighted losses of a batch: heatmap, pull, push, scale; and the embeddings at its
    joints (B, P, K, D)."""
    with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16(config.precision)):
        output: PoseOutput = model(batch.image)
    tags = gather_tags(output.tags, batch.joints)
    pull, push = grouping_loss(tags, batch.visible, form=config.form)
    turn = (
        scale_loss(tags, batch.visible, batch.scale, form=config.form)
        if config.scale_weight > 0
        else torch.zeros(())
    )
    scale = scale_from_tags(output.tags) if config.scale_aware else None  # (B, K, h, w)
    heatmap = torch.zeros(())
    for pred, target in zip(output.heatmaps, batch.targets, strict=True):
        if scale is not None and scale.shape != target.shape:
            scale = torch.nn.functional.interpolate(scale, size=target.shape[2:])
        heatmap = heatmap + heatmap_loss(pred, target, scale, beta=config.beta, focal=config.focal)
    return (heatmap, pull, push, turn), tags


def total(parts: tuple[Tensor, Tensor, Tensor, Tensor], config: Config) -> Tensor:
    """The weighted sum that is trained."""
    heatmap, pull, push, turn = parts
    return (
        config.heatmap_weight * heatmap
        + config.pull_weight * pull
        + config.push_weight * push
        + config.scale_weight * turn
    )


def batches(config: Config, scenes: Mapping[str, np.ndarray]) -> Iterator[Batch]:
    """`config.steps` batches: epochs of shuffled scenes, each augmented anew."""
    rng = np.random.default_rng([config.seed, 1])
    skeleton = get_skeleton(config.skeleton)
    order = np.empty(0, np.int64)
    for _ in range(config.steps):
        while len(order) < config.batch:
            order = np.concatenate([order, rng.permutation(len(scenes["images"]))])
        chosen, order = order[: config.batch], order[config.batch :]
        examples = []
        for i in chosen:
            count = scenes["counts"][i]
            example = Example(
                scenes["images"][i], scenes["keypoints"][i, :count], scenes["boxes"][i, :count]
            )
            examples.append(
                augment(
                    example, skeleton, rng, rotation=config.rotation, zoom=config.zoom,
                    shift=config.shift, flip=config.flip, colour=config.colour,
                )
            )  # fmt: skip
        yield collate(examples, config)


def collate(examples: list[Example], config: Config) -> Batch:
    """Tensors of a list of examples, the persons padded with invisible ones."""
    most = max(1, *(len(example.boxes) for example in examples))
    kinds = len(get_skeleton(config.skeleton))
    joints = np.zeros((len(examples), most, kinds, 2), np.float32)
    visible = np.zeros((len(examples), most, kinds), bool)
    scale = np.zeros((len(examples), most), np.float32)
    targets = [
        np.zeros((len(examples), kinds, config.size // s, config.size // s), np.float32)
        for s in STRIDES
    ]
    for b, example in enumerate(examples):
        count = len(example.boxes)
        seen = example.keypoints[..., 2] > 0
        corner = example.keypoints[..., :2] + 0.5  # measured from the corner of the image
        joints[b, :count] = corner / STRIDES[0]
        visible[b, :count] = seen
        scale[b, :count] = person_scale(example.boxes, config.size)
        for target, stride in zip(targets, STRIDES, strict=True):
            target[b] = heatmap_targets(
                corner / stride, seen, config.size // stride, sigma=config.sigma
            )
    return Batch(
        to_input(np.stack([example.image for example in examples])),
        tuple(map(torch.from_numpy, targets)),
        torch.from_numpy(joints),
        torch.from_numpy(visible),
        torch.from_numpy(scale),
    )


def to_input(images: np.ndarray) -> Tensor:
    """(B, S, S, 3) uint8 → (B, 3, S, S) float32 about 0, as PoseNet takes it."""
    return torch.tensor(images).permute(0, 3, 1, 2).float().div_(255).sub_(0.5)


def uses_bfloat16(precision: str) -> bool:
    """Whether to compute in bfloat16; "auto" means: where the processor has instructions for it."""
    if precision == "auto":
        able = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.10 cannot tell
        return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    return precision == "bfloat16"
