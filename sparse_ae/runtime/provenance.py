"""Where a run's numbers come from: code, packages, machine, command and data.

Enough to repeat the run, and nothing that names a folder of the machine that made it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from sparse_ae import __version__

PACKAGES = ("torch", "numpy", "numba", "scipy", "pycocotools")
# what a number depends on; a changed page or a new record does not make a run "dirty"
SOURCES = ("sparse_ae", "data", "experiments/presets", "experiments/train.md", "pyproject.toml")
REPOSITORY = Path(__file__).resolve().parents[2]


def provenance(
    data_digest: str,
    command: str | None = None,
    device: str | None = None,
    since: float | None = None,
) -> dict:
    """What a record says of its origin, ready for JSON.

    data_digest: a digest of the data that the run saw.
    command: what was typed; the process's own arguments where nothing is given. A path in it is
        made relative to the repository, or cut to its last part outside of it.
    device: the device that the run used, such as "cpu" or "cuda"; by default a GPU if there is one.
    since: when it began, of time.monotonic(); field `seconds` is how long it took, else None.
    Fields `commit` and `dirty` are None where there is no git repository.
    """
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", *SOURCES) if commit else None
    return {
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "packages": versions(),
        "device": device_name(device),
        "cores": _cores(),
        "threads": _threads(),
        "platform": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": None if since is None else round(time.monotonic() - since, 1),
        "command": clean_command(shlex.split(command) if command else sys.argv),
        "data_digest": data_digest,
    }


def versions() -> dict[str, str | None]:
    """Versions of Python, of this package and of the packages that numbers depend on."""
    found = {"python": platform.python_version(), "sparse_ae": __version__}
    for package in PACKAGES:
        found[package] = None
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def device_name(device: str | None = None) -> str:
    """The processor that runs: "cuda: <model>" or "cpu: <model>"."""
    import torch  # here, so that reading records does not wait for torch

    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if str(device).startswith("cuda"):
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"{device}: {_cpu_model()}"


def clean_command(words: Iterable[str]) -> str:
    """A command in one line, as it can be typed in the repository's root on any machine."""
    return shlex.join(re.sub(r"(?<![^=])/[^=]*", _relative, word) for word in words)


def _relative(match: re.Match) -> str:
    """An absolute path, relative to the repository or cut to its last part."""
    path = Path(match.group())
    return path.relative_to(REPOSITORY).as_posix() if path.is_relative_to(REPOSITORY) else path.name


def _git(*arguments: str) -> str | None:
    """What git answers in the repository; None if the package lies in no repository of its own."""
    if not (REPOSITORY / ".git").exists():
        return None
    try:
        run = subprocess.run(
            ["git", *arguments],  # noqa: S607  (git is wherever the user has it)
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _cpu_model() -> str:
    """The processor's name, or its architecture where the system does not tell."""
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine()
