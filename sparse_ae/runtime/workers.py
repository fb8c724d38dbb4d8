"""Spread work over processes: results in order, one line on failure, no process left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

Task, Result = TypeVar("Task"), TypeVar("Result")


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    """Apply a function to every task, in several processes.

    Function, tasks and results are pickled. Only a few tasks are handed out ahead, so results do
    not pile up. If you may leave the iterator before its end, close it (contextlib.closing): that
    waits for the tasks that were handed out.

    Args:
        function: called with one task.
        tasks: the tasks, in order.
        workers: number of processes; with 1, or with one task, this process does the work.

    Yields:
        The results, in the order of the tasks.

    Raises:
        ValueError: workers is below 1.
        ChildProcessError: a worker died, as all do in a script without
            `if __name__ == "__main__":`.

    Example:
        >>> from sparse_ae.runtime.workers import map_in_processes
        >>> list(map_in_processes(abs, [-1, 2, -3], workers=1))
        [1, 2, 3]
    """
    if workers < 1:
        raise ValueError(f"workers {workers}: expected an integer from 1")
    workers = min(workers, len(tasks))
    if workers <= 1:  # 0 for no tasks
        yield from map(function, tasks)
        return
    # fork is fast but unsafe where threads run already; a forkserver's socket outlives a SIGKILL
    context = get_context("spawn")
    ahead: deque[Future] = deque()
    try:
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent) as pool:
            with _ignoring_ctrl_c():
                ahead.extend(pool.submit(function, task) for task in tasks[: 2 * workers])
            for task in tasks[2 * workers :]:
                yield ahead.popleft().result()
                ahead.append(pool.submit(function, task))
            while ahead:
                yield ahead.popleft().result()
    except BrokenProcessPool:
        advice = "in a script, put this call under `if __name__ == '__main__':`, or use workers=1"
        raise ChildProcessError(f"the processes that draw crowds ended early; {advice}") from None


@contextlib.contextmanager
def _ignoring_ctrl_c():
    """Make processes that start meanwhile ignore Ctrl-C, which their parent handles and reports.

    Otherwise a process that is still importing would end with a traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _follow_parent():
    """Prepare a worker: leave Ctrl-C to the parent, and end when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """Wait for the parent's end, then end this process."""
    parent_process().join()  # a killed parent cannot say that the work is over
    os._exit(1)
