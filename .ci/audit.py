"""Known faults of the pinned versions (constraints.txt), by pip-audit: status 1 if there are any.

Where it is not installed, or no database can be reached, this says that nothing was checked. It
counts for itself: pip-audit calls a list clean of which it could look up nothing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

PINNED = Path(__file__).parents[1] / "constraints.txt"
NOT_DONE = "audit: NOT DONE, nothing was checked:"


def main() -> int:
    """Print what is known, and what could not be looked up."""
    program = shutil.which("pip-audit")
    if program is None:
        print(f"{NOT_DONE} pip-audit is not installed (pip install pip-audit)")
        return 0
    words = [program, "--requirement", str(PINNED), "--no-deps", "--disable-pip", "--format",
             "json", "--progress-spinner", "off"]  # fmt: skip
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = [line for line in run.stderr.splitlines() if line.strip()] or ["no answer"]
        print(f"{NOT_DONE} {said[-1].strip()[:300]}")
        return 0
    skipped = [package for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        print(f"{NOT_DONE} no database knows any of the {len(packages)} packages, or none answers")
        return 0
    for package in packages:
        for fault in package.get("vulns", ()):
            mended = ", ".join(fault["fix_versions"]) or "none yet"
            print(f"{package['name']} {package['version']}: {fault['id']}, mended in: {mended}")
    faulty = sum(bool(package.get("vulns")) for package in packages)
    print(f"audit: {len(packages) - len(skipped)} of {len(packages)} pinned versions were checked, "
          f"{faulty} have known faults")  # fmt: skip
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
