"""Is a posed body possible: does a limb lie in the rest of it, does it rest on the ground?

Works on the arrays of bodies.npz alone: numpy and numba.
"""

from __future__ import annotations

import numpy as np
from numba import njit

HEAD, TRUNK, ARM, LEG = range(4)
# per tested piece: part, from and to which coordinate along it, and where that part's own surface
# begins and ends that counts as the same piece; skin within a joint's fold is not tested
PIECES = {
    "upper arm": (ARM, 0.55, 1.0, -9, 9),
    "forearm": (ARM, 1.25, 2.0, -9, 9),
    "hand": (ARM, 2.0, 9, 1.0, 9),
    "thigh": (LEG, 0.5, 1.0, -9, 9),
    "shin": (LEG, 1.25, 2.0, -9, 9),
    "foot": (LEG, 2.0, 9, 1.0, 9),
}
MOST_INSIDE, DEEPEST = 0.06, 0.01  # share of a piece's vertices in the body, metres into it
FEET = ("left foot", "right foot")
# metres above the ground at most of what a family rests on; of the others one foot at least
RESTS = {
    **dict.fromkeys(("standing", "arms crossed", "hands at the hips", "pointing"), (FEET, 0.025)),
    **dict.fromkeys(("bending", "lifting", "squatting", "crouched in sport", "swinging a bat",
                     "sitting"), (FEET, 0.04)),
    **dict.fromkeys(("walking", "reaching", "arms raised", "throwing and racket"), (FEET, 0.06)),
    "kneeling": (("left leg", "right leg", "a knee"), 0.04),
    **dict.fromkeys(("sitting on the ground", "lying"), (("trunk",), 0.05)),
}  # fmt: skip


@njit(cache=True)
def winding(points, corners):
    """(N,) generalised winding number of points (N, 3) in triangles (F, 3, 3): 1 inside."""
    found = np.zeros(len(points))
    for i in range(len(points)):
        px, py, pz = points[i]
        total = 0.0
        for f in range(len(corners)):
            ax, ay, az = corners[f, 0, 0] - px, corners[f, 0, 1] - py, corners[f, 0, 2] - pz
            bx, by, bz = corners[f, 1, 0] - px, corners[f, 1, 1] - py, corners[f, 1, 2] - pz
            cx, cy, cz = corners[f, 2, 0] - px, corners[f, 2, 1] - py, corners[f, 2, 2] - pz
            la = np.sqrt(ax * ax + ay * ay + az * az)
            lb = np.sqrt(bx * bx + by * by + bz * bz)
            lc = np.sqrt(cx * cx + cy * cy + cz * cz)
            top = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
            under = la * lb * lc + (ax * bx + ay * by + az * bz) * lc
            under += (bx * cx + by * cy + bz * cz) * la + (cx * ax + cy * ay + cz * az) * lb
            total += np.arctan2(top, under)
        found[i] = total / (2 * np.pi)
    return found


@njit(cache=True)
def distance_to(points, corners):
    """(N,) distance from points (N, 3) to the nearest of triangles (F, 3, 3)."""
    found = np.full(len(points), np.inf)
    for i in range(len(points)):
        for f in range(len(corners)):
            a = corners[f, 0]
            u, v, p = corners[f, 1] - a, corners[f, 2] - a, points[i] - a
            uu, uv, vv = (u * u).sum(), (u * v).sum(), (v * v).sum()
            pu, pv = (p * u).sum(), (p * v).sum()
            area = uu * vv - uv * uv
            s, t = 0.0, 0.0
            if area > 1e-16:
                s, t = (vv * pu - uv * pv) / area, (uu * pv - uv * pu) / area
            if s < 0 or t < 0 or s + t > 1 or area <= 1e-16:  # the nearest point is on an edge
                best = np.inf
                for k in range(3):
                    e0, e1 = corners[f, k], corners[f, (k + 1) % 3]
                    e, q = e1 - e0, points[i] - e0
                    w = min(1.0, max(0.0, (q * e).sum() / max((e * e).sum(), 1e-16)))
                    r = q - w * e
                    best = min(best, (r * r).sum())
            else:
                r = p - s * u - t * v
                best = (r * r).sum()
            found[i] = min(found[i], np.sqrt(best))
    return found


class Anatomy:
    """Which vertices and triangles belong to which piece of the body, left and right.

    triangles: (F, 3). parts: (F,) of the triangles. along: (V, 4). template: (V, 3).
    """

    def __init__(self, triangles, parts, along, template):
        self.triangles = np.asarray(triangles, int)
        votes = np.zeros((len(template), 4))
        np.add.at(votes, (self.triangles, np.asarray(parts, int)[:, None]), 1)
        self.parts = votes.argmax(1)
        self.vertices, self.others = {}, {}
        self.regions = {"trunk": np.flatnonzero(self.parts == TRUNK),
                        "head": np.flatnonzero(self.parts == HEAD)}  # fmt: skip
        place = np.take_along_axis(along, self.parts[:, None], 1)[:, 0]
        faces = np.median(self.parts[self.triangles], 1), np.median(place[self.triangles], 1)
        for side, on in (("left", template[:, 0] > 0), ("right", template[:, 0] <= 0)):
            face_on = np.median(on[self.triangles], 1) > 0.5
            for name, (part, low, high, start, end) in PIECES.items():
                chosen = on & (self.parts == part) & (place > low) & (place <= high)
                same = face_on & (faces[0] == part) & (faces[1] > start) & (faces[1] <= end)
                self.vertices[side, name] = np.flatnonzero(chosen)
                self.others[side, name] = self.triangles[~same]
            knee = on & (self.parts == LEG) & (place > 0.8) & (place <= 1.3)
            self.regions[f"{side} knee"] = np.flatnonzero(knee)
            self.regions[f"{side} foot"] = self.vertices[side, "foot"]

    def depths(self, body: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        """Per piece how deep each of its vertices lies inside the rest of the body (V, 3), metres;
        0 outside."""
        found = {}
        for key, index in self.vertices.items():
            points, corners = body[index].astype(float), body[self.others[key]].astype(float)
            deep = np.zeros(len(index))
            near = box_holds(points, corners)
            inside = near[winding(points[near], corners) > 0.5]
            deep[inside] = distance_to(points[inside], corners)
            found[key] = deep
        return found

    def lowest(self, body: np.ndarray) -> dict[str, float]:
        """Height of the lowest vertex of trunk, head, feet, legs from the knees on, knees."""
        found = {name: body[index, 2].min() for name, index in self.regions.items()}
        for side in ("left", "right"):
            found[f"{side} leg"] = min(found[f"{side} foot"], found[f"{side} knee"])
        return found | {"a knee": min(found["left knee"], found["right knee"])}

    def fault(self, body: np.ndarray, family: str) -> str | None:
        """Why a body that touches the ground at z = 0 is none to keep, or None."""
        lowest = self.lowest(body)
        rests, highest = RESTS.get(family, (FEET, np.inf))
        if max(lowest[part] for part in rests) > highest or min(lowest[p] for p in rests) > 0.05:
            return "not on the ground"
        for (_, name), deep in self.depths(body).items():
            if (deep > 0).mean() > MOST_INSIDE or deep.max() > DEEPEST:
                return f"{name} inside the body"
        return None


def box_holds(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Indices of the points within the box around the corners."""
    low, high = corners.min((0, 1)), corners.max((0, 1))
    return np.flatnonzero(((points > low) & (points < high)).all(1))
