"""The camera that sees a scene."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Camera(NamedTuple):
    """A pinhole `height` metres above the ground that looks along +y, `pitch` radians downwards,
    then turned by `roll` radians about its axis (a positive roll turns the picture clockwise).

    focal: pixels. centre: pixel that the axis meets, both in x and in y.
    """

    focal: float
    height: float
    pitch: float
    roll: float
    centre: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in metres (x right, y away, z up) to x, y in pixels and depth."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2] - self.height
        cos, sin = np.float32(np.cos(self.pitch)), np.float32(np.sin(self.pitch))
        depth = y * cos - z * sin
        down = -(y * sin + z * cos)
        scale = self.focal / depth
        cos, sin = np.float32(np.cos(self.roll)), np.float32(np.sin(self.roll))
        right, down = (cos * x - sin * down) * scale, (sin * x + cos * down) * scale
        return np.stack((self.centre + right, self.centre + down, depth), -1)

    def rays(self, points: np.ndarray) -> np.ndarray:
        """Directions (..., 3) in the world through pixels x, y (..., 2), 1 m deep each."""
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        right, down = np.moveaxis((np.asarray(points) - self.centre) / self.focal, -1, 0)
        right, down = cos * right + sin * down, -sin * right + cos * down
        cos, sin = np.cos(self.pitch), np.sin(self.pitch)
        return np.stack((right, cos - sin * down, -cos * down - sin), -1)

    def scaled(self, factor: float) -> Camera:
        """The same camera over an image of `factor` times as many pixels a side."""
        centre = (self.centre + 0.5) * factor - 0.5
        return self._replace(focal=self.focal * factor, centre=centre)
