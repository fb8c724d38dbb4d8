"""Runtime options and the start of processes; none of them changes a result."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch

from sparse_ae.runtime.workers import available_cores

if TYPE_CHECKING:  # imported only where a run starts: the losses do not need it
    from lightning_fabric import Fabric

ACCELERATORS = ("auto", "cpu", "cuda")
PATIENCE = timedelta(hours=2)  # how long other processes wait for rank 0, while it validates


@dataclass(frozen=True)
class Options:
    """Runtime options; none of them changes a result.

    Attributes:
        accelerator: one of ACCELERATORS; "auto" takes a GPU if there is one.
        devices: processes per machine, each with its own GPU if there are GPUs; "auto" takes as
            many as torchrun or SLURM started, else one.
        nodes: number of machines.
        compile: whether to use torch.compile, which first takes minutes.
        workers: processes that load or draw images, per training process; None takes the cores that
            are left over, at least one; 0 takes none.
        resume: whether to continue from the state that an interrupted run saved.
        save_every: steps between two saved states.
        tensorboard: whether to write curves for TensorBoard too.
        skip_broken: whether to leave out broken photos and records, and list them at the end.

    Raises:
        ValueError: a value is out of range; the message names the option of the command line.
    """

    accelerator: str = "auto"
    devices: str | int = "auto"
    nodes: int = 1
    compile: bool = False
    workers: int | None = None
    resume: bool = False
    save_every: int = 500
    tensorboard: bool = False
    skip_broken: bool = False

    def __post_init__(self):
        if self.accelerator not in ACCELERATORS:
            raise ValueError(f"--accelerator: expected one of {', '.join(ACCELERATORS)}, "
                             f"got {self.accelerator!r}")  # fmt: skip
        if self.devices != "auto" and not (str(self.devices).isdecimal() and int(self.devices)):
            raise ValueError(f"--devices: expected auto or a number from 1, got {self.devices!r}")
        for name, least in (("nodes", 1), ("save_every", 1), ("workers", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"--{name.replace('_', '-')}: expected {least} or more, "
                                 f"got {value}")  # fmt: skip


def launch_fabric(options: Options) -> Fabric:
    """Start Lightning Fabric and all processes of a run.

    If torchrun or SLURM has started the processes, this joins them; otherwise it starts them.

    Args:
        options: only accelerator, devices and nodes are used.

    Returns:
        The launched Fabric.

    Raises:
        ValueError: the devices do not exist.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    devices, nodes = _devices_and_nodes(options)
    strategy = DDPStrategy(timeout=PATIENCE) if devices * nodes > 1 else "auto"
    accelerator = options.accelerator
    if accelerator == "auto" and not torch.cuda.is_available():
        accelerator = "cpu"
    try:
        with warnings.catch_warnings():
            if devices * nodes == 1:  # srun is not needed
                warnings.filterwarnings("ignore", "The `srun` command is available")
            fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes,
                            strategy=strategy)  # fmt: skip
    except (MisconfigurationException, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"--accelerator {options.accelerator} --devices {options.devices}: "
                         f"{reason}") from error  # fmt: skip
    fabric.launch()
    if fabric.device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # all images of a run have one size
    return fabric


def _devices_and_nodes(options: Options) -> tuple[int, int]:
    """Return processes per machine, and machines: as requested, else as torchrun or SLURM says."""
    if options.devices != "auto":
        return int(options.devices), options.nodes
    environ = os.environ
    if "TORCHELASTIC_RUN_ID" in environ:
        here = int(environ["LOCAL_WORLD_SIZE"])
        return here, int(environ["WORLD_SIZE"]) // here
    if "SLURM_NTASKS_PER_NODE" in environ and "SLURM_PROCID" in environ:
        return int(environ["SLURM_NTASKS_PER_NODE"]), int(environ.get("SLURM_NNODES", 1))
    return 1, options.nodes


def leave_process_group() -> None:
    """Leave the process group of torch.distributed, if there is one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def count_workers(options: Options, processes_here: int = 1) -> int:
    """Return how many processes load or draw images, per training process.

    Args:
        options: only workers is used.
        processes_here: training processes on this machine.

    Returns:
        options.workers, or if it is None the cores per training process less one, at least one.

    Example:
        >>> from sparse_ae.runtime.launch import Options, count_workers
        >>> count_workers(Options(workers=3))
        3
    """
    if options.workers is not None:
        return options.workers
    return max(1, available_cores() // processes_here - 1)
