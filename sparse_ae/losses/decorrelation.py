"""A penalty on correlation between the dimensions; the paper does not have it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def decorrelation_loss(
    tags: Tensor, visible: Tensor, total: Callable[[Tensor], Tensor] = lambda part: part
) -> Tensor:
    """How far the dimensions of the persons' mean embeddings vary together.

    tags: (B, P, K, D) read at the ground-truth joints; visible: (B, P, K) bool. With C the
    covariance (D, D) of the mean embeddings of all persons of the batch, the sum of its squared
    off-diagonal elements over D: the covariance term of VICReg (Bardes et al., ICLR 2022), which
    takes it over a batch of images. 0 with fewer than two persons, or at D = 1. Half-precision
    inputs are computed in float32. total: where several processes have a share of the batch each,
    what adds a tensor up over them and lets gradients pass (`processes.summed`).

    ValueError for shapes that do not fit.
    """
    if tags.ndim != 4 or visible.shape != tags.shape[:3]:
        raise ValueError(
            f"tags and visible: expected (B, P, K, D) and (B, P, K), got {tuple(tags.shape)} and "
            f"{tuple(visible.shape)}"
        )
    tags = tags.float() if tags.dtype in (torch.float16, torch.bfloat16) else tags
    count = visible.sum(2)
    seen = torch.where(visible[..., None], tags, 0.0).sum(2)
    means = (seen / count.clamp(min=1)[..., None])[count > 0]  # (N, D)
    persons = int(total(count.new_tensor(len(means))))
    if persons < 2:
        return tags.sum() * 0
    centred = means - total(means.sum(0)) / persons
    with torch.autocast(centred.device.type, enabled=False):  # in float16 it would be infinite
        covariance = total(centred.T @ centred) / (persons - 1)
    apart = covariance - torch.diag(covariance.diagonal())
    return apart.square().sum() / tags.shape[3]
