"""The processes that load or draw images while another trains: started, told apart, ended.

Signals are for the process that trains, so its workers ignore them; then nothing but that process
can end them, however it ends itself.
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
ELSEWHERE = "Caught "  # how torch passes on what a worker that lives has raised
_started = weakref.WeakKeyDictionary()  # workers, and which process theirs is


def open_loader(
    of_step: Dataset, steps: Iterable[int], *, workers: int = 0, pinned: bool = False
) -> Iterator[Batch]:
    """The batch of every step, in order.

    of_step: step → Batch; workers: processes that make them ahead, 0 for this very one; pinned: in
    memory from which a GPU copies while it computes.
    """
    options = {}
    if workers:
        options = {"prefetch_factor": AHEAD}
        get_temp_dir()  # this process then removes it, also of a worker that was killed
    loader = DataLoader(
        of_step, batch_size=None, sampler=steps, num_workers=workers, pin_memory=pinned,
        worker_init_fn=_in_worker, collate_fn=_as_is, **options,
    )  # fmt: skip
    before = set(multiprocessing.active_children())
    opened = iter(loader)
    _started.update(dict.fromkeys({*multiprocessing.active_children()} - before, os.getpid()))
    return opened


def worker_crash_reason(error: BaseException) -> str | None:
    """How an error of the process that trains tells that a worker died; None if it does not.

    Torch notices it by a signal, in the middle of whatever is being done; but where the worker had
    just put a batch into the queue, by the end of the connection over which the batch would come.
    """
    text = " ".join(str(error).split())
    if isinstance(error, RuntimeError):
        found = DIED.search(text)
        return found.group() if found else None
    if isinstance(error, EOFError | ConnectionError) and not text.startswith(ELSEWHERE):
        return f"its connection ended: {type(error).__name__}"
    return None


def _as_is(batch: Batch) -> Batch:
    """Of what is a batch already, DataLoader would make lists."""
    return batch


def _in_worker(_number: int):
    """One thread; and signals are for the process that trains, which ends its workers itself."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    sys.excepthook = _tell_unless_dropped
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _tell_unless_dropped(kind: type[BaseException], error: BaseException, trace):
    """What a worker's threads tell: not that the process that trains, which has an error of its own
    to tell, has dropped a connection. Errors of images do not come this way."""
    if not issubclass(kind, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, trace)


@atexit.register
def _end_workers():
    """End those that an error left behind: Python would ask them to by SIGTERM, and wait for ever.

    Of a run that was not cut off none is left."""
    own = {worker for worker, number in _started.items() if number == os.getpid()}
    left = own & {*multiprocessing.active_children()}
    if left:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's would raise, once more
    for worker in left:
        worker.kill()
