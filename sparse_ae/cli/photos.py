"""`sparse-ae predict`, and `sparse-ae evaluate --data`: trained weights on photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sparse_ae.cli.options import show

VIEW_DEFAULTS = {"size": None, "scales": [1.0], "no_flip": False, "bf16": False}


def add_photos(add) -> None:
    """Add the subcommand and its options."""
    command = add("predict", predict, "find the people in photos: pictures and a JSON")
    option = command.add_argument
    option("photos", nargs="+", metavar="PHOTO",
           help="files, folders, patterns in quotes, videos, or - for standard input")  # fmt: skip
    option("--weights", help="of ours, of HigherHRNet or of the paper (default: the shipped net)")
    option("--out", type=Path, required=True, metavar="DIR", help="folder for what is found")
    view_options(command)
    option("--min-score", type=float, default=0.2, help="leave out persons who score less")


def view_options(command: argparse.ArgumentParser) -> None:
    """Add the options for viewing photos: --size, --scales, --no-flip, --bf16."""
    option = command.add_argument
    option("--size", type=int, metavar="PX", help="short side of the photo (as in training)")
    option(
        "--scales",
        type=float,
        nargs="+",
        default=VIEW_DEFAULTS["scales"],
        help="of the view, 1 among them",
    )
    option("--no-flip", action="store_true", help="do not look at the mirror image too")
    option("--bf16", action="store_true", help="compute the network in bfloat16")


def predict(options: argparse.Namespace) -> None:
    """Write pictures with skeletons, and the people in COCO's results format."""
    from sparse_ae.evaluation.photo_files import RESULTS, find_photos, predict_files

    if not 0 <= options.min_score <= 1:
        raise ValueError(f"--min-score: expected 0 to 1, got {options.min_score}")
    photos = find_photos(options.photos)
    answered = predict_files(predictor(options), photos, options.out, min_score=options.min_score)
    found, people = len(answered.pictures), len(answered.results)
    print(f"{people} people in {found} pictures: {options.out / RESULTS}")
    for line in answered.failed:
        print(f"left out: {line}", file=sys.stderr)
    if answered.failed:
        raise ValueError(f"{len(answered.failed)} of {len(photos)} photos could not be used")


def predictor(options: argparse.Namespace):
    """Return the Predictor that the options ask for."""
    from sparse_ae.evaluation.predictor import load

    return load(
        options.weights, size=options.size,
        decode={"scales": options.scales, "flip": not options.no_flip},
        precision="bfloat16" if options.bf16 else "float32",
    )  # fmt: skip


def evaluate(options: argparse.Namespace) -> None:
    """Print and record the figures of trained weights on the photos of an official data set."""
    from sparse_ae.datasets import KeypointDataset
    from sparse_ae.evaluation.evaluation import evaluate as evaluate_net
    from sparse_ae.evaluation.photo_files import write_results

    if not options.weights:
        raise ValueError("--data needs --weights")
    for name in ("detections", "record"):  # before spending hours on it
        path = getattr(options, name)
        if path and not path.parent.is_dir():
            raise ValueError(f"--{name} {path}: no such folder; make it first")
        if path and path.is_dir():
            raise ValueError(f"--{name} {path}: is a folder; name a file")
    data = KeypointDataset.official(options.data, options.split, skip_broken=options.skip_broken)
    used = predictor(options)
    if used.skeleton.keypoints != data.skeleton.keypoints:
        ours, theirs = used.skeleton.name, data.skeleton.name
        raise ValueError(f"{options.weights}: finds the keypoints of {ours!r}, not those of "
                         f"{theirs!r}: evaluate a net that was trained on them")  # fmt: skip
    result = evaluate_net(used.net, data, used.usage.decode, used.usage.size,
                          precision=used.precision, keep_detections=True, name=options.data,
                          )  # fmt: skip
    show(result.metrics)
    for line in data.broken:
        print(f"left out: {line}", file=sys.stderr)
    if options.detections:
        write_results(result.detections, options.detections)
    if options.record:
        _write_figures(options, data, used, result.metrics)


def _write_figures(options: argparse.Namespace, data, used, metrics: dict[str, float]) -> None:
    """Write figures and their provenance as JSON; undefined figures are null."""
    import hashlib
    import json
    import math

    from sparse_ae.runtime.files import write_whole
    from sparse_ae.runtime.provenance import provenance

    with open(options.weights, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    device = str(next(used.net.parameters()).device)
    content = {
        "data": f"{options.data}/{options.split}",
        "weights": {"file": Path(options.weights).name, "sha256": digest},
        "usage": {**used.usage.to_dict(), "precision": used.precision},
        "metrics": {k: None if math.isnan(v) else v for k, v in metrics.items()},
        "provenance": provenance(data.digest, device=device),
    }
    write_whole(options.record, json.dumps(content, indent=1, allow_nan=False).encode() + b"\n")
