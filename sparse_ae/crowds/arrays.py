"""Scenes as padded arrays, the result of a rendering process."""

from __future__ import annotations

import numpy as np

from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.scene import render_scene


def scenes_as_arrays(task: tuple[CrowdConfig, int, int]) -> dict[str, np.ndarray]:
    """Render scenes `start` to `stop` of a configuration, padded to the most people it allows."""
    config, start, stop = task
    scenes = [render_scene(config, i) for i in range(start, stop)]

    def padded(values: list[np.ndarray]) -> np.ndarray:
        result = np.zeros((len(values), config.persons[1], *values[0].shape[1:]), np.float32)
        for row, value in zip(result, values, strict=True):
            row[: len(value)] = value
        return result

    return {
        "images": np.stack([scene.image for scene in scenes]),
        "keypoints": padded([scene.keypoints for scene in scenes]),
        "boxes": padded([scene.boxes for scene in scenes]),
        "areas": padded([scene.areas for scene in scenes]),
        "counts": np.array([len(scene.keypoints) for scene in scenes]),
        "crowd_index": np.array([scene.crowd_index for scene in scenes], np.float32),
    }
