"""The grouping loss L_g: each person's embeddings together, the persons apart.

`form="poster"` has the equations of the ECCV 2022 poster, `form="released"` those of the released
code (github.com/CR320/CoupledEmbedding), where they differ.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sparse_ae.losses.tags import check_tags, person_means


class GroupingLoss(NamedTuple):
    """L_g in its two parts, each a scalar: the mean over the images of the batch."""

    pull: Tensor
    push: Tensor


def grouping_loss(tags: Tensor, visible: Tensor, *, form: str = "poster") -> GroupingLoss:
    """L_g: draw a person's embeddings together, push the persons' means apart.

    tags: (B, P, K, D) read at the ground-truth joints; visible: (B, P, K) bool. A person without
    a visible joint is padding.

    pull, both forms: mean over persons of the mean over their visible joints of ‖t − t̄‖².
    push, poster: mean over the N(N−1)/2 pairs of exp(−‖t̄_n − t̄_m‖²/2).
    push, released: half the mean over pairs of exp(−‖t̄_n − t̄_m‖²).
    An image without persons gives 0, one with a single person gives push 0.

    Raises ValueError for shapes that do not fit or an unknown form.
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
