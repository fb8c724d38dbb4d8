"""Start and end the worker processes that load or draw images while the main process trains.

Workers ignore signals: the main process handles them, and ends its workers whenever it ends.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import re
import signal
import sys
import weakref
from collections.abc import Iterable, Iterator
from multiprocessing.util import get_temp_dir

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from sparse_ae.training.batches import Batch

AHEAD = 4  # batches that each worker prepares before they are asked for
DIED = re.compile(r"DataLoader worker \(pid\(?s?\)? [^)]*\)[^.]*")
ELSEWHERE = "Caught "  # how torch begins an error that a living worker raised
_started = weakref.WeakKeyDictionary()  # id of each worker's parent process


def open_loader(
    of_step: Dataset, steps: Iterable[int], *, workers: int = 0, pinned: bool = False
) -> Iterator[Batch]:
    """Return the batches of the steps, in order.

    Args:
        of_step: Data set that gives the batch of a step.
        steps: Numbers of the steps.
        workers: Processes that prepare batches ahead; 0 to prepare them in this process.
        pinned: Whether to put batches in pinned memory, from which a GPU copies while it computes.
    """
    options = {}
    if workers:
        options = {"prefetch_factor": AHEAD}
        get_temp_dir()  # made here: this process then removes it, even if workers are killed
    loader = DataLoader(
        of_step, batch_size=None, sampler=steps, num_workers=workers, pin_memory=pinned,
        worker_init_fn=_in_worker, collate_fn=_as_is, **options,
    )  # fmt: skip
    before = set(multiprocessing.active_children())
    opened = iter(loader)
    _started.update(dict.fromkeys({*multiprocessing.active_children()} - before, os.getpid()))
    return opened


def worker_crash_reason(error: BaseException) -> str | None:
    """Return why a worker process died, if an error of the training process says so; else None.

    Torch learns of a dead worker by a signal, which interrupts whatever the training process does.
    If the worker had just put a batch into the queue, the connection for that batch ends instead.
    """
    text = " ".join(str(error).split())
    if isinstance(error, RuntimeError):
        found = DIED.search(text)
        return found.group() if found else None
    if isinstance(error, EOFError | ConnectionError) and not text.startswith(ELSEWHERE):
        return f"its connection ended: {type(error).__name__}"
    return None


def _as_is(batch: Batch) -> Batch:
    """Return the batch unchanged; by default DataLoader would make lists of it."""
    return batch


def _in_worker(_number: int):
    """Set up a worker: it uses one thread, and leaves signals to the process that trains."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    sys.excepthook = _tell_unless_dropped
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _tell_unless_dropped(kind: type[BaseException], error: BaseException, trace):
    """Print an error of a worker's thread, unless it says that a connection was dropped.

    In that case the training process has ended, and reports its own error. Errors of images do not
    pass through here.
    """
    if not issubclass(kind, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, trace)


@atexit.register
def _end_workers():
    """Kill the workers that an error left behind.

    Python would send them SIGTERM, which they ignore, and then wait for ever. A run that ended
    normally has none left.
    """
    own = {worker for worker, number in _started.items() if number == os.getpid()}
    left = own & {*multiprocessing.active_children()}
    if left:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would raise once more
    for worker in left:
        worker.kill()
