"""Fuzzing: made-up files and arrays, and what any result of reading them has to be.

A target is a strategy, which draws an input, and a check, which hands it to the library. The input
is bytes (a file's content) or a dict of plain values. The check raises AssertionError for a result
that is not valid, and lets any exception through that is not the documented one: both are findings.
What was found once is kept in tests/corpus/<target>/ and replayed by `test_fuzz`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from . import arrays, files, more, weights

CORPUS = Path(__file__).parents[1] / "corpus"
PATIENCE = 20.0  # seconds of processor time for one input: what takes longer hangs


class Target(NamedTuple):
    """What is fuzzed: how inputs are drawn, and what is done with each."""

    strategy: SearchStrategy
    check: Callable


TARGETS = {
    "annotations": Target(files.annotations(), files.check_annotations),
    "checkpoints": Target(weights.checkpoints(), weights.check_checkpoint),
    "records": Target(files.records(), files.check_record),
    "pictures": Target(more.pictures(), more.check_picture),
    "settings": Target(more.settings(), more.check_settings),
    "group": Target(arrays.candidates(), arrays.check_group),
    "decode": Target(arrays.maps(), arrays.check_decode),
}


@contextlib.contextmanager
def patience(seconds: float = PATIENCE):
    """TimeoutError after so many seconds of this process's time."""

    def stop(*_):
        raise TimeoutError(f"no answer in {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def run(name: str, examples: int, number: int | None = None) -> tuple[int, int]:
    """Try so many inputs of a target: always the same ones, or those that the seed `number` leads
    to. How many were tried, and how many of these gave a valid result; the others were refused.
    What fails is kept in the corpus, as small as it can be made."""
    target, valid, failed = TARGETS[name], [], []

    def attempt(value) -> None:
        try:
            with patience():
                valid.append(bool(target.check(value)))
        except Exception:
            failed.append(value)  # the last is the smallest
            raise

    checked = settings(
        max_examples=examples, deadline=None, database=None, derandomize=number is None,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
        print_blob=False,
    )(given(target.strategy)(attempt))  # fmt: skip
    try:
        (checked if number is None else seed(number)(checked))()
    except BaseException:
        if failed:
            keep(name, failed[-1])
        raise
    return len(valid), sum(valid)


def keep(name: str, value) -> Path:
    """Write an input into the corpus."""
    if isinstance(value, tuple):  # a file's ending and bytes
        content = {"ending": value[0], "bytes": base64.b64encode(value[1]).decode()}
    else:
        content = value
    text = json.dumps(content, indent=1)
    path = CORPUS / name / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def kept(name: str) -> dict[str, object]:
    """The corpus of a target, by file name."""
    found = {}
    for path in sorted((CORPUS / name).glob("*.json")):
        value = json.loads(path.read_text(encoding="utf-8"))
        if set(value) == {"ending", "bytes"}:
            value = (value["ending"], base64.b64decode(value["bytes"]))
        found[path.name] = value
    return found
