"""Runs as processes of their own that tests kill, without the seconds that each takes to import.

As a script: forks a process for every line that it reads, which runs the command line with the
arguments in it and tells what it is doing. `Forks` starts it and talks to it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import yaml
from flat import by_section

from sparse_ae.settings.settings import merged

ROOT = Path(__file__).resolve().parents[1]
PHASES = {"rendering": "open_stream", "training": "train", "evaluation": "evaluate_on",
          "writing": "write_record"}  # fmt: skip
TOLD = 9  # where phases are told, apart from what the command prints


class Ended(NamedTuple):
    """How a run ended: its exit code, negative for a signal; what it told on stderr; when each
    phase began, in seconds after the first, and "over"."""

    code: int
    told: str
    began: dict[str, float]


class Forks:
    """Runs of the command line, one after the other. folder: for its temporary files, a folder of
    which nothing may be left, and for the crowds that they draw."""

    def __init__(self, folder: Path):
        self.temporary, self.cache = folder / "tmp", folder / "cache"
        self.temporary.mkdir()
        self._told = folder / "told"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
                       "TMPDIR": str(self.temporary), "SPARSE_AE_CACHE": str(self.cache),
                       "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch")}  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(self._told)], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def close(self):
        """End it, and whatever is left."""
        for left in self.left():
            left.kill()
        self.process.kill()
        self.process.communicate()

    def left(self) -> list[psutil.Process]:
        """The processes of runs that live still."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def run(
        self, *arguments, during: str = "", act=None, after: float = 0.0, **environment
    ) -> Ended:
        """`sparse-ae` with arguments; so many seconds after the phase `during` began, `act` gets
        the process's number. environment: variables that are changed for this run."""
        line = json.dumps([list(map(str, arguments)), environment])
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        number, began, first = int(self.process.stdout.readline()), {}, None
        while True:
            word, _, value = self.process.stdout.readline().strip().partition(" ")
            first = first or time.monotonic()
            if word == "over":
                began["over"] = time.monotonic() - first
                return Ended(int(value), self._told.read_text(errors="replace"), began)
            began.setdefault(word, time.monotonic() - first)
            if word == during and act is not None:
                time.sleep(after)
                act(number)
                act = None

    def wait_until_alone(self, seconds: float = 20):
        """Until no process of a run lives: those that serve one end soon after it."""
        end = time.monotonic() + seconds
        while self.left():
            assert time.monotonic() < end, self.left()
            time.sleep(0.05)


def kill(number: int):
    """SIGKILL, if it lives still."""
    if psutil.pid_exists(number):
        os.kill(number, signal.SIGKILL)


def terminate(number: int):
    """SIGTERM, as clusters ask for their machine back."""
    os.kill(number, signal.SIGTERM)


def preset(folder: Path, **settings) -> Path:
    """A preset file of a run of about a second. settings: by their names alone, in place of those
    of the preset smoke; see `flat.by_section`."""
    path = folder / "small.yaml"
    text = (ROOT / "experiments" / "presets" / "smoke.yaml").read_text(encoding="utf-8")
    content = merged(yaml.safe_load(text), by_section(settings))
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def copy(folder: Path, to: Path):
    """A folder in place of another."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)


def main(told: str):
    """Fork for every line."""
    os.dup2(1, TOLD)
    # all that a run needs; Lightning alone takes three seconds, and compiled code half of one
    import cv2
    import lightning_fabric  # noqa: F401

    import sparse_ae.companion.verify  # noqa: F401
    from sparse_ae.cli import main as command
    from sparse_ae.companion import experiment
    from sparse_ae.crowds import CrowdConfig, render_scene

    cv2.setNumThreads(1)  # threads do not outlive a fork
    render_scene(CrowdConfig(size=64, persons=(1, 4)), 0)
    for phase, name in PHASES.items():
        setattr(experiment, name, telling(phase, getattr(experiment, name)))
    for line in sys.stdin:
        arguments, environment = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ.update(environment)
            os.dup2(os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(0, 1)
            sys.exit(command(arguments))
        tell(child)
        tell("over", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def telling(phase: str, function):
    """A function that tells first that its phase begins."""

    def wrapped(*arguments, **options):
        tell(phase)
        result = function(*arguments, **options)
        if phase == "writing":
            tell("written")
        return result

    return wrapped


def tell(*words):
    """A line, in one write."""
    os.write(TOLD, (" ".join(map(str, words)) + "\n").encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
