"""The learning rate of each step: one cycle, or the paper's steps with a warm-up."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from sparse_ae.settings.sections import OptimSettings


def make_schedule(optimizer: Optimizer, optim: OptimSettings) -> LRScheduler:
    """What sets the optimiser's learning rate, its `step()` called after every step of training.

    "one-cycle": torch's OneCycleLR up to optim.learning_rate. "steps": `factor` times it. The
    rate depends on the number of the step alone. ValueError for milestones that do not rise, or
    lie outside the run.
    """
    if optim.schedule == "one-cycle":
        return OneCycleLR(optimizer, optim.learning_rate, optim.steps)
    milestones = [in_steps(value, optim.steps) for value in optim.milestones]
    if sorted(set(milestones)) != milestones or (milestones and milestones[-1] > optim.steps):
        raise ValueError(f"milestones: expected rising steps up to {optim.steps}, "
                         f"got {milestones}")  # fmt: skip
    return LambdaLR(optimizer, lambda step: factor(step, optim))


def factor(step: int, optim: OptimSettings) -> float:
    """Of the learning rate in a step, counted from 0: rising evenly to 1 over the warm-up, then 1,
    and from each milestone on optim.lr_gamma times what it was."""
    warm = in_steps(optim.warm_up, optim.steps)
    rising = min(1.0, (step + 1) / warm) if warm else 1.0
    passed = sum(step >= in_steps(value, optim.steps) for value in optim.milestones)
    return rising * optim.lr_gamma**passed


def in_steps(value: float, steps: int) -> int:
    """A share of `steps` (below 1), or a number of them, as a number."""
    return round(value * steps) if value < 1 else round(value)
