"""One evaluation: a trained net on scenes that it has not seen → metrics and per-image figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from sparse_ae.decoding import People
from sparse_ae.decoding.offset import offset_grouping_accuracy
from sparse_ae.evaluation.predictions import Prediction, predictions
from sparse_ae.metrics import (
    HARD,
    Matches,
    ap_of_matches,
    group_margin,
    group_spread,
    grouping_accuracy,
    keypoint_matches,
    linearity,
    sparsity,
)
from sparse_ae.metrics.errors import KINDS, count_errors, needed_images, worst_images
from sparse_ae.models import PoseNet
from sparse_ae.settings.config import Config
from sparse_ae.skeleton import Skeleton, get_skeleton

MEASURES = (
    "grouping_accuracy", "group_margin", "group_spread", "first_component", "correlation",
    "effective_rank", "sparsity",
)  # fmt: skip
# further arrays: accuracy_at (I, 9), grouping accuracy at thresholds of DISTANCES; the fields of
# metrics.Matches after "match_", matched and skipped (N,) with a bit for each threshold
DISTANCES = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
CHUNK = 128  # images whose detections are held at once


class Evaluation(NamedTuple):
    """metrics: one number each; per_image: (I,) arrays; matches: what AP is made of, packed as
    records keep it; examples: whole scenes for figures, and what went wrong (`failures.worst`)."""

    metrics: dict[str, float]
    per_image: dict[str, np.ndarray]
    matches: dict[str, np.ndarray]
    examples: dict[str, np.ndarray]


def evaluate(
    model: PoseNet,
    config: Config,
    scenes: Mapping[str, np.ndarray],
    annotations: dict,
    *,
    distances: Sequence[float] = DISTANCES,
    progress: bool = True,
) -> Evaluation:
    """Decode every scene, score the persons by AP, and measure the embeddings at the joints.

    scenes: as of `CrowdDataset.arrays`; annotations: the same scenes in COCO format, with each
    image's crowd index; distances: at which accuracy_at has the grouping accuracy. AP is
    CrowdPose's; the embeddings' measures are means over the images in which they are defined.
    """
    skeleton = get_skeleton(config.skeleton)
    ids = [image["id"] for image in annotations["images"]]
    matcher, found, rows, wrong, people, kept = _Matcher(annotations, skeleton), [], [], [], {}, {}
    bar = tqdm(
        predictions(model, config, scenes), f"{config.method} seed {config.seed} test", len(ids),
        unit=" images", disable=not progress,
    )  # fmt: skip
    for index, prediction in enumerate(bar):
        joints, area = (scenes[name][index, : scenes["counts"][index]]
                        for name in ("keypoints", "areas"))  # fmt: skip
        visible = joints[..., 2] > 0
        if prediction.regressed is None:
            rows.append(measure(prediction.tags, visible, config, distances))
        else:
            row = measure_offsets(prediction, joints[..., :2], visible)
            rows.append(row | {"accuracy_at": [float("nan")] * len(distances)})
        found += as_results(prediction.people, ids[index], matcher.category)
        people[index] = prediction.people.keypoints
        wrong.append(count_errors(people[index], joints, area, skeleton))
        if index in config.examples:
            kept[index] = (prediction, visible)
        if (index + 1) % CHUNK == 0 or index + 1 == len(ids):  # what is not needed more goes
            matcher.add(index + 1, found)
            found = []
            people = {i: people[i] for i in needed_images(np.array(wrong))}
    per_image = _per_image(rows, ids, scenes, config)
    matches = matcher.matches()
    level = [image["crowdIndex"] for image in annotations["images"]]
    numbers = {**ap_of_matches(matches, np.array(level, float)), **summary(per_image)}
    examples = pack_examples(kept, config) | worst_images(
        np.array(wrong).reshape(-1, len(KINDS)), people
    )
    return Evaluation(numbers, per_image, pack_matches(matches), examples)


class _Matcher:
    """`metrics.keypoint_matches` of images one after the other, so that of their detections only
    what average precision is made of has to be kept."""

    def __init__(self, annotations: Mapping, skeleton: Skeleton):
        self._annotations, self._skeleton, self._done = annotations, skeleton, 0
        self.category = annotations["categories"][0]["id"]
        self._persons: dict[int, list[dict]] = {}
        for person in annotations["annotations"]:
            self._persons.setdefault(person["image_id"], []).append(person)
        self._parts: list[Matches] = []

    def add(self, stop: int, found: list[dict]):
        """The detections in the images from where it was left, before number `stop`."""
        images = self._annotations["images"][self._done : stop]
        persons = [p for image in images for p in self._persons.pop(image["id"], [])]
        some = {**self._annotations, "images": images, "annotations": persons}
        part = keypoint_matches(some, found, self._skeleton, crowd=True)
        self._parts.append(part._replace(image=part.image + self._done))
        self._done = stop

    def matches(self) -> Matches:
        """Those of all images."""
        return Matches(*(np.concatenate(part, axis=-1) for part in zip(*self._parts, strict=True)))


def _per_image(rows: Sequence[Mapping], ids, scenes: Mapping, config: Config) -> dict:
    """The (I,) arrays of an Evaluation, of `measure` or `measure_offsets` of every image."""
    per_image = {name: np.array([row[name] for row in rows]) for name in MEASURES}
    per_image["image_id"] = np.array(ids)
    per_image["persons"] = scenes["counts"][: len(ids)].astype(np.int64)
    per_image["crowd_index"] = scenes["crowd_index"][: len(ids)].astype(np.float64)
    per_image["accuracy_at"] = np.array([row["accuracy_at"] for row in rows], np.float32)
    if config.offsets:
        given = [row["accuracy_of_given_centres"] for row in rows]
        per_image["accuracy_of_given_centres"] = np.array(given, np.float32)
    return per_image


def measure(tags: np.ndarray, visible: np.ndarray, config: Config, distances=()) -> dict:
    """The measures of one image's embeddings, (P, K, D) at the joints that `visible` (P, K) has,
    and the grouping accuracy at other distances than `config.tag_threshold`."""
    line, order = linearity(tags, visible), get_skeleton(config.skeleton).order
    accuracy = {
        distance: grouping_accuracy(tags, visible, order, tag_threshold=distance, rule=config.rule)
        for distance in {*distances, config.tag_threshold}
    }
    return {
        "grouping_accuracy": accuracy[config.tag_threshold],
        "accuracy_at": [accuracy[distance] for distance in distances],
        "group_margin": group_margin(tags, visible, config.tag_threshold),
        "group_spread": group_spread(tags, visible),
        "first_component": line.first_component,
        "correlation": line.correlation,
        "effective_rank": line.effective_rank,
        "sparsity": sparsity(tags, visible),
    }


def measure_offsets(prediction: Prediction, joints: np.ndarray, visible: np.ndarray) -> dict:
    """The same of a method without embeddings: nan but for the grouping accuracy, which has no
    threshold of distances between embeddings. joints: (P, K, 2) in pixels.

    accuracy_of_given_centres: the accuracy with what the offsets tell at the true centres. Nobody
    is missed there, as nobody is where embeddings are read at the true joints.
    """
    accuracy, given = (
        offset_grouping_accuracy(found.keypoints, found.size, joints + 0.5, visible)
        for found in (prediction.regressed, prediction.at_centres)
    )
    return {
        **dict.fromkeys(MEASURES, float("nan")),
        "grouping_accuracy": accuracy,
        "accuracy_of_given_centres": given,
    }


def summary(per_image: Mapping[str, np.ndarray]) -> dict[str, float]:
    """A record's figures of the embeddings: means over the images in which each is defined."""
    hard = per_image["crowd_index"] >= HARD
    margin = per_image["group_margin"]
    means = {name: mean_of_defined(per_image[name]) for name in MEASURES}
    return {
        **means,
        "grouping_accuracy_hard": mean_of_defined(per_image["grouping_accuracy"][hard]),
        "group_margin_hard": mean_of_defined(margin[hard]),
        "group_margin_negative": mean_of_defined(np.where(np.isnan(margin), np.nan, margin < 0)),
    }


def pack_matches(matches: Matches) -> dict[str, np.ndarray]:
    """Matches as a record keeps them: the ten thresholds as bits, 0.5 the lowest."""
    bits = 1 << np.arange(len(matches.matched))
    return {
        "match_score": matches.score.astype(np.float32),
        "match_image": matches.image.astype(np.int16),
        "match_matched": (bits @ matches.matched).astype(np.uint16),
        "match_skipped": (bits @ matches.skipped).astype(np.uint16),
        "match_persons": matches.persons.astype(np.int16),
    }


def mean_of_defined(values: np.ndarray) -> float:
    """Mean of what is not NaN; NaN for nothing."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def as_results(people: People, image_id: int, category: int) -> list[dict]:
    """The persons of one image in COCO's results format."""
    return [
        {
            "image_id": image_id,
            "category_id": category,
            "keypoints": keypoints.astype(float).ravel().tolist(),
            "score": float(score),
        }
        for keypoints, score in zip(people.keypoints, people.scores, strict=True)
    ]


def pack_examples(kept: Mapping[int, tuple], config: Config) -> dict[str, np.ndarray]:
    """The example scenes as arrays, padded: ids (E,), embeddings (E, P, K, D), visible (E, P, K),
    decoded persons (E, M, K, 3) in pixels, NaN where there is none."""
    kinds = len(get_skeleton(config.skeleton))
    persons = max((len(visible) for _, visible in kept.values()), default=0)
    found = max((len(p.people.keypoints) for p, _ in kept.values()), default=0)
    tags = np.zeros((len(kept), persons, kinds, config.dim), np.float32)
    seen = np.zeros((len(kept), persons, kinds), bool)
    people = np.full((len(kept), found, kinds, 3), np.nan, np.float32)
    for row, (prediction, visible) in enumerate(kept.values()):
        tags[row, : len(visible)] = prediction.tags
        seen[row, : len(visible)] = visible
        people[row, : len(prediction.people.keypoints)] = prediction.people.keypoints
    return {
        "example_id": np.array(list(kept), np.int64),
        "example_tags": tags,
        "example_visible": seen,
        "example_people": people,
    }
