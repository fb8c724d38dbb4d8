"""Rendered crowds: posed bodies in drawn clothes, light and surroundings, with exact keypoints,
visibility, masks and crowd index. Scene i is a pure function of a configuration and i."""

from .angles import angle_distance, joint_angles
from .bodies import Bodies, BodiesError, load_bodies
from .config import CrowdConfig
from .dataset import CrowdDataset
from .folder import read_manifest
from .scene import Scene, render_scene
from .sheet import contact_sheet
from .statistics import statistics
from .writer import write_crowds

__all__ = ["Bodies", "BodiesError", "CrowdConfig", "CrowdDataset", "Scene", "angle_distance",
           "contact_sheet", "joint_angles", "load_bodies", "read_manifest", "render_scene",
           "statistics", "write_crowds"]  # fmt: skip
