"""An exponential moving average of a net's weights, which is often better than the last weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def copy_of(net: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a net's weights and buffers."""
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


class WeightAverage:
    """The running average of a net's weights and batch statistics.

    Args:
        net: Net whose weights are averaged.
        decay: Weight of the average so far in every step. In the first steps it is at most (1 +
            step) / (10 + step), so the net's random first weights are soon forgotten.

    Attributes:
        weights: The average, by the names of the net's state.
    """

    def __init__(self, net: nn.Module, decay: float):
        self._net, self._decay = net, decay
        self.weights = copy_of(net)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after a step to the average."""
        decay = min(self._decay, (1 + step) / (10 + step))
        means, values = [], []
        for name, value in self._net.state_dict().items():
            if value.is_floating_point():
                means.append(self.weights[name])
                values.append(value)
            else:
                self.weights[name].copy_(value)
        torch._foreach_lerp_(means, values, 1 - decay)

    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Continue from a saved average."""
        for name, value in self.weights.items():
            value.copy_(weights[name])
