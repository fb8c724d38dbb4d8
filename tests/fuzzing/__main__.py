"""Fuzz for a while: python -m fuzzing --seconds 300 --seed 1 --out FILE.json TARGET …"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

from . import TARGETS, run

BATCH = 400  # inputs of one seed


def fuzz(name: str, seconds: float, number: int) -> dict:
    """A target for so long, each batch of inputs from another seed: inputs tried, those with a
    valid result, seconds, and failures: exception and seed."""
    began, tried, valid, failures = time.monotonic(), 0, 0, []
    while time.monotonic() < began + seconds:
        try:
            more = run(name, BATCH, number)
            tried, valid = tried + more[0], valid + more[1]
        except Exception as error:
            failures.append({"seed": number, "error": " ".join(repr(error).split())[:500]})
        number += 1
    return {"target": name, "tried": tried, "valid": valid, "refused": tried - valid,
            "seconds": round(time.monotonic() - began, 1), "failures": failures}  # fmt: skip


def main() -> None:
    """Share the time among the targets, and write what each came to as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all of them together")
    parser.add_argument("--seed", type=int, default=0, help="of the first batch")
    parser.add_argument("--out", type=Path, required=True, help="JSON for what they come to")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = []
    for name in options.targets:
        found.append(fuzz(name, options.seconds / len(options.targets), options.seed))
        options.out.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
