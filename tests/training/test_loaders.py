"""Processes that load images: how their death is told, and that none outlives an error."""

import subprocess
import sys

import psutil
import pytest
import torch

from sparse_ae.training.loaders import _tell_unless_dropped, open_loader, worker_crash_reason

SIGNALLED = "DataLoader worker (pid 123) is killed by signal: Killed. Details are lost."
# a run that ends by an error of its own while its workers wait for it, its traceback kept
LEFT = """
import sys
from sparse_ae.training.loaders import open_loader

class Steps:
    def __getitem__(self, step):
        return step

def main():
    taken = open_loader(Steps(), range(1000), workers=2)
    print(next(taken), flush=True)
    raise FloatingPointError("a loss is nan")

try:
    main()
except FloatingPointError as error:
    kept = error
    sys.exit(str(error))
"""


class Squares(torch.utils.data.Dataset):
    def __getitem__(self, step):
        return step**2


@pytest.mark.parametrize("workers", [0, 2])
def test_every_step_has_its_batch_in_order(workers):
    assert list(open_loader(Squares(), range(3, 9), workers=workers)) == [9, 16, 25, 36, 49, 64]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError(SIGNALLED), "DataLoader worker (pid 123) is killed by signal: Killed"),
        (RuntimeError("shapes differ"), None),
        (EOFError(), "its connection ended: EOFError"),
        (ConnectionResetError(104, "reset"), "its connection ended: ConnectionResetError"),
        (EOFError("Caught EOFError in DataLoader worker process 0.\nTraceback"), None),
        (ValueError(SIGNALLED), None),
    ],
)
def test_the_death_of_a_worker_is_told_apart(error, told):
    assert worker_crash_reason(error) == told


@pytest.mark.parametrize(("error", "told"), [(BrokenPipeError(), False), (EOFError(), False),
                                              (OSError("disk"), True)])  # fmt: skip
def test_a_connection_that_was_dropped_is_no_fault_of_a_worker(error, told, capsys):
    _tell_unless_dropped(type(error), error, None)
    assert ("disk" in capsys.readouterr().err) == told


@pytest.mark.slow
def test_an_error_leaves_no_worker_behind():
    """Workers ignore SIGTERM, by which Python asks its last processes to end, and then waits."""
    with subprocess.Popen([sys.executable, "-c", LEFT], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as run:  # fmt: skip
        assert run.stdout.readline() == "0\n"
        workers = psutil.Process(run.pid).children(recursive=True)
        try:
            _, said = run.communicate(timeout=60)
        finally:
            for process in workers:
                if process.is_running():
                    process.kill()
            run.kill()
    assert (run.returncode, said) == (1, "a loss is nan\n")
    assert len(workers) >= 2
