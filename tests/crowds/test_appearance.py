"""Clothes: what they cover, how thick they are, and their colours."""

import cv2
import numpy as np
import pytest

from sparse_ae.crowds import load_bodies
from sparse_ae.crowds.camera.raster import vertex_normals
from sparse_ae.crowds.people.appearance import (
    COLUMN,
    SHIRT,
    SKIN,
    SKINS,
    TROUSERS,
    Clothes,
    draw_clothes,
)
from sparse_ae.crowds.people.bodies import ARM, LEG, TRUNK
from sparse_ae.crowds.people.cloth import garment_at
from sparse_ae.crowds.people.dress import THICKEST, dress, dressed_mesh, mesh_and_anchors
from sparse_ae.crowds.people.garments import ANGLES, RINGS

UPRIGHT = ("standing", "walking", "sitting", "running")


@pytest.fixture(scope="module")
def crowd():
    bodies = load_bodies()
    families = [bodies.families.index(name) for name in UPRIGHT]
    who = np.concatenate([np.flatnonzero(bodies.family == family)[:4] for family in families])
    return bodies, who, draw_clothes(np.random.default_rng(1), bodies.phenotype[who])


def skirted(clothes, hem):
    count = len(clothes.hem)
    return clothes._replace(hem=np.full(count, hem), skirt_top=np.full(count, -0.2))


def test_cloth_lies_outside_the_skin(crowd):
    bodies, who, clothes = crowd
    dressed = dress(bodies, who, clothes)[:, : len(bodies.template)]
    for body, surface in zip(who, dressed, strict=True):
        skin = bodies.vertices[body]
        out = ((surface - skin) * vertex_normals(skin, bodies.triangles)).sum(1)
        assert out.min() >= -1e-4
        assert out.max() <= THICKEST + 3e-4
        assert np.linalg.norm(surface - skin, axis=1).max() <= THICKEST + 3e-4
        assert surface[:, 2].min() >= min(0.0, skin[:, 2].min()) - 1e-6  # nobody sinks in
        assert (out > 0.003).mean() > 0.3  # somebody wears something


def test_the_body_comes_first(crowd):
    bodies, _, _ = crowd
    mesh, own = dressed_mesh(bodies), len(bodies.triangles)
    np.testing.assert_array_equal(mesh.triangles[:own], bodies.triangles)
    assert mesh.closed == own
    assert mesh.triangles[own:].min() == len(bodies.template)
    assert len(mesh.triangles) == len(mesh.parts)
    assert mesh.triangles.max() + 1 == len(mesh.template) == len(mesh.along)


@pytest.mark.parametrize("hem", [0.4, 0.6, 0.9])
def test_a_skirt_goes_round_the_legs(crowd, hem):
    """In the plane of each ring, no vertex at the same level of the legs lies outside."""
    bodies, who, clothes = crowd
    dressed = dress(bodies, who, skirted(clothes, hem))
    anchors = mesh_and_anchors(bodies)[1]
    checked = 0
    for points in dressed:
        rings = points[anchors.starts[0] :][: RINGS * ANGLES].reshape(RINGS, ANGLES, 3)
        for ring, place in zip(rings, np.linspace(-0.2, hem, RINGS), strict=True):
            if ring[:, 2].min() < 0.01:
                continue  # flattened by the ground
            middle = ring.mean(0)
            axes = np.linalg.svd(ring - middle)[2][:2]
            outline = ((ring - middle) @ axes.T).astype(np.float32)
            level = anchors.lower[np.abs(anchors.down - place) < 0.04]
            for x, y in (points[level] - middle) @ axes.T:
                inside = cv2.pointPolygonTest(outline, (float(x), float(y)), True)
                assert inside > 0.002  # it never touches
                checked += 1
    assert checked > 2000


def test_a_skirt_that_is_not_worn_has_no_extent(crowd):
    bodies, who, clothes = crowd
    count = len(who)
    bare = clothes._replace(hem=np.full(count, -1.0), skirt_top=np.zeros(count),
                            tail=np.zeros(count), hat=np.zeros(count))  # fmt: skip
    mesh = dressed_mesh(bodies)
    corners = dress(bodies, who, bare)[:, mesh.triangles[mesh.closed :]]
    np.testing.assert_array_equal(corners, corners[:, :1, :1].repeat(3, 2).repeat(
        corners.shape[1], 1))  # fmt: skip


def test_clothes_do_not_depend_on_the_others(crowd):
    bodies, who, clothes = crowd
    everybody = dress(bodies, who, clothes)
    keep = np.arange(len(who)) % 3 == 1
    some = dress(bodies, who[keep], Clothes(*(values[keep] for values in clothes)))
    np.testing.assert_array_equal(some, everybody[keep])


def test_skins_span_their_range():
    colours = draw_clothes(np.random.default_rng(0), np.full((4000, 6), 0.5)).colours
    light = colours[:, SKIN].mean(1)
    bounds = SKINS.mean(1)
    assert light.min() >= bounds.min() - 1e-3
    assert light.max() <= bounds.max() + 1e-3
    counts = np.histogram(light, np.sort(bounds))[0]
    assert (counts > 0.8 * 4000 / (len(SKINS) - 1)).all()  # as many of each shade


def test_garments_end_where_they_are_cut():
    cut = [0.0] * (len(COLUMN) - 1)
    for name, value in {"sleeve": 0.55, "leg": 1.35, "shoe": 1.97, "waist": 0.05, "collar": 0.47,
                        "period": 0.1, "hair_end": 9.0}.items():  # fmt: skip
        cut[getattr(COLUMN, name)] = value
    cut = tuple(cut)
    assert garment_at(ARM, 0.5, 0.25, 0.0, 0.3, cut) == SHIRT
    assert garment_at(ARM, 0.6, 0.25, 0.0, 0.3, cut) == SKIN
    assert garment_at(LEG, 1.3, 0.14, 0.0, -0.5, cut) == TROUSERS
    assert garment_at(LEG, 1.4, 0.14, 0.0, -0.55, cut) == SKIN
    assert garment_at(TRUNK, 0.0, 0.0, 0.0, 0.0, cut) == TROUSERS
    assert garment_at(TRUNK, 0.3, 0.0, 0.0, 0.3, cut) == SHIRT
    assert garment_at(TRUNK, 0.5, 0.0, 0.0, 0.5, cut) == SKIN


def test_the_table_holds_what_its_columns_say(crowd):
    clothes = crowd[2]
    table = clothes.table()
    for name in clothes._fields[1:]:
        column = table[:, getattr(COLUMN, name)]  # on a grid of micrometres
        np.testing.assert_allclose(column, getattr(clothes, name), rtol=0, atol=1e-6)
        assert (column * 2**20 == np.rint(column * 2**20)).all()
