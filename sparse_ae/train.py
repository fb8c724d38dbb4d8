"""One training run: scenes in, a trained PoseNet and its loss curve out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sparse_ae.batches import batches
from sparse_ae.config import Config
from sparse_ae.metrics import linearity
from sparse_ae.model import PoseNet
from sparse_ae.objective import make_net, total, training_losses

LINE = ("first_component", "correlation", "effective_rank")  # of metrics.Linearity
CURVE_EVERY = 20  # steps between two points of the curve


class Training(NamedTuple):
    """The trained net in evaluation mode, its curve, and what it took.

    curve: step (T,); the losses that the method has, each a mean since the point before:
    loss_heatmap, … (T,); with embeddings, of the last batch, the means over its images of
    line_first_component, line_correlation, line_effective_rank (T,).
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
    model = make_net(config).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, config.steps)
    curve: list[dict[str, float]] = []
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
        recent.append(torch.stack(tuple(parts.values())).detach())
        if step % CURVE_EVERY == 0 or step == config.steps:
            means = dict(zip(parts, torch.stack(recent).mean(0).tolist(), strict=True))
            recent.clear()
            if not np.isfinite(list(means.values())).all():
                losses = ", ".join(f"{name} {value:g}" for name, value in means.items())
                raise FloatingPointError(f"step {step}: a loss is no longer finite: {losses}")
            curve.append({"step": step, **{f"loss_{name}": v for name, v in means.items()},
                          **mean_linearity(tags, batch.visible)})  # fmt: skip
            bar.set_postfix({name: f"{v:.1e}" for name, v in means.items()}, refresh=False)
    seconds = time.perf_counter() - start
    columns = {name: np.array([point[name] for point in curve], np.float32) for name in curve[0]}
    return Training(model.eval(), columns, seconds, config.steps * config.batch / seconds)


def mean_linearity(tags: Tensor | None, visible: Tensor) -> dict[str, float]:
    """The measures LINE of embeddings (B, P, K, D), visible (B, P, K), each the mean over the
    images in which it is defined, nan if in none; nothing for None."""
    if tags is None:
        return {}
    pairs = zip(tags.detach().float().numpy(), visible.numpy(), strict=True)
    found = np.array([linearity(tags, visible) for tags, visible in pairs])
    defined = np.isfinite(found)
    count = np.where(defined.any(0), defined.sum(0), np.nan)
    means = np.where(defined, found, 0).sum(0) / count
    return {f"line_{name}": value for name, value in zip(LINE, means.tolist(), strict=True)}
