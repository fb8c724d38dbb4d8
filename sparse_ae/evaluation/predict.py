"""A weights file and photos → persons."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparse_ae.decoding import People
from sparse_ae.evaluation.photo_settings import PhotoSettings
from sparse_ae.evaluation.photo_test import find_people
from sparse_ae.models.checkpoints import LoadReport
from sparse_ae.models.official import HigherHRNet
from sparse_ae.models.pose_net import load_with_report
from sparse_ae.skeleton import SKELETONS, Skeleton

LEAST_SCORE = 0.2  # of a person that is shown
ALIKE = 0.5  # object keypoint similarity from which on two persons are one, found twice


class Predictor:
    """Finds the persons in photos.

    net: in evaluation mode, on the device where it is to run; settings, scales, flip, precision: as
    for `photo_test.find_people`.
    """

    def __init__(
        self, net: Any, settings: PhotoSettings, *, scales: Sequence[float] = (1.0,),
        flip: bool = True, precision: str = "float32",
    ):  # fmt: skip
        self.net, self.settings = net, settings
        self.options = {"scales": tuple(scales), "flip": flip, "precision": precision}

    @property
    def skeleton(self) -> Skeleton:
        """What the K keypoints are."""
        return self.settings.skeleton

    def predict(self, image: np.ndarray, *, min_score: float = LEAST_SCORE) -> People:
        """The persons in an image, best first.

        image: (H, W, 3) uint8, red first. min_score: persons who score less are left out: a score
        is the mean of the scores of all K joints before refinement, 0 where one was not found. Of
        persons who are alike (`unlike`) the best is kept. Keypoints are x, y, score in the image's
        pixels, centres at integers. ValueError as `photo_test.find_people`.
        """
        people = find_people(self.net, image, self.settings, **self.options)
        order = np.argsort(-people.scores, kind="stable")
        order = order[people.scores[order] >= min_score]
        kept = order[unlike(people.keypoints[order], self.skeleton)]
        return People(*(part[kept] for part in people))


def unlike(people: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Which of persons (P, K, 3), best first, are not one more finding of a better one: indices of
    those whose object keypoint similarity with every one before them is below ALIKE, over the
    joints that both have. What a picture is to show; average precision counts all."""
    spread = (2 * np.array(skeleton.sigmas)) ** 2  # (K,)
    kept: list[int] = []
    for index, person in enumerate(np.asarray(people, float)):
        found = person[:, 2] > 0
        area = 0.53 * np.prod(np.ptp(person[found, :2], axis=0)) if found.any() else 0
        for other in np.asarray(people, float)[kept]:
            both = found & (other[:, 2] > 0)
            square = ((person[both, :2] - other[both, :2]) ** 2).sum(axis=1)
            similar = np.exp(-square / (2 * max(area, 1) * spread[both]))
            if both.any() and similar.mean() >= ALIKE:
                break
        else:
            kept.append(index)
    return np.array(kept, np.int64)


def load(
    path: str | Path, *, size: int | None = None, skeleton: Skeleton | None = None,
    scales: Sequence[float] = (1.0,), flip: bool = True, precision: str = "float32",
    device: str | None = None,
) -> Predictor:  # fmt: skip
    """A Predictor from a weights file: ours, HigherHRNet's or one of the paper's released models.

    size: of a photo's short side in the view, pixels; by default what the net was trained at. Our
    files say it, and of the others it is known. skeleton: by default the one that the file says, or
    that of so many keypoints: 17 COCO's, 14 CrowdPose's. device: by default the GPU if there is
    one. FileNotFoundError where there is no file; ValueError, naming file and remedy, where it
    holds nothing that is known, or does not say what is needed.
    """
    net, report = load_with_report(path)
    settings = known_settings(net, report, size, skeleton)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    net = net.to(device, memory_format=torch.channels_last)
    return Predictor(net, settings, scales=scales, flip=flip, precision=precision)


def known_settings(
    net: Any, report: LoadReport, size: int | None = None, skeleton: Skeleton | None = None
) -> PhotoSettings:
    """How a net that was loaded is used on photos; size, skeleton and errors as for `load`."""
    given = {"size": size, "skeleton": skeleton}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        if report.testing is not None:
            return dataclasses.replace(PhotoSettings.from_dict(report.testing), **given)
        if skeleton is None:
            kinds = {len(known): known for known in SKELETONS.values()}
            if net.keypoints not in kinds:
                kind = f"a net for {net.keypoints} keypoints, of no skeleton that is known"
                raise ValueError(f"{kind}: name one (load(…, skeleton=read_skeleton(FILE)))")
            given["skeleton"] = kinds[net.keypoints]
        if size is None:
            if report.kind.startswith("ours"):
                raise ValueError("does not say at which size it was trained: name it (--size)")
            given["size"] = 640 if net.settings["width"] == 48 else 512  # as published
        rule = "higherhrnet" if isinstance(net, HigherHRNet) else "released"
        return PhotoSettings(rule=rule, **given)
    except ValueError as error:
        raise ValueError(f"{report.path}: {error}") from None
