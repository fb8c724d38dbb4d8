"""Train one model in several processes, each of which takes an equal share of every batch.

DistributedDataParallel averages gradients over the processes, so a mean over images comes out as if
one process had the whole batch. Sums over other things in the batch, such as persons or joints,
are reduced with the functions here. With one process they change nothing.

`SharedNorm` does the same for batch normalisation on CPUs; on GPUs torch's SyncBatchNorm does it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn


def rank_and_world_size() -> tuple[int, int]:
    """Return the rank of this process, from 0, and the number of processes.

    Returns:
        (rank, world size); (0, 1) if torch.distributed is not in use.

    Example:
        >>> from sparse_ae.runtime.distributed import rank_and_world_size
        >>> rank_and_world_size()
        (0, 1)
    """
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if there else (0, 1)


def all_reduce_sum(value: Tensor) -> Tensor:
    """Sum a tensor over the processes; gradients pass.

    Args:
        value: a tensor of the same shape in all processes.

    Returns:
        The sum, the same in all processes.
    """
    if rank_and_world_size()[1] == 1:
        return value
    from torch.distributed.nn.functional import all_reduce

    with warnings.catch_warnings():  # its successor has no gradients in torch 2.6
        warnings.simplefilter("ignore", FutureWarning)
        return all_reduce(value)


def all_reduce_mean(value: Tensor) -> Tensor:
    """Average a tensor over the processes; gradients pass.

    Args:
        value: a tensor of the same shape in all processes.

    Returns:
        The mean, the same in all processes; float32 for integers.
    """
    value = value if value.is_floating_point() else value.float()
    return all_reduce_sum(value) / rank_and_world_size()[1]


def broadcast(value: float) -> float:
    """Return the number that the process of rank 0 has.

    Args:
        value: the number of this process.

    Returns:
        The number of rank 0, in all processes.
    """
    return _communicate(value, lambda shared: torch.distributed.broadcast(shared, 0))


def any_rank(flag: bool) -> bool:
    """Return whether a flag is set in any process.

    Args:
        flag: the flag of this process.

    Returns:
        True if it is set in at least one process; the same in all processes.
    """
    return _communicate(float(flag), torch.distributed.all_reduce) > 0


def barrier() -> None:
    """Wait until all processes have called this."""
    broadcast(0.0)


def _communicate(value: float, collective: Callable[[Tensor], object]) -> float:
    """Apply a collective operation, which changes a tensor in place, to a number."""
    if rank_and_world_size()[1] == 1:
        return value
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    collective(shared)
    return shared.item()


def share_norms(net: nn.Module, device: torch.device) -> nn.Module:
    """Make batch normalisation use the batches of all processes.

    Args:
        net: the net; changed in place on CPUs.
        device: the device on which the net will train.

    Returns:
        The net, whose parameters keep their names; unchanged with one process.
    """
    if rank_and_world_size()[1] == 1:
        return net
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for name, part in list(net.named_children()):
        if isinstance(part, nn.BatchNorm2d):
            shared = SharedNorm(part.num_features, part.eps, part.momentum)
            shared.load_state_dict(part.state_dict())
            setattr(net, name, shared)
        else:
            share_norms(part, device)
    return net


class SharedNorm(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes: (B, C, H, W) → (B, C, H, W).

    In training, mean and variance are those over all processes, computed in float32. Every process
    must have the same B, H and W.
    """

    def forward(self, image: Tensor) -> Tensor:
        if not self.training:
            return super().forward(image)
        x = image.float()
        count = x.numel() // x.shape[1] * rank_and_world_size()[1]
        mean = all_reduce_sum(x.sum((0, 2, 3))) / count  # (C,)
        centred = x - mean[:, None, None]
        variance = all_reduce_sum(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        x = torch.addcmul(self.bias[:, None, None], centred, scale[:, None, None])
        return x.to(image.dtype)
