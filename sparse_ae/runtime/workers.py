"""Work spread over processes: results in order, one line when it fails, nobody left behind."""

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


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    """`function` of every task, in order; one worker works in this very process.

    function, tasks and results are pickled; few tasks are handed out ahead, so results do not
    pile up. Close the iterator (contextlib.closing) where it may be left before its end: it waits
    for the tasks handed out. ValueError for no worker; ChildProcessError if one dies, as all do
    in a script without `if __name__ == "__main__":`.
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
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_follow) as pool:
            with _deaf_to_ctrl_c():
                ahead.extend(pool.submit(function, task) for task in tasks[: 2 * workers])
            for task in tasks[2 * workers :]:
                yield ahead.popleft().result()
                ahead.append(pool.submit(function, task))
            while ahead:
                yield ahead.popleft().result()
    except BrokenProcessPool:
        advice = "if this is a script, draw under `if __name__ == '__main__':`, or workers=1"
        raise ChildProcessError(f"the processes that draw crowds ended early; {advice}") from None


@contextlib.contextmanager
def _deaf_to_ctrl_c():
    """Processes that start meanwhile never hear it: it is for their parent, who tells of it once.

    Without that, one that is still importing would end with a traceback."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _follow():
    """Leave Ctrl-C to the parent, and end when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    parent_process().join()  # a killed parent cannot say that the work is over
    os._exit(1)
