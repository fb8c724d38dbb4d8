"""The learning rate of each step: one cycle, or the paper's steps with a warm-up."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from sparse_ae.settings.config import Config


def make_schedule(optimizer: Optimizer, config: Config) -> LRScheduler:
    """What sets the optimiser's learning rate, its `step()` called after every step of training.

    "one-cycle": torch's OneCycleLR up to config.learning_rate. "steps": `factor` times it. The
    rate depends on the number of the step alone. ValueError for milestones that do not rise, or
    lie outside the run.
    """
    if config.schedule == "one-cycle":
        return OneCycleLR(optimizer, config.learning_rate, config.steps)
    milestones = [in_steps(value, config.steps) for value in config.milestones]
    if sorted(set(milestones)) != milestones or (milestones and milestones[-1] > config.steps):
        raise ValueError(f"milestones: expected rising steps up to {config.steps}, "
                         f"got {milestones}")  # fmt: skip
    return LambdaLR(optimizer, lambda step: factor(step, config))


def factor(step: int, config: Config) -> float:
    """Of the learning rate in a step, counted from 0: rising evenly to 1 over the warm-up, then 1,
    and from each milestone on config.decay times what it was."""
    warm = in_steps(config.warm_up, config.steps)
    rising = min(1.0, (step + 1) / warm) if warm else 1.0
    passed = sum(step >= in_steps(value, config.steps) for value in config.milestones)
    return rising * config.decay**passed


def in_steps(value: float, steps: int) -> int:
    """A share of `steps` (below 1), or a number of them, as a number."""
    return round(value * steps) if value < 1 else round(value)
