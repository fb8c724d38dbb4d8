"""Rendered crowds: posed, dressed bodies in random light and surroundings, with exact labels.

The labels are keypoints, their visibility, masks and the crowd index. Scene i is a pure function
of a configuration and i.
"""

from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.people.angles import angle_distance, joint_angles
from sparse_ae.crowds.people.bodies import Bodies, BodiesError, load_bodies
from sparse_ae.crowds.scene import Scene, render_scene
from sparse_ae.crowds.sheet import contact_sheet
from sparse_ae.crowds.statistics import statistics

__all__ = ["Bodies", "BodiesError", "CrowdConfig", "Scene", "angle_distance", "contact_sheet",
           "joint_angles", "load_bodies", "render_scene", "statistics"]  # fmt: skip
