"""Run a net on several views of each image, merge their maps, and find the people.

Images are tested as in HigherHRNet (lib/core/inference.py) and in the released code
(models/evaluate.py). An image is resized to a short side of `size`; the net sees it as it is and,
if asked for, mirrored and at several scales. Heatmaps are averaged at the size of the view of scale
1. Embeddings are read at scale 1 alone. Those of the mirror image are not averaged, because nothing
makes them equal to the original ones: as in both sources, they are appended as D further
dimensions, and the grouping threshold stays as it is.

Shapes: B images, K joints, D dimensions of an embedding, H×W pixels of the view of scale 1, h×w map
cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparse_ae.datasets.augment import aligned_view
from sparse_ae.datasets.pictures import warp
from sparse_ae.decoding import People, decode_batch
from sparse_ae.decoding.enlarge import enlarge_bilinear
from sparse_ae.decoding.offset import offset_decode
from sparse_ae.models.outputs import PoseOutput, check_finite, to_input
from sparse_ae.settings.sections import DecodeSettings
from sparse_ae.skeleton import Skeleton

STEP = 64  # sides of every view are multiples of it: networks need 32 or 64
LONGEST = 8  # largest ratio of a photo's sides: views of longer photos fill the memory


class Maps(NamedTuple):
    """Maps of B views; None for what a method does not have.

    Attributes:
        heatmaps: (B, K, H, W).
        tags: (B, K, D or 2D, h, w), those of the view, then those of its mirror image.
        native_tags: (B, K, D, h, w), those of the view alone, as the net gives them.
        centre: (B, H, W).
        offsets: (B, 2K, h, w).
    """

    heatmaps: Tensor
    tags: Tensor | None
    native_tags: Tensor | None
    centre: Tensor | None
    offsets: Tensor | None


def find_people(
    net: Any, image: np.ndarray, skeleton: Skeleton, size: int, decode: DecodeSettings, *,
    precision: str = "float32",
) -> People:  # fmt: skip
    """Find the people in one image.

    Args:
        net: Pose network in evaluation mode, on any device.
        image: (h, w, 3) uint8, red first.
        skeleton: The net's K keypoints.
        size: Short side of the image's view at scale 1, pixels.
        decode: How to find people in the maps; its scales and mirror image.
        precision: Precision of the network, "float32" or "bfloat16".

    Returns:
        People in the image's pixels; joints may lie a little outside of it.

    Raises:
        ValueError: The image is not valid, or longer than LONGEST times its short side; the net has
            another number of keypoints; or precision or scales are invalid.
        FloatingPointError: The net's maps are not finite.
    """
    check_net(net, skeleton)
    images, matrix = views(image, size, decode.scales)
    maps = infer(net, [view[None] for view in images], skeleton, flip=decode.flip,
                 precision=precision)  # fmt: skip
    return in_image(decode_maps(maps, skeleton, decode)[0], matrix)


def check_net(net: Any, skeleton: Skeleton) -> None:
    """Raise ValueError if the net's number of keypoints is not the skeleton's."""
    if net.keypoints != len(skeleton):
        raise ValueError(f"a net for {net.keypoints} keypoints; skeleton {skeleton.name!r} has "
                         f"{len(skeleton)}")  # fmt: skip


def views(
    image: np.ndarray, size: int, scales: Sequence[float] = (1.0,)
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return views of an image, that of scale 1 first, and the affine that leads to it.

    All show the same part: each side is the scale times that at scale 1, rounded to a multiple of
    STEP.

    Returns:
        The views (H, W, 3) uint8, and the (2, 3) affine from the image's pixels to the first
        view's.

    Raises:
        ValueError: The image or the scales are invalid, as for `find_people`.
    """
    image = np.ascontiguousarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        kind = f"{image.dtype} of shape {image.shape}"
        raise ValueError(f"image: expected uint8 of shape (H, W, 3), red first, got {kind}")
    height, width = image.shape[:2]
    if max(height, width) > LONGEST * min(height, width):
        raise ValueError(f"image: {width} × {height} pixels: longer than {LONGEST} times the short "
                         "side; cut it into parts")  # fmt: skip
    if 1 not in scales or not all(0 < scale <= 4 for scale in scales):
        raise ValueError(f"scales: expected numbers up to 4 with 1 among them, got {list(scales)}")
    matrix, shape = aligned_view(width, height, size)
    found = []
    for scale in sorted(set(scales), key=lambda scale: scale != 1):
        scaled = [max(1, round(scale * side / STEP)) * STEP for side in shape]
        stretch = np.divide(scaled, shape)[:, None]
        shifted = np.column_stack([matrix[:, :2], matrix[:, 2] + 0.5]) * stretch  # from the corner
        shifted[:, 2] -= 0.5
        found.append(warp(image, shifted, scaled))
    return found, matrix


@torch.no_grad()
def infer(
    net: Any, images: Sequence[np.ndarray], skeleton: Skeleton, *, flip: bool = False,
    precision: str = "float32", memory: dict[str, Tensor] | None = None,
) -> Maps:  # fmt: skip
    """Compute the maps of B images, on the net's device.

    Args:
        net: Pose network in evaluation mode.
        images: For each scale, 1 first, the B views (B, h, w, 3) uint8.
        skeleton: The net's K keypoints; says which joints are swapped in a mirror image.
        flip: Whether to use the mirror images too.
        precision: "float32" or "bfloat16".
        memory: Maps to write into, which the next call overwrites: large maps take longer to
            allocate than to fill.

    Raises:
        ValueError: The precision is unknown.
        FloatingPointError: The maps are not finite.
    """
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision: expected float32 or bfloat16, got {precision!r}")
    count, size = len(images[0]), images[0].shape[1:3]
    device = next(net.parameters(), torch.empty(0)).device
    exchanged = torch.from_numpy(skeleton.flip).to(device)
    memory, heatmaps, first = {} if memory is None else memory, None, None
    for views_of_scale in images:
        pixels = torch.from_numpy(np.ascontiguousarray(views_of_scale)).permute(0, 3, 1, 2)
        pixels = pixels.to(device)
        both = torch.cat([pixels, pixels.flip(3)]) if flip else pixels
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            output = net(to_input(both, net).to(memory_format=torch.channels_last))
        check_finite(output)
        first = output if first is None else first
        fine = output.heatmaps[-1].shape[2:]  # as in both sources, coarse ones are enlarged to it
        mean = sum(enlarge_bilinear(maps, fine) for maps in output.heatmaps) / len(output.heatmaps)
        name = "heatmaps" if heatmaps is None else "heatmaps of another scale"
        whole = _enlarge(_averaged(mean, count, exchanged), size, memory, name)
        heatmaps = whole if heatmaps is None else heatmaps.add_(whole)
    if len(images) > 1:
        heatmaps.div_(len(images))
    return Maps(heatmaps, *_at_scale_1(first, count, size, exchanged))


def _at_scale_1(output: PoseOutput, count: int, size, exchanged: Tensor):
    """Return tags, native_tags, centre and offsets of `Maps`.

    The output is that for `count` views, followed by that for their mirror images, if there are
    any.
    """
    if output.tags is not None:
        tags = native = output.tags[:count].float()
        if len(output.tags) > count:
            tags = torch.cat([native, _mirrored(output.tags[count:], exchanged)], 2)
        return tags, native, None, None
    if output.centre is None:
        return None, None, None, None
    centre = enlarge_bilinear(_averaged(output.centre.float(), count), size)[:, 0]
    offsets = output.offsets.float().unflatten(1, (-1, 2))  # (…, K, 2, h, w)
    if len(offsets) > count:
        turned = _mirrored(offsets[count:], exchanged)
        turned = turned * offsets.new_tensor([-1, 1])[:, None, None]
        offsets = (offsets[:count] + turned) / 2
    return None, None, centre, offsets.flatten(1, 2)


def _averaged(maps: Tensor, count: int, exchanged: Tensor | None = None) -> Tensor:
    """Return the views' maps (count, C, h, w), averaged with their mirror images', if any."""
    if len(maps) == count:
        return maps
    return (maps[:count] + _mirrored(maps[count:], exchanged)) / 2


def _mirrored(maps: Tensor, exchanged: Tensor | None) -> Tensor:
    """Flip maps (B, K, …, w) of mirror images back, and swap left and right joints."""
    maps = maps.flip(-1)
    return maps if exchanged is None else maps[:, exchanged]


def _enlarge(maps: Tensor, size: Sequence[int], memory: dict[str, Tensor], name: str) -> Tensor:
    """Enlarge maps (B, C, h, w) bilinearly to (B, C, *size) float32, in `memory` under `name`."""
    shape = (len(maps), maps.shape[1], *size)
    kept = memory.get(name)
    if kept is None or len(kept) < shape[0] or kept.shape[1:] != shape[1:]:
        kept = memory[name] = torch.empty(shape, device=maps.device)
    return enlarge_bilinear(maps, tuple(size), out=kept[: shape[0]])


def decode_maps(maps: Maps, skeleton: Skeleton, decode: DecodeSettings) -> list[People]:
    """Return the people in the maps of each view, in its pixels.

    If a net has neither embeddings nor offsets, the best joints of each kind make one person, the
    second best another.
    """
    limits = {"min_score": decode.min_score, "max_people": decode.max_people}
    if maps.tags is None and maps.centre is None:
        maps = maps._replace(tags=torch.zeros_like(maps.heatmaps)[:, :, None])
    if maps.tags is None:
        rows = zip(maps.heatmaps, maps.centre, maps.offsets, strict=True)
        found = [offset_decode(*row, **limits) for row in rows]
    else:
        found = decode_batch(maps.heatmaps, maps.tags, skeleton, rule=decode.rule,
                             tag_threshold=decode.tag_threshold, **limits)  # fmt: skip
    for people in found:  # decoding counts from the corner of the first cell
        people.keypoints[people.keypoints[..., 2] > 0, :2] -= 0.5
    return found


def in_image(people: People, matrix: np.ndarray) -> People:
    """Convert people from a view's pixels to the image's, in place.

    `matrix` is (2, 3), from the image to the view.
    """
    found = people.keypoints[..., 2] > 0
    inverse = np.linalg.inv(matrix[:, :2])
    people.keypoints[found, :2] = (people.keypoints[found, :2] - matrix[:, 2]) @ inverse.T
    return people
