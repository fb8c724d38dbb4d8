"""Made-up inputs for the benchmark of the core: maps as a network gives them, and annotations."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from sparse_ae.targets import heatmap_targets

STRIDE = 4  # maps are made small and enlarged, as the published codebases do
SEEN = 0.65  # share of joints with a peak; half of the others leave a trace too weak to count
NEAR = 0.2  # share of a peak's height above which tags around it are the person's
BORDER = 3  # cells: an enlarged map repeats its outermost ones, which makes a peak there two
AREA = 0.53  # of a person, as a share of its box


def joints(generator, persons, size, kinds=17):
    """Draw (P, K, 2) joints of persons of different size, anywhere in the map."""
    extent = generator.uniform(0.05, 0.25, (persons, 1, 1)) * size
    middle = generator.uniform(0.1, 0.9, (persons, 1, 2)) * size
    place = middle + extent * generator.normal(0, 1, (persons, kinds, 2)) / 2
    return place.clip(BORDER, size - 1 - BORDER)


def maps(persons, size, dim, *, kinds=17, noise=False, seed=0):
    """Draw heatmaps (K, size, size) and tags (K, D, size, size), enlarged from `small_maps`.

    With `noise`, tags are random in every cell without a joint, which leaves refinement nothing to
    go by.
    """
    generator = np.random.default_rng(seed)
    heatmaps, tags = small_maps(persons, size // STRIDE, dim, generator, kinds)
    heatmaps, tags = (enlarge(part, size) for part in (heatmaps[:, None], tags))
    heatmaps = heatmaps[:, 0]
    if noise:
        away = heatmaps < 0.05
        drawn = generator.normal(0, 2, tags.shape).astype(np.float32)
        tags = np.where(away[:, None], drawn, tags)
    return np.ascontiguousarray(heatmaps), np.ascontiguousarray(tags)


def small_maps(persons, small, dim, generator, kinds=17):
    """Draw heatmaps (K, small, small) and tags (K, D, small, small), as a network gives them.

    Tags are a person's own around its joints; elsewhere they are those of the nearest person, since
    networks colour a whole body.
    """
    place = joints(generator, persons, small, kinds)
    seen = generator.random((persons, kinds))
    height = np.where(seen < SEEN, generator.uniform(0.2, 1, seen.shape), 0.06)
    height[seen > (1 + SEEN) / 2] = 0
    own = generator.normal(0, 2 if dim > 1 else persons, (persons, dim))
    present = np.ones((1, kinds), bool)
    blobs = np.stack([heatmap_targets(place[[p]], present, small) for p in range(persons)])
    blobs *= height[..., None, None]  # (P, K, h, w)
    heatmaps, owner = blobs.max(axis=0), blobs.argmax(axis=0)
    y, x = np.mgrid[:small, :small]
    middle = place.mean(axis=1)[..., None, None]  # (P, 2, 1, 1)
    nearest = ((x - middle[:, 0]) ** 2 + (y - middle[:, 1]) ** 2).argmin(axis=0)
    tags = np.tile(own[nearest].transpose(2, 0, 1), (kinds, 1, 1, 1)).astype(np.float32)
    for k in range(kinds):
        around = heatmaps[k] > NEAR * height[owner[k], k]
        tags[k][:, around] = own[owner[k][around]].T
    tags += generator.normal(0, 0.03, tags.shape).astype(np.float32)
    return heatmaps + generator.uniform(0, 0.04, heatmaps.shape).astype(np.float32), tags


def enlarge(part, size):
    """Enlarge (K, C, h, w) bilinearly to (K, C, size, size)."""
    return F.interpolate(
        torch.from_numpy(part), size=(size, size), mode="bilinear", align_corners=False
    ).numpy()


def crowds(images, kinds=14, seed=0):
    """Draw COCO annotations and detections of crowded images, one to eight persons each."""
    generator = np.random.default_rng(seed)
    persons, found = [], []
    for image in range(1, images + 1):
        for _ in range(generator.integers(1, 9)):
            corner, extent = generator.uniform(0, 400, 2), generator.uniform(30, 200, 2)
            points = corner + extent * generator.random((kinds, 2))
            visible = np.where(generator.random((kinds, 1)) < 0.8, 2, 0)
            guess = points + extent * generator.normal(0, 0.03, (kinds, 2))
            one = {"image_id": image, "category_id": 1}
            persons.append({
                **one, "id": len(persons) + 1, "iscrowd": 0, "bbox": [*corner, *extent],
                "area": AREA * float(np.prod(extent)), "num_keypoints": int((visible > 0).sum()),
                "keypoints": np.hstack([points, visible]).ravel().tolist(),
            })  # fmt: skip
            if generator.random() < 0.9:
                keypoints = np.hstack([guess, np.ones((kinds, 1))]).ravel().tolist()
                score = float(generator.random())
                found.append({**one, "keypoints": keypoints, "score": score})
    pictures = [{"id": i, "crowdIndex": float(generator.random())} for i in range(1, images + 1)]
    categories = [{"id": 1, "name": "person"}]
    return {"images": pictures, "annotations": persons, "categories": categories}, found
