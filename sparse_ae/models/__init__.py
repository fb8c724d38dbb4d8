"""The networks, and their weights on disk."""

from sparse_ae.models.pose_net import PoseNet, load_checkpoint, save_checkpoint

__all__ = [
    "PoseNet",
    "load_checkpoint",
    "save_checkpoint",
]
