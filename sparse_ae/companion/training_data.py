"""The training batches that the settings of a run describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparse_ae.datasets.open import open_crowds, open_dataset
from sparse_ae.runtime.distributed import barrier
from sparse_ae.runtime.launch import Options, count_workers
from sparse_ae.settings import Settings
from sparse_ae.training.batches import Targets
from sparse_ae.training.streams import Stream

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def open_stream(
    settings: Settings, options: Options, fabric: Fabric, *, progress: bool = True
) -> Stream:
    """Open the stream of batches that the settings describe, with its crowds rendered.

    Args:
        settings: Settings of the run.
        options: Whether broken photos are left out, and how many processes load.
        fabric: Devices that the run trains on.
        progress: Whether to show a bar while crowds are rendered.

    Raises:
        ValueError: For missing data, and as in `Settings.check_batch`.
    """
    data, optim, first = settings.data, settings.optim, fabric.global_rank == 0
    settings.check_batch(fabric.world_size)
    images, mixed_in = open_dataset(data, "train", skip_broken=options.skip_broken), None
    crowds = [images] if data.source == "crowds" else []
    if data.crowd_share:
        mixed_in = (open_crowds(data, "train"), data.crowd_share)
        crowds = [mixed_in[0]]
    for turn in (True, False):  # the first process renders crowds, the others find them rendered
        if first == turn:
            for scenes in crowds:
                scenes.arrays(progress=progress and first)
        barrier()
    if data.source == "rendered":
        images.scene(0)  # compiles once, before the workers start
    workers = 0  # rendered crowds are cheap to read
    if data.source != "crowds" or options.workers is not None:
        workers = count_workers(options, processes_here(fabric))
    targets = Targets(settings.model.strides, settings.loss.sigma, settings.model.offset_heads)
    return Stream(images, settings.augment, data.size, targets, batch=optim.batch,
                  steps=optim.steps, seed=settings.run.seed, mixed_in=mixed_in, workers=workers,
                  pinned=fabric.device.type == "cuda")  # fmt: skip


def processes_here(fabric: Fabric) -> int:
    """Return how many training processes share this machine's cores."""
    return max(1, fabric.world_size // fabric.strategy.num_nodes) if fabric.world_size > 1 else 1
