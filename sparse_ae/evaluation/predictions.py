"""A trained net on scenes: decoded persons, and what its grouping has to go by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sparse_ae.decoding import People, decode_batch
from sparse_ae.decoding.offset import Regressed, offset_decode, pose_size, regress, regress_at
from sparse_ae.losses import gather_tags
from sparse_ae.losses.offset import person_centres
from sparse_ae.models import PoseNet
from sparse_ae.models.outputs import check_finite, to_input
from sparse_ae.settings.config import Config
from sparse_ae.skeleton import get_skeleton
from sparse_ae.training.batches import STRIDES, on_device
from sparse_ae.training.objective import uses_bfloat16

BATCH = 16


class Prediction(NamedTuple):
    """One scene: decoded persons in pixels; the embeddings at its ground-truth joints (P, K, D);
    and, of a method that has no embeddings (D = 0), the persons that its offsets tell, in cells:
    at the centres that it finds, and at the true ones."""

    people: People
    tags: np.ndarray
    regressed: Regressed | None = None
    at_centres: Regressed | None = None


class Maps(NamedTuple):
    """heatmaps (B, K, S, S): the mean over both sizes, enlarged to the image as HigherHRNet does;
    tags (B, K, D, S, S): likewise; native (B, K, D, h, w): as the net gives them; centre (B, S, S)
    and offsets (B, 2K, h, w). What a method does not have is None."""

    heatmaps: Tensor
    tags: Tensor | None
    native: Tensor | None
    centre: Tensor | None
    offsets: Tensor | None


@torch.no_grad()
def predictions(
    model: PoseNet, config: Config, scenes: Mapping[str, np.ndarray]
) -> Iterator[Prediction]:
    """Each scene's decoded persons and the embeddings at its labelled joints. FloatingPointError,
    naming the scenes, where the net's maps are not finite."""
    model.eval()
    for start in range(0, len(scenes["images"]), BATCH):
        chosen = slice(start, start + BATCH)
        try:
            maps = predict_maps(model, scenes["images"][chosen], config)
        except FloatingPointError as error:
            raise FloatingPointError(f"scenes {start} to {start + BATCH - 1}: {error}") from None
        counts = scenes["counts"][chosen]
        corner, visible = np.split(scenes["keypoints"][chosen] + [0.5, 0.5, 0], [2], axis=3)
        if config.offsets:
            yield from _by_offsets(maps, corner, visible[..., 0] > 0, counts, config)
        else:
            yield from _by_embeddings(maps, torch.from_numpy(corner).float(), counts, config)


def _by_embeddings(maps: Maps, corner: Tensor, counts, config: Config) -> Iterator[Prediction]:
    at_joints = gather_tags(maps.native, corner / STRIDES[0]).numpy()
    decoded = decode_batch(
        maps.heatmaps, maps.tags, get_skeleton(config.skeleton), rule=config.rule,
        min_score=config.min_score, tag_threshold=config.tag_threshold,
        max_people=config.max_people,
    )  # fmt: skip
    for i, (people, count) in enumerate(zip(decoded, counts, strict=True)):
        yield Prediction(in_pixels(people), at_joints[i, :count])


def _by_offsets(maps: Maps, joints, visible, counts, config: Config) -> Iterator[Prediction]:
    kinds, limits = maps.heatmaps.shape[1], {"min_score": config.min_score,
                                             "max_people": config.max_people}  # fmt: skip
    rows = zip(maps.heatmaps, maps.centre, maps.offsets, counts, strict=True)
    for image, (heatmaps, centre, offsets, count) in enumerate(rows):
        people = offset_decode(heatmaps, centre, offsets, **limits)
        none = np.zeros((count, kinds, 0), np.float32)
        centres = person_centres(joints[image, :count], visible[image, :count])
        centres = centres[np.isfinite(centres).all(axis=1)]
        poses = regress_at(centres, offsets, centre.shape)
        yield Prediction(
            in_pixels(people), none, regress(centre, offsets, **limits),
            Regressed(poses, pose_size(poses), np.ones(len(poses), np.float32)),
        )  # fmt: skip


def in_pixels(people: People) -> People:
    """The same with the centre of the first cell at 0, in place."""
    found = people.keypoints[..., 2] > 0
    people.keypoints[found, :2] -= 0.5
    return people


def predict_maps(model: PoseNet, images: np.ndarray, config: Config) -> Maps:
    """The maps of images (B, S, S, 3) uint8, on the CPU wherever the model is. FloatingPointError
    where they are not finite."""
    device = next(model.parameters(), torch.empty(0)).device
    bfloat16 = uses_bfloat16(config.precision, device.type)
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        image = to_input(torch.tensor(images).to(device).permute(0, 3, 1, 2), model)
        output = on_device(model(image.to(memory_format=torch.channels_last)), "cpu")
    check_finite(output)
    size = images.shape[1:3]
    heatmaps = torch.stack([enlarge(maps, size) for maps in output.heatmaps]).mean(0)
    if output.tags is None:
        centre = enlarge(output.centre, size)[:, 0]
        return Maps(heatmaps, None, None, centre, output.offsets.float())
    tags = output.tags.float()
    enlarged = enlarge(tags.flatten(1, 2), size).unflatten(1, tags.shape[1:3])
    return Maps(heatmaps, enlarged, tags, None, None)


def enlarge(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, h, w) → (B, C, *size) float32, bilinear, channel by channel as decoding reads them."""
    maps = maps.float().contiguous()
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
