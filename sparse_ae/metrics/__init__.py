"""What claims are judged by: average precision, crowd index, measures of embeddings, errors."""

from sparse_ae.metrics.average_precision import (
    Matches,
    ap_of_matches,
    keypoint_ap,
    keypoint_matches,
)
from sparse_ae.metrics.crowding import EASY, HARD, crowd_index
from sparse_ae.metrics.embeddings import (
    Linearity,
    group_margin,
    group_spread,
    grouped,
    grouped_right,
    grouping_accuracy,
    linearity,
    sparsity,
)

__all__ = [
    "EASY",
    "HARD",
    "Linearity",
    "Matches",
    "ap_of_matches",
    "crowd_index",
    "group_margin",
    "group_spread",
    "grouped",
    "grouped_right",
    "grouping_accuracy",
    "keypoint_ap",
    "keypoint_matches",
    "linearity",
    "sparsity",
]
