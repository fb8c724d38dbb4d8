"""The moving average of the weights: what it is, that it is what is kept, and that it resumes."""

import pytest
import torch
from flat import flat_settings

from sparse_ae.companion.experiment import fit
from sparse_ae.models.weights_files import read_tensors
from sparse_ae.runtime.launch import Options
from sparse_ae.training.average import WeightAverage, copy_of
from sparse_ae.training.resume import state_path
from sparse_ae.training.train_state import TrainState

STEPS, DECAY = 7, 0.5


def settings(**values):
    """A short run, with an average unless told otherwise."""
    usual = {"steps": STEPS, "ema": DECAY, "train_scenes": 16, "precision": "float32"}
    return flat_settings("smoke", "rve", 1, **{**usual, **values})


@pytest.fixture
def seen(monkeypatch):
    """Of every run in a test, the weights before the first step and after each."""
    learn, runs = TrainState.learn, []

    def learnt(state, batch):
        if state.step == 0:
            runs.append([copy_of(state._model)])
        learn(state, batch)
        runs[-1].append(copy_of(state._model))

    monkeypatch.setattr(TrainState, "learn", learnt)
    return runs


def averages(weights):
    """The average before the first step and after each, computed as it is defined."""
    means = [weights[0]]
    for step, one in enumerate(weights[1:], 1):
        decay = min(DECAY, (1 + step) / (10 + step))
        means.append({
            name: decay * means[-1][name] + (1 - decay) * value
            if value.is_floating_point() else value
            for name, value in one.items()
        })  # fmt: skip
    return means


def same(left, right):
    """Whether weights are equal to the bit."""
    assert list(left) == list(right)
    return all(torch.equal(value, right[name]) for name, value in left.items())


def close(left, right):
    """Whether they are but for rounding."""
    return all(torch.allclose(value, right[name], rtol=1e-5, atol=1e-7)
               for name, value in left.items())  # fmt: skip


def test_an_average_by_hand():
    net = torch.nn.BatchNorm1d(1)
    average, expected = WeightAverage(net, 0.5), 1.0
    # decays (1 + step) / (10 + step), which are below 0.5
    for step, weight, decay in ((1, 2.0, 2 / 11), (2, 4.0, 3 / 12), (3, 10.0, 4 / 13)):
        with torch.no_grad():
            net.weight.fill_(weight)
            net.running_mean.fill_(weight)
            net.num_batches_tracked.fill_(step)
        average.update(step)
        expected = decay * expected + (1 - decay) * weight
    assert average.weights["weight"].item() == pytest.approx(expected, rel=1e-6)
    # the mean of the batches began at 0, not at 1
    first = 2 / 11 * 3 / 12 * 4 / 13
    assert average.weights["running_mean"].item() == pytest.approx(expected - first, rel=1e-6)
    assert average.weights["num_batches_tracked"].item() == 3  # a count has no mean
    average.update(1000)
    assert average.weights["weight"].item() == pytest.approx(0.5 * expected + 5.0, rel=1e-6)


def test_the_average_is_what_is_kept(seen):
    kept = copy_of(fit(settings(), progress=False).model)
    plain = copy_of(fit(settings(ema=0.0), progress=False).model)
    averaged, usual = seen
    assert len(averaged) == STEPS + 1
    for left, right in zip(averaged, usual, strict=True):  # what is learnt is the same
        assert same(left, right)
    assert same(plain, usual[-1])
    assert close(kept, averages(averaged)[-1])
    assert not close(kept, usual[-1])


def test_a_run_with_an_average_goes_on_to_the_bit(tmp_path, monkeypatch):
    whole = copy_of(fit(settings(), progress=False).model)
    learn, record = TrainState.learn, tmp_path / "seed-1.json"

    def interrupted(state, batch):
        if state.step == 5:
            raise KeyboardInterrupt
        learn(state, batch)

    with monkeypatch.context() as patch:
        patch.setattr(TrainState, "learn", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(settings(), Options(save_every=2), record=record, progress=False)
    tensors = read_tensors(state_path(record)).tensors
    assert {name.removeprefix("average.") for name in tensors if "average." in name} == set(whole)
    again = Options(save_every=2, resume=True)
    for other in (0.0, 0.25):  # of another average it is no state
        with pytest.raises(ValueError, match="the state of a run with optim"):
            fit(settings(ema=other), again, record=record, progress=False)
    assert same(copy_of(fit(settings(), again, record=record, progress=False).model), whole)


def test_validation_sees_the_averages_and_the_best_is_kept(seen, monkeypatch):
    """Training goes on from the last weights: asking changes nothing of what is learnt."""
    asked = []

    def validate(net, step):
        asked.append(copy_of(net))
        return {3: 0.1, 6: 0.9, 7: 0.3}[step]

    monkeypatch.setattr("sparse_ae.companion.experiment.validation", lambda *_, **__: validate)
    kept = copy_of(fit(settings(validate_every=3), progress=False).model)
    fit(settings(), progress=False)
    for left, right in zip(*seen, strict=True):
        assert same(left, right)
    means = averages(seen[0])
    assert [close(one, means[step]) for one, step in zip(asked, (3, 6, 7), strict=True)] == [
        True, True, True]  # fmt: skip
    assert same(kept, asked[1])
