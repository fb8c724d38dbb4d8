"""Everyday poses: standing, walking, sitting, working, lying.

Each function draws one pose. `u(a, b)` draws a number between a and b, `n(mean, deviation)` one
about a mean.
"""

from __future__ import annotations

import numpy as np
import pose_arms as arms
from body_poses import (
    DOWN,
    FORWARD,
    HIP,
    IN,
    LEG,
    OUT,
    STRETCHED,
    UP,
    Limb,
    Pose,
    arm,
    body_rotation,
    leg,
    leg_to,
)

LIFTED = 0.14  # metres from ankle to ball of the foot, which a lifted heel raises the ankle about
STANDING_ARMS = {"hanging": 4, "hip": 0.6, "pocket": 1.5, "holding": 7, "at_belly": 3, "face": 2.5,
                 "behind": 0.5, "forward": 0.7, "waving": 0.4, "aside": 0.4}  # fmt: skip


def plant(root, feet, crouch=0.0, heels=(0.0, 0.0), knees=FORWARD) -> list[Limb]:
    """Return legs with both feet on the ground, straight except for the share `crouch`.

    `feet` gives, per leg, how far the ankle is outwards and ahead of the pelvis, in metres.
    """
    lift = LIFTED * np.sin(np.radians(heels))
    drops = []
    for (out, ahead), up, mirror in zip(feet, lift, (1, -1), strict=True):
        side = np.array((mirror, 1, 1))
        hip = side * (root @ (side * HIP))
        flat = (out - hip[0]) ** 2 + (-ahead - hip[1]) ** 2
        drops.append(np.sqrt(max((STRETCHED * sum(LEG)) ** 2 - flat, 0.01)) + up - hip[2])
    drop, flip = min(drops) * (1 - crouch), np.diag((-1.0, 1, 1))
    turns = root, flip @ root @ flip
    return [leg_to((out, -ahead, up - drop), knees, turn, heel)
            for (out, ahead), up, turn, heel in
            zip(feet, lift, turns, heels, strict=True)]  # fmt: skip


def stance(u, n, lean=0.0, tilt=0.0, crouch=None, ahead=0.0, wide=(0.08, 0.17)) -> list[Limb]:
    """Return legs with both soles on the ground, one foot a little in front of the other."""
    step = n(0, 0.04)
    feet = [(u(*wide), ahead + step), (u(*wide), ahead - step)]
    pole = FORWARD + OUT * u(0, 0.5)
    crouch = abs(n(0, 0.004)) if crouch is None else crouch
    return plant(body_rotation(lean, tilt), feet, crouch, knees=pole)


def stand(rng, u, n):
    limbs = arms.pick(rng, u, n, STANDING_ARMS, both=0.55)
    return Pose(limbs, stance(u, n), trunk=(u(-4, 8), 0, 0))


def walk(rng, u, n):
    step = u(0.1, 0.3)
    legs = plant(body_rotation(0), [(u(0.05, 0.1), step), (u(0.05, 0.1), -step * u(0.8, 1.2))],
                 u(0.0, 0.01), (0, u(5, 40)))  # fmt: skip
    swing = 70 * step
    limbs = [arm(-swing * u(0.6, 1.4), u(5, 13), u(8, 45), FORWARD),
             arm(swing * u(0.6, 1.4), u(5, 12), u(15, 75), FORWARD + IN * 0.3)]  # fmt: skip
    if rng.random() < 0.7:
        limbs[1] = arms.pick(rng, u, n, {"holding": 3, "at_belly": 1, "face": 1.5, "pocket": 1})[0]
    if rng.random() < 0.4:
        limbs[0] = arms.holding(u, n)
    return Pose(limbs, legs, trunk=(u(0, 8), 0, 0))


def run(rng, u, n):  # noqa: ARG001
    legs = [leg(u(30, 75), u(0, 5), u(45, 105)), leg(u(-30, -5), u(0, 4), u(15, 85))]
    limbs = [arm(u(-58, -30), u(12, 26), u(70, 110), FORWARD + IN * 0.2),
             arm(u(5, 45), u(8, 20), u(70, 115), FORWARD + UP * 0.5 + IN * 0.4)]  # fmt: skip
    return Pose(limbs, legs, trunk=(u(4, 16), 0, u(-12, 12)), lean=u(3, 12))


def sit(rng, u, n):
    lean, out = u(-14, 8), u(0.07, 0.24)
    ahead, drop = u(0.3, 0.6), u(0.28, 0.42)
    root, pole = body_rotation(lean), UP + FORWARD * u(0.8, 1.5) + OUT * u(0, 0.4)
    legs = [leg_to((out + n(0, 0.02), -ahead + n(0, 0.06), -drop), pole, root) for _ in range(2)]
    kinds = {"thigh": 5, "table": 4, "holding": 3, "face": 2.5, "hanging": 0.5, "at_belly": 2}
    limbs = arms.pick(rng, u, n, kinds, both=0.6)
    return Pose(limbs, legs, trunk=(u(0, 28), 0, 0), lean=lean, on_seat=True)


def sit_on_ground(rng, u, n):
    lean = u(-22, 0)
    root, kind = body_rotation(lean), rng.random()
    if kind < 0.35:  # cross-legged
        pole = OUT + UP * u(0.25, 0.45)
        ankles = [(u(-0.08, 0), -u(0.2, 0.26), 0.0), (u(-0.08, 0), -u(0.36, 0.44), 0.01)]
        legs = [leg_to(ankle, pole, root, None) for ankle in ankles]
    else:
        ahead, out = (u(0.74, 0.79) if kind < 0.55 else u(0.32, 0.72)), u(0.05, 0.2)
        pole = UP + OUT * u(0, 0.3)
        legs = [leg_to((out, -ahead + n(0, 0.03), -0.01), pole, root, 0 if ahead < 0.6 else -60)
                for _ in range(2)]  # fmt: skip
    limbs = [arm(u(35, 80), u(8, 30), u(5, 75), FORWARD + IN * u(0, 0.8)) for _ in range(2)]
    for i in range(2):
        if rng.random() < 0.4:
            limbs[i] = arms.pick(rng, u, n, {"holding": 2, "face": 1.5, "back": 1.5})[0]
    return Pose(limbs, legs, trunk=(u(8, 34), 0, 0), lean=lean)


def bend(rng, u, n):
    angle, lean = u(15, 70), u(5, 35)
    legs = stance(u, n, lean, crouch=u(0, 0.1), ahead=0.2 * np.sin(np.radians(lean + 0.6 * angle)))
    limbs = [arm(lean + u(30, 80), u(0, 15), u(10, 95), FORWARD + UP * 0.3 + IN * u(0.2, 1.2))
             for _ in range(2)]  # fmt: skip
    if rng.random() < 0.4:
        limbs[0] = arms.holding(u, n)
    return Pose(limbs, legs, trunk=(angle, n(0, 6), n(0, 8)), neck=(-15, 0, 0), lean=lean)


def reach(rng, u, n):
    limbs = arms.pick(rng, u, n, {"forward": 5, "raised": 1.5, "aside": 2}, both=0)
    limbs[1] = arms.pick(rng, u, n, {"hanging": 2, "forward": 1, "holding": 4})[0]
    step, trunk = u(0, 0.2), u(0, 35)
    feet = [(u(0.08, 0.2), step + 0.1 * trunk / 35), (u(0.08, 0.2), 0.1 * trunk / 35 - step)]
    legs = plant(body_rotation(0), feet, u(0, 0.06), (0, u(0, 25) if step > 0.1 else 0))
    return Pose(limbs, legs, trunk=(trunk, n(0, 8), n(0, 15)), neck=(-8, 0, 0))


def lift(rng, u, n):
    """Hold a load in both hands: up from the ground, in front of the body, onto a shelf."""
    height = rng.choice(3, p=(0.35, 0.45, 0.2))
    trunk, lean, crouch = ((u(20, 50), u(15, 40), u(0.05, 0.35)), (u(-8, 10), 0, u(0, 0.05)),
                           (u(-10, 5), 0, u(0, 0.02)))[height]  # fmt: skip
    place = ((0, -u(0.32, 0.42), u(0.1, 0.25)), (0, -u(0.26, 0.4), u(0.08, 0.3)),
             (0, -u(0.26, 0.38), u(0.68, 0.82)))[height]  # fmt: skip
    limbs = arms.hands_together(place, u(0.12, 0.42), DOWN + OUT * u(0.3, 1), FORWARD + IN * 0.5)
    ahead = 0.2 * np.sin(np.radians(lean + 0.6 * max(trunk, 0))) + 0.1 * (height == 0)
    legs = stance(u, n, lean, crouch=crouch, ahead=ahead, wide=(0.1, 0.22))
    return Pose(limbs, legs, trunk=(trunk, n(0, 3), n(0, 6)), neck=(-6, 0, 0), lean=lean)


def raise_arms(rng, u, n):
    kinds = {"raised": 2, "raised_aside": 2, "waving": 3, "head": 2, "aside": 1}
    legs = stance(u, n, wide=(0.08, 0.22)) if rng.random() < 0.7 else walk(rng, u, n).legs
    return Pose(arms.pick(rng, u, n, kinds, both=0.6), legs, neck=(-6, 0, 0))


def cross_arms(rng, u, n):  # noqa: ARG001
    return Pose(arms.crossed(u), stance(u, n), trunk=(u(-6, 6), 0, 0))


def hands_at_hips(rng, u, n):
    limbs = [arms.hip(u, n), arms.hip(u, n)]
    if rng.random() < 0.35:
        limbs[1] = arms.pick(rng, u, n, {"hanging": 2, "holding": 1, "face": 1})[0]
    return Pose(limbs, stance(u, n, wide=(0.09, 0.2)), trunk=(u(-6, 6), 0, 0))


def point(rng, u, n):
    ahead, out = u(20, 110), u(0, 85)
    first = arm(ahead * (1 - out / 120), out, u(0, 18), UP + IN * u(0, 0.5))
    second = arms.pick(rng, u, n, {"hanging": 3, "hip": 1, "holding": 2, "pocket": 1})[0]
    return Pose([first, second], stance(u, n), trunk=(u(-4, 12), 0, u(-12, 12)),
                neck=(0, 0, 0.4 * out))  # fmt: skip


def dance(rng, u, n):
    limbs = arms.pick(rng, u, n, {"aside": 3, "raised": 1, "raised_aside": 1, "waving": 3, "hip": 1,
                                  "holding": 4, "forward": 1}, both=0.3)  # fmt: skip
    tilt = n(0, 6)
    if rng.random() < 0.4:  # on one leg
        legs = plant(body_rotation(0, tilt), [(u(0.03, 0.1), 0), (0.1, 0)], u(0, 0.06))
        legs[1] = leg(u(-25, 70), u(5, 40), u(20, 110), u(-10, 25))
    else:
        feet = [(u(0.1, 0.32), n(0, 0.12)), (u(0.1, 0.32), n(0, 0.12))]
        legs = plant(
            body_rotation(0, tilt), feet, u(0.01, 0.1), (0, u(0, 30)), FORWARD + OUT * u(0, 0.9)
        )
    return Pose(limbs, legs, trunk=(n(0, 8), n(0, 9), n(0, 12)), tilt=tilt)


def squat(rng, u, n):
    lean, drop = u(10, 30), u(0.24, 0.52)
    root, ahead, out = body_rotation(lean), u(0.1, 0.2), u(0.1, 0.24)
    pole, heel = FORWARD + OUT * u(0.1, 0.7), (0 if drop > 0.36 else u(0, 30))
    rise = LIFTED * np.sin(np.radians(heel)) - drop
    legs = [leg_to((out, -ahead + n(0, 0.02), rise), pole, root, heel) for _ in range(2)]
    limbs = arms.pick(rng, u, n, {"forward": 2, "table": 3, "holding": 2, "face": 1}, both=0.8)
    return Pose(limbs, legs, trunk=(u(8, 30), 0, 0), lean=lean, neck=(-14, 0, 0))


def kneel(rng, u, n):
    lean = n(2, 5)
    legs = [leg(u(-6, 6) + lean, u(1, 8), u(96, 101), pointed=50) for _ in range(2)]
    if rng.random() < 0.6:  # on one knee
        ankle = (u(0.08, 0.18), -u(0.3, 0.42), -0.375)
        legs[0] = leg_to(ankle, FORWARD + UP, body_rotation(lean))
    kinds = {"holding": 3, "forward": 1, "table": 2, "hanging": 1, "face": 2, "at_belly": 1}
    return Pose(arms.pick(rng, u, n, kinds), legs, trunk=(u(0, 25), 0, 0), lean=lean)


def lie(rng, u, n):
    """Lie on the back, on the front or on a side."""
    kind = rng.choice(3, p=(0.4, 0.25, 0.35))
    return (lie_on_back, lie_on_front, lie_on_side)[kind](rng, u, n)


def lie_on_back(rng, u, n):
    root = body_rotation(-90)
    legs = [leg(n(0, 3), u(3, 16), u(2, 10), pointed=15) for _ in range(2)]
    for i in range(2):
        if rng.random() < 0.4:  # the sole on the ground; head and trunk lie towards the back
            ankle = (u(0.06, 0.16), -u(0.4, 0.65), -0.02)
            legs[i] = leg_to(ankle, UP, root)
    limbs = arms.pick(rng, u, n, {"at_belly": 2, "holding": 1.5, "face": 1}, both=0.5)
    for i in range(2):
        if rng.random() < 0.6:
            limbs[i] = arm(u(-12, -4), u(18, 160), u(5, 50), FORWARD * 0.05 + UP)
    return Pose(limbs, legs, trunk=(u(-2, 8), n(0, 4), 0), neck=(u(0, 12), 0, 0), lean=-90)


def lie_on_front(rng, u, n):
    legs = [leg(n(7, 1.5), u(3, 18), u(1, 6), pointed=50) for _ in range(2)]
    if rng.random() < 0.3:
        legs[1] = leg(n(6, 2), u(3, 12), u(40, 100), pointed=25)
    propped = rng.random() < 0.5
    if propped:  # on the elbows
        limbs = [arm(u(65, 80), u(0, 12), u(80, 100), UP + IN * u(0, 0.6)) for _ in range(2)]
    else:
        limbs = [arm(u(4, 14), u(70, 150), u(30, 100), UP + FORWARD * 0.1) for _ in range(2)]
    trunk, neck = (u(-28, -18), u(-30, -10)) if propped else (u(-4, 2), u(-28, -12))
    return Pose(limbs, legs, trunk=(trunk, n(0, 3), 0), neck=(neck, 0, 0), lean=90)


def lie_on_side(rng, u, n):  # noqa: ARG001
    """Lie on the left side: on the back, rolled to the person's right."""
    curl = u(5, 60)
    legs = [leg(curl + u(0, 20), n(6, 2), curl * u(0.8, 1.5), pointed=20),
            leg(curl * u(0.6, 1.4), n(-6, 3), curl * u(0.8, 1.5), pointed=20)]  # fmt: skip
    limbs = [arm(u(60, 110), u(-6, 6), u(10, 110), UP + FORWARD * 0.1),
             arm(u(10, 60), u(-4, 10), u(20, 80), FORWARD + UP * u(-0.5, 0.5))]  # fmt: skip
    trunk, neck = (curl * u(0.1, 0.5), u(-3, 6), 0), (0, u(-6, 4), 0)
    return Pose(limbs, legs, trunk, neck, lean=-90, roll=90 + n(0, 6))
