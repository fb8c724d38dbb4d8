"""One training run: batches in, a trained net and its loss curve out.

By Lightning Fabric, on a CPU, a GPU or many. What the run is at a step, its random numbers and its
place in the data included, can be kept in a file (`resume`): a run that goes on from it ends with
the weights of one that was never stopped.
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
    """The trained net in evaluation mode, its curve, and what it took.

    curve: step (T,); the losses that the method has, each a mean since the point before:
    loss_heatmap, … (T,); with embeddings, of the last batch, the means over its images of
    line_first_component, line_correlation, line_effective_rank (T,). validation: where it was
    validated, validation_step and validation_value (V,); the net has the weights of the highest.
    broken: what the data left out, a line each.
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

    One seed gives one result on one machine: it draws the first weights, the order of the images
    and their augmentation.

    Args:
        net: With its first weights.
        stream: Of batches, as many as `optim` has steps.
        loss: What the net is trained to make small.
        optim: How.
        options: On which machine, and what is left there on the way.
        fabric: As `launch_fabric` gives it, by default what it gives for `options`.
        record: Where the run's record will be. Beside it go the log and, every options.save_every
            steps, the state.
        settings: What a state says of whose it is, plain values: only a run with the same ones goes
            on from it.
        validate: (net, step) → a figure, the higher the better, asked every optim.validate_every
            steps and at the end.
        name: Of the run, for the progress bar.
        progress: Whether to show one.

    Returns:
        The trained net, its curve, and what it took.

    Raises:
        FloatingPointError: Where a loss is no longer finite.
        ChildProcessError: Where a process that loads images died.
        MemoryError: Where there is too little memory.
        ValueError: For a state that cannot be gone on from.
        KeyboardInterrupt: After a SIGTERM, once the state is saved, if there is a record to be.
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
    """The log beside a record, of a run that goes on after so many steps."""
    board = record.with_suffix(".tensorboard") if options.tensorboard else None
    return TrainingLog(record.with_suffix(".csv"), done, board)


def _learn(
    run: TrainState, stream: Stream, clock: _Clock, save_every: int, save, validate, name
) -> bool:
    """All steps that are left, or those up to a SIGTERM; whether there was one.

    save(): keeps the state; None where nothing is to be kept. name: of the progress bar; None for
    none.
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
    """Seconds of training, those before an interruption too, and the log's rows by the way."""

    def __init__(self, run: TrainState, log: TrainingLog | None):
        self._run, self._log = run, log
        self._lap, self._step = time.perf_counter(), run.step
        self._start = self._lap - run.seconds

    def tell(self):
        """Tell the run how long it took so far."""
        self._run.seconds = time.perf_counter() - self._start

    def lap(self, losses: dict[str, float]):
        """A row of the log, with the speed since the row before."""
        now, run = time.perf_counter(), self._run
        speed = (run.step - self._step) * run.optim.batch / (now - self._lap)
        if self._log is not None:
            always = {"learning_rate": run.learning_rate, "images_per_second": speed}
            self._log.add(run.step, losses, always, run.newly_validated)
        run.newly_validated = None
        self._lap, self._step = now, run.step


@contextlib.contextmanager
def _named(run: TrainState) -> Iterator[None]:
    """Tell of processes that die, and of too little memory, in the words of a user."""
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
    """An event that SIGTERM sets meanwhile, if `heard`: by it clusters ask for their machine back.

    Only a process's main thread can hear."""
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
    """Whether to stop. Several processes ask each other now and then, for all must stop at once."""
    if rank_and_world_size()[1] == 1:
        return asked.is_set()
    return step % CURVE_EVERY == 0 and any_rank(asked.is_set())
