"""A net that knows where the joints are: it finds three discs in the picture that it is given, and
from them the way from the photo, whatever was done to it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sparse_ae.models.outputs import PoseOutput

RADIUS = 12
SIGMA = 2.0  # of a heatmap, pixels of the fine map


def marks(width: int, height: int) -> np.ndarray:
    """(3, 2) where the discs are, red, green and blue."""
    return np.array([[0.2, 0.25], [0.8, 0.3], [0.35, 0.8]]) * (width, height)


def marked_photo(width: int, height: int) -> np.ndarray:
    """A black photo with the three discs, their edges soft."""
    rows, columns = np.mgrid[:height, :width]
    away = [np.hypot(columns - x, rows - y) for x, y in marks(width, height)]
    return np.stack([255 * (RADIUS - d).clip(0, 1) for d in away], 2).round().astype(np.uint8)


class Oracle(nn.Module):
    """Perfect maps of the persons `keypoints` (P, K, 3) of a photo of `size` (width, height), which
    the test is to say; heatmaps at H/4 and H/2 and tags (2 dimensions) at H/4. Shown a mirror
    image, it takes left for right, as a net does."""

    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def __init__(self, skeleton):
        super().__init__()
        self.skeleton, self.keypoints = skeleton, len(skeleton)
        self.people, self.size, self.seen = np.zeros((0, len(skeleton), 3)), (1, 1), []

    def forward(self, images):
        self.seen.append(tuple(images.shape))
        maps = [self.maps(image.double().numpy()) for image in images]
        parts = (np.stack(part) for part in zip(*maps, strict=True))
        coarse, fine, tags = (torch.from_numpy(part).float() for part in parts)
        return PoseOutput((coarse, fine), tags)

    def maps(self, image):
        """The maps of one image (3, H, W)."""
        rows, columns = np.mgrid[: image.shape[1], : image.shape[2]]
        found = [[(c * columns).sum() / c.sum(), (c * rows).sum() / c.sum()] for c in image]
        known = np.column_stack([marks(*self.size), np.ones(3)])
        affine = np.linalg.solve(known, found)  # (3, 2)
        joints = self.people[..., :2] @ affine[:2] + affine[2]
        visible = self.people[..., 2] > 0
        if np.linalg.det(affine[:2]) < 0:
            flip = self.skeleton.flip
            joints, visible = joints[:, flip], visible[:, flip]
        heat = []
        for stride in (4, 2):
            shape = [side // stride for side in image.shape[1:]]
            heat.append(self.heatmap((joints + 0.5) / stride - 0.5, visible, shape, 4 / stride))
        return *heat, self.tags((joints + 0.5) / 4 - 0.5, visible, heat[0].shape[1:])

    def heatmap(self, joints, visible, shape, sharp):
        """(K, h, w) Gaussians about the joints, given in cells."""
        x, y = (np.exp(-((np.arange(n) - joints[..., axis, None]) ** 2) * sharp / (4 * SIGMA))
                for axis, n in ((0, shape[1]), (1, shape[0])))  # fmt: skip
        maps = np.zeros((self.keypoints, *shape))
        for person, joint in np.argwhere(visible):
            each = y[person, joint][:, None] * x[person, joint]
            np.maximum(maps[joint], each, out=maps[joint])
        return maps

    def tags(self, joints, visible, shape):
        """(K, 2, h, w): everywhere that of the person whose joint is nearest."""
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        maps = np.zeros((self.keypoints, 2, *shape))
        for k in range(self.keypoints):
            nearest = np.full(shape, np.inf)
            for person in np.flatnonzero(visible[:, k]):
                x, y = joints[person, k]
                away = (columns - x) ** 2 + (rows - y) ** 2
                maps[k, 0][away < nearest] = 2.0 * person
                maps[k, 1][away < nearest] = -1.5 * person
                nearest = np.minimum(nearest, away)
        return maps
