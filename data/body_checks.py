"""Check whether a posed body is possible: no limb lies inside it, and it rests on the ground.

This works on the arrays of bodies.npz alone and needs NumPy and numba.
"""

from __future__ import annotations

import numpy as np
from numba import njit

HEAD, TRUNK, ARM, LEG = range(4)
# Per tested piece: its part; the range of coordinates along the part that is tested; and the range
# of the part's surface that counts as the same piece. Skin within a joint's fold is not tested.
PIECES = {
    "upper arm": (ARM, 0.55, 1.0, -9, 9),
    "forearm": (ARM, 1.25, 2.0, -9, 9),
    "hand": (ARM, 2.0, 9, 1.0, 9),
    "thigh": (LEG, 0.5, 1.0, -9, 9),
    "shin": (LEG, 1.25, 2.0, -9, 9),
    "foot": (LEG, 2.0, 9, 1.0, 9),
}
MOST_INSIDE = 0.06  # largest share of a piece's vertices that may lie inside the body
DEEPEST = 0.01  # metres that a vertex may lie inside the body
FEET = ("left foot", "right foot")
# Per family, what it rests on, and the largest height of that above the ground, metres. All other
# families need one foot on the ground.
RESTS = {
    **dict.fromkeys(("standing", "arms crossed", "hands at the hips", "pointing"), (FEET, 0.025)),
    **dict.fromkeys(("bending", "lifting", "squatting", "crouched in sport", "swinging a bat",
                     "sitting"), (FEET, 0.04)),
    **dict.fromkeys(("walking", "reaching", "arms raised", "throwing and racket"), (FEET, 0.06)),
    "kneeling": (("left leg", "right leg", "a knee"), 0.04),
    **dict.fromkeys(("sitting on the ground", "lying"), (("trunk",), 0.05)),
}  # fmt: skip


@njit(cache=True)
def winding_number(points, corners):
    """Return (N,) generalised winding numbers of points (N, 3) in triangles (F, 3, 3): 1 inside."""
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
def distance_to_triangles(points, corners):
    """Return (N,) distances from points (N, 3) to the nearest of triangles (F, 3, 3)."""
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
    """Tell which vertices and triangles belong to which piece of the body, left and right.

    Args:
        triangles: (F, 3) vertices of each triangle.
        parts: (F,) part of each triangle.
        along: (V, 4) coordinates at which garments end.
        template: (V, 3) metres, the rest pose.
    """

    def __init__(self, triangles, parts, along, template):
        self.triangles = np.asarray(triangles, int)
        votes = np.zeros((len(template), 4))
        np.add.at(votes, (self.triangles, np.asarray(parts, int)[:, None]), 1)
        self.parts = votes.argmax(1)
        self.vertices, self.others = {}, {}
        self.regions = {"trunk": np.flatnonzero(self.parts == TRUNK),
                        "head": np.flatnonzero(self.parts == HEAD)}  # fmt: skip
        coordinate = np.take_along_axis(along, self.parts[:, None], 1)[:, 0]
        faces = np.median(self.parts[self.triangles], 1), np.median(coordinate[self.triangles], 1)
        for side, on in (("left", template[:, 0] > 0), ("right", template[:, 0] <= 0)):
            face_on = np.median(on[self.triangles], 1) > 0.5
            for name, (part, low, high, start, end) in PIECES.items():
                chosen = on & (self.parts == part) & (coordinate > low) & (coordinate <= high)
                same = face_on & (faces[0] == part) & (faces[1] > start) & (faces[1] <= end)
                self.vertices[side, name] = np.flatnonzero(chosen)
                self.others[side, name] = self.triangles[~same]
            knee = on & (self.parts == LEG) & (coordinate > 0.8) & (coordinate <= 1.3)
            self.regions[f"{side} knee"] = np.flatnonzero(knee)
            self.regions[f"{side} foot"] = self.vertices[side, "foot"]

    def depths(self, body: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        """Measure how deep the vertices of each piece lie inside the rest of a body.

        Args:
            body: (V, 3) metres.

        Returns:
            For each side and piece, metres per vertex, 0 outside.
        """
        found = {}
        for key, index in self.vertices.items():
            points, corners = body[index].astype(float), body[self.others[key]].astype(float)
            deep = np.zeros(len(index))
            near = points_in_box(points, corners)
            inside = near[winding_number(points[near], corners) > 0.5]
            deep[inside] = distance_to_triangles(points[inside], corners)
            found[key] = deep
        return found

    def lowest(self, body: np.ndarray) -> dict[str, float]:
        """Return the height of the lowest vertex of each region: trunk, head, feet, knees, legs.

        A leg counts from the knee down; the two knees also count as one region.
        """
        found = {name: body[index, 2].min() for name, index in self.regions.items()}
        for side in ("left", "right"):
            found[f"{side} leg"] = min(found[f"{side} foot"], found[f"{side} knee"])
        return found | {"a knee": min(found["left knee"], found["right knee"])}

    def reason_to_refuse(self, body: np.ndarray, family: str) -> str | None:
        """Say why a body is not possible, or return None.

        Args:
            body: (V, 3) metres, touching the ground at z = 0.
            family: Family of the pose, which says what must rest on the ground.
        """
        lowest = self.lowest(body)
        rests, highest = RESTS.get(family, (FEET, np.inf))
        if max(lowest[part] for part in rests) > highest or min(lowest[p] for p in rests) > 0.05:
            return "not on the ground"
        for (_, name), deep in self.depths(body).items():
            if (deep > 0).mean() > MOST_INSIDE or deep.max() > DEEPEST:
                return f"{name} inside the body"
        return None


def points_in_box(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return the indices of the points within the box around the corners."""
    low, high = corners.min((0, 1)), corners.max((0, 1))
    return np.flatnonzero(((points > low) & (points < high)).all(1))
