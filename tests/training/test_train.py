"""Training: it learns, it repeats, it says when it goes wrong."""

from __future__ import annotations

import re
import sys
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from flat import flat_settings, losses_of, net_of, stream_of, train_run

from sparse_ae.datasets import Sample, open_dataset
from sparse_ae.evaluation import evaluate
from sparse_ae.models import PoseNet
from sparse_ae.runtime.launch import Options
from sparse_ae.training import Targets, collate
from sparse_ae.training.log import TrainingLog
from sparse_ae.training.objective import weighted_sum

STILL = {"flip": 0.0, "rotation": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "colour": 0.0}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_collate_by_hand():
    """A joint at pixel (10, 20) lies in coarse cell (2, 5) and in fine cell (5, 10)."""
    keypoints = np.zeros((1, 14, 3), np.float32)
    keypoints[0, 3] = 10, 20, 1
    image = np.full((64, 64, 3), 255, np.uint8)
    nobody = np.zeros((0, 14, 3), np.float32), np.zeros((0, 4), np.float32), np.zeros(0)
    empty = Sample(image, *nobody, None, np.eye(2, 3), 7)
    one = Sample(image, keypoints, np.array([[0, 0, 16, 4]]), np.array([0.125]), None,
                 np.eye(2, 3), 3)  # fmt: skip
    batch = collate([one, empty], Targets(sigma=1.0))
    assert batch.image.shape == (2, 3, 64, 64)
    assert batch.image.dtype == torch.uint8
    assert batch.image.unique().tolist() == [255]
    assert batch.visible.nonzero().tolist() == [[0, 0, 3]]
    assert batch.joints[0, 0, 3].long().tolist() == [2, 5]
    assert batch.scale.tolist() == [[0.125], [0]]
    assert batch.ids.tolist() == [3, 7]
    assert batch.masks is None
    for target, cell in zip(batch.targets, ((2, 5), (5, 10)), strict=True):
        assert (target[0, 3] == 1).nonzero().tolist() == [[cell[1], cell[0]]]
        assert target[0, [0, 1, 2]].abs().max() == 0
        assert target[1].abs().max() == 0


def test_each_epoch_shows_every_scene_once():
    stream = stream_of(flat_settings("smoke", "ae8", 0, steps=8, batch=8, **STILL))
    shown = torch.cat([batch.image for batch in stream.batches()])
    assert len(shown) == len(stream.dataset) == 64
    assert len({image.numpy().tobytes() for image in shown}) == 64


def test_the_total_weighs_the_parts():
    weights = {"heatmap_weight": 2.0, "pull_weight": 3.0, "push_weight": 5.0, "scale_weight": 7.0}
    loss = flat_settings("smoke", "rve", 0, **weights).loss
    values = zip(("heatmap", "pull", "push", "scale"), (1.0, 10.0, 100.0, 1000.0), strict=True)
    parts = {name: torch.tensor(value) for name, value in values}
    assert weighted_sum(parts, loss).item() == 2 + 30 + 500 + 7000


EMBEDDED = {"heatmap", "pull", "push"}
LOSSES = {
    "ae1": EMBEDDED, "ae8": EMBEDDED, "ae16": EMBEDDED, "ae8_large": EMBEDDED,
    "ae8_orthogonal": EMBEDDED, "ae8_scale": EMBEDDED | {"scale"}, "rve": EMBEDDED | {"scale"},
    "rve_gamma": EMBEDDED | {"scale"}, "ae8_log": EMBEDDED | {"scale"},
    "ae8_decorrelated": EMBEDDED | {"decorrelate"}, "swahr": EMBEDDED | {"swahr"},
    "offset": {"heatmap", "centre", "offset"},
}  # fmt: skip


@pytest.mark.parametrize("method", LOSSES)
def test_which_losses_a_method_has_and_that_each_trains(method):
    settings = flat_settings("smoke", method, 0, steps=1)
    model = net_of(settings)
    parts, tags = losses_of(model, next(stream_of(settings).batches()), settings)
    assert set(parts) == LOSSES[method]
    assert (tags is None) == (method == "offset")
    for name, part in parts.items():
        model.zero_grad()
        part.backward(retain_graph=True)
        moved = [p for p in model.parameters() if p.grad is not None and p.grad.abs().max() > 0]
        assert part.item() > 0, name
        assert moved, name


def test_every_weight_of_the_model_is_trained():
    for method in ("rve", "swahr", "offset"):
        settings = flat_settings("smoke", method, 0, steps=1)
        model = net_of(settings)
        parts, _ = losses_of(model, next(stream_of(settings).batches()), settings)
        weighted_sum(parts, settings.loss).backward()
        assert all(p.grad is not None for p in model.parameters()), method


def test_forms_of_the_scale_loss():
    """Each form that a preset can ask for is another loss."""
    batch = next(stream_of(flat_settings("smoke", "ae8_scale", 0, steps=1)).batches())
    found = set()
    for form in ("poster", "poster-absolute", "released", "released-signed"):
        settings = flat_settings("smoke", "ae8_scale", 0, scale_form=form, tag_init="large")
        parts, _ = losses_of(net_of(settings), batch, settings)
        found.add(round(parts["scale"].item(), 6))
    assert len(found) == 4


def test_heatmap_widths_follow_the_embeddings_and_do_not_train_them():
    settings = flat_settings("smoke", "rve", 0, steps=1)
    model = PoseNet(14, 8, settings.model.widths)
    batch = next(stream_of(settings).batches())
    heatmap = losses_of(model, batch, settings)[0]["heatmap"]
    (gradient,) = torch.autograd.grad(heatmap, model.tag_head.weight, allow_unused=True)
    assert gradient is None or gradient.abs().max() == 0
    with torch.no_grad():
        model.tag_head.bias.view(14, 8)[:, 1:] = 0  # tells a small scale everywhere
    assert losses_of(model, batch, settings)[0]["heatmap"] < heatmap


def test_one_seed_one_result_and_another_seed_another():
    def weights(seed):
        state = train_run(flat_settings("smoke", "rve", seed, steps=4)).model.state_dict()
        return torch.cat([value.flatten().float() for value in state.values()])

    first = weights(0)
    assert torch.equal(first, weights(0))
    assert not torch.equal(first, weights(1))


def test_a_loss_that_is_not_finite_stops_the_run():
    """With the step, its images, and the losses of the step before."""
    settings = flat_settings("smoke", "ae8", 0, steps=20, learning_rate=1e9)
    with pytest.raises(FloatingPointError) as caught:
        train_run(settings)
    told = re.fullmatch(
        r"step (\d+): a loss is no longer finite: heatmap (.+), pull .+, push .+; "
        r"images ([\d, ]+); the last finite losses: heatmap ([\d.e+-]+), pull .+",
        str(caught.value),
    )
    assert told, caught.value
    step = int(told[1])
    shown = [batch.ids.tolist() for batch in stream_of(settings).batches()]
    assert 1 < step <= 20
    assert list(map(int, told[3].split(", "))) == shown[step - 1]
    assert np.isfinite(float(told[4]))


@pytest.mark.parametrize("changes", [{"max_grad_norm": 0.0}, {"schedule": "steps", "warm_up": 0.5}])
def test_settings_of_training_change_the_weights(changes):
    """No clipping, and the paper's schedule, are other runs."""
    before, after = (
        train_run(flat_settings("smoke", "ae8", 1, **{"steps": 3, "max_grad_norm": 1e-3, **more}))
        for more in ({}, changes)
    )  # fmt: skip
    left, right = (run.model.tag_head.weight for run in (before, after))
    assert not torch.equal(left, right)


def test_tensorboard_is_asked_for_by_name(tmp_path, monkeypatch):
    """Without the package the run does not start; with it, it gets the curve."""
    settings = flat_settings("smoke", "ae8", 1, steps=2)
    options, record = Options(tensorboard=True), tmp_path / "seed-1.json"
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match=r"pip install 'sparse-ae\[tensorboard\]'"):
        train_run(settings, options=options, record=record)
    board = MagicMock()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    train_run(settings, options=options, record=record)
    board.SummaryWriter.assert_called_once_with(str(tmp_path / "seed-1.tensorboard"), purge_step=1)
    written = [call.args for call in board.SummaryWriter.return_value.add_scalar.call_args_list]
    assert {(name, step) for name, _, step in written} == {
        (name, 2) for name in ("loss/heatmap", "loss/pull", "loss/push", "learning_rate",
                               "images_per_second")}  # fmt: skip
    board.SummaryWriter.return_value.close.assert_called_once_with()


def test_a_log_goes_on_where_the_run_does(tmp_path):
    """Rows after the state, and one that was cut short, are written again."""
    path, always = tmp_path / "log.csv", {"learning_rate": 0.1, "images_per_second": 5.0}
    log = TrainingLog(path)
    for step in (20, 40, 60):
        log.add(step, {"pull": 1.0 / step}, always, 0.5 if step == 40 else None)
    whole = path.read_text().splitlines()
    assert whole[:3] == ["step,pull,learning_rate,images_per_second,validation",
                         "20,0.05,0.1,5,", "40,0.025,0.1,5,0.5"]  # fmt: skip
    path.write_text("\n".join(whole)[:-4])
    TrainingLog(path, 60).add(80, {"pull": 1.0}, always)
    assert path.read_text().splitlines() == [*whole[:3], "80,1,0.1,5,"]
    TrainingLog(path, 20)
    assert path.read_text().splitlines() == whole[:2]
    TrainingLog(path)
    assert path.read_text() == ""


def test_the_curve_has_a_point_every_twenty_steps():
    curve = train_run(flat_settings("smoke", "rve", 0, steps=45)).curve
    assert curve["step"].tolist() == [20, 40, 45]
    losses = {"loss_heatmap", "loss_pull", "loss_push", "loss_scale"}
    line = {"line_first_component", "line_correlation", "line_effective_rank"}
    assert set(curve) == {"step"} | losses | line
    assert all(np.isfinite(curve[name]).all() for name in curve)
    assert (curve["line_first_component"] >= 1 / 8).all()
    assert (curve["line_first_component"] <= 1 + 1e-6).all()


@pytest.mark.slow
def test_the_net_overfits_four_scenes():
    settings = flat_settings(
        "smoke", "ae8", 0, widths=(24, 32, 48, 64, 64), steps=200, batch=4, train_scenes=4, **STILL
    )
    model = train_run(settings).model
    four = open_dataset(settings.data, "train")
    metrics = evaluate(model, four, settings.decode, settings.data.size, progress=False).metrics
    assert metrics["AP50"] > 0.9
    assert metrics["grouping_accuracy"] > 0.9
