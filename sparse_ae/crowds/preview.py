"""A small preview of a crowd, drawn in a millisecond, to see who can be labelled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.raster import Surface, empty_surface, rasterise
from sparse_ae.crowds.labels import Labels, ProjectedPeople, make_labels, project_people
from sparse_ae.crowds.layout import OUTLINE_STRIDE, Layout
from sparse_ae.crowds.people.bodies import Bodies
from sparse_ae.crowds.surroundings.props import Mesh

PREVIEW_SIDE = 96  # samples per side
CLUSTER_CELL = 0.075  # metres; body vertices in one cell become one vertex


class CoarseBodies(NamedTuple):
    """A coarse mesh of a bank's N bodies.

    Attributes:
        vertices: (N, C, 3) float32 metres, C of the bank's vertices.
        triangles: (G, 3) int32, the triangles among them.
    """

    vertices: np.ndarray
    triangles: np.ndarray


_COARSE: dict[str, CoarseBodies] = {}  # keyed by the bank's digest


def coarse_bodies(bodies: Bodies) -> CoarseBodies:
    """Return the coarse mesh of a bank's bodies, made once per bank."""
    if bodies.digest not in _COARSE:
        cells = np.floor(bodies.template / CLUSTER_CELL).astype(int)
        _, first, cluster = np.unique(cells, axis=0, return_index=True, return_inverse=True)
        small = cluster.ravel()[bodies.triangles]
        a, b, c = small.T
        small = np.unique(small[(a != b) & (b != c) & (c != a)], axis=0)
        _COARSE[bodies.digest] = CoarseBodies(
            np.ascontiguousarray(bodies.vertices[:, first]), small.astype(np.int32)
        )
    return _COARSE[bodies.digest]


class Preview(NamedTuple):
    """A crowd drawn small.

    Attributes:
        bodies: The bank of bodies.
        layout: Who stands where; its camera is in samples.
        people: The P persons as projected.
        surface: What each of PREVIEW_SIDE × PREVIEW_SIDE samples sees.
    """

    bodies: Bodies
    layout: Layout
    people: ProjectedPeople
    surface: Surface

    def labels(self) -> Labels:
        """Compute the labels, in samples."""
        return make_labels(self.people, self.surface, PREVIEW_SIDE)

    def with_mesh(self, mesh: Mesh) -> Preview:
        """Return the preview with a prop added."""
        surface = Surface(*(values.copy() for values in self.surface))
        corners = self.layout.camera.project(mesh.vertices.astype(np.float32))
        rasterise(surface, corners, mesh.triangles.astype(np.int32), len(self.layout.body))
        return self._replace(surface=surface)

    def with_people(self, other: Layout) -> Preview:
        """Return the preview with other people added, who get no labels."""
        surface = Surface(*(values.copy() for values in self.surface))
        _draw_people(
            self.bodies, other._replace(camera=self.layout.camera), surface, len(self.layout.body)
        )
        return self._replace(surface=surface)


def draw_preview(bodies: Bodies, layout: Layout, dressed: np.ndarray) -> Preview:
    """Draw a crowd small.

    Args:
        bodies: The bank of bodies.
        layout: Who stands where, and the camera, in pixels.
        dressed: (P, W, 3) metres, vertices of the dressed bodies in their own frames.
    """
    camera = layout.camera.scaled(PREVIEW_SIDE / (2 * layout.camera.centre + 1))
    surface, layout = empty_surface(PREVIEW_SIDE), layout._replace(camera=camera)
    _draw_people(bodies, layout, surface, 0)
    outline = layout.camera.project(layout.to_world(dressed[:, ::OUTLINE_STRIDE]))
    return Preview(
        bodies, layout, project_people(bodies, layout, outline, PREVIEW_SIDE, 1), surface
    )


def _draw_people(bodies: Bodies, layout: Layout, surface: Surface, first: int) -> None:
    """Draw coarse bodies, numbered from `first`, into a surface."""
    mesh = coarse_bodies(bodies)
    points = layout.to_world(mesh.vertices[layout.body])
    screen = layout.camera.project(points)
    for i in range(len(screen)):
        rasterise(surface, screen[i], mesh.triangles, first + i, 0, len(mesh.triangles))
