"""Rendered crowds: scenes are reproducible, and their labels are true of their pictures."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sparse_ae.crowds import CrowdConfig, contact_sheet, load_bodies, render_scene
from sparse_ae.crowds.camera.camera import Camera
from sparse_ae.crowds.config import LEVELS
from sparse_ae.crowds.layout import Layout, draw_target
from sparse_ae.crowds.people.appearance import draw_clothes
from sparse_ae.crowds.people.dress import dress
from sparse_ae.crowds.scene import STREAMS, Crowd, add_props, draw_crowd, render_labels
from sparse_ae.crowds.surroundings.props import merge_meshes
from sparse_ae.skeleton import get_skeleton


@pytest.fixture(scope="module")
def scenes():
    config = CrowdConfig(split="val")
    return [render_scene(config, i) for i in range(60)]


def fingerprint(scene):
    digest = hashlib.sha256()
    for value in scene[:5]:
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest() + repr(scene.crowd_index)


def test_a_scene_is_the_same_in_any_order(scenes):
    config = CrowdConfig(split="val")
    for index in (41, 3, 17, 3):
        assert fingerprint(render_scene(config, index)) == fingerprint(scenes[index])


@pytest.mark.slow
def test_a_scene_is_the_same_in_another_process(scenes):
    code = (
        "import sys; sys.path[:0] = ['tests', 'tests/crowds']; from test_scene import *;"
        "print(fingerprint(render_scene(CrowdConfig(split='val'), 7)))"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert run.stdout.strip() == fingerprint(scenes[7]), run.stderr


def test_other_configurations_give_other_scenes(scenes):
    others = (CrowdConfig(split="test"), CrowdConfig(split="val", seed=1))
    prints = {fingerprint(render_scene(config, 0)) for config in others}
    assert len(prints | {fingerprint(scene) for scene in scenes}) == 62


def test_a_split_shows_its_own_bodies_only():
    bodies, seen = load_bodies(), {}
    for split in ("train", "val", "test"):
        config, drawn = CrowdConfig(split=split, persons=(8, 8), occlusion=1.0), []
        for i in range(30):
            rngs = {name: np.random.default_rng((i, k)) for k, name in enumerate(STREAMS)}
            crowd = draw_crowd(rngs, config, bodies)
            drawn.append(crowd.layout.body)
            bystander = add_props(rngs, config, bodies, crowd)[1]
            drawn += [] if bystander is None else [bystander.layout.body]
        seen[split] = set(np.concatenate(drawn).tolist())
        assert seen[split] <= set(bodies.of_split(split).tolist())
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["val"]
    assert not seen["val"] & seen["test"]


@pytest.mark.parametrize("near", [0, 1])
def test_the_nearer_person_hides_the_other(near):
    """Two upright persons, one of them a quarter of a metre beside and 1.5 m behind the other."""
    bodies = load_bodies()
    tall = bodies.joints[..., 2].max(1) > 1.5
    standing = np.flatnonzero(tall & (bodies.family == bodies.families.index("standing")))
    places = np.array([[0.0, 3.0, 0.0], [0.25, 3.0, 0.0]])
    places[1 - near, 1] = 4.5
    camera = Camera(focal=128.0, height=1.2, pitch=0.15, roll=0.0, centre=63.5)
    pair = Layout(standing[:2], np.zeros(2), places, camera)
    clothes = draw_clothes(np.random.default_rng(0), bodies.phenotype[pair.body])
    crowd = Crowd(pair, clothes, dress(bodies, pair.body, clothes))
    labels = render_labels(CrowdConfig(), bodies, crowd, merge_meshes([]))[1]
    keypoints, _, masks, areas = labels
    alone = render_labels(
        CrowdConfig(), bodies, crowd.select(np.arange(2) == near), merge_meshes([])
    )[1]
    assert len(keypoints) == 2
    np.testing.assert_array_equal(keypoints[near], alone.joints[0])  # hidden by nobody
    assert areas[near] == pytest.approx(alone.areas[0], rel=0.04)  # ties of samples at the outline
    far = keypoints[1 - near]
    x, y = np.rint(far[:, :2]).astype(int).T
    surroundings = [masks[y + j, x + i] == near for j in (-1, 0, 1) for i in (-1, 0, 1)]
    covered = np.all(surroundings, axis=0) & (far[:, 2] > 0)
    assert covered.sum() >= 3
    assert (far[covered, 2] == 1).all()


def test_visible_keypoints_lie_on_their_person(scenes):
    distances = []
    for scene in scenes:
        for person, joints in enumerate(scene.keypoints):
            rows, columns = np.nonzero(scene.masks == person)
            for x, y, _ in joints[joints[:, 2] == 2]:
                distances.append(np.hypot(columns - x, rows - y).min())
    assert len(distances) > 2000
    assert np.mean(np.array(distances) < 1) > 0.97
    assert np.mean(np.array(distances) < 2.5) > 0.999  # the rest see slivers of less than a pixel


def test_keypoints_outside_the_frame_are_zero(scenes):
    joints = np.concatenate([scene.keypoints.reshape(-1, 3) for scene in scenes])
    assert set(np.unique(joints[:, 2])) == {0, 1, 2}
    assert (joints[joints[:, 2] == 0] == 0).all()
    assert joints.min() >= 0
    assert joints[:, :2].max() <= 127


def test_boxes_hold_keypoints_and_masks(scenes):
    for scene in scenes:
        for person, (x, y, width, height) in enumerate(scene.boxes):
            joints = scene.keypoints[person]
            rows, columns = np.nonzero(scene.masks == person)
            xs = np.concatenate((joints[joints[:, 2] > 0, 0], columns))
            ys = np.concatenate((joints[joints[:, 2] > 0, 1], rows))
            assert x - 1.5 <= xs.min()
            assert xs.max() <= x + width + 1.5
            assert y - 1.5 <= ys.min()
            assert ys.max() <= y + height + 1.5
            assert len(rows) == scene.areas[person]
            assert min(x, y) >= -0.5
            assert max(x + width, y + height) <= 127.5


def test_everybody_can_be_labelled(scenes):
    for scene in scenes:
        assert 1 <= len(scene.keypoints) <= 8
        assert ((scene.keypoints[..., 2] > 0).sum(1) >= 3).all()
        assert ((scene.keypoints[..., 2] == 2).sum(1) >= 2).all()
        assert (scene.areas > 0).all()
        assert scene.masks.max() == len(scene.keypoints) - 1


def test_a_third_each_of_easy_medium_and_hard(scenes):
    index = np.array([scene.crowd_index for scene in scenes])
    for low, high in LEVELS.values():
        assert 0.2 < ((low <= index) & (index < high)).mean() < 0.47  # 60 scenes


def test_a_bystander_has_nothing_to_label():
    """No joint of a bystander is in the frame, no mask contains it, and it hides others."""
    config, found = CrowdConfig(size=128, persons=(2, 4), occlusion=1.0), 0
    bodies = load_bodies()
    for i in range(40):
        rngs = {name: np.random.default_rng((i, k)) for k, name in enumerate(STREAMS)}
        crowd = draw_crowd(rngs, config, bodies)
        props, bystander = add_props(rngs, config, bodies, crowd)
        if bystander is None:
            continue
        found += 1
        joints = crowd.layout.camera.project(
            bystander.layout.to_world(bodies.joints[bystander.layout.body])
        )
        inside = (joints[..., :2] > -0.5) & (joints[..., :2] < 127.5)
        assert not inside.all(-1).any()
        rasterised, labels = render_labels(config, bodies, crowd, props, bystander)
        persons = len(labels.joints)
        assert len(rasterised.points) == persons + 1
        behind = rasterised.surface.owner[::2, ::2] == persons
        assert behind.any()
        assert labels.masks.max() < persons
    assert found >= 5


def test_targets_keep_to_the_configuration():
    bodies = load_bodies()
    config = CrowdConfig(persons=(2, 5), scale_spread=(2.0, 3.0), scales=(0.1, 0.2),
                         crowding=((0.3, 0.5),))  # fmt: skip
    for i in range(200):
        rngs = {name: np.random.default_rng((i, k)) for k, name in enumerate(STREAMS)}
        target = draw_target(rngs, config, bodies)
        assert 2 <= len(target.body) == len(set(target.body.tolist())) <= 5
        assert 0.3 <= target.crowding <= 0.5
        assert 2 - 1e-6 <= target.scale.max() / target.scale.min() <= 3 + 1e-6
        middle = np.sqrt(target.scale.max() * target.scale.min())
        assert 0.1 - 1e-6 <= middle <= 0.2 + 1e-6


LABELS = """
import sys; sys.path[:0] = ["tests", "tests/crowds"]; from test_scene import *
print(hashlib.sha256(np.exp(np.linspace(0, 7, 10001)).tobytes()).hexdigest())
digest = hashlib.sha256()
for i in range(12):
    scene = render_scene(CrowdConfig(split="val"), i)
    for value in scene[1:5]:
        digest.update(np.ascontiguousarray(value).tobytes())
print(digest.hexdigest())
"""


ROOT = Path(__file__).parents[2]
OLDER = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"  # than AVX2


def labels_on(**variables) -> list[str]:
    """Return what LABELS prints in a process with these environment variables."""
    run = subprocess.run([sys.executable, "-c", LABELS], capture_output=True, text=True,
                         cwd=ROOT, env={**os.environ, **variables})  # fmt: skip
    assert not run.returncode, run.stderr
    return run.stdout.split()


@pytest.mark.slow
def test_labels_are_the_same_on_other_processors():
    """Labels agree between this processor, one without AVX-512, and an old one.

    The old one has NumPy without AVX2, a C library without fused multiplication, numba for any
    x86-64, which numba keeps apart on disk, and linear algebra for a processor of 2004.
    """
    if not np._core._multiarray_umath.__cpu_features__.get("X86_V3"):
        pytest.skip("this processor, or this NumPy, has no AVX2 to do without")
    here, plain = labels_on(), labels_on(NPY_DISABLE_CPU_FEATURES=OLDER.removeprefix("X86_V3 "))
    old = labels_on(NPY_DISABLE_CPU_FEATURES=OLDER, OPENBLAS_CORETYPE="Prescott",
                    NUMBA_CPU_NAME="generic",
                    GLIBC_TUNABLES="glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4,-AVX512F")  # fmt: skip
    assert here[0] != old[0]  # NumPy did compute otherwise
    assert here[1] == plain[1] == old[1]


def test_crowdpose_sees_the_same_scene():
    coco = render_scene(CrowdConfig(crowding=[[0, 0.2]]), 5)
    crowdpose = render_scene(CrowdConfig(crowding=[[0, 0.2]], skeleton="crowdpose"), 5)
    assert crowdpose.keypoints.shape[1:] == (14, 3)
    np.testing.assert_array_equal(coco.image, crowdpose.image)
    np.testing.assert_array_equal(coco.keypoints[:, 5:17], crowdpose.keypoints[:, :12])


def test_contact_sheet(scenes):
    assert contact_sheet(scenes[:7], columns=3).shape == (3 * 128, 3 * 128, 3)
    plain, marked = contact_sheet(scenes[:1]), contact_sheet(scenes[:1], keypoints=True)
    assert (plain[:, :128] == scenes[0].image).all()
    assert (plain != marked).any()
    with pytest.raises(ValueError, match="at least one scene"):
        contact_sheet([])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"split": "dev"}, "split 'dev': expected one of train, val, test"),
        ({"skeleton": "hand"}, "skeleton: only coco and crowdpose can be rendered, got 'hand'"),
        ({"skeleton": "kite.yaml"}, "only coco and crowdpose can be rendered, got 'kite.yaml'"),
        ({"skeleton": None}, "skeleton: only coco and crowdpose can be rendered, got None"),
        ({"size": 128.0}, "size 128.0: expected an integer"),
        ({"size": 8}, "size 8: expected an integer from 32"),
        ({"seed": "3"}, "seed '3': expected an integer"),
        ({"seed": True}, "seed True: expected an integer"),
        ({"persons": 5}, "persons 5: expected 2 integers"),
        ({"persons": (5, 2)}, r"persons \(5, 2\): .*rising order"),
        ({"persons": (0, 2)}, r"persons \(0, 2\): expected 2 integers from 1"),
        ({"scales": (0.5, "1")}, "scales .*expected 2 numbers from 0.02 to 1.0"),
        ({"scale_spread": (0.5, 1)}, "scale_spread .*expected 2 numbers from 1.0 to 10.0"),
        ({"crowding": ()}, "crowding .*expected one or more pairs"),
        ({"crowding": (0.2, 0.8)}, "crowding .*expected one or more pairs"),
        ({"crowding": ((0.8, 0.2),)}, "crowding .*each in rising order"),
        ({"occlusion": 1.5}, "occlusion 1.5: expected 0 to 1"),
        ({"layouts": 3}, "layouts 3: expected the name of a JSON file"),
        ({"noise": "much"}, "noise 'much': expected a number"),
        ({"noise": float("nan")}, "noise nan: expected 0 to 64"),
    ],
)
def test_bad_configurations(changes, expected):
    with pytest.raises(ValueError, match=expected) as caught:
        CrowdConfig(**changes)
    assert "\n" not in str(caught.value)


def test_a_skeleton_of_ones_own_is_read_but_not_rendered(tmp_path):
    """Bodies lack its joints; COCO's joints would be written under the names of the file."""
    path = tmp_path / "kite.yaml"
    path.write_text(
        "name: kite\nkeypoints: [tip, left_wing, right_wing, tail]\n"
        "sigmas: [0.1, 0.1, 0.1, 0.1]\nflip_pairs: [[left_wing, right_wing]]\n"
        "limbs: [[tip, left_wing], [tip, right_wing], [tip, tail]]\n"
    )
    assert len(get_skeleton(str(path))) == 4
    with pytest.raises(ValueError, match=r"only coco and crowdpose can be rendered, got '.*kite"):
        CrowdConfig(skeleton=str(path))


def test_bad_scene_number():
    for index in (-1, 1.5, "2", True):
        with pytest.raises(ValueError, match="expected an integer from 0"):
            render_scene(CrowdConfig(), index)
