"""Presets and methods: what is accepted, what is refused and in which words."""

from __future__ import annotations

import json

import pytest
import torch

from sparse_ae.models.make import make_net
from sparse_ae.settings import METHODS, PRESETS, LossSettings, Settings, load_settings, read_search
from sparse_ae.settings.presets import read_base, read_runs
from sparse_ae.settings.schema import preset_schema, schema_text
from sparse_ae.settings.settings import PresetSections

NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))


@pytest.mark.parametrize("preset", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_every_preset_fits_every_method(preset, method):
    settings = load_settings(preset, method, 0)
    assert (settings.run.preset, settings.run.method) == (preset, method)


def test_what_defines_a_method_stays(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("loss: {scale_weight: 0.5}\nmethods: {ae8: {loss: {pull_weight: 0.25}}}\n")
    plain = load_settings(path, "ae8", 0).loss
    assert (plain.scale_weight, plain.focal, plain.scale_aware) == (0.0, False, False)
    assert plain.pull_weight == 0.25
    paper = load_settings(path, "rve", 0).loss
    assert (paper.scale_weight, paper.focal, paper.scale_aware) == (0.5, True, True)
    assert paper.pull_weight == LossSettings().pull_weight


def test_both_methods_of_the_reader_get_the_same_data_and_steps():
    left, right = (load_settings("reader", method, 0) for method in ("ae8", "rve"))
    for name in PresetSections.model_fields:
        if name != "loss":
            assert getattr(left, name) == getattr(right, name), name
    assert left.loss != right.loss


def test_both_methods_of_the_reader_get_the_same_search():
    assert len(read_search("reader", "ae8")[0]) == len(read_search("reader", "rve")[0])


def test_a_preset_on_another(tmp_path):
    path = tmp_path / "upper.yaml"
    path.write_text(
        "base: reader\noptim: {steps: 7}\n"
        "methods:\n  ae8: {loss: {push_weight: 0.5}}\n  rve: {optim: {max_grad_norm: 2.0}}\n"
        "runs: {methods: [ae2]}\n"
    )
    below, above = (load_settings(preset, "ae8", 1) for preset in ("reader", path))
    assert (above.run.preset, above.optim.steps, above.loss.push_weight) == ("upper", 7, 0.5)
    assert above.loss.pull_weight == below.loss.pull_weight != LossSettings().pull_weight
    assert above.data == below.data
    assert load_settings(path, "rve", 1).optim.max_grad_norm == 2.0
    assert read_runs(path).methods == ("ae2",)
    assert read_base(path) == "reader"
    with pytest.raises(ValueError, match="has no search for method 'ae8'"):
        read_search(path, "ae8")


def test_overrides_come_last():
    changed = load_settings("smoke", "ae8", 2, {"optim": {"steps": 3}, "loss": {"sigma": 1.5}})
    plain = load_settings("smoke", "ae8", 2)
    assert (changed.optim.steps, changed.loss.sigma) == (3, 1.5)
    assert changed == plain.override({"optim": {"steps": 3}, "loss": {"sigma": 1.5}})
    assert changed.optim.batch == plain.optim.batch
    with pytest.raises(ValueError, match=r"^optim.steps: expected at least 1, got 0$"):
        plain.override({"optim": {"steps": 0}})
    with pytest.raises(ValueError, match=r"unknown setting 'optim\.step': expected one of batch, "):
        plain.override({"optim": {"step": 1}})


@pytest.mark.parametrize("preset", NAMES)
def test_settings_go_through_json(preset):
    settings = load_settings(preset, "rve", 3)
    again = Settings.model_validate(json.loads(json.dumps(settings.to_dict())))
    assert again == settings


def test_the_schema_of_presets_is_current():
    written = (PRESETS / "schema.json").read_text(encoding="utf-8")
    assert written == schema_text(), "write it again: python -m sparse_ae.settings.schema"


def test_the_schema_knows_what_presets_may_say():
    schema = preset_schema()
    assert {"base", "runs", "methods", "search", *PresetSections.model_fields} == {
        *schema["properties"]
    }
    steps = schema["$defs"]["OptimSettings"]["properties"]["steps"]
    assert (steps["type"], steps["minimum"]) == ("integer", 1)
    batch = schema["$defs"]["OptimSettings"]["properties"]["batch"]
    assert "over all processes" in batch["description"]
    assert schema["properties"]["methods"]["propertyNames"]["enum"] == list(METHODS)
    for name in NAMES:
        first = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=schema.json", name


SMALLEST = {"data": {"size": 32}, "optim": {"batch": 1}}


def test_a_batch_of_one_cell_is_refused_before_the_work():
    words = (
        r"^optim.batch: expected at least 2 with data.size 32, or a data.size from 64 on: one im"
    )
    with pytest.raises(ValueError, match=words):
        load_settings("smoke", "rve", 0, SMALLEST)
    six = {"widths": [8] * 6, "depths": [1] * 5}
    with pytest.raises(ValueError, match=r"with data.size 64, or a data.size from 128"):
        load_settings("smoke", "rve", 0, {**SMALLEST, "data": {"size": 64}, "model": six})


@pytest.mark.parametrize(
    ("batch", "size", "synchronous", "refused"),
    [(2, 32, False, True), (2, 32, True, False), (2, 64, False, False), (4, 32, False, False)],
)
def test_the_share_of_each_of_two_processes_counts(batch, size, synchronous, refused):
    optim = {"batch": batch, "sync_batch_norm": synchronous}
    settings = load_settings("smoke", "rve", 0, {"data": {"size": size}, "optim": optim})
    if refused:
        with pytest.raises(ValueError, match=r"at least 4 .* one image for each of 2 processes"):
            settings.check_batch(processes=2)
    else:
        settings.check_batch(processes=2)


@pytest.mark.slow
def test_what_is_refused_is_what_torch_cannot_train():
    """The nets have maps of one cell at these sizes, and no larger ones have."""
    for network in ("small", "lite0", "higher_hrnet"):
        model = load_settings(
            "smoke", "ae8", 0, {"model": {"network": network, "network_width": 8}}
        ).model
        net = make_net(model, 14).train()
        side = model.coarsest_stride
        with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
            net(torch.zeros(1, 3, side, side))
        net(torch.zeros(1, 3, 2 * side, 2 * side))
        net(torch.zeros(2, 3, side, side))
