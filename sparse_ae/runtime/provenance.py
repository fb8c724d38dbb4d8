"""Record where a run's numbers come from: code, packages, machine, command and data.

This is enough to repeat the run, and names no folder of the machine that made it.
"""

from __future__ import annotations

import contextlib
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
from sparse_ae.runtime.workers import available_cores

PACKAGES = ("torch", "numpy", "numba", "scipy", "pycocotools")
# numbers depend on these alone: a changed page or a new record does not make a run "dirty"
SOURCES = ("sparse_ae", "data", "experiments/presets", "experiments/train.md", "pyproject.toml")
REPOSITORY = Path(__file__).resolve().parents[2]


def provenance(
    data_digest: str,
    command: str | None = None,
    device: str | None = None,
    since: float | None = None,
) -> dict:
    """Describe the origin of a record, ready for JSON.

    Args:
        data_digest: digest of the data that the run saw.
        command: what was typed; by default the process's own arguments. Paths in it are made
            relative to the repository; of paths outside only the last part is kept.
        device: device that the run used, such as "cpu" or "cuda"; by default a GPU if there is one.
        since: when the run began, in seconds of time.monotonic().

    Returns:
        commit and dirty (None without a git repository), packages with versions, device, cores,
        threads, platform, date, seconds since `since` (or None), command and data_digest.
    """
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", *SOURCES) if commit else None
    return {
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "packages": versions(),
        "device": device_name(device),
        "cores": available_cores(),
        "threads": _threads(),
        "platform": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": None if since is None else round(time.monotonic() - since, 1),
        "command": clean_command(shlex.split(command) if command else sys.argv),
        "data_digest": data_digest,
    }


def versions() -> dict[str, str | None]:
    """Return the versions of Python, this package and the packages that numbers depend on.

    Returns:
        Versions by name; None for a package that is not installed.
    """
    found = {"python": platform.python_version(), "sparse_ae": __version__}
    for package in PACKAGES:
        found[package] = None
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def device_name(device: str | None = None) -> str:
    """Name the processor that runs.

    Args:
        device: such as "cpu" or "cuda:0"; by default a GPU if there is one.

    Returns:
        "cuda: <model>" or "cpu: <model>".
    """
    import torch  # only here: reading records need not wait for torch

    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if str(device).startswith("cuda"):
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"{device}: {_cpu_model()}"


def clean_command(words: Iterable[str]) -> str:
    """Write a command in one line, as it can be typed in the repository's root on any machine.

    Args:
        words: words of the command.

    Returns:
        The line; absolute paths are relative to the repository or cut to their last part.

    Example:
        >>> from sparse_ae.runtime.provenance import clean_command
        >>> clean_command(["/opt/bin/sparse-ae", "train", "--out=/data/runs"])
        'sparse-ae train --out=runs'
    """
    return shlex.join(re.sub(r"(?<![^=])/[^=]*", _relative, word) for word in words)


def _relative(match: re.Match) -> str:
    """Make an absolute path relative to the repository, or cut it to its last part."""
    path = Path(match.group())
    return path.relative_to(REPOSITORY).as_posix() if path.is_relative_to(REPOSITORY) else path.name


def _git(*arguments: str) -> str | None:
    """Return what git answers in the repository; None if the package has no repository."""
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


def _threads() -> int:
    """Return the number of threads that torch uses."""
    import torch

    return torch.get_num_threads()


def _cpu_model() -> str:
    """Return the processor's name, or its architecture if the system does not say."""
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine()
