"""Build the pose networks, and save and load their weights."""

from sparse_ae.models.pose_net import PoseNet, load_checkpoint, save_checkpoint

__all__ = [
    "PoseNet",
    "load_checkpoint",
    "save_checkpoint",
]
