"""One experiment from a preset to its record: scenes, training, evaluation, files."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import torch

from sparse_ae.config import Config
from sparse_ae.crowds import CrowdDataset
from sparse_ae.crowds.preset import crowd_config, preset_crowds
from sparse_ae.evaluate import Evaluation, evaluate
from sparse_ae.knobs import evaluate_knobs, knobs_digest
from sparse_ae.model import PoseNet, load_checkpoint, save_checkpoint
from sparse_ae.photo_settings import PhotoSettings
from sparse_ae.results import (
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
from sparse_ae.skeleton import get_skeleton
from sparse_ae.train import Training, train


def recorded_config(config: Config) -> dict:
    """All settings of a run as its record keeps them, those of its crowds included.

    Equal settings mean an equal run of the same code: the scenes' digests cover the bodies too.
    """
    recorded = config.to_dict()
    for split in ("train", "test"):
        recorded[f"{split}_crowd"] = dataclasses.asdict(crowd_config(config, split))
        recorded[f"{split}_digest"] = preset_crowds(config, split).digest
    if config.knob_scenes:
        recorded["knobs_digest"] = knobs_digest(config)
    return recorded


def is_made(config: Config, root: str | Path = ROOT) -> bool:
    """Whether a complete record of just this run is there: what it says counts, not its age."""
    path = record_path(config.preset, config.method, config.seed, root)
    return is_done(path, config_digest(recorded_config(config)))


def run(config: Config, root: str | Path = ROOT, *, progress: bool = True) -> dict:
    """Train, evaluate, and write the record and the weights; returns the record.

    Nothing is written before the evaluation is over.
    """
    began = time.monotonic()
    recorded = recorded_config(config)  # bad crowds or bodies are told before a folder is made
    check_writable(root, config.preset, config.method)
    training, result, held_out = fit_and_evaluate(config, "test", progress=progress)
    arrays = {**result.per_image, **result.matches, **result.examples, **training.curve}
    if config.knob_scenes:
        arrays |= evaluate_knobs(training.model, config, progress=progress)
    measured = {
        **result.metrics,
        "train_seconds": training.seconds,
        "images_per_second": training.images_per_second,
    }
    record = {
        "schema": SCHEMA,
        "preset": config.preset,
        "method": config.method,
        "seed": config.seed,
        "config": recorded,
        "config_digest": config_digest(recorded),
        "metrics": {name: measured[name] for name in METRICS},
        "provenance": provenance(held_out.digest, _command(config), device="cpu", since=began),
    }
    path = record_path(config.preset, config.method, config.seed, root)
    use = PhotoSettings.of(config, get_skeleton(config.skeleton)).to_dict()
    save_checkpoint(training.model, path.with_suffix(".safetensors"), use)
    write_record(record, arrays, root)
    return record


def _command(config: Config) -> str:
    """What makes this run again, also where a notebook made it."""
    return f"sparse-ae train --preset {config.preset} --method {config.method} --seed {config.seed}"


def fit_and_evaluate(
    config: Config, split: str, *, progress: bool = True
) -> tuple[Training, Evaluation, CrowdDataset]:
    """Train on the training crowds and evaluate on those of `split`; nothing is written.

    Runs on one thread: two runs side by side use two cores best, and sums keep their order, so
    that one seed gives one result.
    """
    torch.set_num_threads(1)
    training = train(
        config, preset_crowds(config, "train").arrays(progress=progress), progress=progress
    )
    scenes = preset_crowds(config, split)
    arrays = scenes.arrays(progress=progress)
    result = evaluate(training.model, config, arrays, scenes.annotations(), progress=progress)
    return training, result, scenes


def evaluate_weights(
    config: Config, weights: str | Path, split: str = "test", *, progress: bool = True
) -> Evaluation:
    """Evaluate weights that `run` saved, on a split of the preset's crowds."""
    torch.set_num_threads(1)
    model = load_checkpoint(weights).to(memory_format=torch.channels_last)
    if not isinstance(model, PoseNet):
        raise ValueError(f"{weights}: expected a net of a preset, got a {type(model).__name__}")
    if (model.keypoints, model.dim) != (len(get_skeleton(config.skeleton)), config.dim):
        raise ValueError(
            f"{weights}: a net for {model.keypoints} keypoints and {model.dim} dimensions does not "
            f"fit {config.method} of preset {config.preset}"
        )
    scenes = preset_crowds(config, split)
    arrays = scenes.arrays(progress=progress)
    return evaluate(model, config, arrays, scenes.annotations(), progress=progress)
