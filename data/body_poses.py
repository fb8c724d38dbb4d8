"""A pose as anatomy, its limits, and its rotations of the bones of anny's rig.

A limb points somewhere and bends at elbow or knee; `to` finds both for a wrist or an ankle that
is to be at a place. Degrees and metres. The body's frame: x to the person's left, y to the back,
z up, origin between the hips; each limb is described as if it were a left one, and mirrored for
the right. Arms are described in the frame of the chest, lengths are those of anny's rest body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

FORWARD, UP, IN = np.array([0.0, -1, 0]), np.array([0.0, 0, 1]), np.array([-1.0, 0, 0])
BACK, DOWN, OUT = -FORWARD, -UP, -IN
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "neck02", "neck03", "head")
SHOULDER, ARM = np.array([0.165, -0.013, 0.427]), (0.253, 0.227)  # upper arm, forearm
HIP, LEG = np.array([0.102, 0.004, -0.007]), (0.393, 0.403)  # thigh, shin
STRETCHED, MOST_BENT = 0.999, 148  # share of a limb's length and degrees, at most, of `to`

LIMITS = {  # degrees; a pose beyond any of them is drawn anew
    "elbow bends": (0, 150),
    "upper arm backwards": (-180, 60),
    "upper arm across the chest": (-180, 45),
    "knee bends": (0, 155),
    "thigh forwards": (-40, 130),
    "thigh outwards": (-25, 65),
    "wrist": (0, 60),
    "ankle": (0, 50),
    "trunk forwards": (-30, 90),
    "trunk sideways": (-35, 35),
    "trunk turned": (-45, 45),
    "neck forwards": (-50, 50),
    "neck sideways": (-40, 40),
    "neck turned": (-70, 70),
}


@dataclass
class Limb:
    """Where upper arm or thigh points, how far elbow or knee bends and towards which side.

    hand: where the fingers point, as far as the wrist allows; None: straight on. heel: degrees by
    which the sole is lifted behind; None for a foot that rests on nothing, its toes `pointed` by
    some degrees.
    """

    along: np.ndarray
    bend: float
    towards: np.ndarray
    hand: np.ndarray | None = None
    heel: float | None = 0.0
    pointed: float = 20.0


@dataclass
class Pose:
    """Two limbs each, the left one first; trunk and neck forward, sideways and turned (both
    to the left); of the whole body: lean forward, tilt sideways, roll about its axis."""

    arms: list[Limb]
    legs: list[Limb]
    trunk: tuple[float, float, float] = (0, 0, 0)
    neck: tuple[float, float, float] = (0, 0, 0)
    lean: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    on_seat: bool = False

    def root(self) -> np.ndarray:
        return whole(self.lean, self.tilt, self.roll)

    def other_side(self) -> Pose:
        """The mirror image."""
        flip = np.array((1, -1, -1))
        trunk, neck = tuple(flip * self.trunk), tuple(flip * self.neck)
        return Pose(self.arms[::-1], self.legs[::-1], trunk, neck, self.lean, -self.tilt,
                    -self.roll, self.on_seat)  # fmt: skip


def rotation(axis: str, degrees) -> np.ndarray:
    return Rotation.from_euler(axis, degrees, degrees=True).as_matrix()


def whole(lean: float, tilt: float = 0.0, roll: float = 0.0) -> np.ndarray:
    return rotation("x", lean) @ rotation("y", tilt) @ rotation("z", roll)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def direction(swing: float, abduct: float) -> np.ndarray:
    """The unit vector of a left limb that hung down and was swung forward, then abducted."""
    a, b = np.radians((swing, abduct))
    return np.array([np.sin(b), -np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b)])


def arm(swing, abduct, bend, towards=FORWARD, hand=None) -> Limb:
    return Limb(direction(swing, abduct), bend, towards, hand)


def leg(swing, abduct, bend, twist=0.0, heel=None, pointed=20.0) -> Limb:
    """A thigh swung and abducted; `twist` turns the shin about it, outwards with the foot."""
    along, back = direction(swing, abduct), direction(swing - 90, 0)
    towards = Rotation.from_rotvec(np.radians(twist) * along).apply(back)
    return Limb(along, bend, towards, heel=heel, pointed=pointed)


def to(root: np.ndarray, lengths, target, pole) -> tuple[np.ndarray, float, np.ndarray]:
    """along, bend and towards of a limb from `root` whose end is at `target`, or as near as its
    length allows, and whose elbow or knee is on the side of `pole`."""
    a, b = lengths
    u = unit(target - root)
    nearest = np.sqrt(a**2 + b**2 - 2 * a * b * np.cos(np.radians(180 - MOST_BENT)))
    d = np.clip(np.linalg.norm(target - root), nearest, STRETCHED * (a + b))
    aside = unit(pole - (pole @ u) * u)
    angle = np.arccos((a**2 + d**2 - b**2) / (2 * a * d))
    bend = 180 - np.degrees(np.arccos((a**2 + b**2 - d**2) / (2 * a * b)))
    return np.cos(angle) * u + np.sin(angle) * aside, bend, -aside


def arm_to(wrist, pole=DOWN + 0.6 * OUT + 0.4 * BACK, hand=None) -> Limb:
    """wrist: in the frame of the chest, for a trunk that is upright and straight."""
    return Limb(*to(SHOULDER, ARM, np.asarray(wrist, float), pole), hand)


def leg_to(ankle, pole=FORWARD, root=None, heel=0.0) -> Limb:
    """ankle and pole: in the frame of the ground below the hips, when `root` turns the body."""
    turn = np.eye(3) if root is None else root
    return Limb(*to(HIP, LEG, turn.T @ np.asarray(ankle, float), turn.T @ pole), heel=heel)


def broken_limits(pose: Pose) -> list[str]:
    """Names of the LIMITS that a pose breaks."""
    angles = [*zip(("trunk forwards", "trunk sideways", "trunk turned"), pose.trunk, strict=True),
              *zip(("neck forwards", "neck sideways", "neck turned"), pose.neck,
                   strict=True)]  # fmt: skip
    for one in pose.arms:
        out, back, _ = np.degrees(np.arcsin(np.clip(unit(one.along), -1, 1)))
        angles += [("elbow bends", one.bend), ("upper arm backwards", back),
                   ("upper arm across the chest", -out)]  # fmt: skip
    for one in pose.legs:
        out = np.degrees(np.arcsin(np.clip(one.along[0], -1, 1)))
        ahead = np.degrees(np.arctan2(-one.along[1], -one.along[2]))
        angles += [("knee bends", one.bend), ("thigh outwards", out), ("thigh forwards", ahead)]
    return [name for name, angle in angles if not LIMITS[name][0] <= angle <= LIMITS[name][1]]


def frame(along: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return np.stack((along, axis, np.cross(along, axis)), 1)


def hinge(rest: tuple[np.ndarray, ...], limb: Limb):
    """Rotations of the upper and of the lower segment, and the axis of the joint between them.

    rest: the three joints of the limb in the rest pose, where it is bent a little.
    """
    upper, lower = unit(rest[1] - rest[0]), unit(rest[2] - rest[1])
    rest_bend = np.degrees(np.arccos(np.clip(upper @ lower, -1, 1)))
    axis = unit(np.cross(limb.along, limb.towards))
    first = frame(limb.along, axis) @ frame(upper, unit(np.cross(upper, lower))).T
    second = Rotation.from_rotvec(np.radians(limb.bend - rest_bend) * axis).as_matrix() @ first
    return first, second, axis


def mirrored(matrix: np.ndarray) -> np.ndarray:
    flip = np.diag([-1.0, 1, 1])
    return flip @ matrix @ flip


def limited(matrix: np.ndarray, degrees: float) -> np.ndarray:
    """The same rotation, turned no further than `degrees`."""
    vector = Rotation.from_matrix(matrix).as_rotvec()
    angle = np.degrees(np.linalg.norm(vector))
    return Rotation.from_rotvec(vector * min(1.0, degrees / max(angle, 1e-9))).as_matrix()


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The shortest rotation of the direction a into the direction b."""
    axis, angle = np.cross(a, b), np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)
    return Rotation.from_rotvec(axis / max(np.linalg.norm(axis), 1e-9) * angle).as_matrix()


def foot_on_shin(limb: Limb, root: np.ndarray, shin: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The foot's local rotation: level, or with the heel lifted, toes where the knee points."""
    if limb.heel is None:
        return rotation("x", limb.pointed)
    across = (root @ axis)[:2]
    yaw = np.degrees(np.arctan2(across[1], across[0])) if np.linalg.norm(across) > 0.4 else 0
    sole = rotation("z", np.clip(yaw, -60, 60) + 6) @ rotation("x", limb.heel)
    return limited((root @ shin).T @ sole, LIMITS["ankle"][1])


def bone_rotations(pose: Pose, rest: dict[str, tuple]) -> dict[str, np.ndarray]:
    """Local rotations by bone, about the axes of the rest pose; rest: joints of the left limbs,
    "arm" from shoulder to wrist and the tip of a finger, "leg" from hip to ankle."""
    bones = {"root": pose.root()}
    for chain, angles in ((SPINE, pose.trunk), (NECK, pose.neck)):
        part = rotation("xyz", np.divide(angles, len(chain)))
        bones.update(dict.fromkeys(chain, part))
    for side, one, other in zip("LR", pose.arms, pose.legs, strict=True):
        place = (lambda m: m) if side == "L" else mirrored
        upper, lower, _ = hinge(rest["arm"][:3], one)
        raised = np.degrees(np.arccos(np.clip(-one.along[2], -1, 1)))
        clavicle = rotation("y", -0.18 * max(0.0, raised - 30))  # the shoulder follows the arm
        bones[f"clavicle.{side}"] = place(clavicle)
        bones[f"upperarm01.{side}"] = place(clavicle.T @ upper)
        bones[f"lowerarm01.{side}"] = place(upper.T @ lower)
        if one.hand is not None:
            finger = unit(rest["arm"][3] - rest["arm"][2])
            hand = limited(between(finger, lower.T @ unit(one.hand)), LIMITS["wrist"][1])
            bones[f"wrist.{side}"] = place(hand)
        upper, lower, axis = hinge(rest["leg"], other)
        foot = foot_on_shin(other, place(bones["root"]), lower, axis)
        bones[f"upperleg01.{side}"] = place(upper)
        bones[f"lowerleg01.{side}"] = place(upper.T @ lower)
        bones[f"foot.{side}"] = place(foot)
    return bones
