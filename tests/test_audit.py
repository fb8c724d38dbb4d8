"""`make audit` tells what was checked, and never calls clean what was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"
CLEAN = {"name": "a", "version": "1.0", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI"}
FAULTY = {"name": "c", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (None, 0, "NOT DONE, nothing was checked: pip-audit is not installed"),
        ("", 0, "NOT DONE, nothing was checked: no way to the database"),
        ([SKIPPED, SKIPPED], 0, "NOT DONE, nothing was checked: no database knows any of the 2"),
        ([CLEAN, SKIPPED], 0, "audit: 1 of 2 pinned versions were checked, 0 have known faults"),
        ([CLEAN, FAULTY], 1, "c 2.0: PYSEC-1, mended in: 2.1\naudit: 2 of 2 pinned versions were"),
    ],
)
def test_what_was_checked_is_told(tmp_path, answer, status, told):
    if answer is not None:
        said = json.dumps({"dependencies": answer}) if answer else ""
        program = tmp_path / "pip-audit"
        program.write_text(f"#!/bin/sh\necho 'no way to the database' >&2\necho '{said}'\n")
        program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin"
    run = subprocess.run([sys.executable, str(SCRIPT)], env={"PATH": path}, text=True,
                         capture_output=True, check=False)  # fmt: skip
    assert (run.returncode, run.stderr) == (status, "")
    assert told in run.stdout
