"""Compile functions with numba's njit, cache them on disk if possible, and announce the wait."""

from __future__ import annotations

import logging
import sys

from numba import njit
from numba.core import event

COMPILING = "sparse_ae: compiling, which takes some seconds; %s"
KEPT = "the next runs find it done"
NOT_KEPT = "no folder can be written for numba's cache, so every run does it again"


def kernel(function, **options):
    """Compile a function of inner loops with numba's njit.

    A division by zero gives infinity, as in NumPy. The interpreter's lock is released, so threads
    can share a batch. The machine code is cached on disk; where no folder for that can be written,
    as in a read-only install, every process compiles anew. The first compilation of a process logs
    a warning, one line on stderr unless logging is set up otherwise. In a notebook it does not,
    because outputs there are compared and published.

    The cache notices only changes of the function's own file: after changing a kernel that other
    files call, delete their compiled code (`__pycache__`).

    Args:
        function: the function to compile.
        options: further options of njit.

    Returns:
        The compiled function.
    """
    options = {"nogil": True, "error_model": "numpy", **options}
    try:
        compiled, note = njit(cache=True, **options)(function), KEPT
    except RuntimeError:  # no folder for the cache
        compiled, note = njit(**options)(function), NOT_KEPT
    _announcer.notes[function] = note
    return compiled


class _Announcer(event.Listener):
    """Listens to numba's compilations; code found in the cache is not compiled."""

    def __init__(self):
        self.notes = {}  # of this package's kernels
        self.told = False

    def on_start(self, event):
        note = self.notes.get(event.data["dispatcher"].py_func)
        if note and not self.told and "ipykernel" not in sys.modules:
            logging.getLogger("sparse_ae").warning(COMPILING, note)
            self.told = True

    def on_end(self, event):
        pass


_announcer = _Announcer()
event.register("numba:compile", _announcer)
