"""The knobs of a crowd: each does what it says, and leaves the others' distributions alone."""

import gzip
import json

import numpy as np
import pytest

from sparse_ae.crowds import CrowdConfig, load_bodies, render_scene
from sparse_ae.crowds.imitate import imitate_photo, read_photos
from sparse_ae.datasets import CrowdDataset

pytestmark = pytest.mark.slow

SCENES = 90
BASE = {"size": 64, "split": "val", "persons": (4, 7), "scale_spread": (1.5, 3.0),
        "scales": (0.15, 0.3), "crowding": ((0.0, 1.2),), "occlusion": 0.2}  # fmt: skip
TURNED = {"persons": (10, 13), "scale_spread": (4.0, 6.0), "crowding": ((1.2, 1.6),),
          "occlusion": 0.8, "scales": (0.1, 0.13)}  # fmt: skip


def measure(scenes) -> dict[str, np.ndarray]:
    """Measure what the knobs turn, one value per scene."""
    scales = [np.sqrt(scene.boxes[:, 2] * scene.boxes[:, 3]) / 64 for scene in scenes]
    joints = [scene.keypoints[..., 2] for scene in scenes]
    return {
        "persons": np.array([len(scene.boxes) for scene in scenes]),
        "crowding": np.array([scene.crowd_index for scene in scenes]),
        "scale_spread": np.array([np.ptp(np.log(s)) for s in scales]),
        "scales": np.array([np.log(s).mean() for s in scales]),
        "hidden": np.array([(v == 1).sum() / (v > 0).sum() for v in joints]),
    }


def drawn(**changes):
    return [render_scene(CrowdConfig(**{**BASE, **changes}), i) for i in range(SCENES)]


@pytest.fixture(scope="module")
def plain():
    return measure(drawn())


def shift(values, plain) -> float:
    """Return how far a distribution moved, as Cohen's d."""
    return (values.mean() - plain.mean()) / np.sqrt((values.var() + plain.var()) / 2 + 1e-12)


@pytest.mark.parametrize("knob", ["persons", "scale_spread", "crowding", "scales"])
def test_turning_a_knob_leaves_the_others_alone(knob, plain):
    turned = measure(drawn(**{knob: TURNED[knob]}))
    assert abs(shift(turned[knob], plain[knob])) > 2
    for other in {"persons", "crowding", "scale_spread", "scales"} - {knob}:
        # pictures cut persons off, and a dense crowd leaves less room; that much may move
        assert abs(shift(turned[other], plain[other])) < 0.5, other


def test_occlusion_hides_and_changes_nothing_else(plain):
    turned = measure(drawn(occlusion=TURNED["occlusion"]))
    assert turned["hidden"].mean() > plain["hidden"].mean() + 0.05
    same = turned["persons"] == plain["persons"]
    assert same.mean() > 0.97  # now and then nothing is left to see of a person
    for other in ("crowding", "scale_spread", "scales"):
        np.testing.assert_allclose(turned[other][same], plain[other][same], atol=1e-4)


def test_without_occlusion_only_bodies_and_seats_hide(plain):
    clear = measure(drawn(occlusion=0.0))
    assert clear["hidden"].mean() < plain["hidden"].mean()


def test_everybody_at_one_scale():
    spread = measure(drawn(scale_spread=(1.0, 1.0), crowding=((0.0, 0.3),)))["scale_spread"]
    assert np.median(np.exp(spread)) < 1.1  # but for those whom the frame cuts


@pytest.mark.parametrize("bounds", [(0.0, 0.2), (0.2, 0.8), (0.8, 2.0)])
def test_the_crowd_index_lies_in_its_range(bounds):
    index = measure(drawn(crowding=(bounds,)))["crowding"]
    assert ((bounds[0] <= index) & (index <= bounds[1])).mean() > 0.9


def test_many_persons():
    counts = [len(render_scene(CrowdConfig(persons=(30, 30), size=96), i).boxes) for i in range(6)]
    assert min(counts) >= 26
    assert max(counts) == 30


def test_scales_from_tiny_to_filling_the_picture():
    config = CrowdConfig(persons=(6, 6), scale_spread=(10.0, 10.0), scales=(0.15, 0.2), size=128)
    heights = np.concatenate([render_scene(config, i).boxes[:, 3] for i in range(20)]) / 128
    assert heights.min() < 0.1
    assert heights.max() > 0.75


def annotations(skeleton: str = "coco") -> dict:
    """Return annotations of two rendered persons, as if from a wide photograph."""
    config = CrowdConfig(skeleton=skeleton, persons=(2, 2), size=256, scales=(0.3, 0.3),
                         scale_spread=(2.0, 2.0), crowding=((0.0, 0.1),))  # fmt: skip
    scene, rows = render_scene(config, 3), []
    for joints, box in zip(scene.keypoints, scene.boxes, strict=True):
        joints[joints[:, 2] > 0, 0] += 40
        rows.append({"image_id": 7, "keypoints": joints.ravel().tolist(),
                     "bbox": [float(box[0]) + 40, *box[1:].tolist()], "iscrowd": 0})  # fmt: skip
    alone = {**rows[0], "image_id": 8}
    images = [{"id": i, "width": 336, "height": 256, "file_name": f"{i}.jpg"} for i in (8, 7)]
    return {"images": images, "annotations": [*rows, alone, {**alone, "keypoints": [0] * 51}]}


@pytest.mark.parametrize("skeleton", ["coco", "crowdpose"])
def test_a_layout_is_imitated(tmp_path, skeleton):
    path = tmp_path / "people.json.gz"
    path.write_bytes(gzip.compress(json.dumps(annotations(skeleton)).encode()))
    config = CrowdConfig(layouts=str(path), skeleton=skeleton, persons=(2, 9), size=336)
    scene = render_scene(config, 0)
    wanted = np.array([row["keypoints"] for row in annotations(skeleton)["annotations"][:2]])
    wanted = wanted.reshape(2, -1, 3)
    wanted[..., 1] += 40  # letters: a wide photograph in the middle of a square picture
    both = (wanted[..., 2] > 0) & (scene.keypoints[..., 2] > 0)
    for found, real, use in zip(scene.keypoints, wanted, both, strict=True):
        size = np.ptp(real[use, :2], axis=0).max()
        gap = np.linalg.norm(found[use, :2] - real[use, :2], axis=1).mean() / size
        assert gap < 0.12
    assert np.all(np.linalg.norm(render_scene(config, 1).keypoints - scene.keypoints) > 0)


def test_imitated_persons_stand_in_the_order_of_their_scales(tmp_path):
    path = tmp_path / "people.json"
    path.write_text(json.dumps(annotations()))
    config = CrowdConfig(layouts=str(path), persons=(2, 9), size=336)
    layout = imitate_photo(np.random.default_rng(0), config, load_bodies(), 0)
    boxes = np.array([row["bbox"] for row in annotations()["annotations"][:2]])
    assert np.argmin(layout.position[:, 1]) == np.argmax(boxes[:, 3])


def test_the_digest_covers_the_imitated_file(tmp_path):
    path, digests = tmp_path / "people.json", set()
    for width in (336, 337):
        content = annotations()
        content["images"][0]["width"] = width
        path.write_text(json.dumps(content))
        digests.add(CrowdDataset(CrowdConfig(layouts=str(path)), 2, tmp_path).digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read"),
        ("{", "expected COCO's or CrowdPose's keypoint annotations"),
        ('{"of": "\u00e9"}', r"json: no text in UTF-8 \(byte 0xe9 at 8\); save it as UTF-8$"),
        ("[]", "expected COCO's or CrowdPose's keypoint annotations"),
        ('{"images": [], "annotations": []}', "no image with 1 to 8 labelled persons"),
        ('{"images": [{"id": 1, "width": 9, "height": 9}], "annotations": [{"image_id": 1, '
         '"keypoints": [1, 2, 2], "bbox": [0, 0, 9, 9]}]}', "17 or 14 keypoints a person"),
    ],
)  # fmt: skip
def test_bad_layouts(tmp_path, content, expected):
    path = tmp_path / "people.json"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    with pytest.raises(ValueError, match=expected) as caught:
        read_photos(str(path), 1, 8)
    assert str(path) in str(caught.value)
