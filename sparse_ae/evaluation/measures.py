"""Measure the embeddings of one image, and average the measures over all images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sparse_ae.decoding.offset import (
    Regressed,
    offset_grouping_accuracy,
    pose_size,
    regress,
    regress_at,
)
from sparse_ae.evaluation.infer import Maps
from sparse_ae.losses.offset import person_centres
from sparse_ae.metrics import (
    HARD,
    closest_gap,
    group_margin,
    group_spread,
    grouping_accuracy,
    isotropic_share,
    linearity,
    sparsity,
)
from sparse_ae.metrics.projection import project_to_line
from sparse_ae.settings.sections import DecodeSettings
from sparse_ae.skeleton import Skeleton

MEASURES = (
    "grouping_accuracy", "projected_accuracy", "group_margin", "group_spread", "closest_gap",
    "first_component", "isotropic_share", "correlation", "effective_rank", "sparsity",
)  # fmt: skip


def measure_tags(
    tags: np.ndarray, visible: np.ndarray, skeleton: Skeleton, decode: DecodeSettings,
    thresholds: Sequence[float] = (),
) -> dict:  # fmt: skip
    """Measure the embeddings of one image.

    Args:
        tags: (P, K, D) at the true joints.
        visible: (P, K) bool.
        skeleton: The K keypoints, in whose order joints are grouped.
        decode: Rule and threshold of the grouping.
        thresholds: Embedding distances at which accuracy_at has the grouping accuracy.

    Returns:
        The MEASURES and accuracy_at, by name.
    """
    line = linearity(tags, visible)
    grouping = {"tag_threshold": decode.tag_threshold, "rule": decode.rule}
    projected = project_to_line(tags, visible)
    accuracy = {
        threshold: grouping_accuracy(
            tags, visible, skeleton.order, tag_threshold=threshold, rule=decode.rule
        )
        for threshold in {*thresholds, decode.tag_threshold}
    }
    return {
        "grouping_accuracy": accuracy[decode.tag_threshold],
        "projected_accuracy": grouping_accuracy(projected, visible, skeleton.order, **grouping),
        "accuracy_at": [accuracy[threshold] for threshold in thresholds],
        "group_margin": group_margin(tags, visible, decode.tag_threshold),
        "group_spread": group_spread(tags, visible),
        "closest_gap": closest_gap(tags, visible),
        "first_component": line.first_component,
        "isotropic_share": isotropic_share(tags, visible),
        "correlation": line.correlation,
        "effective_rank": line.effective_rank,
        "sparsity": sparsity(tags, visible),
    }


def measure_offsets(
    maps: Maps, joints: np.ndarray, visible: np.ndarray, decode: DecodeSettings,
    thresholds: Sequence[float] = (),
) -> dict:  # fmt: skip
    """Measure a method without embeddings: nan, except for the grouping accuracy if it has offsets.

    Offsets also give accuracy_of_given_centres, the accuracy with offsets read at the true centres.
    No person is missed there, just as none is missed when embeddings are read at the true joints.

    Args:
        maps: Maps of one view.
        joints: (P, K, 2) the true joints in the view, from its corner, pixels.
        visible: (P, K) bool.
        decode: Limits of the decoding.
        thresholds: Embedding distances; accuracy_at is nan for each.
    """
    nothing = {**dict.fromkeys(MEASURES, float("nan")),
               "accuracy_at": [float("nan")] * len(thresholds)}  # fmt: skip
    if maps.offsets is None:
        return nothing
    centre, offsets = maps.centre[0], maps.offsets[0]
    centres = person_centres(joints, visible)
    centres = centres[np.isfinite(centres).all(axis=1)]
    poses = regress_at(centres, offsets, centre.shape)
    given = Regressed(poses, pose_size(poses), np.ones(len(poses), np.float32))
    found = regress(centre, offsets, min_score=decode.min_score, max_people=decode.max_people)
    accuracy, at_given = (
        offset_grouping_accuracy(people.keypoints, people.size, joints, visible)
        for people in (found, given)
    )
    return {**nothing, "grouping_accuracy": accuracy, "accuracy_of_given_centres": at_given}


def summary(per_image: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return a record's numbers on embeddings: means over the images where each is defined."""
    hard = per_image["crowd_index"] >= HARD
    margin = per_image["group_margin"]
    means = {name: mean_of_defined(per_image[name]) for name in MEASURES}
    share, null = per_image["first_component"], per_image["isotropic_share"]
    both = ~np.isnan(share) & ~np.isnan(null)
    return {
        **means,
        "excess_share": pooled_excess(share[both], null[both]),
        "grouping_accuracy_hard": mean_of_defined(per_image["grouping_accuracy"][hard]),
        "group_margin_hard": mean_of_defined(margin[hard]),
        "closest_gap_hard": mean_of_defined(per_image["closest_gap"][hard]),
        "group_margin_negative": mean_of_defined(np.where(np.isnan(margin), np.nan, margin < 0)),
    }


def pooled_excess(share: np.ndarray, null: np.ndarray) -> float:
    """Return how far the mean first share exceeds its null, (share − null) / (1 − null).

    It is computed from the means, not averaged over images: with two or three persons almost
    nothing is left between the null and 1, and a single image's excess says little
    (`metrics.excess_share`).
    """
    return float((share.mean() - null.mean()) / (1 - null.mean())) if len(share) else float("nan")


def mean_of_defined(values: np.ndarray) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
