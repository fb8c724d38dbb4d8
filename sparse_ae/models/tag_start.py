"""Other starts of the embeddings' head than small weights around one bias."""

from __future__ import annotations

from torch import nn

LARGE = 0.1  # standard deviation of the head's weights; the small start has 0.001


def start_tags(head: nn.Conv2d, how: str) -> None:
    """Give the embeddings' head another start than small weights around one bias.

    how: "large", a hundred times the weights and no bias; "orthogonal", the K·D rows of its weights
    orthogonal to each other (as far as there are channels), of the length that "large" gives them.
    """
    nn.init.zeros_(head.bias)
    if how == "large":
        nn.init.normal_(head.weight, std=LARGE)
    elif how == "orthogonal":
        nn.init.orthogonal_(head.weight, gain=LARGE * head.in_channels**0.5)
    else:
        raise ValueError(f"how: expected large or orthogonal, got {how!r}")
