"""Colours of what each sample sees: dressed bodies, boxes, floor, wall and sky."""

from __future__ import annotations

import numpy as np

from .appearance import CHECKS, HAIR, HOOPS, SECOND, SHIRT, SHOES, SKIN, SKY, STRIPES, TROUSERS
from .bodies import ARM, HEAD, TRUNK
from .raster import kernel


@kernel
def lattice(i, j, key):
    """A number in [0, 1] for each point with integer coordinates."""
    h = (i * 374761393 + j * 668265263 + key * 144269) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFF) / 65535.0


@kernel
def noise(x, y, key):
    """Smooth noise of the plane in [0, 1], one lump per unit of length."""
    i, j = int(np.floor(x)), int(np.floor(y))
    u, v = x - i, y - j
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    top = lattice(i, j, key) * (1 - u) + lattice(i + 1, j, key) * u
    bottom = lattice(i, j + 1, key) * (1 - u) + lattice(i + 1, j + 1, key) * u
    return top * (1 - v) + bottom * v


@kernel
def garment(part, place, point, who, clothes):
    """Row of Clothes.colours at a point of a dressed body; place: its coordinate Bodies.along,
    point: where it lies on the template."""
    x, y, z = point[0], point[1], point[2]
    if part == HEAD:
        return HAIR if place > clothes.hairline[who] else SKIN
    if part == TRUNK:
        if place <= clothes.waist[who]:
            return TROUSERS
        if y > 0.01 and z > clothes.hair_end[who] and abs(x) < 0.13 - 0.2 * (0.55 - z):
            return HAIR
        if place > clothes.collar[who] + 1.5 * max(
            0.0, abs(x) - 0.07
        ):  # the neck's opening is round
            return SKIN
    elif part == ARM:
        if place >= clothes.sleeve[who]:
            return SKIN
    elif place > clothes.shoe[who]:
        return SHOES
    elif z < clothes.waist[who]:
        return TROUSERS if place < clothes.leg[who] else SKIN
    kind, period = clothes.pattern[who], clothes.period[who]
    hoop = (z if part == TRUNK else 0.3 * place) / period % 1 < 0.5
    stripe = x / period % 1 < 0.4
    hooped, striped = kind == HOOPS and hoop, kind == STRIPES and stripe
    return SECOND if hooped or striped or (kind == CHECKS and hoop != stripe) else SHIRT


@kernel
def face_tone(x, y, z):
    """Darkness of eyes, brows and mouth at a point of the template's head; 1 elsewhere."""
    if y > -0.07:
        return 1.0
    across = ((abs(x) - 0.032) / 0.014) ** 2
    if across + ((z - 0.647) / 0.008) ** 2 < 1:
        return 0.25
    if across + ((z - 0.672) / 0.007) ** 2 < 1.2:
        return 0.6
    return 0.72 if (x / 0.024) ** 2 + ((z - 0.571) / 0.007) ** 2 < 1 else 1.0


@kernel
def shade_bodies(image, surface, outfit, normals, clothes, light):
    """Fill the samples of image (S, S, 3) that see a body; normals: (P, V, 3) in the world."""
    size, persons = image.shape[0], normals.shape[0]
    triangles, parts, along, template = outfit
    point, normal = np.zeros(3), np.zeros(3)
    for row in range(size):
        for column in range(size):
            who = surface.owner[row, column]
            if who < 0 or who >= persons:
                continue
            f = surface.face[row, column]
            part, place = parts[f], 0.0
            point[:], normal[:] = 0, 0
            wa, wb = surface.weights[row, column, 0], surface.weights[row, column, 1]
            for corner in range(3):
                w = wa if corner == 0 else (wb if corner == 1 else 1 - wa - wb)
                v = triangles[f, corner]
                for i in range(3):
                    point[i] += w * template[v, i]
                    normal[i] += w * normals[who, v, i]
                place += w * along[v, part]
            slot = garment(part, place, point, who, clothes)
            sun = normal[0] * light.sun[0] + normal[1] * light.sun[1] + normal[2] * light.sun[2]
            bright = light.ambient * (0.75 + 0.25 * normal[2]) + light.direct * max(0.0, sun)
            if part == HEAD:
                bright *= face_tone(point[0], point[1], point[2])
            for c in range(3):
                image[row, column, c] = clothes.colours[who, slot, c] * bright * light.gain[c]


@kernel
def floor_tone(x, y, away, kind, size, key):
    """How much of the floor's second colour, in [0, 1], at a place; patterns fade far away."""
    speckle = 0.55 * noise(x * 1.1, y * 1.1, key) + 0.45 * noise(x * 9, y * 9, key + 1)
    if kind == 0:  # ground
        return speckle
    u, v = x / size, y / size
    if kind == 1:  # checkered
        tone = 1.0 * ((int(np.floor(u)) + int(np.floor(v))) % 2)
    elif kind == 2:  # tiles with joints
        tone = 1.0 * (u % 1 < 0.06 or v % 1 < 0.06)
    else:  # planks
        board = int(np.floor(u * 4))
        tone = 0.8 * noise(board * 7.3, v * 0.4 + board, key) + 0.4 * ((u * 4) % 1 < 0.07)
    fade = 1 / (1 + (away * 0.06 / size) ** 2)
    return 0.25 * speckle + 0.75 * (tone * fade + 0.4 * (1 - fade))


@kernel
def wall_tone(x, z, kind, size, key):
    """How much of the wall's second colour, in [0, 1], x metres across and z metres up."""
    stain = 0.35 * noise(x * 0.7, z * 0.7, key + 2)
    u, v = x / size, z / size
    if kind == 1:  # bricks
        row = int(np.floor(v * 5))
        return stain + 0.6 * ((v * 5) % 1 < 0.14 or (u * 2.5 + 0.5 * (row % 2)) % 1 < 0.06)
    if kind == 2:  # panels, each of its own shade
        return stain + 0.5 * noise(np.floor(u) * 3.7, np.floor(v * 0.5) * 5.1, key + 3) + 0.3 * (
            u % 1 < 0.03
        )  # fmt: skip
    if kind == 3:  # pictures, shelves or windows
        pane = noise(np.floor(u) * 4.1, np.floor(v) * 6.7, key + 4)
        return stain + 0.75 * pane * (0.18 < u % 1 < 0.82 and 0.2 < v % 1 < 0.8)
    return stain


@kernel
def open_air_tone(x, z, key):
    """For the sky a negative number, how far a cloud lightens it; for the roofs and trees before
    it, the share of the wall's second colour."""
    block = noise(np.floor(x * 0.35), 1.5, key + 6)
    if z < 3 + 9 * block * noise(x * 0.06, 0.0, key + 5):
        return 0.75 + 0.25 * noise(x * 0.7, z * 0.9, key + 8)
    return -0.8 * max(0.0, noise(x * 0.05, z * 0.13, key + 7) - 0.4)


@kernel
def shade_background(image, owner, shadow, camera, surroundings, light):
    """Fill the samples that see no mesh: floor, with the shadow (S, S) in [0, 1] on it, then wall
    or sky. camera: that of the samples."""
    size, colours = image.shape[0], surroundings.colours
    cos, sin, key = np.cos(camera.pitch), np.sin(camera.pitch), surroundings.key
    for row in range(size):
        up = (camera.centre - row) / camera.focal
        ahead, rise = cos + up * sin, up * cos - sin
        reach = surroundings.distance / ahead  # along the ray, to the wall
        on_floor = rise < 0 and -camera.height / rise < reach
        reach = -camera.height / rise if on_floor else reach
        for column in range(size):
            if owner[row, column] >= 0:
                continue
            x = reach * (column - camera.centre) / camera.focal
            first, tone, bright = 0, 0.0, 1.0
            if on_floor:
                tone = floor_tone(x, reach * ahead, reach, surroundings.floor,
                                  surroundings.sizes[0], key)  # fmt: skip
                bright = light.ambient + light.direct * light.sun[2]
                bright *= 1 - light.shadow * shadow[row, column]
            elif surroundings.wall == SKY:
                z = camera.height + reach * rise
                first, tone = 2, open_air_tone(x, z, key)
            else:
                first = 2
                tone = wall_tone(x, camera.height + reach * rise, surroundings.wall,
                                 surroundings.sizes[1], key)  # fmt: skip
                bright = light.ambient + 0.35 * light.direct
            for c in range(3):
                mixed = colours[first, c] * (1 - tone) + colours[first + 1, c] * tone
                if tone < 0:
                    mixed = colours[first, c] - tone * (250 - colours[first, c])
                image[row, column, c] = mixed * bright * light.gain[c]


@kernel
def shade_things(image, surface, persons, things, key, light):
    """Fill the samples that see a thing, each triangle in one tone."""
    size = image.shape[0]
    for row in range(size):
        for column in range(size):
            thing = surface.owner[row, column] - persons
            if thing < 0:
                continue
            a, b, c = things.triangles[surface.face[row, column]]
            u = things.vertices[b] - things.vertices[a]
            v = things.vertices[c] - things.vertices[a]
            x, y, z = (
                u[1] * v[2] - u[2] * v[1],
                u[2] * v[0] - u[0] * v[2],
                u[0] * v[1] - u[1] * v[0],
            )
            size_of = np.sqrt(x * x + y * y + z * z) + 1e-9
            sun = (x * light.sun[0] + y * light.sun[1] + z * light.sun[2]) / size_of
            bright = light.ambient * (0.8 + 0.2 * z / size_of) + light.direct * max(0.0, sun)
            bright *= 0.9 + 0.15 * noise(column * 0.11, row * 0.07, key + thing)
            for k in range(3):
                image[row, column, k] = things.colours[thing, k] * bright * light.gain[k]


@kernel
def shrink(image, factor):
    """(S·factor, S·factor, 3) to (S, S, 3), the mean of each block."""
    size = image.shape[0] // factor
    result = np.zeros((size, size, 3), np.float32)
    for row in range(size):
        for column in range(size):
            for c in range(3):
                total = 0.0
                for j in range(factor):
                    for i in range(factor):
                        total += image[row * factor + j, column * factor + i, c]
                result[row, column, c] = total / factor**2
    return result
