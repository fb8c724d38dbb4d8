"""Decode maps into persons: peaks, grouping, quarter-cell adjustment, refinement.

Steps and constants are those of the released code of Coupled Embedding (models/evaluate.py), which
follows HigherHRNet (lib/core/group.py). Where the two differ, `rule` chooses.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

from sparse_ae.decoding import device_maps, host_maps, refinement, small_tags
from sparse_ae.decoding.enlarge import enlarge_bilinear, has_torchs_bits
from sparse_ae.grouping import RULES, group
from sparse_ae.runtime.workers import available_cores


class People(NamedTuple):
    """P persons decoded from one image, in the order in which grouping created them.

    Attributes:
        keypoints: (P, K, 3) float32 x, y, score; a joint that was not found is all zero.
        scores: (P,) float32, the mean of the joint scores over all K joints, before refinement.
        tags: (P, D) float32, the mean embedding over the joints found by grouping.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    tags: np.ndarray

    def to_supervision(self):
        """Convert to a `KeyPoints` of the supervision library.

        Returns:
            supervision.KeyPoints with xy (P, K, 2) and confidence (P, K), both float32, and
            class_id (P,), all 0: every detection is a person.

        Raises:
            ImportError: The library is not installed.
        """
        try:
            from supervision import KeyPoints
        except ImportError as error:
            raise ImportError(f"to_supervision needs the library supervision ({error}): pip "
                              "install supervision") from error  # fmt: skip
        xy, confidence = np.split(self.keypoints.astype(np.float32), [2], axis=2)
        # all versions have this order, but the third argument's name has changed
        return KeyPoints(xy, np.zeros(len(xy), int), confidence[..., 0])


def decode(
    heatmaps, tags, skeleton, *, rule="released", min_score=0.1, tag_threshold=1.0, max_people=30,
    nms=5, refine=True,
) -> People:  # fmt: skip
    """Find the persons in one image's maps.

    Coordinates are in cells of the maps, x right, y down. The centre of the cell in column j and
    row i is at (j + 0.5, i + 0.5), as in both sources: subtract 0.5 where centres are at integers.
    Each joint sits a quarter of a cell from its peak's centre, towards the higher neighbour in x
    and in y (towards the lower index if they are equal).

    Args:
        heatmaps: (K, H, W), a torch tensor on any device or an array.
        tags: (K, D, H, W), likewise. Networks give them with both sides divided by one whole
            number; such tags are read as if they had been enlarged bilinearly.
        skeleton: its order is the order in which grouping visits the K joints.
        rule, min_score, tag_threshold: as in `grouping.group`; a peak is above min_score.
        max_people: number of peaks taken per joint, the highest first; of equal ones the first in
            reading order, on every device.
        nms: odd window in cells; a cell is a peak where it equals the maximum of its window.
        refine: whether to search once more for every joint that a person lacks. The joint goes
            where heatmap − round(‖tag − the person's mean tag‖) is largest, and its score is the
            heatmap's value there ("higherhrnet": only if that is above 0).

    Returns:
        The persons, in the order in which grouping created them.

    Raises:
        ValueError: Shapes are wrong, maps are not finite, the number of joints is not the
            skeleton's, the rule is unknown, or nms or max_people are out of range.

    Example:
        >>> import numpy as np
        >>> from sparse_ae.skeleton import COCO
        >>> heatmaps, tags = np.zeros((17, 8, 8)), np.zeros((17, 1, 8, 8))
        >>> heatmaps[:, 3, 5] = 0.9  # all joints of one person in one cell
        >>> decode(heatmaps, tags, COCO).keypoints[0, 0, :2].tolist()
        [5.25, 3.25]
    """
    settings = _Settings(rule, min_score, tag_threshold, max_people, nms, refine)
    _check(heatmaps, tags, skeleton, settings)
    if _on_device(heatmaps):
        return _decode_on_device(heatmaps[None], tags[None], skeleton, settings)[0]
    return _decode_on_host(as_array(heatmaps), as_array(tags), skeleton, settings)


def decode_batch(
    heatmaps, tags, skeleton, *, rule="released", min_score=0.1, tag_threshold=1.0, max_people=30,
    nms=5, refine=True, workers=None,
) -> list[People]:  # fmt: skip
    """Find the persons in the maps of a batch, as `decode` does for one image.

    On an accelerator the maps stay where they are. Peaks and their tags are found there and copied
    to the host once per batch; grouping is done on the host; the cells that refinement chooses are
    copied in a second step.

    Args:
        heatmaps: (B, K, H, W).
        tags: (B, K, D, H, W), or smaller, as in `decode`.
        skeleton, rule, min_score, tag_threshold, max_people, nms, refine: as in `decode`.
        workers: threads that share the images; by default one per core.

    Returns:
        The persons of each image.

    Raises:
        ValueError: As for `decode`; or workers is not a whole number from 1 on.

    Example:
        >>> import numpy as np
        >>> from sparse_ae.skeleton import COCO
        >>> heatmaps, tags = np.zeros((2, 17, 8, 8)), np.zeros((2, 17, 1, 8, 8))
        >>> heatmaps[1, :, 3, 5] = 0.9  # nobody in the first image, one person in the second
        >>> [len(people.scores) for people in decode_batch(heatmaps, tags, COCO)]
        [0, 1]
    """
    settings = _Settings(rule, min_score, tag_threshold, max_people, nms, refine)
    _check(heatmaps, tags, skeleton, settings, batch=True)
    if workers is not None and (workers != workers // 1 or not 1 <= workers < 2**31):
        raise ValueError(f"workers: expected a whole number from 1 on, got {workers!r}")
    if _on_device(heatmaps):
        return _decode_on_device(heatmaps, tags, skeleton, settings)
    heatmaps, tags = as_array(heatmaps), as_array(tags)
    workers = min(workers or available_cores(), max(len(heatmaps), 1))

    def one(i):
        return _decode_on_host(heatmaps[i], tags[i], skeleton, settings)

    if workers == 1:
        return [one(i) for i in range(len(heatmaps))]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, range(len(heatmaps))))


class _Settings(NamedTuple):
    """The options of `decode`."""

    rule: str
    min_score: float
    tag_threshold: float
    max_people: int
    nms: int
    refine: bool


def _decode_on_host(heatmaps, tags, skeleton, settings) -> People:
    """Decode one image's arrays (K, H, W) and (K, D, h, w)."""
    size = heatmaps.shape[1:]
    if tags.shape[2:] != size and not has_torchs_bits(len(tags) * tags.shape[1], size):
        flat = torch.from_numpy(tags).flatten(0, 1)[None]
        tags = enlarge_bilinear(flat, size).numpy().reshape(*tags.shape[:2], *size)
    maxima = host_maps.run_maxima(heatmaps)
    _require_finite("heatmaps", np.isfinite(maxima).all())
    xy, score = host_maps.peaks(
        heatmaps, maxima, np.float32(settings.min_score), settings.nms // 2, settings.max_people
    )
    tag = small_tags.tags_at(tags, xy, size)  # (K, N, D)
    _require_finite("tags", np.isfinite(tag).all())
    keypoints, found, scores, means = _persons(xy, score, tag, skeleton, settings)
    if settings.refine:
        positive = settings.rule == "higherhrnet"
        fill = refinement.fill if tags.shape[2:] == size else small_tags.fill
        finite = fill(keypoints, found, heatmaps, maxima, tags, means, positive)
    else:
        finite = host_maps.all_finite(tags)
    _require_finite("tags", finite)
    host_maps.adjust(keypoints, found, heatmaps)
    return People(keypoints, scores, means)


def _decode_on_device(heatmaps, tags, skeleton, settings) -> list[People]:
    """Decode a batch of tensors (B, K, H, W) and (B, K, D, h, w); return each image's persons."""
    heatmaps, tags = heatmaps.detach().float(), tags.detach().float()
    if not len(heatmaps):
        return []
    if tags.shape[3:] != heatmaps.shape[2:]:
        enlarged = enlarge_bilinear(tags.flatten(1, 2), heatmaps.shape[2:])
        tags = enlarged.unflatten(1, tags.shape[1:3])
    candidates, finite = device_maps.candidates(
        heatmaps, tags, settings.min_score, settings.nms // 2, settings.max_people
    )
    for name, good in zip(("heatmaps", "tags"), finite.tolist(), strict=True):
        _require_finite(name, good)
    parts = [
        _persons(c[..., :2], c[..., 2], c[..., 3:], skeleton, settings) for c in candidates.numpy()
    ]
    missing = [np.nonzero(~found) for _, found, _, _ in parts]  # (persons, joints) of each image
    if settings.refine and any(len(person) for person, _ in missing):
        image = np.repeat(np.arange(len(parts)), [len(person) for person, _ in missing])
        joint = np.concatenate([joint for _, joint in missing])
        mean = np.concatenate([parts[b][3][person] for b, (person, _) in enumerate(missing)])
        cells = device_maps.best_cells(
            heatmaps, tags, *(torch.from_numpy(part) for part in (image, joint, mean))
        ).numpy()
        for b, (person, joint) in enumerate(missing):
            best = cells[image == b]
            kept = (best[:, 2] > 0) | (settings.rule != "higherhrnet")
            parts[b][0][person[kept], joint[kept]] = best[kept]
    return [People(keypoints, scores, means) for keypoints, _, scores, means in parts]


def _persons(xy, score, tag, skeleton, settings):
    """Group candidates: keypoints (P, K, 3), found (P, K), scores (P,) and mean tags (P, D)."""
    persons = group(
        xy, score, tag, skeleton.order, min_score=settings.min_score, rule=settings.rule,
        tag_threshold=settings.tag_threshold, max_people=settings.max_people,
    )  # (P, K, 3 + D)  # fmt: skip
    keypoints, found = persons[..., :3].copy(), persons[..., 2] > 0
    means = np.zeros((len(persons), tag.shape[2]), np.float32)
    for total, person, mask in zip(means, persons, found, strict=True):
        np.add.reduce(person[mask, 3:], axis=0, out=total)
    means /= found.sum(axis=1, dtype=np.float32)[:, None]
    return keypoints, found, keypoints[..., 2].mean(axis=1), means


def _on_device(maps) -> bool:
    """Return whether the maps are a tensor that is not in host memory."""
    return isinstance(maps, torch.Tensor) and maps.device.type != "cpu"


def _require_finite(name, finite):
    """Raise ValueError, naming the maps, if they are not finite."""
    if not finite:
        raise ValueError(f"{name}: expected finite values, got NaN or infinity")


def as_array(maps) -> np.ndarray:
    """Return a contiguous float32 array of a tensor or of anything that numpy takes."""
    if isinstance(maps, torch.Tensor):
        maps = maps.detach().float().cpu().numpy()
    return np.ascontiguousarray(maps, dtype=np.float32)


def _check(heatmaps, tags, skeleton, settings, batch=False):
    """Raise one ValueError that names the argument, what was expected and what was given."""
    shape, tag_shape = tuple(np.shape(heatmaps)), tuple(np.shape(tags))
    first = ("B",) if batch else ()
    expected = ", ".join((*first, "K", "H", "W"))
    if len(shape) != 3 + batch or 0 in shape[batch:]:
        raise ValueError(f"heatmaps: expected ({expected}), got shape {shape}")
    *images, joints, height, width = shape
    if joints != len(skeleton):
        raise ValueError(
            f"heatmaps: expected K = {len(skeleton)} joints, those of skeleton "
            f"{skeleton.name!r}, got shape {shape}"
        )
    well_formed = len(tag_shape) == 4 + batch and 0 not in tag_shape[batch:]
    factor = height // tag_shape[-2] if well_formed else 1
    without = (*tag_shape[: 1 + batch], *(side * factor for side in tag_shape[2 + batch :]))
    if not well_formed or without != shape:
        expected = ", ".join(map(str, (*images, joints, "D", height, width)))
        raise ValueError(f"tags: expected ({expected}) to go with heatmaps, got shape {tag_shape}")
    if settings.rule not in RULES:
        raise ValueError(f"rule: expected one of {', '.join(RULES)}, got {settings.rule!r}")
    nms, max_people = settings.nms, settings.max_people
    if nms % 2 != 1 or not 1 <= nms < 2**31:
        raise ValueError(f"nms: expected an odd number of cells, got {nms!r}")
    if max_people != max_people // 1 or not 1 <= max_people < 2**31:
        raise ValueError(f"max_people: expected a whole number from 1 on, got {max_people!r}")
    device, other = (str(getattr(maps, "device", "cpu")) for maps in (heatmaps, tags))
    if device != other:
        raise ValueError(f"tags: expected on {device} as heatmaps, got on {other}")
