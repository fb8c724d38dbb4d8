"""A z-buffer rasteriser: from triangles to the surface that each sample of the image sees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.runtime.kernels import kernel

SAMPLES = 2  # per side of a pixel, for smooth edges
EDGE = 1e-4  # overlap of triangles, in weights, which keeps rounding from leaving holes


class Surface(NamedTuple):
    """What each of S×S samples sees.

    Attributes:
        inverse_depth: (S, S) float32, 1 / depth in metres; 0 where nothing was drawn.
        owner: (S, S) int16, index of the mesh; -1 where nothing was drawn.
        face: (S, S) int32, index of the triangle.
        weights: (S, S, 2) float32, barycentric weights of the triangle's first two corners.
    """

    inverse_depth: np.ndarray
    owner: np.ndarray
    face: np.ndarray
    weights: np.ndarray


def empty_surface(size: int) -> Surface:
    """Return a surface of `size` × `size` samples on which nothing was drawn."""
    return Surface(
        np.zeros((size, size), np.float32),
        np.full((size, size), -1, np.int16),
        np.empty((size, size), np.int32),  # meaningless where there is no owner
        np.empty((size, size, 2), np.float32),
    )


@kernel
def rasterise(surface, points, triangles, owner, first=0, closed=0):
    """Draw one mesh into `surface`, in place.

    Args:
        surface: The Surface to draw into.
        points: (V, 3) float32: x, y in samples (sample centres at integers), depth in metres.
        triangles: (F, 3) int32; those nearer than 0.1 m are left out.
        owner: Number of the mesh.
        first: Number of the first triangle.
        closed: The first `closed` triangles are the outside of a closed mesh, counter-clockwise
            seen from outside. Those that face away are left out.
    """
    inverse_depth, owners, faces, weights = surface
    size = inverse_depth.shape[0]
    last, inverse = size - 1.0, np.empty(len(points))
    for v in range(len(points)):
        inverse[v] = 1.0 / points[v, 2]
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ax, ay, bx, by = points[a, 0], points[a, 1], points[b, 0], points[b, 1]
        cx, cy = points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if (area > 0 and f < closed) or abs(area) < 1e-12:
            continue
        x0, x1 = max(0.0, np.ceil(min(ax, bx, cx))), min(last, np.floor(max(ax, bx, cx)))
        y0, y1 = max(0.0, np.ceil(min(ay, by, cy))), min(last, np.floor(max(ay, by, cy)))
        if x0 > x1 or y0 > y1 or min(points[a, 2], points[b, 2], points[c, 2]) < 0.1:
            continue
        nc = inverse[c]
        na, nb = inverse[a] - nc, inverse[b] - nc
        # Change of the two weights per sample to the right, and per sample down.
        right_a, right_b = (by - cy) / area, (cy - ay) / area
        down_a, down_b = (cx - bx) / area, (ax - cx) / area
        row_a = right_a * (x0 - cx) + down_a * (y0 - cy)
        row_b = right_b * (x0 - cx) + down_b * (y0 - cy)
        first_x, last_x = int(x0), int(x1)
        for y in range(int(y0), int(y1) + 1):
            wa, wb, inside = row_a, row_b, False
            for x in range(first_x, last_x + 1):
                if wa > -EDGE and wb > -EDGE and wa + wb < 1.0 + EDGE:
                    inside = True
                    near = nc + wa * na + wb * nb
                    if near > inverse_depth[y, x]:
                        inverse_depth[y, x] = near
                        owners[y, x] = owner
                        faces[y, x] = first + f
                        weights[y, x, 0] = wa
                        weights[y, x, 1] = wb
                elif inside:  # beyond the triangle's right edge
                    break
                wa += right_a
                wb += right_b
            row_a += down_a
            row_b += down_b


@kernel
def vertex_normals(vertices, triangles):
    """Return (V, 3) float32 unit normals: the area-weighted mean of the triangles around a vertex.

    Args:
        vertices: (V, 3) float32.
        triangles: (F, 3) int32.
    """
    normals = np.zeros_like(vertices)
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ox, oy, oz = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        ux, uy, uz = vertices[b, 0] - ox, vertices[b, 1] - oy, vertices[b, 2] - oz
        vx, vy, vz = vertices[c, 0] - ox, vertices[c, 1] - oy, vertices[c, 2] - oz
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (a, b, c):
            normals[v, 0] += x
            normals[v, 1] += y
            normals[v, 2] += z
    for v in range(len(normals)):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0:
            normals[v, 0], normals[v, 1], normals[v, 2] = x / length, y / length, z / length
    return normals


@kernel
def visible_joints(surface, joints, tolerance):
    """Return whether each joint is on the surface that the camera sees.

    Joints lie under the skin. Of the nine samples around a joint, three must see its own body's
    surface at most `tolerance` metres in front of it, or none may see anything in front of it.

    Args:
        surface: What each sample sees; persons own the first meshes.
        joints: (P, K, 3): x, y in samples, depth in metres.
        tolerance: (P, K) metres.

    Returns:
        (P, K) bool.
    """
    size = surface.inverse_depth.shape[0]
    result = np.zeros(joints.shape[:2], np.bool_)
    for p in range(joints.shape[0]):
        for k in range(joints.shape[1]):
            depth, own, hidden = joints[p, k, 2], 0, False
            x, y = int(np.rint(joints[p, k, 0])), int(np.rint(joints[p, k, 1]))
            for j in range(max(0, y - 1), min(size, y + 2)):
                for i in range(max(0, x - 1), min(size, x + 2)):
                    near = surface.inverse_depth[j, i]
                    hidden |= near * depth > 1
                    if surface.owner[j, i] == p and near * (depth - tolerance[p, k]) <= 1:
                        own += 1
            result[p, k] = own >= 3 or not hidden
    return result


@kernel
def person_ids(owner, persons, factor):
    """Turn owners of samples into person ids of pixels, by majority.

    Args:
        owner: (S·factor, S·factor) owners of the samples. Meshes numbered from `persons` on are not
            persons and count as background.
        persons: P, the number of persons.
        factor: Side of a pixel, samples.

    Returns:
        (S, S) int16 ids, -1 for background, and (P,) float32, each person's number of pixels.
    """
    size = owner.shape[0] // factor
    ids = np.full((size, size), -1, np.int16)
    votes, areas = np.zeros(persons, np.int64), np.zeros(persons, np.float32)
    for y in range(size):
        for x in range(size):
            first, alike = owner[y * factor, x * factor], True
            for j in range(factor):
                for i in range(factor):
                    alike &= owner[y * factor + j, x * factor + i] == first
            if alike:
                best = first if first < persons else -1
            else:
                best = majority_owner(owner, votes, y * factor, x * factor, factor)
            if best >= 0:
                ids[y, x] = best
                areas[best] += 1
    return ids, areas


@kernel
def majority_owner(owner, votes, top, left, factor):
    """Return the person that most of a pixel's samples see, or -1."""
    votes[:] = 0
    none = 0
    for j in range(factor):
        for i in range(factor):
            who = owner[top + j, left + i]
            if 0 <= who < len(votes):
                votes[who] += 1
            else:
                none += 1
    best = np.argmax(votes)
    return best if votes[best] >= none else -1


@kernel
def frame_boxes(points, size, factor):
    """Return the boxes around the points that lie in the frame.

    The frame ends half a pixel beyond the outermost pixel centres. A mesh cut by the frame reaches
    to its edge.

    Args:
        points: (P, V, 3) float32, x, y in samples.
        size: Side of the picture, pixels.
        factor: Side of a pixel, samples.

    Returns:
        (P, 4) x, y, width, height in pixels; 0 for a mesh outside the frame.
    """
    boxes = np.zeros((len(points), 4), np.float32)
    first, last = -0.5, size - 0.5
    x, y = np.empty(points.shape[1], np.float32), np.empty(points.shape[1], np.float32)
    half, scale = np.float32(0.5), np.float32(factor)
    for p in range(len(points)):
        for v in range(len(x)):
            x[v], y[v] = points[p, v, 0], points[p, v, 1]
            if factor > 1:
                x[v], y[v] = (x[v] + half) / scale - half, (y[v] + half) / scale - half
        margin = 0.04 * max(x.max() - x.min(), y.max() - y.min())  # about the length of a triangle
        left, right, top, bottom = last, first, last, first
        for v in range(len(x)):
            beyond = max(first - x[v], x[v] - last, first - y[v], y[v] - last)
            if beyond < margin:
                left, right = min(left, max(x[v], first)), max(right, min(x[v], last))
                top, bottom = min(top, max(y[v], first)), max(bottom, min(y[v], last))
        if left <= right:
            boxes[p, 0], boxes[p, 1] = left, top
            boxes[p, 2], boxes[p, 3] = right - left, bottom - top
    return boxes
