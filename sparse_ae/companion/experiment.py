"""One experiment from a preset to its record: data, training, evaluation, files."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sparse_ae.companion.knobs import evaluate_knobs, knobs_digest
from sparse_ae.companion.photo_run import is_photo_record, photo_validation, record_on_photos
from sparse_ae.companion.records import (
    METRICS,
    ROOT,
    SCHEMA,
    check_writable,
    config_digest,
    is_done,
    provenance,
    record_path,
    write_record,
)
from sparse_ae.datasets import CrowdDataset
from sparse_ae.datasets.preset_crowds import crowd_config, preset_crowds
from sparse_ae.evaluation.evaluate import Evaluation, evaluate
from sparse_ae.evaluation.photo_settings import PhotoSettings
from sparse_ae.models import PoseNet, load_checkpoint
from sparse_ae.models.pose_net import write_weights
from sparse_ae.runtime.distributed import barrier, rank_and_world_size
from sparse_ae.runtime.launch import Options, count_workers, finish, launch_fabric
from sparse_ae.settings.config import Config
from sparse_ae.skeleton import get_skeleton
from sparse_ae.training.resume import remove_state, state_path
from sparse_ae.training.streams import open_stream, photos_digest
from sparse_ae.training.train import Training, train

SETS = ("train_set", "val_set", "test_set")  # of a custom data set: file and folder


def recorded_config(config: Config) -> dict:
    """All settings of a run as its record keeps them, those of its crowds included.

    Equal settings mean an equal run of the same code: the scenes' digests cover the bodies too,
    those of photos their annotations.
    """
    recorded = config.to_dict()
    if config.photos:
        for name in SETS:  # where they lie is the machine's affair; their digests say what they are
            if name in recorded:
                recorded[name] = [Path(part).name for part in recorded[name]]
        return recorded | {f"{split}_digest": photos_digest(config, split)
                           for split in ("train", "test")}  # fmt: skip
    for split in ("train", "test"):
        recorded[f"{split}_crowd"] = dataclasses.asdict(crowd_config(config, split))
        recorded[f"{split}_digest"] = preset_crowds(config, split).digest
    if config.knob_scenes:
        recorded["knobs_digest"] = knobs_digest(config)
    return recorded


def is_made(config: Config, root: str | Path = ROOT) -> bool:
    """Whether a complete record of just this run is there: what it says counts, not its age."""
    path = record_path(config.preset, config.method, config.seed, root)
    digest = config_digest(recorded_config(config))
    return is_photo_record(path, digest) if config.photos else is_done(path, digest)


def forget_state(config: Config, root: str | Path = ROOT) -> None:
    """Remove the state of a run whose record is there: it was killed just after writing that."""
    remove_state(state_path(record_path(config.preset, config.method, config.seed, root)))


def run(
    config: Config, root: str | Path = ROOT, *, options: Options | None = None,
    progress: bool = True,
) -> dict | None:  # fmt: skip
    """Train, evaluate, and write the record and the weights; returns the record.

    None in all processes but the first. Before the evaluation is over nothing is written but the
    training's log and state (`train.train`); the state is removed when the record is there.
    Of photos it is another record (`photo_run`), and its metrics are those of their data set.
    FloatingPointError, and no record, where a loss, a weight or an embedding is not finite.
    """
    began, options = time.monotonic(), options or Options()
    recorded = recorded_config(config)  # bad data are told before a folder is made
    path = record_path(config.preset, config.method, config.seed, root)
    check_writable(root, config.preset, config.method)
    with _resumable(state_path(path)):
        training = fit(config, options, record=path, settings=recorded, progress=progress)
        first, device = rank_and_world_size()[0] == 0, next(training.model.parameters()).device.type
        finish()
        if not first:
            return None
        whose = {"preset": config.preset, "method": config.method, "seed": config.seed,
                 "config": recorded, "config_digest": config_digest(recorded)}  # fmt: skip
        taken = {"train_seconds": training.seconds, "images_per_second": training.images_per_second}
        if config.photos:
            more = {**whose, **taken, "command": _command(config)}
            metrics = record_on_photos(config, training.model, path, more,
                                       skip_broken=options.skip_broken, progress=progress,
                                       )  # fmt: skip
            record = {**whose, "metrics": metrics}
        else:
            metrics, arrays, digest = measure(config, training.model, progress=progress)
            measured = {**metrics, **taken}
            record = {"schema": SCHEMA, **whose,
                      "metrics": {name: measured[name] for name in METRICS},
                      "provenance": provenance(digest, _command(config), device, since=began),
                      }  # fmt: skip
            use = PhotoSettings.of(config, get_skeleton(config.skeleton)).to_dict()
            write_record(record, {**arrays, **training.curve, **training.validation}, root,
                         weights=lambda part: write_weights(training.model, part, use))  # fmt: skip
    remove_state(state_path(path))
    return record


def measure(
    config: Config, model: nn.Module, *, progress: bool = True
) -> tuple[dict[str, float], dict[str, np.ndarray], str]:
    """What a record keeps of a net on the test crowds: metrics, arrays, the crowds' digest."""
    result, held_out = evaluate_on(config, model, "test", progress=progress)
    arrays = {**result.per_image, **result.matches, **result.examples}
    if config.knob_scenes:
        arrays |= evaluate_knobs(model, config, progress=progress)
    return result.metrics, arrays, held_out.digest


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


def _command(config: Config) -> str:
    """What makes this run again, also where a notebook made it."""
    return f"sparse-ae train --preset {config.preset} --method {config.method} --seed {config.seed}"


def fit(
    config: Config, options: Options | None = None, *, record: Path | None = None,
    settings: dict | None = None, progress: bool = True,
) -> Training:  # fmt: skip
    """Train on the data of the settings. record, settings: as of `train.train`.

    On a CPU by one thread: two runs side by side use two cores best, and sums keep their order, so
    that one seed gives one result. What the data left out is logged as a warning.
    """
    torch.set_num_threads(1)
    options = options or Options()
    fabric = launch_fabric(options)
    shown, there = progress and fabric.global_rank == 0, None
    for turn in (True, False):  # the first process renders crowds, the others find them rendered
        if there is None and (fabric.global_rank == 0) == turn:
            there = open_stream(
                config, workers=count_workers(options, processes_here(fabric)), progress=shown,
                pinned=fabric.device.type == "cuda", skip_broken=options.skip_broken,
            )  # fmt: skip
        barrier()
    skip_broken = options.skip_broken
    validate = validation(config, skip_broken=skip_broken) if config.validate_every else None
    training = train(config, there, options=options, fabric=fabric, record=record,
                     settings=settings, validate=validate, progress=progress)  # fmt: skip
    if training.broken and fabric.global_rank == 0:
        lines = "\n  ".join((f"left out, {len(training.broken)} in all:", *training.broken))
        logging.getLogger("sparse_ae").warning(lines)
    return training


def processes_here(fabric) -> int:
    """How many processes that train share this machine's cores."""
    return max(1, fabric.world_size // fabric.strategy.num_nodes) if fabric.world_size > 1 else 1


def validation(config: Config, *, skip_broken: bool = False) -> Callable[[nn.Module, int], float]:
    """What tells how good a net is, by data that it was neither trained on nor will be tested on:
    AP on the validation crowds, or photos."""
    if config.photos:
        return photo_validation(config, skip_broken=skip_broken)
    scenes = preset_crowds(config, "val")

    def average_precision(net: nn.Module, _step: int) -> float:
        found = evaluate(net, config, scenes.arrays(progress=False), scenes.annotations(),
                         progress=False)  # fmt: skip
        return found.metrics["AP"]

    return average_precision


def evaluate_on(
    config: Config, model: nn.Module, split: str, *, progress: bool = True
) -> tuple[Evaluation, CrowdDataset]:
    """Evaluate on the crowds of a split; those too."""
    scenes = preset_crowds(config, split)
    arrays = scenes.arrays(progress=progress)
    return evaluate(model, config, arrays, scenes.annotations(), progress=progress), scenes


def fit_and_evaluate(
    config: Config, split: str, *, progress: bool = True
) -> tuple[Training, Evaluation, CrowdDataset]:
    """Train on the training crowds and evaluate on those of `split`; nothing is written."""
    training = fit(config, progress=progress)
    return training, *evaluate_on(config, training.model, split, progress=progress)


def evaluate_weights(
    config: Config, weights: str | Path, split: str = "test", *, progress: bool = True
) -> Evaluation:
    """Evaluate weights that `run` saved, on a split of the preset's crowds."""
    return evaluate_on(config, load_weights(config, weights), split, progress=progress)[0]


def load_weights(config: Config, weights: str | Path) -> PoseNet:
    """The net of weights that `run` saved, on one thread. ValueError for one that does not fit the
    settings, or is none of a preset."""
    torch.set_num_threads(1)
    model = load_checkpoint(weights).to(memory_format=torch.channels_last)
    if not isinstance(model, PoseNet):
        raise ValueError(f"{weights}: expected a net of a preset, got a {type(model).__name__}")
    if (model.keypoints, model.dim) != (len(get_skeleton(config.skeleton)), config.dim):
        raise ValueError(
            f"{weights}: a net for {model.keypoints} keypoints and {model.dim} dimensions does not "
            f"fit {config.method} of preset {config.preset}"
        )
    return model
