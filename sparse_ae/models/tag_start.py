"""Initialise the embedding head in other ways than PoseNet's small weights around one bias."""

from __future__ import annotations

from torch import nn

LARGE = 0.1  # standard deviation of the head's weights; PoseNet's own is 0.001


def start_tags(head: nn.Conv2d, how: str) -> None:
    """Initialise the embedding head, in place, with large or with orthogonal weights.

    Args:
        head: the 1×1 convolution with K·D output channels; its bias becomes 0.
        how: "large" for normal weights with a hundred times PoseNet's standard deviation;
            "orthogonal" for K·D rows of weights that are orthogonal to each other (as far as there
            are channels) and as long as those of "large".

    Raises:
        ValueError: `how` is neither of them.
    """
    nn.init.zeros_(head.bias)
    if how == "large":
        nn.init.normal_(head.weight, std=LARGE)
    elif how == "orthogonal":
        nn.init.orthogonal_(head.weight, gain=LARGE * head.in_channels**0.5)
    else:
        raise ValueError(f"how: expected large or orthogonal, got {how!r}")
