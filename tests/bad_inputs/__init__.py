"""Bad inputs and what must be said of each: a table in parts, run by `test_bad_inputs`.

A case is a name, something that reads a bad input from a folder of its own, and a regular
expression for the message: the file, the record or field, and where it is not plain from these,
what to do.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sparse_ae.cli import main


class Case(NamedTuple):
    """One bad input: attempt(folder) has to raise with a text that the pattern is found in."""

    name: str
    attempt: Callable[[Path], object]
    message: str


def command(*words: str) -> Callable[[Path], None]:
    """An attempt that types a command, `{}` in it standing for the case's folder. What it writes
    to stderr becomes an error, if it is one line (after argparse's usage) and the status tells."""

    def attempt(folder: Path) -> None:
        told = io.StringIO()
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
            try:
                status = main([word.replace("{}", str(folder)) for word in words])
            except SystemExit as stopped:
                status = stopped.code
        lines = told.getvalue().splitlines()
        assert status in (1, 2), f"status {status}"
        assert "Traceback" not in told.getvalue()
        assert len(lines) == 1 or status == 2, lines
        assert lines[-1].startswith("sparse-ae")
        raise ValueError(lines[-1])

    return attempt


def with_file(name: str, content: str | bytes | dict | list, read: Callable) -> Callable:
    """An attempt that writes a file, JSON if it is neither text nor bytes, and reads it."""

    def attempt(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        read(path)

    return attempt
