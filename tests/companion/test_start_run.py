"""A run of heatmaps alone, and runs that start from its weights."""

import math
from pathlib import Path

import numpy as np
import pytest
from flat import flat_settings

from sparse_ae.companion.experiment import evaluate_weights, fit, run
from sparse_ae.companion.identity import identity
from sparse_ae.companion.records import record_path
from sparse_ae.models import load_checkpoint
from sparse_ae.settings import load_settings


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """The record of a short run, and its weights file."""
    root = tmp_path_factory.mktemp("start")
    record = run(flat_settings("smoke", "heatmaps", 1, steps=4), root, progress=False)
    return record, record_path("smoke", "heatmaps", 1, root).with_suffix(".safetensors")


def test_it_learns_heatmaps_and_measures_no_embeddings(start):
    record, weights = start
    assert load_checkpoint(weights).dim == 0
    assert math.isnan(record["metrics"]["grouping_accuracy"])
    assert 0 <= record["metrics"]["AP"] <= 1
    training = fit(flat_settings("smoke", "heatmaps", 1, steps=4), progress=False)
    assert [name for name in training.curve if name.startswith("loss_")] == ["loss_heatmap"]
    again = evaluate_weights(flat_settings("smoke", "heatmaps", 1), weights, progress=False)
    assert again.metrics["AP"] == record["metrics"]["AP"]


def test_other_methods_go_on_from_it(start):
    _, weights = start
    for method in ("ae8", "swahr", "offset"):
        settings = flat_settings("smoke", method, 2, steps=1, pretrained=str(weights), ema=0.999)
        net = fit(settings, progress=False).model.state_dict()
        kept = load_checkpoint(weights).state_dict()
        moved = [(net[name] - tensor).abs().max() for name, tensor in kept.items()
                 if name.startswith("heatmap_head")]  # fmt: skip
        assert max(moved) < 0.01  # after one averaged step


def test_a_run_is_known_by_the_weights_it_starts_from(start, tmp_path):
    _, weights = start
    settings = flat_settings("smoke", "ae8", 2, pretrained=str(weights))
    found = identity(settings)
    assert found["settings"]["model"]["pretrained"] == weights.name
    moved = tmp_path / weights.name
    moved.write_bytes(weights.read_bytes())
    elsewhere = settings.override({"model": {"pretrained": str(moved)}})
    assert identity(elsewhere) == found
    moved.write_bytes(weights.read_bytes() + b" ")
    assert identity(elsewhere)["data"]["start_digest"] != found["data"]["start_digest"]
    Path(moved).unlink()
    with pytest.raises(ValueError, match=r"model.pretrained: .*: No such file"):
        identity(elsewhere)


def test_only_a_method_without_embeddings_has_none():
    assert load_settings("smoke", "heatmaps", 0).model.dim == 0
    with pytest.raises(ValueError, match=r"model\.dim"):
        flat_settings("smoke", "ae8", 0, dim=0)
    assert np.isfinite(load_settings("start", "heatmaps", 0).optim.learning_rate)
