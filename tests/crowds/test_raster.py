"""Projection and rasteriser, against values worked out by hand."""

import numpy as np
import pytest

from sparse_ae.crowds.camera.camera import Camera
from sparse_ae.crowds.camera.raster import (
    empty_surface,
    frame_boxes,
    person_ids,
    rasterise,
    vertex_normals,
)
from sparse_ae.crowds.layout import Layout


def test_projection_by_hand():
    level = Camera(focal=100.0, height=1.0, pitch=0.0, roll=0.0, centre=50.0)
    points = np.array([(1, 10, 1), (0, 10, 3), (-2, 5, 0)], float)
    expected = [(60, 50, 10), (50, 30, 10), (10, 70, 5)]
    np.testing.assert_allclose(level.project(points), expected, atol=1e-5)
    down = Camera(focal=100.0, height=2.0, pitch=np.pi / 2, roll=0.0, centre=50.0)
    np.testing.assert_allclose(down.project(np.array([1.0, 0.5, 0.0])), (100, 25, 2), atol=1e-4)


def test_samples_of_a_finer_image_cover_the_pixels():
    """At two samples per side, the centre of pixel 0 lies half a sample after sample 0."""
    camera = Camera(focal=100.0, height=1.0, pitch=0.1, roll=0.2, centre=31.5)
    point = np.array([0.3, 4.0, 0.7])
    x, y, depth = camera.project(point)
    fine = camera.scaled(2).project(point)
    np.testing.assert_allclose(fine, (2 * x + 0.5, 2 * y + 0.5, depth), rtol=1e-6)


def test_turning_a_body():
    layout = Layout(np.array([0]), np.array([np.pi / 2]), np.array([[3.0, 5.0, 0.5]]), None)
    left = np.array([[[1.0, 0.0, 2.0]]], np.float32)
    np.testing.assert_allclose(layout.to_world(left), [[[3, 6, 2.5]]], atol=1e-6)


def square(depth, low=2.0, high=6.0):
    corners = ((low, low), (high, low), (high, high), (low, high))
    points = np.array([(*corner, depth) for corner in corners], np.float32)
    return points, np.array([(0, 1, 2), (0, 2, 3)], np.int32)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_mesh_hides_the_other(order):
    surface = empty_surface(10)
    meshes = [square(4.0), square(2.0, 5.0, 8.0)]
    for who in order:
        rasterise(surface, *meshes[who], who)
    expected = np.full((10, 10), -1)
    expected[2:7, 2:7] = 0
    expected[5:9, 5:9] = 1
    np.testing.assert_array_equal(surface.owner, expected)
    assert surface.inverse_depth[3, 3] == pytest.approx(1 / 4)
    assert surface.inverse_depth[6, 6] == pytest.approx(1 / 2)


def test_person_ids_by_majority():
    owner = np.array([(0, 0, 1, 2), (0, -1, 2, 2)] + [(-1, -1, 3, 3)] * 2, np.int16)
    ids, areas = person_ids(owner, 3, 2)
    np.testing.assert_array_equal(ids, [(0, 2), (-1, -1)])
    np.testing.assert_array_equal(areas, (1, 0, 1))


def test_boxes_end_at_the_frame():
    points = np.zeros((2, 101, 2), np.float32)
    points[0, :, 0] = np.linspace(-20, 30, 101)
    points[0, :, 1] = 5 + 10 * np.linspace(0, 1, 101)
    points[1] = -500
    boxes = frame_boxes(points, 64, 1)
    np.testing.assert_allclose(boxes[0], (-0.5, 8.6, 30.5, 6.4), atol=0.6)
    np.testing.assert_array_equal(boxes[1], 0)


def test_normals_of_a_tetrahedron_point_outwards():
    vertices = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], np.float32)
    triangles = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)], np.int32)
    normals = vertex_normals(vertices, triangles)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(normals[0], -np.ones(3) / np.sqrt(3), atol=1e-6)
