"""Several processes that train one model, each on its share of every batch.

Gradients are averaged over the processes (DistributedDataParallel), so a loss that is a mean over
the images of equal shares is that of the whole batch. What else counts over the batch, such as
persons or joints, is added up here. With one process everything is as if this were not here.

`SharedNorm` does the same for batch normalisation on CPUs; on GPUs torch's SyncBatchNorm does it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn


def rank_and_world_size() -> tuple[int, int]:
    """Which process this is, from 0, and how many there are."""
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if there else (0, 1)


def all_reduce_sum(value: Tensor) -> Tensor:
    """The sum over the processes of a tensor that all have in one shape; gradients pass."""
    if rank_and_world_size()[1] == 1:
        return value
    from torch.distributed.nn.functional import all_reduce

    with warnings.catch_warnings():  # its successor has no gradients in torch 2.6
        warnings.simplefilter("ignore", FutureWarning)
        return all_reduce(value)


def all_reduce_mean(value: Tensor) -> Tensor:
    """The mean over the processes, as float32 at least; gradients pass."""
    value = value if value.is_floating_point() else value.float()
    return all_reduce_sum(value) / rank_and_world_size()[1]


def broadcast(value: float) -> float:
    """What the first process has for `value`."""
    return _told(value, lambda shared: torch.distributed.broadcast(shared, 0))


def any_rank(flag: bool) -> bool:
    """Whether a flag is up in any process."""
    return _told(float(flag), torch.distributed.all_reduce) > 0


def barrier() -> None:
    """Until all processes are here."""
    broadcast(0.0)


def _told(value: float, tell: Callable[[Tensor], object]) -> float:
    """A number after `tell` has changed it in all processes."""
    if rank_and_world_size()[1] == 1:
        return value
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    tell(shared)
    return shared.item()


def share_norms(net: nn.Module, device: torch.device) -> nn.Module:
    """The net with its batch normalisations over the batches of all processes, under the same
    names of parameters."""
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
    """Batch normalisation (B, C, H, W) whose mean and variance in training are those over all
    processes; every process has the same B, H and W. Computed in float32."""

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
