"""Poses of sport and play; see pose_daily.py."""

from __future__ import annotations

import numpy as np
import pose_arms as arms
from body_poses import BACK, DOWN, FORWARD, IN, OUT, UP, Pose, arm, body_rotation, leg
from pose_daily import plant, stance


def swing(rng, u, n):
    """Swing a bat or a club in both hands: ready, swung back, through, finished."""
    lean, trunk = u(0, 16), u(5, 28)
    x, y, z = ((0.16, -0.2, 0.42), (0.3, -0.16, 0.5), (0.0, -0.42, 0.12), (-0.05, -0.44, 0.3),
               (0.12, -0.22, 0.6))[rng.choice(5)]  # fmt: skip
    place = x + n(0, 0.03), y + n(0, 0.03), z + n(0, 0.04)
    limbs = arms.hands_together(place, 0.13, DOWN + OUT * u(0.3, 1), FORWARD * 0.4 + UP, 0.02)
    ahead = 0.2 * np.sin(np.radians(lean + trunk / 2))
    legs = stance(u, n, lean, crouch=u(0.01, 0.12), ahead=ahead, wide=(0.14, 0.36))
    return Pose(limbs, legs, trunk=(trunk, n(0, 5), 25 * x / 0.3 + n(0, 8)),
                neck=(0, 0, -u(0, 50)), lean=lean)  # fmt: skip


def racket(rng, u, n):
    """Swing one arm to serve, throw, or hit forehand or backhand, while the other balances."""
    kind = rng.choice(4)
    first = (arm(u(110, 160), u(20, 50), u(40, 110), UP + BACK * u(0.3, 1) + IN * 0.3),
             arm(u(-30, 20), u(50, 80), u(10, 60), FORWARD + UP * 0.3),
             arm(u(60, 90), u(-30, -5), u(20, 90), IN + UP * u(-0.2, 0.5)),
             arm(u(60, 120), u(0, 30), u(0, 30), UP + IN * 0.4))[kind]  # fmt: skip
    second = arms.pick(rng, u, n, {"holding": 4, "aside": 2, "forward": 2, "at_belly": 1})[0]
    step = u(-0.05, 0.28)
    legs = plant(body_rotation(0), [(u(0.08, 0.24), step), (u(0.08, 0.24), -step)], u(0, 0.12),
                 (0, u(0, 35) if step > 0.1 else 0), FORWARD + OUT * u(0, 0.4))  # fmt: skip
    return Pose([first, second], legs, trunk=(u(0, 24), n(0, 8), n((15, 12, -20, -8)[kind], 8)))


def kick(rng, u, n):
    """Lift one foot off the ground: to kick a ball, stride, or start a jump."""
    tilt, forward = n(0, 4), rng.random() < 0.6
    legs = plant(body_rotation(0, tilt), [(0.06, 0), (u(0.03, 0.1), u(0.02, 0.1))], u(0.01, 0.08))
    legs[0] = (leg(u(20, 80), u(-5, 20), u(5, 60)) if forward else
               leg(u(-35, -10), u(0, 15), u(40, 110)))  # fmt: skip
    limbs = [arm(u(-40, 10), u(20, 70), u(20, 80), FORWARD + IN * 0.2),
             arm(u(10, 50), u(15, 75), u(20, 90), FORWARD + UP * 0.3 + IN * 0.3)]  # fmt: skip
    return Pose(limbs, legs, trunk=(u(-5, 22), n(0, 5), n(0, 10)), tilt=tilt)


def balance(rng, u, n):
    """Bend the knees on skis, a board or skates, or before the ball comes."""
    lean, trunk, crouch = u(5, 30), u(5, 30), u(0.06, 0.36)
    ahead = 0.2 * np.sin(np.radians(lean + 0.6 * trunk)) + 0.18 * crouch
    wide = rng.choice(((0.07, 0.14), (0.16, 0.38)))
    legs = stance(u, n, lean, crouch=crouch, ahead=ahead, wide=wide)
    kinds = {"holding": 4, "aside": 2.5, "forward": 2, "table": 2, "waving": 0.5}
    limbs = arms.pick(rng, u, n, kinds, both=0.6)
    return Pose(limbs, legs, trunk=(trunk, n(0, 5), n(0, 10)), neck=(-14, 0, 0), lean=lean)
