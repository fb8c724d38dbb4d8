"""The learning rate of each step: one cycle, or the paper's steps with a warm-up."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from sparse_ae.settings.sections import OptimSettings


def make_schedule(optimizer: Optimizer, optim: OptimSettings) -> LRScheduler:
    """Make the learning rate's schedule; call its `step()` after every step of training.

    "one-cycle" is torch's OneCycleLR up to optim.learning_rate; "steps" multiplies that rate by
    `factor`. The rate depends on the number of the step alone.

    Raises:
        ValueError: Milestones do not rise, or lie outside the run.
    """
    if optim.schedule == "one-cycle":
        return OneCycleLR(optimizer, optim.learning_rate, optim.steps)
    milestones = [in_steps(value, optim.steps) for value in optim.milestones]
    if sorted(set(milestones)) != milestones or (milestones and milestones[-1] > optim.steps):
        raise ValueError(f"milestones: expected rising steps up to {optim.steps}, "
                         f"got {milestones}")  # fmt: skip
    return LambdaLR(optimizer, lambda step: factor(step, optim))


def factor(step: int, optim: OptimSettings) -> float:
    """Return the factor of the learning rate in a step, counted from 0.

    It rises evenly to 1 during the warm-up, and is multiplied by optim.lr_gamma at each milestone.
    """
    warm = in_steps(optim.warm_up, optim.steps)
    rising = min(1.0, (step + 1) / warm) if warm else 1.0
    passed = sum(step >= in_steps(value, optim.steps) for value in optim.milestones)
    return rising * optim.lr_gamma**passed


def in_steps(value: float, steps: int) -> int:
    """Return a number of steps, given as a share of all steps (below 1) or as the number."""
    return round(value * steps) if value < 1 else round(value)
