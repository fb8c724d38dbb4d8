"""Train a net on batches; return it with its loss curve.

Lightning Fabric runs it on a CPU, a GPU or many. The state after a step can be saved (`resume`),
with the random numbers and the place in the data: a resumed run ends with the same weights as a run
that was never stopped.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from sparse_ae.runtime.distributed import any_rank, rank_and_world_size
from sparse_ae.runtime.launch import Options, launch_fabric
from sparse_ae.settings.sections import LossSettings, OptimSettings
from sparse_ae.training.loaders import worker_crash_reason
from sparse_ae.training.log import TrainingLog
from sparse_ae.training.resume import read_state, state_path, write_state
from sparse_ae.training.streams import Stream
from sparse_ae.training.train_state import CURVE_EVERY, TrainState

if TYPE_CHECKING:
    from lightning_fabric import Fabric


STOPPED = "SIGTERM: {} has the state after step {}; the same command with --resume goes on"


class Training(NamedTuple):
    """The trained net, its curve, and how long it took.

    Attributes:
        model: The net in evaluation mode.
        curve: Columns (T,): step; loss_heatmap and the method's other losses, each a mean since the
            point before; and for a method with embeddings line_first_component, line_correlation
            and line_effective_rank, means over the images of the last batch.
        seconds: Duration of the training.
        images_per_second: Mean over the run.
        validation: Columns (V,) validation_step and validation_value, if the net was validated; the
            net has the weights of the highest value.
        broken: What the data left out, one line each.
    """

    model: nn.Module
    curve: dict[str, np.ndarray]
    seconds: float
    images_per_second: float
    validation: Mapping[str, np.ndarray] = MappingProxyType({})
    broken: tuple[str, ...] = ()


def train(
    net: nn.Module, stream: Stream, loss: LossSettings, optim: OptimSettings, *,
    options: Options | None = None, fabric: Fabric | None = None, record: Path | None = None,
    settings: Mapping | None = None, validate: Callable[[nn.Module, int], float] | None = None,
    name: str = "training", progress: bool = True,
) -> Training:  # fmt: skip
    """Train a net on a stream of batches.

    A seed draws the first weights, the order of the images and their augmentation. On one machine
    the same seed gives the same result.

    Args:
        net: Net with its first weights.
        stream: The batches, as many as `optim` has steps.
        loss: Which losses the net minimises.
        optim: Optimiser, schedule and number of steps.
        options: Devices on which the run trains, and what it saves on the way.
        fabric: By default `launch_fabric(options)`.
        record: Where the run's record will be. The log and, every options.save_every steps, the
            state are written beside it.
        settings: Plain values, saved with the state: only a run with the same settings resumes from
            it.
        validate: (net, step) → a figure, the higher the better; called every optim.validate_every
            steps and at the end.
        name: Name of the run, for the progress bar.
        progress: Whether to show the bar.

    Returns:
        The trained net, its curve, and how long it took.

    Raises:
        FloatingPointError: A loss or a weight is no longer finite.
        ChildProcessError: A process that loads images died.
        MemoryError: There is too little memory.
        ValueError: The state does not fit the run.
        KeyboardInterrupt: After a SIGTERM, once the state is saved, if a record was asked for.
    """
    options = options or Options()
    fabric = fabric or launch_fabric(options)
    settings = {"loss": loss.model_dump(mode="json"), "optim": optim.model_dump(mode="json"),
                **(settings or {})}  # fmt: skip
    state = None if record is None else state_path(record)
    run = TrainState(net, loss, optim, fabric, compiled=options.compile)
    if state is not None and options.resume and state.is_file():
        run.restore(*read_state(state, settings))
    log = None
    if record is not None and rank_and_world_size()[0] == 0:
        log = _log(record, run.step, options)

    def save():
        header, tensors = run.state()
        if rank_and_world_size()[0] == 0:
            write_state(state, settings, header, tensors)

    keep = None if state is None else save
    with _named(run):
        stopped = _learn(run, stream, _Clock(run, log), options.save_every, keep, validate,
                         name if progress else None)  # fmt: skip
    if stopped:
        raise KeyboardInterrupt(STOPPED.format(state, run.step))
    if log is not None:
        log.close()
    return Training(run.finished(), run.curve(), run.seconds,
                    optim.steps * optim.batch / run.seconds, run.validation(),
                    tuple(stream.broken()))  # fmt: skip


def _log(record: Path, done: int, options: Options) -> TrainingLog:
    """Open the log beside a record; the run has made `done` steps already."""
    board = record.with_suffix(".tensorboard") if options.tensorboard else None
    return TrainingLog(record.with_suffix(".csv"), done, board)


def _learn(
    run: TrainState, stream: Stream, clock: _Clock, save_every: int, save, validate, name
) -> bool:
    """Train for the remaining steps, or until a SIGTERM; return whether there was one.

    Args:
        run: The state after the steps that are done.
        stream: The batches.
        clock: Measures the time.
        save_every: Steps between two calls of `save`.
        save: Saves the state; None to save nothing.
        validate: As in `train`.
        name: Name for the progress bar; None for no bar.
    """
    bar = tqdm(
        stream.batches(run.step), name, run.optim.steps, initial=run.step,
        unit_scale=run.optim.batch, unit=" images",
        disable=name is None or rank_and_world_size()[0] > 0,
    )  # fmt: skip
    with _sigterm(heard=save is not None) as asked:
        for batch in bar:
            run.learn(batch)
            if validate is not None and run.is_due(run.optim.validate_every):
                run.add_validation(validate)
            if run.is_due(CURVE_EVERY):
                losses = run.add_point()
                bar.set_postfix({name: f"{v:.1e}" for name, v in losses.items()}, refresh=False)
                clock.lap(losses)
            stop = _agreed(asked, run.step)
            if save is not None and (stop or run.is_due(save_every)):
                clock.tell()
                save()
            if stop:
                return True
    clock.tell()
    return False


class _Clock:
    """Measures the seconds of training, also those before an interruption, and writes the log."""

    def __init__(self, run: TrainState, log: TrainingLog | None):
        self._run, self._log = run, log
        self._lap, self._step = time.perf_counter(), run.step
        self._start = self._lap - run.seconds

    def tell(self):
        """Set the run's seconds."""
        self._run.seconds = time.perf_counter() - self._start

    def lap(self, losses: dict[str, float]):
        """Write a row of the log, with the speed since the row before."""
        now, run = time.perf_counter(), self._run
        speed = (run.step - self._step) * run.optim.batch / (now - self._lap)
        if self._log is not None:
            always = {"learning_rate": run.learning_rate, "images_per_second": speed}
            self._log.add(run.step, losses, always, run.newly_validated)
        run.newly_validated = None
        self._lap, self._step = now, run.step


@contextlib.contextmanager
def _named(run: TrainState) -> Iterator[None]:
    """Turn errors about dead processes or lack of memory into messages in the user's words."""
    try:
        yield
    except (RuntimeError, EOFError, ConnectionError) as error:
        text = " ".join(str(error).split())
        if told := worker_crash_reason(error):
            raise ChildProcessError(
                f"step {run.step + 1}: a process that loads images died ({told}); if it "
                "was for lack of memory, fewer --workers need less") from None  # fmt: skip
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text:
            raise MemoryError(f"step {run.step + 1}: out of memory ({text[:200]}); a smaller batch "
                              "or fewer --workers need less") from None  # fmt: skip
        raise


@contextlib.contextmanager
def _sigterm(heard: bool) -> Iterator[threading.Event]:
    """Yield an event that SIGTERM sets, if `heard`; a cluster sends it before it stops a job.

    Only the main thread of a process can handle signals.
    """
    asked = threading.Event()
    if not heard or threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)


def _agreed(asked: threading.Event, step: int) -> bool:
    """Return whether to stop.

    All processes must stop at the same step, so they ask each other every CURVE_EVERY steps.
    """
    if rank_and_world_size()[1] == 1:
        return asked.is_set()
    return step % CURVE_EVERY == 0 and any_rank(asked.is_set())
