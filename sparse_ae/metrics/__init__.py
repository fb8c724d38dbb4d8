"""Metrics of poses and embeddings: average precision, crowd index, embedding shape, errors."""

from sparse_ae.metrics.average_precision import (
    Matches,
    ap_of_matches,
    keypoint_ap,
    keypoint_matches,
)
from sparse_ae.metrics.crowding import EASY, HARD, crowd_index
from sparse_ae.metrics.embeddings import (
    Linearity,
    closest_gap,
    group_margin,
    group_spread,
    hoyer_null,
    linearity,
    sparsity,
)
from sparse_ae.metrics.joint_grouping import correctly_grouped, group_labels, grouping_accuracy
from sparse_ae.metrics.null_share import (
    excess_share,
    expected_share,
    isotropic_share,
    spread_ratio,
)

__all__ = [
    "EASY",
    "HARD",
    "Linearity",
    "Matches",
    "ap_of_matches",
    "closest_gap",
    "correctly_grouped",
    "crowd_index",
    "excess_share",
    "expected_share",
    "group_labels",
    "group_margin",
    "group_spread",
    "grouping_accuracy",
    "hoyer_null",
    "isotropic_share",
    "keypoint_ap",
    "keypoint_matches",
    "linearity",
    "sparsity",
    "spread_ratio",
]
