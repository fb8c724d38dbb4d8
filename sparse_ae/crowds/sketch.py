"""A crowd drawn small, of coarse bodies, to see within a millisecond who could be labelled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.raster import Surface, draw, empty_surface
from sparse_ae.crowds.labels import Places, Truth, describe, locate
from sparse_ae.crowds.layout import Layout
from sparse_ae.crowds.people.bodies import Bodies
from sparse_ae.crowds.place.things import Mesh

SIDE = 96  # samples
EVERY = 5  # of a dressed body's vertices, one in so many tells its outline
CELL = 0.075  # metres: body vertices closer together are one


class Coarse(NamedTuple):
    """C of the vertices of a bank's N bodies, (N, C, 3) float32, and the triangles among them,
    (G, 3) int32."""

    vertices: np.ndarray
    triangles: np.ndarray


_COARSE: dict[str, Coarse] = {}  # by the bank's digest


def coarse(bodies: Bodies) -> Coarse:
    """The coarse mesh of a bank's bodies."""
    if bodies.digest not in _COARSE:
        cells = np.floor(bodies.template / CELL).astype(int)
        _, first, cluster = np.unique(cells, axis=0, return_index=True, return_inverse=True)
        small = cluster.ravel()[bodies.triangles]
        a, b, c = small.T
        small = np.unique(small[(a != b) & (b != c) & (c != a)], axis=0)
        _COARSE[bodies.digest] = Coarse(
            np.ascontiguousarray(bodies.vertices[:, first]), small.astype(np.int32)
        )
    return _COARSE[bodies.digest]


class Sketch(NamedTuple):
    """A crowd drawn small.

    bodies; layout: of its P persons, its camera that of the samples; places: of the persons in
    samples; surface: SIDE × SIDE samples.
    """

    bodies: Bodies
    layout: Layout
    places: Places
    surface: Surface

    def truth(self) -> Truth:
        """What can be said of the persons, in samples."""
        return describe(self.places, self.surface, SIDE)

    def with_mesh(self, mesh: Mesh) -> Sketch:
        """The same with a thing."""
        surface = Surface(*(values.copy() for values in self.surface))
        corners = self.layout.camera.project(mesh.vertices.astype(np.float32))
        draw(surface, corners, mesh.triangles.astype(np.int32), len(self.layout.body))
        return self._replace(surface=surface)

    def with_body(self, other: Layout) -> Sketch:
        """The same with other persons, who do not count."""
        surface = Surface(*(values.copy() for values in self.surface))
        _draw(
            self.bodies, other._replace(camera=self.layout.camera), surface, len(self.layout.body)
        )
        return self._replace(surface=surface)


def sketch(bodies: Bodies, layout: Layout, dressed: np.ndarray) -> Sketch:
    """A crowd drawn small. dressed: (P, W, 3), the bodies in clothes in their own frames."""
    camera = layout.camera.scaled(SIDE / (2 * layout.camera.centre + 1))
    surface, layout = empty_surface(SIDE), layout._replace(camera=camera)
    _draw(bodies, layout, surface, 0)
    outline = layout.camera.project(layout.in_world(dressed[:, ::EVERY]))
    return Sketch(bodies, layout, locate(bodies, layout, outline, SIDE, 1), surface)


def _draw(bodies: Bodies, layout: Layout, surface: Surface, first: int) -> None:
    """Draw coarse bodies, numbered from `first`, into a surface."""
    mesh = coarse(bodies)
    points = layout.in_world(mesh.vertices[layout.body])
    screen = layout.camera.project(points)
    for i in range(len(screen)):
        draw(surface, screen[i], mesh.triangles, first + i, 0, len(mesh.triangles))
