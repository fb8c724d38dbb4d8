"""A run that was stopped, or killed, ends with the weights of one that was not, to the bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from flat import flat_settings, stream_of, train_run
from photos import custom_preset
from safetensors.torch import save_file

from sparse_ae.models.weights_files import read_tensors
from sparse_ae.runtime.launch import Options
from sparse_ae.settings import OptimSettings
from sparse_ae.training.resume import FORMAT, read_state, remove_state, state_path, write_state
from sparse_ae.training.schedule import factor, in_steps, make_schedule

TESTS = Path(__file__).parents[1]


class Stopped(Exception):
    """In place of whatever ends a run early."""


class Stopping:
    """A stream that ends the run after a step: by an exception, or quietly."""

    def __init__(self, stream, last, quiet=False):
        self._stream, self._last, self._quiet = stream, last, quiet
        self.broken = stream.broken

    def batches(self, done=0):
        for step, batch in enumerate(self._stream.batches(done), done + 1):
            if step > self._last and self._quiet:
                return
            if step > self._last:
                raise Stopped
            yield batch


def weights(training):
    return {name: value.clone() for name, value in training.model.state_dict().items()}


def assert_same(training, other):
    """Weights and curves, to the bit."""
    left, right = weights(training), weights(other)
    assert list(left) == list(right)
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert list(training.curve) == list(other.curve)
    for name, values in training.curve.items():
        assert np.array_equal(values, other.curve[name], equal_nan=True), name
    for name, values in training.validation.items():
        assert np.array_equal(values, other.validation[name]), name


def score(net, step):
    """A figure that rises and falls: best at step 20."""
    return -abs(step - 20.0) + 0 * sum(float(p.detach().sum()) for p in net.parameters())


def of_whom(settings):
    """What a state says of whose it is, where nothing else is given."""
    return {name: getattr(settings, name).model_dump(mode="json") for name in ("loss", "optim")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "workers"),
    [
        ({"source": "crowds"}, 0),
        ({"source": "crowds", "schedule": "steps", "warm_up": 5.0, "validate_every": 10}, 0),
        ({"source": "crowds", "ema": 0.9, "validate_every": 10}, 0),
        ({"source": "rendered", "train_scenes": 24}, 0),
        ({"source": "custom"}, 2),
    ],
    ids=["memory", "steps", "average", "rendered", "photos"],
)
def test_a_stopped_run_goes_on_to_the_same_weights(settings, workers, tmp_path):
    steps = 24
    if settings["source"] == "custom":
        config = flat_settings(str(custom_preset(tmp_path, steps=steps)), "rve", 4)
    else:
        config = flat_settings("smoke", "rve", 4, steps=steps, batch=4, **settings)
    validate = score if config.optim.validate_every else None

    def stream():
        return stream_of(config, workers=workers)

    whole = train_run(config, stream(), validate=validate)
    record = tmp_path / "seed-4.json"
    options = Options(save_every=7, resume=True)
    for last in (9, 22):  # a curve's point lies at 20; states at 7, 14, 21
        with pytest.raises(Stopped):
            train_run(config, Stopping(stream(), last), options=options, record=record,
                      validate=validate)  # fmt: skip
    assert read_state(state_path(record), of_whom(config))[0]["step"] == 21
    done = train_run(config, stream(), options=options, record=record, validate=validate)
    assert_same(whole, done)
    assert done.seconds > 0
    rows = record.with_suffix(".csv").read_text().splitlines()
    assert rows[0].startswith("step,heatmap,pull,push,scale,learning_rate,images_per_second")
    assert [row.split(",")[0] for row in rows[1:]] == ["20", "24"]
    if validate:
        assert done.validation["validation_step"].tolist() == [10, 20, 24]
        assert done.validation["validation_value"].tolist() == [-10, 0, -4]
        last = train_run(config, stream())
        assert not torch.equal(
            next(iter(weights(last).values())), next(iter(weights(done).values()))
        )
    again = train_run(config, stream(), options=options, record=record, validate=validate)
    assert_same(whole, again)  # the state after the last step


def launch(folder, *options, preset="smoke", environment=None):
    command = [sys.executable, str(TESTS / "training_run.py"), preset, "rve", "6", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(TESTS.parent), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, cwd=TESTS.parent, env=env | (environment or {}))  # fmt: skip


def under_way(process, state):
    """Wait until the run has saved a state of its own."""
    before = state.stat().st_mtime_ns if state.exists() else 0
    assert process.stdout.readline() == "ready\n"
    while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == before):
        time.sleep(0.01)
    assert process.poll() is None


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path):
    """Killed at random moments, while it starts, computes or writes its state; then asked to end,
    as clusters do."""
    torch.set_num_threads(1)  # as in the processes that it is compared with
    config = flat_settings("smoke", "rve", 6, steps=2000, batch=2, precision="float32")
    state, rng = state_path(tmp_path / "seed.json"), np.random.default_rng(11)
    options = ("steps=2000", "batch=2", "save=1", "resume=1")
    for kill in range(2):
        process = launch(tmp_path, *options)
        if kill == 0:
            under_way(process, state)
        time.sleep(rng.uniform(0, 1.5))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    killed = read_state(state, of_whom(config))[0]["step"]
    assert killed > 0
    process = launch(tmp_path, *options)
    under_way(process, state)
    time.sleep(rng.uniform(0, 1))
    process.terminate()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors[-2000:]
    assert "interrupted; SIGTERM:" in errors
    assert "the same command with --resume goes on" in errors
    header, tensors = read_state(state, of_whom(config))
    assert killed < header["step"] < 2000
    whole = train_run(config, Stopping(stream_of(config), header["step"], quiet=True))
    for name, value in weights(whole).items():
        assert torch.equal(value, tensors[f"weights.{name}"]), name


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The state of a run, its settings and the folder."""
    config = flat_settings("smoke", "ae8", 0, steps=8)
    record = tmp_path_factory.mktemp("state") / "seed-0.json"
    train_run(config, options=Options(save_every=4), record=record)
    return config, state_path(record)


def test_what_a_state_holds(kept):
    config, path = kept
    header, tensors = read_state(path, of_whom(config))
    assert header["step"] == 8
    assert {name.partition(".")[0] for name in tensors} == {
        "weights", "optimizer", "random", "curve"}  # fmt: skip
    moments = [name for name in tensors if name.endswith("exp_avg")]
    assert len(moments) == sum(1 for name in tensors if name.endswith("exp_avg_sq")) > 10


def change(path, folder, **changes):
    """A copy of a state with other entries in its header."""
    contents = read_tensors(path)
    header = json.loads(contents.metadata["header"]) | changes
    metadata = {"format": changes.get("format", FORMAT), "header": json.dumps(header)}
    save_file(contents.tensors, str(folder / "changed.safetensors"), metadata)
    return folder / "changed.safetensors"


def test_states_that_do_not_fit_are_refused(kept, tmp_path):
    config, path = kept
    settings = of_whom(config)
    advice = "delete it to start anew, or run without --resume"
    other = of_whom(flat_settings("smoke", "ae8", 0, steps=9))
    with pytest.raises(ValueError, match=f"run with optim.steps 8, this one has 9: .*{advice}"):
        read_state(path, other)
    cut = tmp_path / "cut.safetensors"
    for length in (0, 4, 2000, path.stat().st_size - 1):
        cut.write_bytes(path.read_bytes()[:length])
        with pytest.raises(ValueError, match=rf"cut.safetensors .*{advice}"):
            read_state(cut, settings)
    with pytest.raises(ValueError, match=f"with sparse_ae 0.0.9, this is .*{advice}"):
        read_state(change(path, tmp_path, versions={"sparse_ae": "0.0.9"}), settings)
    with pytest.raises(ValueError, match=f"format {FORMAT}, got sparse_ae/resume 0.*{advice}"):
        read_state(change(path, tmp_path, format="sparse_ae/resume 0"), settings)
    changed = flat_settings("smoke", "ae8", 0, steps=9)
    with pytest.raises(ValueError, match="steps 8"):
        train_run(changed, options=Options(resume=True), record=path.with_name("seed-0.json"))


def test_a_state_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "seed-0.resume.safetensors"
    write_state(path, {}, {"step": 1}, {"a": torch.ones(2)})

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr("sparse_ae.runtime.files.os.replace", fails)
    with pytest.raises(OSError, match="disk full"):
        write_state(path, {}, {"step": 2}, {"a": torch.zeros(2)})
    header, tensors = read_state(path, {})
    assert (header["step"], tensors["a"].tolist()) == (1, [1, 1])
    remove_state(path)
    assert list(tmp_path.iterdir()) == []


def test_the_schedule_of_the_paper_by_hand():
    config = OptimSettings(steps=300, schedule="steps", warm_up=4.0, learning_rate=1.0)
    assert [in_steps(value, 300) for value in (*config.milestones, 12.0)] == [200, 260, 12]
    assert [factor(step, config) for step in (0, 1, 3, 4, 199)] == [0.25, 0.5, 1, 1, 1]
    assert factor(200, config) == factor(259, config) == pytest.approx(0.1)
    assert factor(260, config) == factor(299, config) == pytest.approx(0.01)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=1.0)
    schedule = make_schedule(optimizer, config)
    rates = []
    for _ in range(300):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([factor(step, config) for step in range(300)])
    wrong = OptimSettings(steps=300, schedule="steps", milestones=(0.9, 0.5))
    with pytest.raises(ValueError, match=r"milestones: expected rising steps up to 300"):
        make_schedule(optimizer, wrong)


def test_a_state_stays_till_the_record_is_written(tmp_path):
    training = train_run(flat_settings("smoke", "ae8", 0, steps=2), record=tmp_path / "a.json")
    assert training.broken == ()
    assert state_path(tmp_path / "a.json").is_file()
