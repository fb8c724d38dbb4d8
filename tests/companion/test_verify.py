"""Same command, same number: a record made again is equal to the bit, or says what differs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from flat import flat_settings
from photos import custom_preset

from sparse_ae.cli import main
from sparse_ae.companion.experiment import run
from sparse_ae.companion.records import (
    METRICS,
    read_arrays,
    read_record,
    record_files,
    record_path,
    settings_digest,
    write_record,
)
from sparse_ae.companion.verify import differences_from_arrays, environment_changes, verify
from sparse_ae.datasets.open import open_dataset
from sparse_ae.evaluation import evaluation as module
from sparse_ae.evaluation.measures import MEASURES
from sparse_ae.metrics import keypoint_ap
from sparse_ae.models import PoseNet, load_checkpoint, save_checkpoint
from sparse_ae.runtime.launch import Options
from sparse_ae.settings.settings import merged
from sparse_ae.skeleton import CROWDPOSE

pytestmark = pytest.mark.slow

IDENTITY = ("settings", "data")  # fields of a record
ROOT = Path(__file__).resolve().parents[2]
COMMITTED = sorted(path for path in ROOT.glob("experiments/results/*/*/seed-*.json")
                   if "." not in path.stem)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The record of a run whose crowds are drawn while it trains, by no worker."""
    root = tmp_path_factory.mktemp("results")
    settings = flat_settings("smoke", "rve", 3, steps=3, train_scenes=12, source="rendered")
    run(settings, root, options=Options(workers=0), progress=False)
    return record_path("smoke", "rve", 3, root)


@pytest.fixture
def changed(made, tmp_path):
    """change(fields) → a copy of the record with other ones, its arrays and weights beside it."""

    def change(**fields):
        path = record_path("smoke", "rve", 3, tmp_path)
        path.parent.mkdir(parents=True)
        for old, new in zip(record_files(made), record_files(path), strict=True):
            if old.is_file():  # there are no detections of crowds
                new.write_bytes(old.read_bytes())
        record = json.loads(path.read_text())
        for name, values in fields.items():
            record[name] |= values
        path.write_text(json.dumps(record))
        return path

    return change


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_made_again_is_equal_whoever_draws_its_crowds(made, workers, capsys):
    assert main(["verify", str(made), "--workers", str(workers)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{made}: equal to its run, made again: ")
    compared = len(METRICS) - 2 + len(read_arrays(made))
    assert printed.endswith(f"{compared} figures and arrays, to the bit\n")


def test_an_evaluation_made_again_is_equal(made, capsys):
    assert main(["verify", str(made), "--evaluation"]) == 0
    assert "equal to its evaluation, made again" in capsys.readouterr().out


def test_other_weights_differ_figure_by_figure(made, tmp_path, capsys):
    net = load_checkpoint(made.with_suffix(".safetensors"))
    net.tag_head.bias.data += torch.arange(len(net.tag_head.bias)) % 8
    save_checkpoint(net, tmp_path / "other.safetensors")
    arguments = ["verify", str(made), "--evaluation", "--weights"]
    assert main([*arguments, str(tmp_path / "other.safetensors")]) == 1
    printed = capsys.readouterr().out
    recorded = read_record(made)["metrics"]["sparsity"]
    assert f"  metrics.sparsity: recorded {recorded!r}, found 0." in printed
    assert re.search(r"  array \w+, \d+ of \d+ values, the first: recorded ", printed)
    assert re.search(r"  and \d+ more\n", printed)
    assert main([*arguments, str(tmp_path / "none.safetensors")]) == 2
    assert "sparse-ae: cannot verify: no weights at" in capsys.readouterr().err


def test_what_is_otherwise_here_is_named(made, monkeypatch):
    recorded = read_record(made)["provenance"]
    recorded = {**recorded, "packages": {**recorded["packages"], "torch": "1.0"},
                "commit": "0123", "device": "cpu: another", "dirty": True}  # fmt: skip
    lines = environment_changes(recorded)
    assert [line.partition(" then")[0] for line in lines[:3]] == [
        "torch 1.0", "commit 0123", "device cpu: another"]  # fmt: skip
    assert lines[3] == "the code differed from its commit then"
    monkeypatch.setattr("sparse_ae.companion.verify.provenance", lambda _: recorded)
    assert environment_changes({**recorded, "dirty": False}) == [
        "the code differed from its commit now"]  # fmt: skip


@pytest.mark.parametrize("name", [n for n in METRICS if n != "train_seconds"])
def test_a_figure_edited_by_hand_is_found_without_a_run(changed, name, monkeypatch, capsys):
    monkeypatch.setattr("sparse_ae.companion.verify.run", None)
    path = changed(metrics={name: 0.123456})
    assert main(["verify", str(path)]) == 1
    printed = capsys.readouterr().out
    assert f"  metrics.{name}: recorded 0.123456, found " in printed
    assert "possible reason: the record was changed after it was written" in printed


def test_what_cannot_be_made_again_is_told(changed, made, tmp_path, capsys):
    def told(path, *more):
        assert main(["verify", str(path), *more]) == 2
        error = capsys.readouterr().err
        assert error.startswith("sparse-ae: cannot verify: ")
        assert error.count("\n") == 1
        return error

    assert "no such record" in told(tmp_path / "seed-1.json")
    assert "--weights: goes with --evaluation" in told(made, "--weights", "a.safetensors")
    path = changed(settings={"optim": {"steps": 4}})
    assert "'settings_digest' does not belong to field 'settings'" in told(path)
    path.with_suffix(".npz").unlink()
    path.write_bytes(made.read_bytes())
    assert "the record's arrays are missing" in told(path)


@pytest.mark.parametrize(("part", "change", "reason"), [
    ("data", {"test_digest": "0"}, "data.test_digest is 0, and of this code"),
    ("settings", {"optim": {"colours": 3}}, "settings: unknown setting 'optim.colours'"),
    ("settings", {"colours": {}}, "settings: unknown setting 'colours': expected one of augment"),
])  # fmt: skip
def test_other_code_than_the_records_is_told(made, tmp_path, part, change, reason):
    record, arrays = read_record(made), read_arrays(made)
    record[part] = merged(record[part], change) if part == "settings" else record[part] | change
    record["settings_digest"] = settings_digest({name: record[name] for name in IDENTITY})
    path = write_record(record, arrays, tmp_path)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {reason}')}"):
        verify(path, progress=False)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda p: "/".join(p.with_suffix("").parts[-3:]))
def test_the_figures_of_committed_records_follow_from_their_arrays(path):
    """A record that was edited by hand, or arrays that were exchanged, are found here."""
    assert differences_from_arrays(read_record(path), read_arrays(path)) == []


@pytest.mark.parametrize("method", ["ae8", "offset"])
def test_no_figure_is_nan_that_can_be_defined(method, tmp_path):
    """nan stands where there is nobody to find, or no embedding, and nowhere else."""
    settings = flat_settings("smoke", method, 3, steps=1)
    record = run(settings, tmp_path, progress=False)
    arrays = read_arrays(record_path("smoke", method, 3, tmp_path))
    assert differences_from_arrays(record, arrays) == []
    hard = arrays["crowd_index"] >= 0.8
    embedded = {name for name in METRICS if name in MEASURES or "margin" in name or "gap" in name}
    embedded = embedded - {"grouping_accuracy"} | {"excess_share"}
    expected = {"APM", "APL"} | (embedded if method == "offset" else set())  # COCO's, of photos
    if not hard.any():
        expected |= {name for name in METRICS if name.endswith("_hard")}
    assert {n for n, value in record["metrics"].items() if np.isnan(value)} == expected
    alone = arrays["persons"] == 1
    assert not np.isnan(arrays["grouping_accuracy"]).any()
    if method == "ae8":
        assert np.isnan(arrays["group_margin"]).tolist() == alone.tolist()


def test_a_net_that_is_not_finite_is_no_evaluation(made, tmp_path, capsys):
    net = load_checkpoint(made.with_suffix(".safetensors"))
    net.heatmap_head.weight.data.fill_(3e38)
    save_checkpoint(net, tmp_path / "huge.safetensors")
    arguments = ["--evaluation", "--weights", str(tmp_path / "huge.safetensors")]
    assert main(["verify", str(made), *arguments]) == 2
    assert (
        "images 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16: the net's heatmaps are not"
        in capsys.readouterr().err
    )


LOST = r"step \d+: a loss is no longer finite: .*; images [\d, ]+; the last finite losses: heatmap"


@pytest.mark.parametrize(("optim", "message"), [
    ({"learning_rate": 1e9, "steps": 20}, LOST),
    ({"learning_rate": 1e39, "steps": 1}, r"step 1: weights are no longer finite, as .*heatmap \d"),
    ({"learning_rate": 1e30, "steps": 1}, r"images 1, .*6: the net's heatmaps are not finite"),
    ({"learning_rate": 1e39, "steps": 1, "validate_every": 1}, "step 1: weights are no longer"),
])  # fmt: skip
@pytest.mark.parametrize("photos", [False, True])
def test_a_run_that_is_not_finite_leaves_no_record(tmp_path, optim, message, photos):
    """Of crowds and of photos; also where the loss was finite, and the last step was not."""
    preset = custom_preset(tmp_path) if photos else "smoke"
    settings = flat_settings(str(preset), "ae8", 0, schedule="steps", milestones=(),
                             max_grad_norm=0.0)  # fmt: skip
    # such learning rates are refused where settings are read
    settings = settings.model_copy(update={"optim": settings.optim.model_copy(update=optim)})
    with pytest.raises(FloatingPointError, match=f"^{message}"):
        run(settings, tmp_path / "results", options=Options(workers=0), progress=False)
    left = {path.name for path in (tmp_path / "results").rglob("*seed-0*")}
    assert left <= {"seed-0.csv", "seed-0.resume.safetensors"}


def test_matching_in_parts_changes_no_figure(monkeypatch):
    """Evaluation keeps what average precision is made of, and drops the detections."""
    settings = flat_settings("smoke", "ae8", 0)
    data, net = open_dataset(settings.data, "test"), PoseNet(14, 8)
    for head in (net.heatmap_head, net.fine_heatmap_head):  # peaks everywhere
        torch.nn.init.normal_(head.weight)

    def evaluated(**options):
        return module.evaluate(net, data, settings.decode, 64, examples=(0, 7), progress=False,
                               **options)  # fmt: skip

    whole = evaluated(keep_detections=True)
    assert whole.detections
    average = keypoint_ap(data.ground_truth(), whole.detections, CROWDPOSE, crowd=True)
    assert {name: whole.metrics[name] for name in average} == average
    monkeypatch.setattr(module, "CHUNK", 5)
    parts = evaluated()
    assert parts.detections == []
    for name, value in parts.metrics.items():
        assert repr(value) == repr(whole.metrics[name]), name
    for left, right in zip(whole[1:4], parts[1:4], strict=True):
        assert list(left) == list(right)
        for name, values in left.items():
            assert values.dtype == right[name].dtype
            np.testing.assert_array_equal(values, right[name])
