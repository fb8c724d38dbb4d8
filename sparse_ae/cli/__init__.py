"""The console script `sparse-ae`: subcommands that only call the library."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import sys
import threading
from pathlib import Path

from sparse_ae import __version__
from sparse_ae.cli.crowds import add_crowds
from sparse_ae.cli.export import add_export
from sparse_ae.cli.options import told
from sparse_ae.cli.photos import add_photos
from sparse_ae.cli.reports import add_reports
from sparse_ae.cli.runs import add_runs
from sparse_ae.cli.verify import add_verify

INTERRUPTED = 130  # the exit code
NOTHING_LEFT = "nothing half-written is left"
# packages that only some commands need, and the extra that brings them
EXTRAS = {"lightning_fabric": "train", "matplotlib": "book", "pandas": "book", "seaborn": "book",
          "onnx": "export", "onnxruntime": "export", "onnxscript": "export"}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand, and return its exit code.

    The code is 0 for success, 1 for an error, which is printed in one line, and 130 for an
    interrupt by Ctrl-C or SIGTERM. `verify` has codes of its own.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a file's name may not be valid text
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _interruptible():
            return options.command(options) or 0
    except (ValueError, OSError, FloatingPointError, MemoryError) as error:
        print(f"sparse-ae: error: {told(error, options)}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (extra := EXTRAS.get((error.name or "").partition(".")[0])) is None:
            raise
        print(f"sparse-ae: error: this command needs {error.name}: "
              f"pip install 'sparse-ae[{extra}]'", file=sys.stderr)  # fmt: skip
        return 1
    except KeyboardInterrupt as error:
        return _interrupted(error)
    except SystemError as error:  # a compiled function was interrupted when called
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        return _interrupted(error.__cause__)


def _interrupted(error: KeyboardInterrupt) -> int:
    print(f"sparse-ae: interrupted; {str(error) or NOTHING_LEFT}", file=sys.stderr)
    return INTERRUPTED


@contextlib.contextmanager
def _interruptible():
    """Treat SIGTERM like Ctrl-C: half-written files are removed, and processes told to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _interrupt)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may ignore it
        before[signal.SIGINT] = signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number, frame) -> None:
    """Raise KeyboardInterrupt, or exit at once while a subcommand is importing.

    Nothing has begun then, and compiled modules swallow the exception as they load, or turn it into
    an ImportError.
    """
    importer = None
    while frame is not None:
        if "importlib._bootstrap" in frame.f_code.co_filename:
            importer = frame.f_back
        frame = frame.f_back
    if importer is not None and Path(importer.f_code.co_filename).parent == Path(__file__).parent:
        os.write(2, f"sparse-ae: interrupted; {NOTHING_LEFT}\n".encode())
        os._exit(INTERRUPTED)
    raise KeyboardInterrupt


def build_parser() -> argparse.ArgumentParser:
    """Return the parser, with all subcommands and their options."""
    parser = argparse.ArgumentParser(
        prog="sparse-ae",
        description="The living companion of 'Regularizing Vector Embedding in Bottom-Up Human "
        "Pose Estimation' (ECCV 2022).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sparse_ae {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for part in (add_runs, add_verify, add_photos, add_export, add_crowds, add_reports):
        part(functools.partial(_add, commands))
    return parser


def _add(commands, name: str, function, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name, help=text, description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    command.set_defaults(command=function)
    return command
