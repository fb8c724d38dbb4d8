"""The grouping loss L_g, which pulls each person's embeddings together and pushes people apart.

Where they differ, `form="poster"` follows the ECCV 2022 poster and `form="released"` the released
code (github.com/CR320/CoupledEmbedding).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sparse_ae.losses.tags import check_tags, person_means


class GroupingLoss(NamedTuple):
    """The two parts of L_g, each a scalar averaged over the images of the batch."""

    pull: Tensor
    push: Tensor


def grouping_loss(tags: Tensor, visible: Tensor, *, form: str = "poster") -> GroupingLoss:
    """Compute L_g, which pulls a person's embeddings together and pushes people's means apart.

    pull, both forms: mean over persons of the mean over their visible joints of ‖t − t̄‖².
    push, poster: mean over the N(N−1)/2 pairs of exp(−‖t̄_n − t̄_m‖²/2).
    push, released: half the mean over pairs of exp(−‖t̄_n − t̄_m‖²).

    Args:
        tags: (B, P, K, D), read at the ground-truth joints.
        visible: (B, P, K) bool; a person without a visible joint is padding.
        form: "poster" or "released".

    Returns:
        pull and push. An image without people adds 0 to both, one with a single person 0 to push.

    Raises:
        ValueError: Shapes do not fit, or the form is unknown.

    Source:
        The poster's L_g; the released code's pull and push.

    Example:
        >>> import torch
        >>> tags = torch.tensor([[[[0.0], [2.0]], [[2.0], [4.0]]]])  # two persons, means 1 and 3
        >>> visible = torch.ones(1, 2, 2, dtype=torch.bool)
        >>> pull, push = grouping_loss(tags, visible)
        >>> print(f"{pull:.3f} {push:.3f}")  # 1, and exp(−2² / 2)
        1.000 0.135
    """
    tags = check_tags(tags, visible, form)
    mean, weight, real = person_means(tags, visible)
    distance = (tags - mean[:, :, None]).square().sum(3)  # (B, P, K)
    persons = real.sum(1)  # (B,)
    pull = (distance * weight).sum((1, 2)) / persons.clamp(min=1)

    gap = (mean[:, :, None] - mean[:, None, :]).square().sum(3)  # (B, P, P)
    sharpness, factor = (0.5, 1.0) if form == "poster" else (1.0, 0.5)
    pair = real[:, :, None] & real[:, None, :]
    pair = pair & ~torch.eye(real.shape[1], dtype=torch.bool, device=real.device)
    pairs = (persons * (persons - 1)).clamp(min=1)
    push = factor * (torch.exp(-sharpness * gap) * pair).sum((1, 2)) / pairs
    return GroupingLoss(pull.mean(), push.mean())
