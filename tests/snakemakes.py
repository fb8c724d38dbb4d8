"""Workflows that are refused, without the seconds that each takes to import.

As a script: forks a process for each case, and prints how it ended and what it told on stderr.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def refused(folder: Path, *cases) -> list[tuple[int, str]]:
    """Exit code and stderr of workflows that are started in a folder. cases: settings of --config
    and variables of the environment, one pair each."""
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(cases)], cwd=folder, capture_output=True, text=True,
        check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return [tuple(one) for one in json.loads(done.stdout)]


def main(cases: str):
    """Fork for every case."""
    import snakemake.cli

    import sparse_ae.companion.experiment  # noqa: F401  (which the Snakefile imports)

    snakefile, found = str(ROOT / "experiments" / "Snakefile"), []
    for settings, variables in json.loads(cases):
        with tempfile.TemporaryFile("w+") as told:
            child = os.fork()
            if child == 0:
                os.environ.update(variables)
                os.dup2(told.fileno(), 2)
                os.dup2(os.open(os.devnull, os.O_RDWR), 1)
                snakemake.cli.main(["-s", snakefile, "-c1", "--config", *settings])
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            told.seek(0)
            found.append((code, told.read()))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
