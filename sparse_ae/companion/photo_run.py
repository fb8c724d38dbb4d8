"""What a run on photos is validated by, and the record that it leaves.

Its record is no record of crowds: it has the official figures of its data set, and none of the
embeddings. So it has a name of its own, `seed-<n>.photos.json`, beside the weights, and the
detections in COCO's results format, as evaluation servers take them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from sparse_ae.evaluation.evaluate_photos import SCHEMA, evaluate_photos, photo_record
from sparse_ae.evaluation.photo_files import results_file
from sparse_ae.evaluation.photo_settings import PhotoSettings
from sparse_ae.evaluation.predict import Predictor
from sparse_ae.models.pose_net import write_weights
from sparse_ae.runtime.files import complete_commit, pending_path, write_together
from sparse_ae.settings.config import Config
from sparse_ae.skeleton import get_skeleton
from sparse_ae.training.objective import uses_bfloat16
from sparse_ae.training.streams import photo_set


def photo_record_path(record: Path) -> Path:
    """Where a run on photos has its record; record: where one on crowds would have it."""
    return files_of(record)[-1]


def is_photo_record(record: Path, digest: str) -> bool:
    """Whether the record of a run on photos is there, and is of the settings with this digest."""
    complete_commit(files_of(record))
    try:
        content = json.loads(photo_record_path(record).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        return False
    return content.get("config_digest") == digest


def photo_validation(
    config: Config, *, skip_broken: bool = False
) -> Callable[[nn.Module, int], float]:
    """AP on the validation photos, with the mirror image and at one scale, as they are tested;
    -1 where nothing could be scored. ValueError where there are none."""
    photos = photo_set(config, "val", skip_broken=skip_broken)

    def average_precision(net: nn.Module, _step: int) -> float:
        found = evaluate_photos(net, photos, progress=False, **_how(config, net))
        value = found.metrics["AP"]
        return -1.0 if math.isnan(value) else value

    return average_precision


def record_on_photos(
    config: Config, net: nn.Module, path: Path, more: dict, *, skip_broken: bool = False,
    progress: bool = True,
) -> dict:  # fmt: skip
    """Test a trained net on its data set's test photos; write weights, detections and record.

    path: where a run on crowds would have its record; more: what the record has besides, as the
    run's settings. Returns the metrics.
    """
    photos = photo_set(config, "test", skip_broken=skip_broken)
    how = _how(config, net)
    result = evaluate_photos(net, photos, progress=progress, **how)
    options = {name: how[name] for name in ("flip", "precision")}
    used = Predictor(net, how["settings"], **options)
    weights, detections, record = files_of(path)
    testing = how["settings"].to_dict()
    write_together([
        (weights, lambda part: write_weights(net, part, testing)),
        (detections, results_file(result.detections)),
        (record, lambda part: part.write_bytes(
            photo_record(result, used, photos, weights, more, at=pending_path(weights)))),
    ])  # fmt: skip
    return result.metrics


def files_of(record: Path) -> tuple[Path, Path, Path]:
    """Weights, detections and record of a run on photos, in the order in which they are written;
    record: where one on crowds would have its record."""
    endings = (".safetensors", ".detections.json", ".photos.json")
    return tuple(record.with_suffix(ending) for ending in endings)


def _how(config: Config, net: nn.Module) -> dict:
    """The arguments of `evaluate_photos` that the settings and the net's device decide."""
    kind = next(net.parameters(), torch.empty(0)).device.type
    bfloat16 = uses_bfloat16(config.precision, kind)
    return {
        "settings": PhotoSettings.of(config, get_skeleton(config.skeleton)),
        "flip": True,
        "crowd": config.data == "crowdpose",
        "precision": "bfloat16" if bfloat16 else "float32",
    }
