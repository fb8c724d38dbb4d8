"""Colours of the dressed bodies and props that each pixel sees, added to its background."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from sparse_ae.crowds.camera.light import ground_shadow, sun_visibility
from sparse_ae.crowds.camera.raster import SAMPLES
from sparse_ae.crowds.camera.texture import ROUGH, fast_kernel, noise
from sparse_ae.crowds.people.appearance import COLUMN
from sparse_ae.crowds.people.bodies import HEAD
from sparse_ae.crowds.people.cloth import cloth_tone, garment_at, skirt_to_template
from sparse_ae.crowds.people.garments import SKIRT

STYLE_COLUMNS = len(COLUMN) - 1  # columns of Clothes.table()
SHADOW_GAP = 0.05  # metres in front of a surface from which its shadow is looked up


class View(NamedTuple):
    """The rays along which the pixels look.

    Attributes:
        rays: (3, 3) the ray of pixel (0, 0) in the world, one metre deep; then its change per
            column to the right and per row down.
        height: Height of the eye above x = y = 0, metres.
        focal: Focal length, pixels.
    """

    rays: np.ndarray
    height: float
    focal: float


@fast_kernel
def sun_share(nx, ny, nz, lamp):
    """Return the share of the sun's light on a surface of unit normal, ignoring shadows."""
    return max(0.0, (nx * lamp[0] + ny * lamp[1] + nz * lamp[2] + 0.12) / 1.12)


@fast_kernel
def ambient_share(nz, z, facing, contact):
    """Return the share of the ambient light on a surface.

    z: its height, metres. facing: cosine between its normal and the ray. contact: how much the
    ground below it is closed in.
    """
    low = max(0.0, 1 - z / 0.5)
    shade = 1 - 0.3 * contact * max(0.0, 1 - z / 0.3)
    return (0.78 + 0.22 * nz) * (0.82 + 0.18 * abs(facing)) * (1 - 0.22 * low * low) * shade


def shade_bodies(image, surface, dressed_mesh, normals, clothes, view, lamp, shadows):
    """Add the share of each pixel that sees a body.

    Args:
        image: (S, S, 3) float32, changed in place.
        surface: What each sample sees.
        dressed_mesh: The mesh of the dressed bodies.
        normals: (P, W, 3) unit normals in the world.
        clothes: Clothes of the P persons.
        view: Where the pixels look.
        lamp: Light.numbers().
        shadows: The scene's Shadows.
    """
    lit = lamp, shadows.shadow_height, shadows.contact, shadows.grid
    fill_bodies(image, *surface, *dressed_mesh, normals, clothes.colours, clothes.table(),
                view.rays, view.height, *lit)  # fmt: skip


@fast_kernel
def fill_bodies(image, inverse_depth, owners, faces, weights, triangles, parts, along, template,
                closed, normals, colours, style, rays, height, lamp, shadow_height, contact,
                grid):  # fmt: skip
    """Shade bodies, once per pixel that lies within one garment, else once per sample."""
    size, last, persons = image.shape[0], SAMPLES - 1, len(normals)
    gap = SHADOW_GAP + 1.2 * grid[2]
    cut, before = to_fixed_tuple(style[0], STYLE_COLUMNS), 0  # those of the person shaded last
    slots = np.full((size + 1, size + 1), -1, np.int8)  # garment at the last sample of each pixel
    for row in range(size):
        for column in range(size):
            top, left, whole = row * SAMPLES, column * SAMPLES, True
            for k in range(SAMPLES**2):
                whole &= owners[top + k // SAMPLES, left + k % SAMPLES] == owners[top, left]
            if whole and not 0 <= owners[top, left] < persons:
                continue
            for k in range(SAMPLES**2):  # the last sample first
                j, i = top + last - k // SAMPLES, left + last - k % SAMPLES
                who, f, wa, wb = owners[j, i], faces[j, i], weights[j, i, 0], weights[j, i, 1]
                if not 0 <= who < persons:
                    continue
                if who != before:
                    cut, before = to_fixed_tuple(style[who], STYLE_COLUMNS), who
                a, b, c, wc = triangles[f, 0], triangles[f, 1], triangles[f, 2], 1 - wa - wb
                x = wa * template[a, 0] + wb * template[b, 0] + wc * template[c, 0]
                y = wa * template[a, 1] + wb * template[b, 1] + wc * template[c, 1]
                z = wa * template[a, 2] + wb * template[b, 2] + wc * template[c, 2]
                part = parts[f]
                at = min(part, 3)
                along_here = wa * along[a, at] + wb * along[b, at] + wc * along[c, at]
                if part == SKIRT:
                    x, y, z = skirt_to_template(x, y, along_here, cut[COLUMN.skirt_top],
                                                cut[COLUMN.hem])  # fmt: skip
                slot = garment_at(part, along_here, x, y, z, cut)
                if whole and k == 0:
                    slots[row + 1, column + 1] = slot
                    whole = part != HEAD and slot == slots[row, column + 1]
                    whole &= slot == slots[row + 1, column] and slot == slots[row, column]
                tone, red = cloth_tone(slot, part, along_here, x, y, z, cut)
                nx = wa * normals[who, a, 0] + wb * normals[who, b, 0] + wc * normals[who, c, 0]
                ny = wa * normals[who, a, 1] + wb * normals[who, b, 1] + wc * normals[who, c, 1]
                nz = wa * normals[who, a, 2] + wb * normals[who, b, 2] + wc * normals[who, c, 2]
                nx, ny, nz, x, y, z, facing = surface_point(
                    nx, ny, nz, column, row, inverse_depth[j, i], rays, height, f >= closed
                )
                direct = lamp[3] * sun_share(nx, ny, nz, lamp)
                if direct > 0:
                    direct *= sun_visibility(
                        shadow_height, grid, x + gap * nx, y + gap * ny, z + gap * nz
                    )
                ground = ground_shadow(contact, grid, x, y) if z < 0.3 else 0.0
                around = lamp[4] * ambient_share(nz, z, facing, ground)
                share = tone if whole else tone / SAMPLES**2
                for c in range(3):
                    tint = share * (1 + red * (1 - c) - 0.5 * abs(red) * (c == 1))
                    glow = around * lamp[8 + c] + direct * lamp[5 + c]
                    image[row, column, c] += tint * colours[who, slot, c] * glow
                if whole:
                    break


@fast_kernel
def surface_point(nx, ny, nz, column, row, inverse_depth, rays, height, both):
    """Return unit normal, x, y, z of what a pixel sees, and the cosine between normal and ray.

    With `both`, a normal that faces away is turned round.
    """
    x = rays[0, 0] + column * rays[1, 0] + row * rays[2, 0]
    y = rays[0, 1] + column * rays[1, 1] + row * rays[2, 1]
    z = rays[0, 2] + column * rays[1, 2] + row * rays[2, 2]
    length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    facing = (nx * x + ny * y + nz * z) / (length * np.sqrt(x * x + y * y + z * z))
    if both and facing > 0:
        length = -length
    depth = 1 / inverse_depth
    return (nx / length, ny / length, nz / length, depth * x, depth * y, height + depth * z,
            facing)  # fmt: skip


@fast_kernel
def face_normals(vertices, triangles):
    """Return (F, 3) unit normals of triangles."""
    normals = np.zeros((len(triangles), 3))
    for f in range(len(triangles)):
        a, b, c = triangles[f]
        for k in range(3):
            m, n = (k + 1) % 3, (k + 2) % 3
            normals[f, k] = (vertices[b, m] - vertices[a, m]) * (vertices[c, n] - vertices[a, n])
            normals[f, k] -= (vertices[b, n] - vertices[a, n]) * (vertices[c, m] - vertices[a, m])
        normals[f] /= np.sqrt((normals[f] ** 2).sum()) + 1e-9
    return normals


def shade_props(image, surface, persons, props, view, lamp, shadows):
    """Add the share of each pixel that sees a prop, each triangle in one tone.

    A triangle seen from behind is lit as if it had been turned round.

    Args:
        image: (S, S, 3) float32, changed in place.
        surface: What each sample sees.
        persons: P, the owner of the first prop.
        props: The props.
        view: Where the pixels look.
        lamp: Light.numbers().
        shadows: The scene's Shadows.
    """
    if len(props.triangles):
        normals = face_normals(props.vertices, props.triangles)
        fill_props(image, *surface[:3], persons, normals, props.colours, view.rays, view.height,
                    lamp, shadows.shadow_height, shadows.contact, shadows.grid)  # fmt: skip


@fast_kernel
def fill_props(image, inverse_depth, owners, faces, persons, normals, colours, rays, height,
                lamp, shadow_height, contact, grid):  # fmt: skip
    """Shade props, sample by sample."""
    share = 1 / SAMPLES**2
    for j in range(image.shape[0] * SAMPLES):
        for i in range(image.shape[0] * SAMPLES):
            prop = owners[j, i] - persons
            if prop < 0:
                continue
            f, row, column = faces[j, i], j // SAMPLES, i // SAMPLES
            nx, ny, nz, x, y, z, facing = surface_point(normals[f, 0], normals[f, 1], normals[f, 2],
                                                   column, row, inverse_depth[j, i], rays, height,
                                                   True)  # fmt: skip
            gap = SHADOW_GAP + 1.2 * grid[2]
            direct = lamp[3] * sun_share(nx, ny, nz, lamp)
            if direct > 0:
                direct *= sun_visibility(
                    shadow_height, grid, x + gap * nx, y + gap * ny, z + gap * nz
                )
            around = lamp[4] * ambient_share(nz, z, facing, ground_shadow(contact, grid, x, y))
            grain = 0.85 + 0.3 * noise(ROUGH, x + prop, z * 1.3 + y)
            for c in range(3):
                glow = around * lamp[8 + c] + direct * lamp[5 + c]
                image[row, column, c] += share * colours[prop, c] * glow * grain
