"""The losses of the paper (grouping L_g, scale L_s, heatmap L_r) and of rival methods.

They depend only on torch, NumPy and numba, and callers choose their weights. Half-precision inputs
are computed in float32.
"""

from sparse_ae.losses.decorrelation import decorrelation_loss
from sparse_ae.losses.grouping import GroupingLoss, grouping_loss
from sparse_ae.losses.heatmap import heatmap_loss
from sparse_ae.losses.offset import OffsetTargets, offset_loss, offset_targets
from sparse_ae.losses.scale import scale_code, scale_from_tags, scale_loss
from sparse_ae.losses.swahr import SwahrLoss, swahr_loss
from sparse_ae.losses.tags import gather_tags

__all__ = [
    "GroupingLoss",
    "OffsetTargets",
    "SwahrLoss",
    "decorrelation_loss",
    "gather_tags",
    "grouping_loss",
    "heatmap_loss",
    "offset_loss",
    "offset_targets",
    "scale_code",
    "scale_from_tags",
    "scale_loss",
    "swahr_loss",
]
