"""Measure how linear the embeddings of a training batch are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sparse_ae.metrics import linearity
from sparse_ae.runtime.distributed import all_reduce_sum

LINE = ("first_component", "correlation", "effective_rank")  # of metrics.Linearity


def mean_linearity(tags: Tensor | None, visible: Tensor) -> dict[str, float]:
    """Return the means of the measures LINE, over the images of all processes.

    Args:
        tags: (B, P, K, D) embeddings; None for a method without them.
        visible: (B, P, K) bool.

    Returns:
        Each measure's mean over the images where it is defined, nan if there is none; {} if tags is
        None.
    """
    if tags is None:
        return {}
    pairs = zip(tags.detach().float().cpu().numpy(), visible.cpu().numpy(), strict=True)
    found = np.array([linearity(tags, visible) for tags, visible in pairs])
    defined = np.isfinite(found)
    sums = torch.tensor(np.stack([np.where(defined, found, 0).sum(0), defined.sum(0)]))
    sums, count = all_reduce_sum(sums.to(tags.device)).cpu().numpy()
    means = sums / np.where(count > 0, count, np.nan)
    return {f"line_{name}": value for name, value in zip(LINE, means.tolist(), strict=True)}
