"""One experiment, from a preset to its record: data, training, evaluation, files.

Only this module knows all settings; each other part of the package gets its section.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from sparse_ae.companion.identity import (
    command_of,
    forget_state,
    identity,
    is_made,
    name_of,
    path_of,
)
from sparse_ae.companion.knobs import evaluate_knobs
from sparse_ae.companion.records import (
    METRICS,
    ROOT,
    SCHEMA,
    check_writable,
    provenance,
    settings_digest,
    write_record,
)
from sparse_ae.companion.training_data import open_stream
from sparse_ae.datasets.dataset import PoseDataset
from sparse_ae.datasets.open import has_split, open_dataset
from sparse_ae.evaluation.evaluation import Evaluation, evaluate
from sparse_ae.evaluation.photo_files import results_file
from sparse_ae.evaluation.predictor import Usage
from sparse_ae.models.make import make_net
from sparse_ae.models.pose_net import load_checkpoint, write_weights
from sparse_ae.runtime.distributed import rank_and_world_size
from sparse_ae.runtime.launch import Options, launch_fabric, leave_process_group
from sparse_ae.runtime.precision import uses_bfloat16
from sparse_ae.settings import Settings
from sparse_ae.skeleton import get_skeleton
from sparse_ae.training.loop import Training, train
from sparse_ae.training.resume import remove_state, state_path

__all__ = [
    "command_of", "evaluate_on", "evaluate_weights", "fit", "fit_and_evaluate", "forget_state",
    "identity", "is_made", "load_weights", "measure", "name_of", "open_stream",
    "path_of", "precision_of", "run", "usage_of", "validation",
]  # fmt: skip


def run(
    settings: Settings, root: str | Path = ROOT, *, options: Options | None = None,
    progress: bool = True,
) -> dict | None:  # fmt: skip
    """Train, evaluate, and write the record and the weights.

    Until the evaluation is over, only the training's log and state are written
    (`training.loop.train`). The state is removed once the record is written.

    Args:
        settings: Settings of the run.
        root: Folder of all records.
        options: Runtime options; none changes a result.
        progress: Whether to show progress bars.

    Returns:
        The record; None in all processes but the first.

    Raises:
        FloatingPointError: If a loss, a weight or a map is not finite; there is no record then.
    """
    began, options = time.monotonic(), options or Options()
    # bad data are reported before a folder is made
    recorded = identity(settings, skip_broken=options.skip_broken)
    path = path_of(settings, root)
    check_writable(root, settings.run.preset, settings.run.method)
    with _resumable(state_path(path)):
        training = fit(settings, options, record=path, identity=recorded, progress=progress)
        first, device = rank_and_world_size()[0] == 0, next(training.model.parameters()).device
        leave_process_group()
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
    """Evaluate a net on the test images, and return everything that a record keeps.

    Args:
        settings: Settings of the run.
        net: The trained network.
        progress: Whether to show progress bars.
        skip_broken: Whether to leave out broken photos.

    Returns:
        Metrics, arrays, the images, and the detections (on photos; else an empty list).
    """
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
    if has_split(settings.data, "val"):
        found, _ = evaluate_on(settings, net, "val", progress=progress, skip_broken=skip_broken)
        accuracy = found.per_image["accuracy_at"]
        defined = np.isfinite(accuracy)
        means = np.where(defined, accuracy, 0).sum(0) / np.maximum(defined.sum(0), 1)
        arrays["val_accuracy_at"] = means.astype(np.float32)
    return result.metrics, arrays, data, result.detections


@contextlib.contextmanager
def _resumable(state: Path) -> Iterator[None]:
    """On an interrupt, say where the training's state is, if there is one."""
    try:
        yield
    except KeyboardInterrupt as error:
        if state.is_file() and not str(error):
            raise KeyboardInterrupt(
                f"{state} has the training so far; the same command with --resume goes on"
            ) from None
        raise


def usage_of(settings: Settings) -> Usage:
    """Return what a user of the run's weights must know: size, skeleton, decoding."""
    return Usage(settings.data.size, get_skeleton(settings.data.skeleton), settings.decode)


def precision_of(settings: Settings, net: nn.Module) -> str:
    """Return the precision in which a run's net computes on its current device."""
    kind = next(net.parameters(), torch.empty(0)).device.type
    return "bfloat16" if uses_bfloat16(settings.optim.precision, kind) else "float32"


def fit(
    settings: Settings, options: Options | None = None, *, record: Path | None = None,
    identity: dict | None = None, progress: bool = True,
) -> Training:  # fmt: skip
    """Train on the data of the settings.

    Nothing is written, except log and state beside `record`. Training on a CPU uses one thread: two
    runs side by side then make best use of two cores, and sums keep their order, so one seed gives
    one result. A warning lists what was left out of the data.

    Args:
        settings: Settings of the run.
        options: Runtime options.
        record: Path of the run's record.
        identity: Result of `identity`, kept with the training's state.
        progress: Whether to show progress bars.
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


def validation(
    settings: Settings, *, skip_broken: bool = False
) -> Callable[[nn.Module, int], float]:
    """Return a function of net and step that measures AP on the validation images.

    The net was not trained on them and will not be tested on them. The function returns −1 where
    nothing could be scored.

    Args:
        settings: Settings of the run.
        skip_broken: Whether to leave out broken photos.
    """
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
    """Evaluate a net on the images of a split.

    Args:
        settings: Settings of the run.
        net: The network.
        split: "train", "val" or "test".
        progress: Whether to show progress bars.
        skip_broken: Whether to leave out broken photos.

    Returns:
        The evaluation, and the images.
    """
    data = open_dataset(settings.data, split, skip_broken=skip_broken)
    return _evaluate(settings, net, data, progress=progress, name=split), data


def _evaluate(
    settings: Settings, net: nn.Module, data: PoseDataset, *, progress: bool, name: str = ""
) -> Evaluation:
    """Evaluate by the run's settings; examples are kept for the test split only."""
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
    open_dataset(settings.data, split)  # bad data are reported before hours of training
    training = fit(settings, progress=progress)
    return training, *evaluate_on(settings, training.model, split, progress=progress)


def evaluate_weights(
    settings: Settings, weights: str | Path, split: str = "test", *, progress: bool = True,
    skip_broken: bool = False,
) -> Evaluation:  # fmt: skip
    """Evaluate weights that `run` saved, on a split of the preset's data.

    Args:
        settings: Settings of the run.
        weights: Path of the weights.
        split: "train", "val" or "test".
        progress: Whether to show progress bars.
        skip_broken: Whether to leave out broken photos.

    Raises:
        ValueError: If the weights do not fit the settings.
    """
    net = load_weights(settings, weights)
    return evaluate_on(settings, net, split, progress=progress, skip_broken=skip_broken)[0]


def load_weights(settings: Settings, weights: str | Path) -> nn.Module:
    """Load a net from weights that `run` saved, and set torch to one thread.

    Args:
        settings: Settings of the run.
        weights: Path of the weights.

    Raises:
        ValueError: If the weights do not fit the settings.
    """
    torch.set_num_threads(1)
    net = load_checkpoint(weights).to(memory_format=torch.channels_last)
    keypoints, dim = len(get_skeleton(settings.data.skeleton)), settings.model.dim
    if (net.keypoints, net.dim) != (keypoints, dim):
        raise ValueError(
            f"{weights}: a net for {net.keypoints} keypoints and {net.dim} dimensions does not fit "
            f"{settings.run.method} of preset {settings.run.preset}"
        )
    return net
