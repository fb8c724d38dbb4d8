"""Evaluate a trained net on images that it has not seen, crowds and photos alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from sparse_ae.datasets.dataset import PoseDataset, Sample
from sparse_ae.decoding import People
from sparse_ae.evaluation.infer import Maps, check_net, decode_maps, in_image, infer, views
from sparse_ae.evaluation.measures import MEASURES, measure_offsets, measure_tags, summary
from sparse_ae.losses import gather_tags
from sparse_ae.metrics import Matches, ap_of_matches, keypoint_ap, keypoint_matches
from sparse_ae.metrics.errors import KINDS, count_errors, needed_images, owners, worst_images
from sparse_ae.settings.sections import DecodeSettings
from sparse_ae.skeleton import Skeleton

# distances between embeddings: accuracy_at (I, 9) has the grouping accuracy at each threshold
THRESHOLDS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
BATCH = 16  # views of one size that the net sees at once
CHUNK = 128  # detections that are collected before they are matched
CELL = 4  # pixels of a view per cell of the embeddings


class Evaluation(NamedTuple):
    """The result of `evaluate`.

    Attributes:
        metrics: One number per metric.
        per_image: Arrays with one row per image.
        matches: What average precision is computed from, packed as in records.
        examples: Whole images for figures, those with most errors (`metrics.errors.worst_images`),
            and what `metrics.errors.count_errors_at` counts from.
        detections: In COCO's results format, if they were asked for.
    """

    metrics: dict[str, float]
    per_image: dict[str, np.ndarray]
    matches: dict[str, np.ndarray]
    examples: dict[str, np.ndarray]
    detections: list[dict]


def evaluate(
    net: Any, data: PoseDataset, decode: DecodeSettings, size: int, *, precision: str = "float32",
    thresholds: Sequence[float] = THRESHOLDS, examples: Sequence[int] = (),
    keep_detections: bool = False, name: str = "evaluation", progress: bool = True,
) -> Evaluation:  # fmt: skip
    """Find the people in every image of a data set, score them, and measure the embeddings.

    Args:
        net: Pose network, on any device.
        data: Images with their ground truth. Broken photos that it leaves out do not count.
        decode: How to find people in the maps.
        size: Short side of an image's view, pixels.
        precision: Precision of the network, "float32" or "bfloat16".
        thresholds: Embedding distances at which `accuracy_at` has the grouping accuracy.
        examples: Positions of the images that are kept whole.
        keep_detections: Whether to return all detections; metrics then has APM and APL too.
        name: Name of the evaluation, for the progress bar.
        progress: Whether to show the bar.

    Returns:
        The Evaluation. AP is COCO's or, with `data.as_crowds`, CrowdPose's; AP_easy, AP_medium and
        AP_hard are by the images' crowd index; measures of embeddings are means over the images in
        which they are defined.

    Raises:
        ValueError: The net has another number of keypoints than the data.
        FloatingPointError: The net's maps are not finite; the message names the images.
    """
    check_net(net, data.skeleton)
    net.eval()
    truth = data.ground_truth()
    matcher, scored = _Matcher(truth, data), _Scored(data.skeleton, decode, thresholds, examples)
    found, detections, memory = [], [], {}
    # closed before an error is reported, or the bar would be drawn once more below it
    with tqdm(total=len(data), desc=name, unit=" images", disable=not progress) as bar:
        for batch in _batches(data, size, decode.scales):
            for image, people, tags_of in _looked_at(
                net, batch, data.skeleton, decode, precision, memory
            ):
                persons = matcher.persons_of(image.sample.id)
                scored.add(image, people, persons, tags_of)
                found += as_results(people, image.sample.id, matcher.category)
                bar.update()
            if len(found) >= CHUNK:
                matcher.add(found)
                detections, found = detections + (found if keep_detections else []), []
                scored.forget()
    matcher.add(found)
    detections += found if keep_detections else []
    matches, levels = matcher.matches(), matcher.levels()
    per_image = {**scored.per_image(), "crowd_index": levels, "image_id": matcher.ids()}
    metrics = {**ap_of_matches(matches, levels), **summary(per_image)}
    if keep_detections:
        metrics |= _by_area(truth, matcher.ids(), detections, data)
    examples = scored.examples() | scored.found()
    return Evaluation(metrics, per_image, pack_matches(matches), examples, detections)


class _Image(NamedTuple):
    """An image to evaluate: its sample, its view at each scale, and the affine to the first."""

    sample: Sample
    views: list[np.ndarray]
    matrix: np.ndarray


def _batches(data: PoseDataset, size: int, scales: Sequence[float]) -> Iterator[list[_Image]]:
    """Yield all readable images, in the order of their ids, in batches whose views have one shape.

    The next image is read in the background.
    """

    def load(index: int) -> tuple[int, _Image]:
        sample = data[index]
        return int(data.ids[index]), _Image(sample, *views(sample.image, size, scales))

    order, batch = np.argsort(data.ids, kind="stable").tolist(), []
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(load, order[0])
        for index in [*order[1:], None]:
            wanted, image = ahead.result()
            if index is not None:
                ahead = pool.submit(load, index)
            if image.sample.id != wanted:
                continue  # it is broken, and the data set returned another
            if batch and (len(batch) == BATCH or batch[0].views[0].shape != image.views[0].shape):
                yield batch
                batch = []
            batch.append(image)
    if batch:
        yield batch


def _looked_at(
    net: Any,
    batch: Sequence[_Image],
    skeleton: Skeleton,
    decode: DecodeSettings,
    precision: str,
    memory: dict,
) -> Iterator[tuple[_Image, People, Any]]:
    """Yield each image of a batch, the people in its pixels, and its maps."""
    stacked = [np.stack(views) for views in zip(*(image.views for image in batch), strict=True)]
    try:
        maps = infer(net, stacked, skeleton, flip=decode.flip, precision=precision, memory=memory)
    except FloatingPointError as error:
        ids = ", ".join(str(image.sample.id) for image in batch)
        raise FloatingPointError(f"images {ids}: {error}") from None
    people = decode_maps(maps, skeleton, decode)
    for row, image in enumerate(batch):
        one = Maps(*(None if part is None else part[row : row + 1] for part in maps))
        yield image, in_image(people[row], image.matrix), one


class _Persons(NamedTuple):
    """The labelled persons of an image: keypoints (P, K, 3) in its pixels, areas (P,)."""

    keypoints: np.ndarray
    areas: np.ndarray


class _Scored:
    """Measures and errors of the images, collected in the order in which they come."""

    def __init__(self, skeleton: Skeleton, decode: DecodeSettings, thresholds, examples):
        self._skeleton, self._decode = skeleton, decode
        self._thresholds, self._wanted = thresholds, set(examples)
        self._rows: list[dict] = []
        self._errors: list[np.ndarray] = []
        self._found: list[tuple] = []  # decoded joints' owners, scores, visible joints
        self._people: dict[int, np.ndarray] = {}
        self._kept: dict[int, tuple] = {}

    def add(self, image: _Image, people: People, persons: _Persons, maps: Maps) -> None:
        """Measure an image."""
        number, visible = len(self._rows), persons.keypoints[..., 2] > 0
        in_view = persons.keypoints[..., :2] @ image.matrix[:, :2].T + image.matrix[:, 2] + 0.5
        tags = np.zeros((*visible.shape, 0), np.float32)
        if maps.native_tags is not None:
            joints = torch.from_numpy(in_view[None] / CELL).float().to(maps.native_tags.device)
            tags = gather_tags(maps.native_tags, joints)[0].cpu().numpy()
            row = measure_tags(tags, visible, self._skeleton, self._decode, self._thresholds)
        else:
            row = measure_offsets(maps, in_view, visible, self._decode, self._thresholds)
        self._rows.append({**row, "persons": len(visible)})
        found = people.keypoints
        owner = owners(found, persons.keypoints, persons.areas, self._skeleton)
        self._errors.append(count_errors(owner, visible.sum(1)))
        self._found.append((owner.astype(np.int16), people.scores, visible.sum(1)))
        self._people[number] = found
        if number in self._wanted:
            self._kept[number] = (tags, visible, found)

    def forget(self) -> None:
        """Drop the people of images that will not be shown."""
        needed = needed_images(np.array(self._errors))
        self._people = {i: self._people[i] for i in needed}

    def per_image(self) -> dict[str, np.ndarray]:
        """Return the arrays of `Evaluation.per_image`, except ids and crowd indices."""
        rows = self._rows
        arrays = {name: np.array([row[name] for row in rows], float) for name in MEASURES}
        arrays["persons"] = np.array([row["persons"] for row in rows], np.int64)
        arrays["accuracy_at"] = np.array([row["accuracy_at"] for row in rows], np.float32)
        if "accuracy_of_given_centres" in rows[0]:
            given = [row["accuracy_of_given_centres"] for row in rows]
            arrays["accuracy_of_given_centres"] = np.array(given, np.float32)
        return arrays

    def found(self) -> dict[str, np.ndarray]:
        """Return what errors at any score threshold are counted from."""
        owner, scores, joints = map(np.concatenate, zip(*self._found, strict=True))
        each = [len(scores) for _, scores, _ in self._found]
        return {
            "found_owner": owner,  # (N, K), the true person within its image, or −1
            "found_score": scores.astype(np.float32),  # (N,)
            "found_image": np.repeat(np.arange(len(each), dtype=np.int32), each),  # (N,)
            "person_joints": joints.astype(np.uint16),  # (all true persons,)
        }

    def examples(self) -> dict[str, np.ndarray]:
        """Return the images kept whole, and those with most errors of each kind."""
        wrong = np.array(self._errors).reshape(-1, len(KINDS))
        return pack_examples(self._kept, len(self._skeleton)) | worst_images(wrong, self._people)


class _Matcher:
    """Matches detections, a few images at a time, and keeps only what average precision needs."""

    def __init__(self, truth: Mapping, data: PoseDataset):
        self._truth, self._data = truth, data
        self.category = truth["categories"][0]["id"]
        self._images = {image["id"]: image for image in truth["images"]}
        self._all: dict[int, list[dict]] = {number: [] for number in self._images}
        for person in truth["annotations"]:
            self._all[person["image_id"]].append(person)
        self._parts: list[Matches] = []
        self._ids: list[int] = []
        self._new: list[int] = []

    def persons_of(self, number: int) -> _Persons:
        """Return the labelled persons of an image, and count the image from now on."""
        self._new.append(number)
        labelled = [person for person in self._all[number]
                    if not person.get("iscrowd", 0) and any(person["keypoints"][2::3])]  # fmt: skip
        shape = (-1, len(self._data.skeleton), 3)
        keypoints = np.array([person["keypoints"] for person in labelled], float).reshape(shape)
        return _Persons(keypoints, np.array([person["area"] for person in labelled], float))

    def add(self, found: list[dict]) -> None:
        """Match the detections in the images since the last call."""
        if not self._new:
            return
        some = {**self._truth, "images": [self._images[number] for number in self._new],
                "annotations": [p for number in self._new for p in self._all.pop(number)],
                }  # fmt: skip
        part = keypoint_matches(some, found, self._data.skeleton, crowd=self._data.as_crowds)
        self._parts.append(part._replace(image=part.image + len(self._ids)))
        self._ids += self._new
        self._new = []

    def matches(self) -> Matches:
        """Return the matches of all images."""
        return Matches(*(np.concatenate(part, axis=-1) for part in zip(*self._parts, strict=True)))

    def ids(self) -> np.ndarray:
        """Return the ids (I,) of the images that were evaluated."""
        return np.array(self._ids, np.int64)

    def levels(self) -> np.ndarray:
        """Return the crowd indices (I,) of these images."""
        return np.array([self._images[number]["crowdIndex"] for number in self._ids], float)


def _by_area(truth: Mapping, ids: np.ndarray, detections: list[dict], data: PoseDataset) -> dict:
    """Return APM and APL, COCO's AP of medium and of large persons."""
    seen = set(ids.tolist())
    some = {**truth, "images": [image for image in truth["images"] if image["id"] in seen],
            "annotations": [p for p in truth["annotations"] if p["image_id"] in seen]}  # fmt: skip
    found = keypoint_ap(some, detections, data.skeleton)
    return {name: found[name] for name in ("APM", "APL")}


def pack_matches(matches: Matches) -> dict[str, np.ndarray]:
    """Return matches as records store them: the ten thresholds as bits, 0.5 the lowest."""
    bits = 1 << np.arange(len(matches.matched))
    return {
        "match_score": matches.score.astype(np.float32),
        "match_image": matches.image.astype(np.int32),
        "match_matched": (bits @ matches.matched).astype(np.uint16),
        "match_skipped": (bits @ matches.skipped).astype(np.uint16),
        "match_persons": matches.persons.astype(np.int32),
    }


def as_results(people: People, image_id: int, category: int) -> list[dict]:
    """Return the people of one image in COCO's results format."""
    return [
        {
            "image_id": image_id,
            "category_id": category,
            "keypoints": keypoints.astype(float).ravel().tolist(),
            "score": float(score),
        }
        for keypoints, score in zip(people.keypoints, people.scores, strict=True)
    ]


def pack_examples(kept: Mapping[int, tuple], kinds: int) -> dict[str, np.ndarray]:
    """Pack example images into padded arrays.

    Args:
        kept: Embeddings (P, K, D), visible (P, K) and decoded people (M, K, 3), by image position.
        kinds: Number of keypoints, K.

    Returns:
        example_id (E,), example_tags (E, P, K, D), example_visible (E, P, K), and example_people
        (E, M, K, 3) in pixels, padded with NaN.
    """
    persons = max((len(visible) for _, visible, _ in kept.values()), default=0)
    most = max((len(found) for *_, found in kept.values()), default=0)
    dim = max((tags.shape[2] for tags, *_ in kept.values()), default=0)
    tags = np.zeros((len(kept), persons, kinds, dim), np.float32)
    seen = np.zeros((len(kept), persons, kinds), bool)
    people = np.full((len(kept), most, kinds, 3), np.nan, np.float32)
    for row, (embeddings, visible, found) in enumerate(kept.values()):
        tags[row, : len(visible)] = embeddings
        seen[row, : len(visible)] = visible
        people[row, : len(found)] = found
    return {
        "example_id": np.array(list(kept), np.int64),
        "example_tags": tags,
        "example_visible": seen,
        "example_people": people,
    }
