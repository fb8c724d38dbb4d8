"""Painted pictures: light, shadows, horizon, lens."""

import numpy as np
import pytest

from sparse_ae.crowds import CrowdConfig, load_bodies
from sparse_ae.crowds.camera.camera import Camera
from sparse_ae.crowds.camera.lens import Lens, apply_lens, draw_lens, gaussian_kernel, motion_kernel
from sparse_ae.crowds.camera.light import Light, cast_shadows
from sparse_ae.crowds.camera.raster import SAMPLES, empty_surface, rasterise
from sparse_ae.crowds.layout import Layout
from sparse_ae.crowds.paint import RasterisedScene, paint_image, view_of_camera
from sparse_ae.crowds.people.appearance import draw_clothes
from sparse_ae.crowds.people.dress import dress, dressed_mesh
from sparse_ae.crowds.surroundings.background import FAR, draw_surroundings, shade_background
from sparse_ae.crowds.surroundings.props import merge_meshes
from sparse_ae.crowds.surroundings.walls import FLAT

SIZE = 96
NOTHING = merge_meshes([])
LEVEL = Camera(focal=120.0, height=1.5, pitch=0.0, roll=0.0, centre=(SIZE - 1) / 2)
WHITE = np.ones(3)


@pytest.fixture(scope="module")
def rasterised():
    bodies = load_bodies()
    who = np.flatnonzero(bodies.family == bodies.families.index("standing"))[:3]
    clothes = draw_clothes(np.random.default_rng(2), bodies.phenotype[who])
    surroundings = np.array([(-1.2, 4.0, 0.0), (0.0, 5.0, 0.0), (1.2, 4.5, 0.0)])
    camera = LEVEL._replace(pitch=0.15, roll=0.05)
    layout, mesh = (
        Layout(who, np.array([0.1, 2.0, -1.0]), surroundings, camera),
        dressed_mesh(bodies),
    )
    points = layout.to_world(dress(bodies, who, clothes))
    surface, fine = empty_surface(SIZE * SAMPLES), camera.scaled(SAMPLES)
    for person, body in enumerate(points):
        rasterise(surface, fine.project(body).astype(np.float32), mesh.triangles, person)
    return RasterisedScene(camera, mesh, clothes, points, NOTHING, surface)


def plain(**changes):
    """Red ground under a blue sky, without clouds, lines or walls."""
    surroundings = draw_surroundings(np.random.default_rng(0), 9.0)
    colours = np.array([(200, 0, 0)] * 6 + [(0, 0, 200)] * 4, np.float32)
    changes = {"floor": 0, "distance": FAR, "side": FAR, "far": FLAT, "clear": 9.0, **changes}
    return surroundings._replace(colours=colours, **changes)


def background(camera, light, shadows, surroundings=None):
    owner = np.full((SIZE * SAMPLES, SIZE * SAMPLES), -1, np.int16)
    image = np.zeros((SIZE, SIZE, 3), np.float32)
    shade_background(
        image, owner, surroundings or plain(), view_of_camera(camera), light.numbers(), shadows
    )
    return image


def sun_from(x, y, z):
    sun = np.array((x, y, z)) / np.linalg.norm((x, y, z))
    return Light(sun, 0.6, 0.4, WHITE, WHITE, 1.0)


def nobody(light):
    return cast_shadows(np.zeros((0, 1, 3), np.float32), np.zeros((0, 3), np.int32), 1,
                gather_far(), light)  # fmt: skip


def gather_far():
    """Cast the shadow of a speck far away, because something must stand somewhere."""
    speck = np.array([(50, 90, 0), (50.01, 90, 0), (50, 90.01, 0)], np.float32)
    return NOTHING._replace(vertices=speck, triangles=np.array([(0, 1, 2)], np.int32))


@pytest.mark.parametrize("roll", [-0.3, 0.0, 0.2])
def test_the_horizon_follows_the_roll(roll):
    """A level camera sees the horizon through its axis, at tan(roll) pixels down per pixel to the
    right."""
    light = sun_from(0, -1, 1)
    image = background(LEVEL._replace(roll=roll), light, nobody(light))
    rows, columns = np.mgrid[:SIZE, :SIZE] - LEVEL.centre
    below = (rows - columns * np.tan(roll)) * np.cos(roll)  # pixels
    assert (image[below < -1.5, 2] > image[below < -1.5, 0]).all()
    assert (image[below > 6, 0] > image[below > 6, 2]).all()


def test_a_shadow_falls_away_from_the_sun(rasterised):
    """The sun stands 45 degrees high behind the camera: one metre up is one metre behind."""
    light = sun_from(0, -1, 1)
    shadows = cast_shadows(
        rasterised.points,
        rasterised.dressed_mesh.triangles[rasterised.dressed_mesh.closed :],
        len(load_bodies().template),
        NOTHING,
        light,
    )
    lit, dark = (background(rasterised.camera, light, s) for s in (nobody(light), shadows))
    trunk = rasterised.points[1][np.argmin(np.abs(rasterised.points[1][:, 2] - 1.0))]
    behind = rasterised.camera.project(np.array((trunk[0], trunk[1] + trunk[2], 0.0)))
    column, row = np.rint(behind[:2]).astype(int)
    assert dark[row, column, 0] < 0.75 * lit[row, column, 0]
    before = rasterised.camera.project(np.array((trunk[0], trunk[1] - 1.0, 0.0)))
    column, row = np.rint(before[:2]).astype(int)
    assert dark[row, column, 0] == pytest.approx(lit[row, column, 0], rel=0.02)


def test_feet_darken_the_ground_without_any_sun(rasterised):
    light = sun_from(0, -1, 1)._replace(direct=0.0, ambient=1.0)
    shadows = cast_shadows(
        rasterised.points,
        rasterised.dressed_mesh.triangles[rasterised.dressed_mesh.closed :],
        len(load_bodies().template),
        NOTHING,
        light,
    )
    lit, dark = (background(rasterised.camera, light, s) for s in (nobody(light), shadows))
    foot = rasterised.points[1][np.argmin(rasterised.points[1][:, 2])]
    column, row = np.rint(rasterised.camera.project(foot)[:2]).astype(int)
    assert dark[row, column, 0] < 0.85 * lit[row, column, 0]


def test_a_picture_is_a_function_of_the_generator(rasterised):
    config = CrowdConfig(size=SIZE)
    first, second, other = (
        paint_image(np.random.default_rng(s), config, rasterised) for s in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    assert first.dtype == np.uint8
    assert first.shape == (SIZE, SIZE, 3)


def test_painting_changes_no_input(rasterised):
    before = [
        array.copy() for array in (*rasterised.surface, rasterised.points, *rasterised.clothes)
    ]
    for seed in range(6):  # with and without blur and JPEG
        paint_image(np.random.default_rng(seed), CrowdConfig(size=SIZE), rasterised)
    after = (*rasterised.surface, rasterised.points, *rasterised.clothes)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_persons_differ_from_their_background(rasterised):
    """Where a person is, the picture differs from the background."""
    config, rng = CrowdConfig(size=SIZE, noise=0.0), np.random.default_rng
    empty = rasterised._replace(surface=empty_surface(SIZE * SAMPLES))
    seen = (rasterised.surface.owner >= 0).reshape(SIZE, SAMPLES, SIZE, SAMPLES).all((1, 3))
    change = np.abs(
        paint_image(rng(4), config, rasterised).astype(int) - paint_image(rng(4), config, empty)
    ).max(2)
    assert (change[seen] > 8).mean() > 0.8


def test_no_noise_means_a_clean_picture():
    for seed in range(30):
        lens = draw_lens(np.random.default_rng(seed), 256, 0.0)
        assert lens.noise == 0
        assert lens.jpeg_quality == 0


def test_a_plain_lens_rounds_and_no_more():
    image = np.random.default_rng(0).uniform(0, 185, (16, 16, 3)).astype(np.float32)
    lens = Lens(np.ones(3), 0.0, 1.0, None, 0.0, 0)
    picture = apply_lens(np.random.default_rng(0), image, lens)
    assert np.abs(picture - image).max() <= 0.5 + 1e-3
    noisy = apply_lens(np.random.default_rng(0), np.full((64, 64, 3), 100, np.float32),
                    lens._replace(noise=5.0))  # fmt: skip
    assert noisy.mean() == pytest.approx(100, abs=0.3)
    assert noisy.std() == pytest.approx(5, abs=0.3)


def test_blurs_keep_brightness():
    assert gaussian_kernel(1.0).sum() == pytest.approx(1)
    np.testing.assert_allclose(
        motion_kernel(3.0, 0.0)[2], (0.0, 1 / 3, 1 / 3, 1 / 3, 0.0), atol=1e-6
    )
    assert motion_kernel(5.0, 0.7).sum() == pytest.approx(1)
