"""Data sets of images with people: COCO, CrowdPose, your own photos, and rendered crowds."""

from sparse_ae.datasets.crowd_dataset import CrowdDataset
from sparse_ae.datasets.crowd_folder import read_manifest
from sparse_ae.datasets.crowd_writer import write_crowds
from sparse_ae.datasets.dataset import PoseDataset, Sample
from sparse_ae.datasets.keypoint_dataset import KeypointDataset
from sparse_ae.datasets.open import open_dataset

__all__ = [
    "CrowdDataset",
    "KeypointDataset",
    "PoseDataset",
    "Sample",
    "open_dataset",
    "read_manifest",
    "write_crowds",
]
