"""One experiment from a preset to its record: data, training, evaluation, files.

Here alone the whole settings are known; each wing gets its section.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from sparse_ae.companion.knobs import evaluate_knobs, knobs_digest
from sparse_ae.companion.records import (
    METRICS,
    ROOT,
    SCHEMA,
    check_writable,
    is_done,
    provenance,
    record_path,
    settings_digest,
    write_record,
)
from sparse_ae.datasets.dataset import PoseDataset
from sparse_ae.datasets.open import crowd_config, open_crowds, open_dataset
from sparse_ae.evaluation.evaluation import Evaluation, evaluate
from sparse_ae.evaluation.photo_files import results_file
from sparse_ae.evaluation.predictor import Usage
from sparse_ae.models.make import make_net
from sparse_ae.models.pose_net import load_checkpoint, write_weights
from sparse_ae.runtime.distributed import barrier, rank_and_world_size
from sparse_ae.runtime.launch import Options, count_workers, finish, launch_fabric
from sparse_ae.runtime.precision import uses_bfloat16
from sparse_ae.settings import Settings
from sparse_ae.skeleton import get_skeleton
from sparse_ae.training.batches import Targets
from sparse_ae.training.loop import Training, train
from sparse_ae.training.resume import remove_state, state_path
from sparse_ae.training.streams import Stream


def identity(settings: Settings) -> dict[str, dict]:
    """Return what says which run it is, as its record keeps it: `settings`, and `data`, what they
    were made on. Equal ones mean an equal run of the same code: the digests cover the scenes'
    bodies, and the photos' annotations."""
    plain = settings.to_dict()
    for name in ("train_set", "val_set", "test_set"):
        # where files lie is the machine's affair; the digests say what they are
        plain["data"][name] = [Path(part).name for part in plain["data"][name]]
    data: dict[str, Any] = {}
    for split in ("train", "test"):
        data[f"{split}_digest"] = open_dataset(settings.data, split).digest
        if not settings.data.photos:
            data[f"{split}_crowd"] = dataclasses.asdict(crowd_config(settings.data, split))
    if settings.data.crowd_share:
        data["mixed_in_digest"] = open_crowds(settings.data, "train").digest
    if settings.report.knob_scenes:
        data["knobs_digest"] = knobs_digest(settings.data, settings.report.knob_scenes)
    return {"settings": plain, "data": data}


def path_of(settings: Settings, root: str | Path = ROOT) -> Path:
    """Return where the record of a run lies."""
    run = settings.run
    return record_path(run.preset, run.method, run.seed, root)


def is_made(settings: Settings, root: str | Path = ROOT) -> bool:
    """Return whether a complete record of just this run is there: what it says counts, not its
    age."""
    return is_done(path_of(settings, root), settings_digest(identity(settings)))


def forget_state(settings: Settings, root: str | Path = ROOT) -> None:
    """Remove the state of a run whose record is there: it was killed just after writing that."""
    remove_state(state_path(path_of(settings, root)))


def run(
    settings: Settings, root: str | Path = ROOT, *, options: Options | None = None,
    progress: bool = True,
) -> dict | None:  # fmt: skip
    """Train, evaluate, and write the record and the weights.

    Before the evaluation is over nothing is written but the training's log and state
    (`training.train`); the state is removed when the record is there.

    Returns:
        The record; None in all processes but the first.

    Raises:
        FloatingPointError: And no record, where a loss, a weight or a map is not finite.
    """
    began, options = time.monotonic(), options or Options()
    recorded = identity(settings)  # bad data are told before a folder is made
    path = path_of(settings, root)
    check_writable(root, settings.run.preset, settings.run.method)
    with _resumable(state_path(path)):
        training = fit(settings, options, record=path, identity=recorded, progress=progress)
        first, device = rank_and_world_size()[0] == 0, next(training.model.parameters()).device
        finish()
        if not first:
            return None
        metrics, arrays, data, detections = measure(settings, training.model, progress=progress,
                                                    skip_broken=options.skip_broken)  # fmt: skip
        measured = {**metrics, "train_seconds": training.seconds,
                    "images_per_second": training.images_per_second}  # fmt: skip
        record = {
            "schema": SCHEMA, **settings.run.model_dump(), **recorded,
            "settings_digest": settings_digest(recorded),
            "metrics": {name: measured.get(name, float("nan")) for name in METRICS},
            "provenance": provenance(data.digest, command_of(settings), device.type, since=began),
        }  # fmt: skip
        usage = usage_of(settings).to_dict()
        write_record(
            record, {**arrays, **training.curve, **training.validation}, root,
            weights=lambda part: write_weights(training.model, part, usage),
            detections=results_file(detections) if detections else None,
        )  # fmt: skip
    remove_state(state_path(path))
    return record


def measure(
    settings: Settings, net: nn.Module, *, progress: bool = True, skip_broken: bool = False
) -> tuple[dict[str, float], dict[str, np.ndarray], PoseDataset, list[dict]]:
    """Return what a record keeps of a net on the test images: metrics, arrays, the images
    themselves, and, of photos, the detections."""
    result, data = evaluate_on(settings, net, "test", progress=progress, skip_broken=skip_broken)
    arrays = {**result.per_image, **result.matches, **result.examples}
    if settings.report.knob_scenes:
        arrays |= evaluate_knobs(
            net,
            settings.data,
            settings.decode,
            settings.report.knob_scenes,
            precision=precision_of(settings, net),
            progress=progress,
        )
    if has_split(settings, "val"):
        found, _ = evaluate_on(settings, net, "val", progress=progress, skip_broken=skip_broken)
        accuracy = found.per_image["accuracy_at"]
        defined = np.isfinite(accuracy)
        means = np.where(defined, accuracy, 0).sum(0) / np.maximum(defined.sum(0), 1)
        arrays["val_accuracy_at"] = means.astype(np.float32)
    return result.metrics, arrays, data, result.detections


def has_split(settings: Settings, split: str) -> bool:
    """Return whether the settings name a split."""
    try:
        open_dataset(settings.data, split)
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def _resumable(state: Path) -> Iterator[None]:
    """Whoever is interrupted is told of the state, if there is one."""
    try:
        yield
    except KeyboardInterrupt as error:
        if state.is_file() and not str(error):
            raise KeyboardInterrupt(
                f"{state} has the training so far; the same command with --resume goes on"
            ) from None
        raise


def command_of(settings: Settings) -> str:
    """Return what makes this run again, also where a notebook made it."""
    run = settings.run
    return f"sparse-ae train --preset {run.preset} --method {run.method} --seed {run.seed}"


def usage_of(settings: Settings) -> Usage:
    """Return how the net of a run is used."""
    return Usage(settings.data.size, get_skeleton(settings.data.skeleton), settings.decode)


def precision_of(settings: Settings, net: nn.Module) -> str:
    """Return in which precision a run's net computes where it is now."""
    kind = next(net.parameters(), torch.empty(0)).device.type
    return "bfloat16" if uses_bfloat16(settings.optim.precision, kind) else "float32"


def name_of(settings: Settings) -> str:
    """Return what progress bars call a run."""
    return f"{settings.run.method} seed {settings.run.seed}"


def fit(
    settings: Settings, options: Options | None = None, *, record: Path | None = None,
    identity: dict | None = None, progress: bool = True,
) -> Training:  # fmt: skip
    """Train on the data of the settings; nothing is written but, beside `record`, log and state.

    On a CPU by one thread: two runs side by side use two cores best, and sums keep their order, so
    that one seed gives one result. What the data left out is logged as a warning.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options = options or Options()
    fabric = launch_fabric(options)
    stream = open_stream(settings, options, fabric, progress=progress)
    torch.manual_seed(settings.run.seed)
    net = make_net(settings.model, len(get_skeleton(settings.data.skeleton)))
    validate = None
    if settings.optim.validate_every:
        validate = validation(settings, skip_broken=options.skip_broken)
    training = train(net, stream, settings.loss, settings.optim, options=options, fabric=fabric,
                     record=record, settings=identity, validate=validate,
                     name=name_of(settings), progress=progress)  # fmt: skip
    if training.broken and fabric.global_rank == 0:
        lines = "\n  ".join((f"left out, {len(training.broken)} in all:", *training.broken))
        logging.getLogger("sparse_ae").warning(lines)
    return training


def open_stream(settings: Settings, options: Options, fabric, *, progress: bool = True) -> Stream:
    """Return the stream of batches that the settings describe, with its crowds rendered."""
    data, optim, first = settings.data, settings.optim, fabric.global_rank == 0
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
    workers = 0  # crowds that are rendered are cheap to read
    if data.source != "crowds" or options.workers is not None:
        workers = count_workers(options, processes_here(fabric))
    targets = Targets(settings.model.strides, settings.loss.sigma, settings.model.offset_heads)
    return Stream(images, settings.augment, data.size, targets, batch=optim.batch,
                  steps=optim.steps, seed=settings.run.seed, mixed_in=mixed_in, workers=workers,
                  pinned=fabric.device.type == "cuda")  # fmt: skip


def processes_here(fabric) -> int:
    """Return how many processes that train share this machine's cores."""
    return max(1, fabric.world_size // fabric.strategy.num_nodes) if fabric.world_size > 1 else 1


def validation(
    settings: Settings, *, skip_broken: bool = False
) -> Callable[[nn.Module, int], float]:
    """Return what tells how good a net is, by data that it was neither trained on nor will be
    tested on: AP; -1 where nothing could be scored."""
    data = open_dataset(settings.data, "val", skip_broken=skip_broken)

    def average_precision(net: nn.Module, _step: int) -> float:
        found = _evaluate(settings, net, data, progress=False)
        value = found.metrics["AP"]
        return -1.0 if np.isnan(value) else value

    return average_precision


def evaluate_on(
    settings: Settings, net: nn.Module, split: str, *, progress: bool = True,
    skip_broken: bool = False,
) -> tuple[Evaluation, PoseDataset]:  # fmt: skip
    """Evaluate on the images of a split; those too."""
    data = open_dataset(settings.data, split, skip_broken=skip_broken)
    return _evaluate(settings, net, data, progress=progress, name=split), data


def _evaluate(
    settings: Settings, net: nn.Module, data: PoseDataset, *, progress: bool, name: str = ""
) -> Evaluation:
    """An evaluation by the run's settings; examples are kept of the test images alone."""
    if not settings.data.photos:
        data.arrays(progress=progress)
    return evaluate(
        net, data, settings.decode, settings.data.size, precision=precision_of(settings, net),
        examples=settings.report.examples if name == "test" else (),
        keep_detections=settings.data.photos and name == "test",
        name=f"{name_of(settings)} {name}", progress=progress,
    )  # fmt: skip


def fit_and_evaluate(
    settings: Settings, split: str, *, progress: bool = True
) -> tuple[Training, Evaluation, PoseDataset]:
    """Train, and evaluate on the images of `split`; nothing is written."""
    training = fit(settings, progress=progress)
    return training, *evaluate_on(settings, training.model, split, progress=progress)


def evaluate_weights(
    settings: Settings, weights: str | Path, split: str = "test", *, progress: bool = True,
    skip_broken: bool = False,
) -> Evaluation:  # fmt: skip
    """Evaluate weights that `run` saved, on a split of the preset's data."""
    net = load_weights(settings, weights)
    return evaluate_on(settings, net, split, progress=progress, skip_broken=skip_broken)[0]


def load_weights(settings: Settings, weights: str | Path) -> nn.Module:
    """Return the net of weights that `run` saved, on one thread. ValueError for one that does not
    fit the settings."""
    torch.set_num_threads(1)
    net = load_checkpoint(weights).to(memory_format=torch.channels_last)
    keypoints, dim = len(get_skeleton(settings.data.skeleton)), settings.model.dim
    if (net.keypoints, net.dim) != (keypoints, dim):
        raise ValueError(
            f"{weights}: a net for {net.keypoints} keypoints and {net.dim} dimensions does not fit "
            f"{settings.run.method} of preset {settings.run.preset}"
        )
    return net
