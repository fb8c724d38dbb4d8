"""The light of a scene, and the shadows in it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from sparse_ae.crowds.camera.texture import fast_kernel

MAP_SIDE = 384  # texels per side of the shadow map
FINEST_TEXEL = 0.02  # metres per texel, in small scenes
CONTACT_HEIGHT = 0.3  # metres; anything lower darkens the ground even without sun


class Light(NamedTuple):
    """One sun or lamp, and ambient light.

    Attributes:
        sun: (3,) unit vector towards the sun or lamp.
        direct: Strength of the sun or lamp.
        ambient: Strength of the ambient light.
        sun_colour: (3,) colour of the direct light.
        sky_colour: (3,) colour of the ambient light.
        blur: Texels by which shadows are blurred.
    """

    sun: np.ndarray
    direct: float
    ambient: float
    sun_colour: np.ndarray
    sky_colour: np.ndarray
    blur: float

    def numbers(self) -> tuple[float, ...]:
        """Return sun, direct, ambient, sun_colour and sky_colour as 11 numbers for kernels."""
        values = (*self.sun, self.direct, self.ambient, *self.sun_colour, *self.sky_colour)
        return tuple(float(value) for value in values)


class Shadows(NamedTuple):
    """A shadow map of MAP_SIDE × MAP_SIDE texels.

    Attributes:
        shadow_height: (MAP_SIDE, MAP_SIDE) float32, height above the ground in metres up to which
            the ray from a texel towards the sun is blocked.
        ground: (MAP_SIDE, MAP_SIDE) uint8, 255 where the floor sees no sun.
        contact: (MAP_SIDE, MAP_SIDE) uint8, 255 where something stands close above the floor.
        grid: x, y of texel 0; metres per texel; metres in x and in y that a ray towards the sun
            moves per metre that it rises.
    """

    shadow_height: np.ndarray
    ground: np.ndarray
    contact: np.ndarray
    grid: tuple[float, float, float, float, float]


def draw_light(rng: np.random.Generator, indoors: bool = False) -> Light:
    """Draw a sun or lamp above, mostly on the camera's side, and the ambient light.

    Args:
        rng: Generator of this scene's look.
        indoors: Draw the softer light of a room.
    """
    around, high = rng.uniform(0, 6.2832), rng.uniform(0.55, 1.4)
    sun = np.array([np.cos(around) * np.cos(high), np.sin(around) * np.cos(high), np.sin(high)])
    sun[1] = -abs(sun[1]) if rng.random() < 0.7 else sun[1]
    direct = rng.uniform(0.1, 0.45) if indoors else rng.choice((0.15, 0.7)) * rng.uniform(0.7, 1.2)
    ambient = rng.uniform(0.95, 1.15) - 0.7 * direct
    glow = rng.uniform(-0.02, 0.1) * (0.5 if indoors else 1.0)
    return Light(
        sun,
        float(direct),
        float(ambient),
        np.array([1 + glow, 1.0, 1 - glow]),
        np.array([1 - 0.5 * glow, 1.0, 1 + 0.6 * glow]),
        float(rng.uniform(2.5, 6) if indoors or direct < 0.3 else rng.uniform(0.8, 2)),
    )


def cast_shadows(
    points: np.ndarray, triangles: np.ndarray, body_vertices: int, props, light: Light
) -> Shadows:
    """Compute the shadow map of a scene.

    Args:
        points: (P, W, 3) metres, vertices of the dressed persons in the world.
        triangles: (G, 3) the coarse triangles, which use the vertices from `body_vertices` on.
        body_vertices: Number of vertices of the body itself, which are dense.
        props: Props with vertices and triangles in the world.
        light: The light.
    """
    sun = light.sun
    slope = sun[:2] / sun[2]
    casters = np.concatenate((points[:, ::8].reshape(-1, 3), props.vertices))
    fallen = casters[:, :2] - casters[:, 2:] * slope
    spots = np.concatenate((fallen, casters[:, :2]))
    low, high = spots.min(0) - 0.4, spots.max(0) + 0.4
    step = max(FINEST_TEXEL, float((high - low).max()) / (MAP_SIDE - 1))
    grid = tuple(float(value) for value in (*low, step, *slope))
    shadow_height = np.zeros((MAP_SIDE, MAP_SIDE), np.float32)
    contact = np.zeros((MAP_SIDE, MAP_SIDE), np.uint8)
    reach = 3 if step < 0.025 else (2 if step < 0.045 else 1)  # texels per vertex: leave no holes
    splat_vertices(shadow_height, contact, grid, points, body_vertices, reach)
    for body in points:
        splat_triangles(shadow_height, grid, body, triangles)
    splat_triangles(shadow_height, grid, props.vertices, props.triangles)
    ground = (shadow_height > 0.01).view(np.uint8) * np.uint8(255)
    for layer, blur in ((ground, light.blur), (contact, max(0.6, 0.06 / step))):
        width = 2 * round(1.2 * blur) + 1
        for _ in range(2):
            cv2.blur(layer, (width, width), dst=layer)
    return Shadows(shadow_height, ground, contact, grid)


@fast_kernel
def splat_vertices(shadow_height, contact, grid, points, body_vertices, reach):
    """Block the texels in the shadow of bodies' vertices, and mark the ground below them."""
    for p in range(len(points)):
        for v in range(body_vertices):
            z = points[p, v, 2]
            x = (points[p, v, 0] - grid[0]) / grid[2]
            y = (points[p, v, 1] - grid[1]) / grid[2]
            column = int(x - z * grid[3] / grid[2] - 0.5 * (reach - 1))
            row = int(y - z * grid[4] / grid[2] - 0.5 * (reach - 1))
            for j in range(max(row, 0), min(row + reach, MAP_SIDE)):
                for i in range(max(column, 0), min(column + reach, MAP_SIDE)):
                    shadow_height[j, i] = max(shadow_height[j, i], z)
            if z < CONTACT_HEIGHT:
                dark = int(255 * (1 - max(z, 0.0) / CONTACT_HEIGHT))
                for j in range(max(int(y), 0), min(int(y) + reach, MAP_SIDE)):
                    for i in range(max(int(x), 0), min(int(x) + reach, MAP_SIDE)):
                        contact[j, i] = max(contact[j, i], dark)


@fast_kernel
def splat_triangles(shadow_height, grid, points, triangles):
    """Block the texels in the shadow of triangles."""
    corner = np.zeros((3, 3))
    for f in range(len(triangles)):
        for k in range(3):
            v = triangles[f, k]
            for i in range(2):
                fallen = points[v, i] - points[v, 2] * grid[3 + i]
                corner[k, i] = (fallen - grid[i]) / grid[2]
            corner[k, 2] = points[v, 2]
        ax, ay, bx, by = corner[0, 0], corner[0, 1], corner[1, 0], corner[1, 1]
        cx, cy = corner[2, 0], corner[2, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        for y in range(max(0, int(min(ay, by, cy))), min(MAP_SIDE - 1, int(max(ay, by, cy))) + 1):
            for x in range(
                max(0, int(min(ax, bx, cx))), min(MAP_SIDE - 1, int(max(ax, bx, cx))) + 1
            ):
                wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                wc = 1 - wa - wb
                if wa >= 0 and wb >= 0 and wc >= 0:
                    z = wa * corner[0, 2] + wb * corner[1, 2] + wc * corner[2, 2]
                    shadow_height[y, x] = max(shadow_height[y, x], z)


@fast_kernel
def sun_visibility(shadow_height, grid, x, y, z):
    """Return the share of the sun, in [0, 1], that reaches a point above the ground."""
    u = (x - z * grid[3] - grid[0]) / grid[2]
    v = (y - z * grid[4] - grid[1]) / grid[2]
    i, j = int(np.floor(u)), int(np.floor(v))
    if i < 0 or j < 0 or i >= MAP_SIDE - 1 or j >= MAP_SIDE - 1:
        return 1.0
    u, v = u - i, v - j
    dark = (1 - v) * ((1 - u) * (shadow_height[j, i] > z) + u * (shadow_height[j, i + 1] > z))
    dark += v * ((1 - u) * (shadow_height[j + 1, i] > z) + u * (shadow_height[j + 1, i + 1] > z))
    return 1 - dark


@fast_kernel
def ground_shadow(layer, grid, x, y):
    """Return how dark one of Shadows' ground layers is at a point of the floor, in [0, 1]."""
    u, v = (x - grid[0]) / grid[2], (y - grid[1]) / grid[2]
    if not (0 <= u < MAP_SIDE - 1 and 0 <= v < MAP_SIDE - 1):
        return 0.0
    i, j = int(u), int(v)
    a, b, c, d = layer[j, i], layer[j, i + 1], layer[j + 1, i], layer[j + 1, i + 1]
    if a | b | c | d == 0:
        return 0.0
    u, v = u - i, v - j
    return ((a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v) / 255
