"""`sparse-ae verify`: make a record again, and compare."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sparse_ae.cli.options import told

EQUAL, DIFFERS, CANNOT = 0, 1, 2  # exit codes
AGAINST = {"run": "its run, made again", "evaluation": "its evaluation, made again",
           "arrays": "the arrays beside it"}  # fmt: skip
AT_ONCE = 12  # differences that are listed one by one


def add_verify(add) -> None:
    """Add the subcommand and its options."""
    command = add("verify", verify, "make a record again: equal to the bit, or what differs; "
                  "exits with 0 if equal, 1 if not, 2 if it cannot be told")  # fmt: skip
    option = command.add_argument
    option("record", type=Path, metavar="RECORD", help="a seed-<n>.json of experiments/results")
    option("--evaluation", action="store_true", help="evaluate its weights only, without training")
    option("--weights", type=Path, metavar="FILE", help="of --evaluation (default: beside it)")
    option("--workers", type=int, metavar="N",
           help="processes that draw crowds, which change no figure (default: the cores left)",
           )  # fmt: skip


def verify(options: argparse.Namespace) -> int:
    """Print whether the record is equal, or what differs and why; return an exit code."""
    from sparse_ae.companion.verify import verify as check
    from sparse_ae.runtime.launch import Options

    try:
        found = check(options.record, evaluation=options.evaluation, weights=options.weights,
                      options=Options(accelerator="cpu", workers=options.workers))  # fmt: skip
    except (ValueError, OSError, FloatingPointError, MemoryError) as error:
        print(f"sparse-ae: cannot verify: {told(error, options)}", file=sys.stderr)
        return CANNOT
    if not found.differences:
        print(f"{options.record}: equal to {AGAINST[found.what]}: {found.compared} figures and "
              "arrays, to the bit")  # fmt: skip
        return EQUAL
    print(f"{options.record}: differs from {AGAINST[found.what]} in {len(found.differences)} of "
          f"{found.compared} figures and arrays")  # fmt: skip
    for name, recorded, again in found.differences[:AT_ONCE]:
        print(f"  {name}: recorded {recorded}, found {again}")
    if len(found.differences) > AT_ONCE:
        print(f"  and {len(found.differences) - AT_ONCE} more")
    for reason in found.reasons or ("none that the record names",):
        print(f"  possible reason: {reason}")
    return DIFFERS
