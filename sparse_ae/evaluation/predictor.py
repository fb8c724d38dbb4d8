"""Load a net from a weights file, and find people in images."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from sparse_ae.decoding import People
from sparse_ae.decoding.nms import oks_nms
from sparse_ae.evaluation.infer import find_people
from sparse_ae.models.checkpoints import LoadReport
from sparse_ae.models.official import HigherHRNet
from sparse_ae.models.pose_net import load_with_report
from sparse_ae.runtime.values import short_repr
from sparse_ae.settings.sections import DecodeSettings
from sparse_ae.settings.settings import validated
from sparse_ae.skeleton import SKELETONS, Skeleton

LEAST_SCORE = 0.2  # least score of a person that is shown
_INSTALLED = Path(__file__).parents[1] / "models" / "shipped"  # where the wheel has it
SHIPPED = (_INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "data" / "weights"
           ) / "people.safetensors"  # fmt: skip
LARGEST = 8192  # largest short side, pixels: beyond, a photo's maps fill any memory


class Usage(NamedTuple):
    """How to use a net; our weights files store it beside the tensors.

    Attributes:
        size: Short side of an image's view at scale 1, pixels, rounded up to a multiple of 64.
        skeleton: The K keypoints.
        decode: How to find people in the maps.
    """

    size: int
    skeleton: Skeleton
    decode: DecodeSettings = DecodeSettings()

    def check(self) -> Usage:
        """Return the same Usage; raise ValueError for a size that is not valid."""
        if isinstance(self.size, bool) or not isinstance(self.size, int):
            raise ValueError(f"size: expected an integer, got {short_repr(self.size)}")
        if not 1 <= self.size <= LARGEST:
            raise ValueError(f"size: expected 1 to {LARGEST} pixels, got {short_repr(self.size)}")
        return self

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Usage:
        """Build a Usage from what `to_dict` returned; raise ValueError for anything else."""
        try:
            if unknown := set(content) - {"size", "skeleton", "decode"}:
                raise KeyError(*sorted(map(str, unknown)))
            parts = dict(content["skeleton"])
            pairs = {name: tuple(map(tuple, parts.pop(name))) for name in ("flip_pairs", "limbs")}
            lists = {name: tuple(value) for name, value in parts.items() if name != "name"}
            skeleton = Skeleton(name=parts["name"], **pairs, **lists)
            decode = validated(DecodeSettings, dict(content["decode"]))
            decode.check()
            return cls(content["size"], skeleton, decode).check()
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"usage: missing or unknown: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the usage, including the skeleton, as plain values."""
        skeleton = json.loads(json.dumps(dataclasses.asdict(self.skeleton)))
        return {"size": self.size, "skeleton": skeleton,
                "decode": self.decode.model_dump(mode="json")}  # fmt: skip


class Predictor:
    """Finds the people in images.

    Attributes:
        net: Pose network in evaluation mode, on the device where it runs.
        usage: How to use the net.
        precision: "float32" or "bfloat16".

    Example:
        >>> from sparse_ae.models import PoseNet
        >>> from sparse_ae.skeleton import COCO
        >>> predictor = Predictor(PoseNet(17, 8).eval(), Usage(64, COCO))
        >>> people = predictor.predict(np.zeros((64, 64, 3), np.uint8))
        >>> people.keypoints.shape[1:]
        (17, 3)
    """

    def __init__(self, net: Any, usage: Usage, *, precision: str = "float32"):
        self.net, self.usage, self.precision = net, usage, precision

    @property
    def skeleton(self) -> Skeleton:
        """The K keypoints."""
        return self.usage.skeleton

    def predict(self, image: np.ndarray, *, min_score: float = LEAST_SCORE) -> People:
        """Find the people in an image, best first.

        Args:
            image: (H, W, 3) uint8, red first.
            min_score: Least score of a person. A score is the mean of the scores of all K joints
                before refinement, 0 for a joint that was not found.

        Returns:
            People after OKS NMS; keypoints are x, y, score in the image's pixels, centres at
            integers.

        Raises:
            ValueError: As for `infer.find_people`.
        """
        people = find_people(self.net, image, self.skeleton, self.usage.size, self.usage.decode,
                             precision=self.precision)  # fmt: skip
        order = np.argsort(-people.scores, kind="stable")
        order = order[people.scores[order] >= min_score]
        kept = order[oks_nms(people.keypoints[order], self.skeleton)]
        return People(*(part[kept] for part in people))


def load(
    path: str | Path | None = None, *, size: int | None = None, skeleton: Skeleton | None = None,
    decode: Mapping[str, Any] | None = None, precision: str = "float32", device: str | None = None,
) -> Predictor:  # fmt: skip
    """Load a Predictor from a weights file: ours, HigherHRNet's or one of the paper's models.

    Args:
        path: The file; by default the net that ships with this package, which finds COCO's 17
            keypoints.
        size: Short side of an image's view, pixels; by default that at which the net was trained,
            which our files state and which is known for the others.
        skeleton: By default the one that the file states, or the one with as many keypoints: COCO's
            with 17, CrowdPose's with 14.
        decode: Single settings of `DecodeSettings` that replace the file's, as {"flip": True}.
        precision: "float32" or "bfloat16".
        device: By default the GPU if there is one.

    Raises:
        FileNotFoundError: There is no file; this copy of the package may have no net.
        ValueError: The file holds no net that is known, or does not state what is needed; the
            message names file and remedy.

    Example:
        >>> import tempfile
        >>> from sparse_ae.models import PoseNet, save_checkpoint
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_checkpoint(PoseNet(17, 8), f"{folder}/net.safetensors")
        ...     load(f"{folder}/net.safetensors", size=256).skeleton.name
        'coco'
    """
    if path is None and not SHIPPED.is_file():
        raise FileNotFoundError(f"{SHIPPED}: this copy of sparse_ae has no net of its own: name "
                                "weights, or train some (sparse-ae train)")  # fmt: skip
    net, report = load_with_report(SHIPPED if path is None else path)
    usage = known_usage(net, report, size, skeleton, decode)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return Predictor(net.to(device, memory_format=torch.channels_last), usage, precision=precision)


def known_usage(
    net: Any, report: LoadReport, size: int | None = None, skeleton: Skeleton | None = None,
    decode: Mapping[str, Any] | None = None,
) -> Usage:  # fmt: skip
    """Return how to use a net that was loaded; arguments and errors are those of `load`."""
    try:
        usage = _usage_of(net, report, size, skeleton)
        usage = usage._replace(
            **{
                name: value
                for name, value in (("size", size), ("skeleton", skeleton))
                if value is not None
            }
        )
        changed = validated(DecodeSettings, {**usage.decode.model_dump(), **(decode or {})})
        changed.check()
        return usage._replace(decode=changed).check()
    except ValueError as error:
        raise ValueError(f"{report.path}: {error}") from None


def _usage_of(net: Any, report: LoadReport, size: int | None, skeleton: Skeleton | None) -> Usage:
    """Return the usage that the file states, or that is known for its kind of net."""
    if report.testing is not None:
        return Usage.from_dict(report.testing)
    if skeleton is None:
        kinds = {len(known): known for known in SKELETONS.values()}
        if net.keypoints not in kinds:
            raise ValueError(f"a net for {net.keypoints} keypoints, of no skeleton that is known: "
                             "name one (load(…, skeleton=read_skeleton(FILE)))")  # fmt: skip
        skeleton = kinds[net.keypoints]
    if size is None:
        if report.kind.startswith("ours"):
            raise ValueError("does not say at which size it was trained: name it (--size)")
        size = 640 if net.settings["width"] == 48 else 512  # as published
    rule = "higherhrnet" if isinstance(net, HigherHRNet) else "released"
    return Usage(size, skeleton, DecodeSettings(rule=rule))
