"""Rendered crowds: posed bodies in drawn clothes, light and surroundings, with exact keypoints,
visibility, masks and crowd index. Scene i is a pure function of a configuration and i."""

from .bodies import Bodies, BodiesError, load_bodies
from .config import CrowdConfig
from .dataset import CrowdDataset
from .scene import Scene, render_scene
from .sheet import contact_sheet

__all__ = ["Bodies", "BodiesError", "CrowdConfig", "CrowdDataset", "Scene", "contact_sheet",
           "load_bodies", "render_scene"]  # fmt: skip
