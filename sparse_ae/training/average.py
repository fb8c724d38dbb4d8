"""An exponential moving average of a net's weights, which is often better than the last ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def copy_of(net: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a net's weights and buffers."""
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


class WeightAverage:
    """The average of the weights and batch statistics of `net` over its steps.

    decay: Of what was averaged before, in every step; in the first steps (1 + step)/(10 + step), so
    that the first weights do not stay.
    """

    def __init__(self, net: nn.Module, decay: float):
        self._net, self._decay = net, decay
        self.weights = copy_of(net)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step."""
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
        """Go on from an average that was kept."""
        for name, value in self.weights.items():
            value.copy_(weights[name])
