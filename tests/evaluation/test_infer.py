"""A net on images of any size: the geometry of every step, the mirror, the scales."""

from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracle import Oracle, marked_photo

from sparse_ae.datasets.pictures import warp
from sparse_ae.evaluation.infer import find_people, infer, views
from sparse_ae.evaluation.predictor import Usage
from sparse_ae.models import PoseNet
from sparse_ae.settings import DecodeSettings
from sparse_ae.skeleton import COCO, CROWDPOSE

WIDTHS = (8, 16, 16, 24, 32)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(81, 81), (97, 151), (151, 97), (640, 427), (400, 90)])
@pytest.mark.parametrize(("flip", "scales"), [(False, (1,)), (True, (1, 0.5)), (True, (2, 1))])
def test_joints_come_back_to_where_they_are_in_the_photo(size, flip, scales):
    rng = np.random.default_rng(sum(size))
    net = Oracle(CROWDPOSE)
    net.size, net.people = size, np.ones((3, 14, 3))
    net.people[..., :2] = rng.uniform(0.08, 0.92, (3, 14, 2)) * size
    decode = DecodeSettings(flip=flip, scales=scales)
    people = find_people(net, marked_photo(*size), CROWDPOSE, 192, decode)
    assert len(people.scores) == 3
    assert [shape[0] for shape in net.seen] == [1 + flip] * len(scales)
    assert all(side % 64 == 0 for shape in net.seen for side in shape[2:])
    which = (people.tags[:, 0] / 2).round().astype(int)
    error = people.keypoints[..., :2] - net.people[which, :, :2]
    pixel = min(size) / 192  # of the view, in the photo's
    assert people.tags.shape == (3, 2 + 2 * flip)
    assert abs(error).max() < 0.75 * pixel + 0.1  # a cell, less a quarter
    assert abs(error.mean(axis=(0, 1))).max() < 0.1 * pixel + 0.1  # not half a pixel to any side


def nets(name):
    torch.manual_seed(3)
    options = {"dim": 0, "offsets": True} if name == "offset" else {"dim": 2}
    net = PoseNet(14, widths=WIDTHS, **options).eval()
    for name, part in net.named_children():
        if name.endswith("head"):  # they start near 0
            torch.nn.init.normal_(part.weight)
    return net


def batch(images, *, mirrored=False):
    """The views of one photo as those of a batch of one."""
    return [image[None, :, ::-1] if mirrored else image[None] for image in images]


def patches(height, width, seed=1):
    """A photo of soft patches."""
    grey = np.random.default_rng(seed).integers(0, 255, (7, 8, 3), np.uint8)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("name", ["embeddings", "offset"])
@pytest.mark.parametrize("scales", [(1,), (1, 0.5, 1.25)])
def test_a_mirrored_photo_has_mirrored_maps(name, scales):
    images, _ = views(patches(70, 101), 64, scales)
    net, flip = nets(name), torch.from_numpy(CROWDPOSE.flip)
    ours = infer(net, batch(images), CROWDPOSE, flip=True)
    theirs = infer(net, batch(images, mirrored=True), CROWDPOSE, flip=True)
    torch.testing.assert_close(ours.heatmaps, theirs.heatmaps.flip(-1)[:, flip])
    alone = infer(net, batch(images), CROWDPOSE).heatmaps
    assert (ours.heatmaps - alone).abs().max() > 0.1 * alone.abs().max()
    assert ours.heatmaps.shape == (1, 14, 64, 128)
    if name == "embeddings":  # and the embedding of the mirror is behind the other
        tags = theirs.tags.flip(-1)[:, flip]
        torch.testing.assert_close(ours.tags, torch.cat([tags[:, :, 2:], tags[:, :, :2]], 2))
        assert ours.native_tags.shape == (1, 14, 2, 16, 32)  # those of the view itself
        return
    torch.testing.assert_close(ours.centre, theirs.centre.flip(-1))
    offsets = theirs.offsets.unflatten(1, (14, 2)).flip(-1)[:, flip]
    offsets = offsets * torch.tensor([-1.0, 1])[:, None, None]
    torch.testing.assert_close(ours.offsets, offsets.flatten(1, 2))


@pytest.mark.parametrize("name", ["embeddings", "offset"])
def test_images_in_a_batch_have_the_maps_of_each_alone(name):
    net, seen = nets(name), [views(patches(70, 101, seed), 64, (1, 0.5))[0] for seed in (1, 2)]
    both = infer(net, [np.stack(scale) for scale in zip(*seen, strict=True)], CROWDPOSE, flip=True)
    for row, images in enumerate(seen):
        for maps, alone in zip(both, infer(net, batch(images), CROWDPOSE, flip=True), strict=True):
            assert (maps is None) == (alone is None)
            if maps is not None:
                torch.testing.assert_close(maps[row : row + 1], alone, atol=1e-4, rtol=1e-4)


def test_maps_are_averaged_as_in_the_released_code():
    """Its order: coarse heatmaps as large as fine ones, their mean, as large as the image, then
    mirror and scales; embeddings trilinear with their dimensions last, of the first scale."""
    photo = patches(80, 64)
    net, images = nets("embeddings"), views(photo, 64, (1, 0.5))[0]
    size, total, kept = images[0].shape[:2], 0, None
    for image in images:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - 0.5
        with torch.no_grad():
            output = net(torch.cat([pixels, pixels.flip(3)]))
        coarse, fine = output.heatmaps
        heat = (F.interpolate(coarse, fine.shape[2:], mode="bilinear") + fine) / 2
        heat = F.interpolate(heat, size, mode="bilinear")
        total = total + (heat[:1] + heat[1:].flip(3)[:, CROWDPOSE.flip]) / 2
        tags = output.tags.permute(0, 1, 3, 4, 2)
        tags = F.interpolate(tags, (*size, 2), mode="trilinear")
        tags = torch.cat([tags[:1], tags[1:].flip(3)[:, CROWDPOSE.flip]], 4)
        kept = tags if kept is None else kept
    ours = infer(net, batch(images), CROWDPOSE, flip=True)
    torch.testing.assert_close(ours.heatmaps, total / 2, atol=1e-5, rtol=1e-4)
    tags = F.interpolate(ours.tags.flatten(1, 2), size, mode="bilinear")  # as decoding reads them
    kept = kept.permute(0, 1, 4, 2, 3).flatten(1, 2)
    torch.testing.assert_close(tags, kept, atol=1e-5, rtol=1e-4)
    rough = infer(net, batch(images), CROWDPOSE, flip=True, precision="bfloat16").heatmaps
    assert 0 < (rough - ours.heatmaps).abs().max() < 0.05 * ours.heatmaps.abs().max()


def test_a_reduced_photo_is_seen_in_its_place():
    """A ramp keeps its slope and its place, whatever it is reduced by."""
    ramp = np.tile(np.arange(0, 250)[None, :, None], (160, 1, 3)).astype(np.uint8)
    for factor in (0.9, 0.5, 0.24, 0.12):
        matrix = np.array([[factor, 0, 2], [0, factor, 0]])
        view = warp(ramp, matrix, (24, 8))[4, 4:, 0]
        np.testing.assert_allclose(view, (np.arange(4, 24) - 2) / factor, atol=1.2)


@pytest.mark.parametrize("size", [64, 256, 512])
def test_a_square_image_of_the_size_is_its_own_view(size):
    """A rendered crowd is seen as it is, pixel for pixel."""
    image = patches(size, size)
    (view,), matrix = views(image, size)
    assert np.array_equal(view, image)
    np.testing.assert_allclose(matrix, np.eye(2, 3), atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((9, 9), np.uint8)}, r"image: expected uint8 of shape \(H, W, 3\)"),
        ({"image": np.zeros((9, 9, 3))}, "got float64 of shape"),
        ({"image": np.zeros((9, 0, 3), np.uint8)}, "expected uint8"),
        ({"image": np.zeros((10, 90, 3), np.uint8)}, "90 × 10 pixels: longer than 8 times"),
        ({"decode": DecodeSettings(scales=(0.5,))},
         r"scales: expected numbers up to 4 with 1 among them, got \[0.5\]"),
        ({"precision": "float16"}, "precision: expected float32 or bfloat16, got 'float16'"),
        ({"skeleton": COCO}, "14 keypoints; skeleton 'coco' has 17"),
    ],
)  # fmt: skip
def test_what_cannot_be_tested_is_told(change, message):
    given = {"net": Oracle(CROWDPOSE), "image": np.zeros((9, 9, 3), np.uint8), "size": 64,
             "skeleton": CROWDPOSE, "decode": DecodeSettings(), **change}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        find_people(**given)


def test_usage_goes_through_json():
    own = dataclasses.replace(COCO, name="own", sigmas=(0.1,) * 17)
    decode = DecodeSettings(rule="higherhrnet", min_score=0.2, tag_threshold=0.5, max_people=9,
                            flip=True, scales=(1.0, 0.5))  # fmt: skip
    usage = Usage(320, own, decode)
    assert Usage.from_dict(json.loads(json.dumps(usage.to_dict()))) == usage
    for change, message in (({"size": "big"}, "size: expected an integer"),
                            ({"skeleton": None}, "missing or unknown"),
                            ({"decode": None}, "missing or unknown"),
                            ({"decode": {"rule": "best"}}, "rule: expected 'released' or 'higher"),
                            ({"decode": {"scales": [0.5]}}, "scales: expected 1 among them"),
                            ({"colour": 1}, "missing or unknown.*colour")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            Usage.from_dict(usage.to_dict() | change)
