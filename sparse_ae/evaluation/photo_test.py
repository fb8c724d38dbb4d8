"""Testing on whole photos: several views of one, their maps as one, persons in its pixels.

As HigherHRNet (lib/core/inference.py) and the released code (models/evaluate.py) do. The photo is
resized so that its short side is `size`, is seen as it is and in a mirror, and at several scales;
heatmaps are averaged, at the size of the view of scale 1, over mirror and scales. Of the scales,
embeddings are read at 1 alone. The mirror's are not averaged: both sources put them behind the
others as further dimensions, so that an embedding has 2D, and leave the grouping's threshold as it
is. Nothing would make a person's embedding and its mirror's equal.

K joints, D dimensions of an embedding, H×W pixels of the view of scale 1, h×w map cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparse_ae.datasets.pictures import aligned_view, warp
from sparse_ae.decoding import People, decode_batch
from sparse_ae.decoding.offset import offset_decode
from sparse_ae.evaluation.photo_settings import PhotoSettings
from sparse_ae.evaluation.predictions import enlarge, in_pixels
from sparse_ae.models.outputs import PoseOutput, check_finite, to_input
from sparse_ae.skeleton import Skeleton

STEP = 32  # what the sides of every view are multiples of, as the networks need
LONGEST = 8  # the long side of a photo over the short one: views of longer ones fill the memory


class PhotoMaps(NamedTuple):
    """heatmaps (1, K, H, W); tags (1, K, D or 2D, H, W); of a net without embeddings instead
    centre (H, W) and offsets (2K, h, w)."""

    heatmaps: Tensor
    tags: Tensor | None
    centre: Tensor | None
    offsets: Tensor | None


def find_people(
    net: Any, photo: np.ndarray, settings: PhotoSettings, *, scales: Sequence[float] = (1.0,),
    flip: bool = True, precision: str = "float32",
) -> People:  # fmt: skip
    """The persons in a photo, in its pixels.

    net: in evaluation mode, on any device; photo: (h, w, 3) uint8, red first; scales: with 1 among
    them; flip: look into the mirror too; precision: of the network, "float32" or "bfloat16".
    Joints may lie a little outside of the photo. ValueError for an image that is none, or longer
    than LONGEST times its short side, a net of another skeleton, scales without 1.
    """
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision: expected float32 or bfloat16, got {precision!r}")
    if net.keypoints != len(settings.skeleton):
        name, kinds = settings.skeleton.name, len(settings.skeleton)
        raise ValueError(f"a net for {net.keypoints} keypoints; skeleton {name!r} has {kinds}")
    images, matrix = views(photo, settings.size, scales)
    maps = photo_maps(net, images, settings.skeleton, flip=flip, precision=precision)
    people = in_pixels(decode_maps(maps, settings))
    found = people.keypoints[..., 2] > 0
    inverse = np.linalg.inv(matrix[:, :2])
    people.keypoints[found, :2] = (people.keypoints[found, :2] - matrix[:, 2]) @ inverse.T
    return people


def views(
    photo: np.ndarray, size: int, scales: Sequence[float] = (1.0,)
) -> tuple[list[np.ndarray], np.ndarray]:
    """A photo at several scales, that of scale 1 first, and the (2, 3) affine that leads there.

    All show the same part: each side is the scale times that at scale 1, rounded to a multiple of
    32 (at 0.5 and 2 nothing has to be rounded). ValueError as `find_people`.
    """
    photo = np.ascontiguousarray(photo)
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or 0 in photo.shape:
        kind = f"{photo.dtype} of shape {photo.shape}"
        raise ValueError(f"photo: expected uint8 of shape (H, W, 3), red first, got {kind}")
    height, width = photo.shape[:2]
    if max(height, width) > LONGEST * min(height, width):
        raise ValueError(f"photo: {width} × {height} pixels: longer than {LONGEST} times the short "
                         "side; cut it into parts")  # fmt: skip
    if 1 not in scales or not all(0 < scale <= 4 for scale in scales):
        raise ValueError(f"scales: expected numbers up to 4 with 1 among them, got {list(scales)}")
    matrix, shape = aligned_view(width, height, size)
    images = []
    for scale in sorted(set(scales), key=lambda scale: scale != 1):
        scaled = [max(1, round(scale * side / STEP)) * STEP for side in shape]
        stretch = np.divide(scaled, shape)[:, None]
        shifted = np.column_stack([matrix[:, :2], matrix[:, 2] + 0.5]) * stretch  # from the corner
        shifted[:, 2] -= 0.5
        images.append(warp(photo, shifted, scaled))
    return images, matrix


@torch.no_grad()
def photo_maps(
    net: Any, images: Sequence[np.ndarray], skeleton: Skeleton, *, flip: bool = True,
    precision: str = "float32",
) -> PhotoMaps:  # fmt: skip
    """The maps of one photo, on the net's device, from its `views`; arguments as there.
    FloatingPointError where they are not finite."""
    size, exchanged = images[0].shape[:2], torch.from_numpy(skeleton.flip)
    device = next(net.parameters(), torch.empty(0)).device
    heatmaps, first = torch.zeros((), device=device), None
    for image in images:
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(device)
        both = torch.cat([pixels, pixels.flip(3)]) if flip else pixels
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            output = net(to_input(both, net).to(memory_format=torch.channels_last))
        check_finite(output)
        first = output if first is None else first
        fine = output.heatmaps[-1].shape[2:]  # coarse ones are enlarged to it first, as there
        mean = torch.stack([enlarge(maps, fine) for maps in output.heatmaps]).mean(0)
        heatmaps = heatmaps + enlarge(_averaged(mean, exchanged.to(device)), size)
    return PhotoMaps(heatmaps / len(images), *_of_scale_1(first, size, exchanged.to(device)))


def _of_scale_1(output: PoseOutput, size, exchanged: Tensor):
    """tags, centre and offsets of PhotoMaps from the output for a view, or for it and its mirror
    image (2, …)."""
    if output.tags is not None:
        tags = output.tags.float()
        tags = torch.cat([tags[:1], *(_mirrored(one, exchanged) for one in tags[1:, None])], 2)
        return enlarge(tags.flatten(1, 2), size).unflatten(1, tags.shape[1:3]), None, None
    centre = enlarge(_averaged(output.centre.float()), size)[0, 0]
    offsets = output.offsets.float().unflatten(1, (-1, 2))  # (…, K, 2, h, w)
    if len(offsets) == 2:
        turned = _mirrored(offsets[1:], exchanged) * offsets.new_tensor([-1, 1])[:, None, None]
        offsets = (offsets[:1] + turned) / 2
    return None, centre, offsets[0].flatten(0, 1)


def _averaged(maps: Tensor, exchanged: Tensor | None = None) -> Tensor:
    """(1, C, h, w) of the maps of a view, or the mean of them and those of its mirror image."""
    return maps if len(maps) == 1 else (maps[:1] + _mirrored(maps[1:], exchanged)) / 2


def _mirrored(maps: Tensor, exchanged: Tensor | None) -> Tensor:
    """Maps (1, K, …, w) of a mirror image as those of the image: left joints are right ones."""
    maps = maps.flip(-1)
    return maps if exchanged is None else maps[:, exchanged]


def decode_maps(maps: PhotoMaps, settings: PhotoSettings) -> People:
    """The persons in the maps of a photo, as `decode.decode` finds them, or `offset_decode` where
    there are no embeddings."""
    limits = {"min_score": settings.min_score, "max_people": settings.max_people}
    if maps.tags is None:
        return offset_decode(maps.heatmaps[0], maps.centre, maps.offsets, **limits)
    distance = {"rule": settings.rule, "tag_threshold": settings.tag_threshold}
    return decode_batch(maps.heatmaps, maps.tags, settings.skeleton, **distance, **limits)[0]
