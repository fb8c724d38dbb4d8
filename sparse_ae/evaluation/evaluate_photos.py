"""A net on the photos of a data set: average precision, detections, and what went wrong."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from sparse_ae.datasets.keypoint_dataset import KeypointDataset
from sparse_ae.evaluation.evaluate import as_results
from sparse_ae.evaluation.photo_settings import PhotoSettings
from sparse_ae.evaluation.photo_test import find_people
from sparse_ae.evaluation.predict import Predictor
from sparse_ae.metrics import keypoint_ap, keypoint_matches
from sparse_ae.metrics.errors import KINDS, count_errors
from sparse_ae.models.official import HigherHRNet
from sparse_ae.runtime.files import write_whole
from sparse_ae.runtime.provenance import provenance

SCHEMA = "sparse_ae/photos/1"


class PhotoEvaluation(NamedTuple):
    """metrics: as of `metrics.keypoint_ap`; detections: in COCO's results format; wrong: how many
    photos, persons to find, persons found and detections of nobody at a similarity of 0.5, and of
    each of `failures.KINDS`."""

    metrics: dict[str, float]
    detections: list[dict]
    wrong: dict[str, int]


def evaluate_photos(
    net: Any, data: KeypointDataset, *, settings: PhotoSettings | None = None,
    scales: Sequence[float] = (1.0,), flip: bool = True, crowd: bool = False,
    precision: str = "float32", progress: bool = True,
) -> PhotoEvaluation:  # fmt: skip
    """Find the persons in every photo of a data set, and compare them with its annotations.

    settings: by default with the data set's size and skeleton, and the rule of the net's own paper.
    net, scales, flip, precision: as for `photo_test.find_people`. crowd: evaluate as CrowdPose
    does. Metrics are COCO's ten (AP AP50 AP75 APM APL AR AR50 AR75 ARM ARL), or CrowdPose's nine
    (AP AP50 AP75 AR AR50 AR75 AP_easy AP_medium AP_hard). With the data set's skip_broken, photos
    that cannot be read do not count. ValueError for a net of another skeleton; FloatingPointError
    where it gives what is not finite.
    """
    if settings is None:
        rule = "higherhrnet" if isinstance(net, HigherHRNet) else "released"
        settings = PhotoSettings(data.size, data.skeleton, rule)
    if settings.skeleton.keypoints != data.skeleton.keypoints:
        ours, theirs = settings.skeleton.name, data.skeleton.name
        raise ValueError(f"{data.annotations.path}: keypoints of {theirs!r}, the net finds those "
                         f"of {ours!r}: evaluate one that was trained on them")  # fmt: skip
    net.eval()
    people = {}
    bar = tqdm(_photos(data), "photos", len(data), unit=" photos", disable=not progress)
    for photo, image in bar:
        try:
            people[image] = find_people(
                net, photo, settings, scales=scales, flip=flip, precision=precision
            )
        except FloatingPointError as error:
            raise FloatingPointError(f"image {image}: {error}") from None
    truth = data.ground_truth(crowd=crowd)  # of the photos that could be read
    category = truth["categories"][0]["id"]
    detections = [one for image, found in people.items()
                  for one in as_results(found, image, category)]  # fmt: skip
    metrics = keypoint_ap(truth, detections, data.skeleton, crowd=crowd)
    wrong = _wrong(truth, people, detections, settings, crowd)
    return PhotoEvaluation(metrics, detections, wrong)


def _photos(data: KeypointDataset) -> Iterator[tuple[np.ndarray, int]]:
    """Every photo that can be read, and its image's id; the next is read meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(data.whole, 0)
        for index, image in enumerate(data.annotations.ids.tolist()):
            photo, found = ahead.result()
            if index + 1 < len(data):
                ahead = pool.submit(data.whole, index + 1)
            if found == image:  # or it is broken, and this is another
                yield photo, image


def _wrong(truth: dict, people: dict, detections: list[dict], settings, crowd) -> dict[str, int]:
    """The numbers of PhotoEvaluation.wrong."""
    skeleton = settings.skeleton
    labelled: dict[int, list[dict]] = {image: [] for image in people}
    for person in truth["annotations"]:
        if not person.get("iscrowd", 0) and any(person["keypoints"][2::3]):
            labelled[person["image_id"]].append(person)
    counts = np.zeros(len(KINDS), int)
    for image, found in people.items():
        joints = np.reshape([p["keypoints"] for p in labelled[image]], (-1, len(skeleton), 3))
        area = np.array([p["area"] for p in labelled[image]], float)
        counts += count_errors(found.keypoints, joints, area, skeleton)
    matches = keypoint_matches(truth, detections, skeleton, crowd=crowd)
    matched, skipped = matches.matched[0], matches.skipped[0]
    numbers = {
        "photos": len(people),
        "persons": matches.persons.sum(),
        "found": (matched & ~skipped).sum(),
        "nobody": (~matched & ~skipped).sum(),
        **dict(zip(KINDS, counts, strict=True)),
    }
    return {name: int(value) for name, value in numbers.items()}


def write_photo_record(
    result: PhotoEvaluation, path: str | Path, predictor: Predictor, data: KeypointDataset,
    weights: str | Path, more: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write the figures of an evaluation as a JSON, with what they come from: the annotations' and
    weights' digests, how photos were looked at, and the provenance of every record. A figure that
    is not defined is null. more: what else it is to say. OSError where it cannot be written."""
    write_whole(Path(path), photo_record(result, predictor, data, weights, more))


def photo_record(
    result: PhotoEvaluation, predictor: Predictor, data: KeypointDataset, weights: str | Path,
    more: Mapping[str, Any] | None = None, *, at: Path | None = None,
) -> bytes:  # fmt: skip
    """The content of that file. at: where the weights lie as yet, if not at their place."""
    annotations = data.annotations.path
    settings = predictor.settings
    record = {
        "schema": SCHEMA,
        **(more or {}),
        "data": f"{annotations.parent.parent.name}/{annotations.name}",
        "weights": {"file": Path(weights).name, "sha256": file_digest(at or weights)},
        "settings": {**settings.to_dict(), "skeleton": settings.skeleton.name, **predictor.options},
        "metrics": {k: None if math.isnan(v) else v for k, v in result.metrics.items()},
        "wrong": result.wrong,
        "provenance": provenance(file_digest(annotations),
                                 device=str(next(predictor.net.parameters()).device)),
    }  # fmt: skip
    return json.dumps(record, indent=1, allow_nan=False).encode() + b"\n"


def file_digest(path: str | Path) -> str:
    """64 hexadecimal digits of a file's content (SHA-256)."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
