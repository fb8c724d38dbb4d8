"""The families of poses, their shares of the bank, and how one pose is drawn."""

from __future__ import annotations

import numpy as np
import pose_daily as daily
import pose_sports as sports
from body_poses import Pose, broken_limits

FAMILIES = {  # percentage of the bank, and the function that draws a pose
    "standing": (23, daily.stand),
    "walking": (12, daily.walk),
    "running": (5, daily.run),
    "sitting": (16, daily.sit),
    "sitting on the ground": (4, daily.sit_on_ground),
    "squatting": (3, daily.squat),
    "kneeling": (2, daily.kneel),
    "bending": (5, daily.bend),
    "reaching": (3, daily.reach),
    "lifting": (2, daily.lift),
    "arms raised": (3, daily.raise_arms),
    "arms crossed": (2, daily.cross_arms),
    "hands at the hips": (3, daily.hands_at_hips),
    "pointing": (2, daily.point),
    "dancing": (2, daily.dance),
    "lying": (3, daily.lie),
    "swinging a bat": (3, sports.swing),
    "throwing and racket": (3, sports.racket),
    "kicking": (2, sports.kick),
    "crouched in sport": (2, sports.balance),
}


def draw_pose(rng: np.random.Generator, family: str) -> Pose:
    """Draw a pose of a family, within body_poses.LIMITS."""
    u, n = rng.uniform, rng.normal
    while True:
        pose = FAMILIES[family][1](rng, u, n)
        pose.neck = tuple(np.add(pose.neck, (n(2, 9), n(0, 6), n(0, 24))))
        if family != "lying":
            pose.trunk = tuple(np.add(pose.trunk, (n(2, 5), n(0, 5), n(0, 7))))
        if rng.random() < 0.5:  # so that either side leads
            pose = pose.other_side()
        if not broken_limits(pose):
            return pose
