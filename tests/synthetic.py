"""Made-up runs and a made-up skeleton for tests. Never written into the repository."""

import dataclasses
import math

import numpy as np

from sparse_ae.companion import records as results
from sparse_ae.evaluation.evaluation import THRESHOLDS
from sparse_ae.skeleton import COCO

# a skeleton of two joints, for cases worked out by hand
PAIR = dataclasses.replace(
    COCO,
    name="pair",
    keypoints=("a", "b"),
    sigmas=(0.1,) * 2,
    flip_pairs=(),
    limbs=(),
    order=(0, 1),
)
CROWD = {"split": "test", "skeleton": "crowdpose", "size": 64, "persons": [2, 4]}


def make_record(method="ae8", seed=1, **metrics) -> dict:
    """A valid record; metrics not given are 0.5, AP_hard is undefined."""
    identity = {
        "settings": {"data": {"skeleton": "crowdpose"}, "optim": {"steps": 3, "batch": 8},
                     "decode": {"tag_threshold": 1.0}},
        "data": {"test_crowd": CROWD, "test_digest": "0"},
    }  # fmt: skip
    values = dict.fromkeys(results.METRICS, 0.5) | {"AP_hard": math.nan} | metrics
    return {
        "schema": results.SCHEMA,
        "preset": "smoke",
        "method": method,
        "seed": seed,
        **identity,
        "settings_digest": results.settings_digest(identity),
        "metrics": values,
        "provenance": {
            "commit": "0123456789abcdef",
            "dirty": False,
            "date": "2030-01-02T03:04:05+00:00",
            "device": "cpu: a processor",
            "data_digest": "0",
        },
    }


def make_arrays(images=4, **arrays) -> dict:
    """Per-image arrays, each 0, 1, 2, … unless given."""
    return {
        **{name: np.arange(images, dtype=float) for name in results.PER_IMAGE},
        "accuracy_at": np.full((images, len(THRESHOLDS)), 0.5, np.float32),
        **make_matches(images),
        **arrays,
    }


def make_matches(images=4) -> dict:
    """Three detections an image, of falling score: the first two find its two persons, at a
    similarity of 0.95 and of 0.5; the third finds nobody."""
    return {
        "match_score": np.tile(np.array([0.9, 0.5, 0.1], np.float32), images),
        "match_image": np.repeat(np.arange(images), 3).astype(np.int16),
        "match_matched": np.tile(np.array([1023, 1, 0], np.uint16), images),
        "match_skipped": np.zeros(3 * images, np.uint16),
        "match_persons": np.full(images, 2, np.int16),
    }


def make_examples(images=4, dim=8, line=False) -> dict:
    """Arrays of a run with two example scenes of three persons, and a loss curve.

    line: embeddings exactly on a line.
    """
    generator = np.random.default_rng(0)
    tags = generator.normal(size=(2, 3, 14, 1 if line else dim)) * np.ones(dim)
    people = generator.uniform(0, 63, (2, 3, 14, 3)).astype(np.float32)
    people[1, 2] = np.nan  # padding: a person fewer
    steps = np.arange(1, 6)
    curve = {f"loss_{name}": 1.0 / steps for name in ("heatmap", "pull", "push")}
    return make_arrays(
        images,
        example_id=np.array([0, 2]),
        example_tags=tags.astype(np.float32),
        example_visible=np.ones((2, 3, 14), bool),
        example_people=people,
        step=steps,
        loss_scale=np.full(5, np.nan),
        **curve,
    )
