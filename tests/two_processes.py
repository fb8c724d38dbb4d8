"""One of two processes: losses and gradients of its half of a batch, gathered by Fabric.

python two_processes.py FOLDER, started twice as torchrun would. The first process writes
FOLDER/<method>.safetensors: mean losses, gradients and running statistics after a batch, and what
a short run leaves.
"""

import sys
from pathlib import Path

import torch
from flat import flat_settings, losses_of, net_of, stream_of, train_run
from safetensors.torch import save_file

from sparse_ae.models import save_checkpoint
from sparse_ae.runtime.distributed import (
    all_reduce_mean,
    any_rank,
    broadcast,
    rank_and_world_size,
    share_norms,
)
from sparse_ae.runtime.launch import Options, launch_fabric, leave_process_group
from sparse_ae.training.objective import weighted_sum

METHODS = ("rve", "offset", "ae8_decorrelated", "swahr")


def settings(method):
    spread = (
        {"tag_init": "large"} if method == "ae8_decorrelated" else {}
    )  # else nothing to decorrelate
    return flat_settings("smoke", method, 3, steps=1, precision="float32", **spread)


def gathered(method, fabric):
    """Losses, gradients and running statistics after one batch."""
    config = settings(method)
    model = share_norms(net_of(config).train(), torch.device("cpu"))
    net = model if fabric is None else fabric.setup_module(model)
    parts, _ = losses_of(net, next(stream_of(config).batches()), config)
    whole = weighted_sum(parts, config.loss)
    whole.backward() if fabric is None else fabric.backward(whole)
    found = {f"loss.{name}": all_reduce_mean(value.detach()) for name, value in parts.items()}
    found |= {f"gradient.{name}": p.grad for name, p in model.named_parameters()}
    return found | {f"buffer.{name}": b for name, b in model.named_buffers()}


def short_settings():
    """Four steps with shared normalisation."""
    return flat_settings("smoke", "rve", 6, steps=4, precision="float32", sync_batch_norm=True)


def short_net():
    """The weights that such a run starts with."""
    return {name: value.clone() for name, value in net_of(short_settings()).named_parameters()}


def short_run(folder, fabric):
    """Such a run."""
    return train_run(short_settings(), fabric=fabric, options=Options(save_every=2),
                     record=Path(folder, "seed.json"))  # fmt: skip


def main(folder):
    torch.set_num_threads(1)
    fabric = launch_fabric(Options(accelerator="cpu"))
    assert rank_and_world_size()[1] == 2
    assert broadcast(float(rank_and_world_size()[0])) == 0
    assert any_rank(rank_and_world_size()[0] == 1)
    assert not any_rank(False)
    for method in METHODS:
        found = gathered(method, fabric)
        if rank_and_world_size()[0] == 0:
            contiguous = {name: tensor.clone().contiguous() for name, tensor in found.items()}
            save_file(contiguous, str(Path(folder, f"{method}.safetensors")))
    training = short_run(folder, fabric)
    if rank_and_world_size()[0] == 0:
        save_checkpoint(training.model, Path(folder, "weights.safetensors"))
    leave_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
