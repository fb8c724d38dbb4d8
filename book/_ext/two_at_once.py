"""Read pages side by side, one a core: each runs its cells in a kernel of its own, which takes
longer than all else, and `jupyter-book build` has no option for it."""

from __future__ import annotations

import os

MOST = 4  # kernels at once, since each holds memory
# extensions that do not say whether they bear it: one acts on LaTeX, the other is switched off
SILENT = ("sphinx_jupyterbook_latex", "sphinx_multitoc_numbering")


def cores() -> int:
    """The cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # macOS has none
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def vouch(app) -> None:
    """Sphinx's event builder-inited: an extension that says nothing would stop the rest."""
    for name in SILENT:
        if name in app.extensions and app.extensions[name].parallel_read_safe is None:
            app.extensions[name].parallel_read_safe = True


def setup(app) -> dict:
    """Register with Sphinx."""
    app.parallel = max(app.parallel, min(MOST, cores()))
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of each kernel: cores are shared out already
    app.connect("builder-inited", vouch)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
