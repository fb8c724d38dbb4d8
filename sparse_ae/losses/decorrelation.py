"""A penalty on correlation between embedding dimensions, which is not part of the paper."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def decorrelation_loss(
    tags: Tensor, visible: Tensor, total: Callable[[Tensor], Tensor] = lambda part: part
) -> Tensor:
    """Compute a penalty on correlated dimensions of the people's mean embeddings.

    It is the sum of the squared off-diagonal elements of C over D, where C is the (D, D) covariance
    of the mean embeddings of all people in the batch. Half-precision inputs are computed in
    float32.

    Args:
        tags: (B, P, K, D), read at the ground-truth joints.
        visible: (B, P, K) bool; a person without a visible joint is padding.
        total: sums a tensor over the processes that share the batch, and lets gradients pass
            (`distributed.all_reduce_sum`).

    Returns:
        The penalty, a scalar; 0 with fewer than two persons, or at D = 1.

    Raises:
        ValueError: Shapes do not fit.

    Source:
        The covariance term of VICReg (Bardes et al., ICLR 2022), there computed over images.

    Example:
        >>> import torch
        >>> tags = torch.tensor([[[[-1.0, -1.0]], [[1.0, 1.0]]]])  # two persons, one joint, D = 2
        >>> visible = torch.ones(1, 2, 1, dtype=torch.bool)
        >>> decorrelation_loss(tags, visible).item()  # C is 2 everywhere: (2² + 2²) / 2
        4.0
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
    with torch.autocast(centred.device.type, enabled=False):  # float16 would overflow
        covariance = total(centred.T @ centred) / (persons - 1)
    apart = covariance - torch.diag(covariance.diagonal())
    return apart.square().sum() / tags.shape[3]
