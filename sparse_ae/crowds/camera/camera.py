"""The camera that sees a scene."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.portable import cos_sin
from sparse_ae.runtime.kernels import kernel


class Camera(NamedTuple):
    """A pinhole camera that looks along +y.

    Attributes:
        focal: Focal length, pixels.
        height: Metres above the ground.
        pitch: Downward tilt, radians.
        roll: Rotation about its axis after the tilt, radians; a positive roll turns the picture
            clockwise.
        centre: Pixel that the axis meets, the same in x and in y.
    """

    focal: float
    height: float
    pitch: float
    roll: float
    centre: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project world points into the picture.

        Args:
            points: (..., 3) metres: x right, y away, z up.

        Returns:
            (..., 3) x and y in pixels, depth in metres.
        """
        flat = np.ascontiguousarray(points).reshape(-1, 3)
        return _project(flat, *self._numbers()).reshape(points.shape)

    def _numbers(self) -> tuple[float, ...]:
        """Return the fields as floats, which kernels take."""
        return tuple(map(float, self))

    def bounding_boxes(self, points: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return the boxes around P sets of points, each moved to a position.

        They equal minima and maxima over `project`, but take much less time.

        Args:
            points: (P, N, 3) metres.
            positions: (P, 3) metres, added to each set of points.

        Returns:
            (P, 4) left, top, right, bottom in pixels.
        """
        return _bounds(points, np.asarray(positions, np.float64), *self._numbers())

    def rays(self, points: np.ndarray) -> np.ndarray:
        """Return the directions in the world through pixels x, y (..., 2), each 1 m deep."""
        cos, sin = cos_sin(self.roll)
        right, down = np.moveaxis((np.asarray(points) - self.centre) / self.focal, -1, 0)
        right, down = cos * right + sin * down, -sin * right + cos * down
        cos, sin = cos_sin(self.pitch)
        return np.stack((right, cos - sin * down, -cos * down - sin), -1)

    def scaled(self, factor: float) -> Camera:
        """Return the same camera for an image with `factor` times as many pixels per side."""
        centre = (self.centre + 0.5) * factor - 0.5
        return self._replace(focal=self.focal * factor, centre=centre)


@kernel
def _project(points, focal, height, pitch, roll, centre):
    """Project world points (N, 3) to x and y in pixels and depth in metres."""
    (cos, sin), (rolled_cos, rolled_sin) = cos_sin(pitch), cos_sin(roll)
    found = np.empty_like(points)
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2] - height
        depth = y * cos - z * sin
        scale, down = focal / depth, -(y * sin + z * cos)
        found[n, 0] = centre + (rolled_cos * x - rolled_sin * down) * scale
        found[n, 1] = centre + (rolled_sin * x + rolled_cos * down) * scale
        found[n, 2] = depth
    return found


@kernel
def _bounds(points, positions, focal, height, pitch, roll, centre):
    """Return (P, 4) left, top, right, bottom of points (P, N, 3) moved to positions (P, 3)."""
    (cos, sin), (rolled_cos, rolled_sin) = cos_sin(pitch), cos_sin(roll)
    found = np.zeros((len(points), 4))
    for p in range(len(points)):
        left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
        for n in range(points.shape[1]):
            x, y = points[p, n, 0] + positions[p, 0], points[p, n, 1] + positions[p, 1]
            z = points[p, n, 2] + positions[p, 2] - height
            scale = focal / (y * cos - z * sin)
            down = -(y * sin + z * cos)
            across = (rolled_cos * x - rolled_sin * down) * scale
            down = (rolled_sin * x + rolled_cos * down) * scale
            left, right = min(left, across), max(right, across)
            top, bottom = min(top, down), max(bottom, down)
        found[p] = (centre + left, centre + top, centre + right, centre + bottom)
    return found
