"""How many faults put into the core on purpose the tests find: mutation testing by mutmut.

    pip install -e '.[dev,mutation]' -c constraints.txt
    python benchmarks/mutation.py --out benchmarks/results/mutation.json

pyproject.toml, [tool.mutmut], says which files are changed and which tests run. It takes most of an
hour on two cores. A fault that no test finds either shows a missing test, or changes nothing that
anyone could see. The latter are in equivalent_mutants.yaml, each with the reason; the record names
all others. Compiled functions (`kernels.kernel`) are skipped, since mutmut does not change
decorated functions; tests compare each of them with a plain loop.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

from sparse_ae.companion.records import provenance

HERE = Path(__file__).resolve().parent
REASONS = HERE / "equivalent_mutants.yaml"
RESULT = re.compile(r"^\s*sparse_ae\.([\w.]+)\.([^\s.]+): ([a-z ]+)$", re.MULTILINE)
FOUND = ("killed", "timeout", "segfault", "suspicious")  # states of faults that tests found


def read_results(text: str) -> list[tuple[str, str, str]]:
    """Return module, name and state of every mutant, from `mutmut results --all true`'s output."""
    return [match.groups() for match in RESULT.finditer(text)]


def change(diff: str) -> tuple[str, str]:
    """Return the lines that a mutant removes and adds, from the output of `mutmut show`."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    taken, put = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return taken, put


def summary(
    results: list[tuple[str, str, str]], changes: dict[tuple[str, str], tuple[str, str]]
) -> dict:
    """Return counts by module, the share found, and the survivors that nothing explains.

    `changes` has the change of each survivor, by module and name.
    """
    reasons = yaml.safe_load(REASONS.read_text(encoding="utf-8"))
    known = {(one["module"], one["line"], one["instead"]): one["why"] for one in reasons}
    modules: dict[str, Counter] = {}
    unexplained = []
    for module, name, state in results:
        counts = modules.setdefault(module, Counter())
        if state in FOUND:
            counts["found"] += 1
        elif (module, *changes[module, name]) in known:
            counts["equivalent"] += 1
        else:
            counts["survived"] += 1
            line, instead = changes[module, name]
            unexplained.append({"module": module, "line": line, "instead": instead})
    total = sum(modules.values(), Counter())
    return {
        "modules": {module: dict(counts) for module, counts in sorted(modules.items())},
        "share_found": round(total["found"] / total.total(), 4),
        "equivalent": total["equivalent"],
        "unexplained": unexplained,
    }


def mutmut(*arguments: str) -> str:
    """Return what mutmut prints; raise SystemExit if it fails or is not installed."""
    run = subprocess.run([sys.executable, "-m", "mutmut", *arguments], cwd=HERE.parent,
                         capture_output=True, text=True, check=False)  # fmt: skip
    if run.returncode:
        raise SystemExit(f"mutmut {' '.join(arguments)} ended with {run.returncode}:\n"
                         f"{run.stdout[-500:]}{run.stderr[-2000:]}")  # fmt: skip
    return run.stdout


def main():
    """Run all mutants (or read what a run left), and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--read", action="store_true", help="the last run's results: run nothing")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the record here")
    options = parser.parse_args()
    if not options.read:
        mutmut("run", "--max-children", "2")
    results = read_results(mutmut("results", "--all", "true"))
    if not results:
        raise SystemExit("no mutant was run")
    left = [(module, name) for module, name, state in results if state not in FOUND]
    changes = {one: change(mutmut("show", "sparse_ae.{}.{}".format(*one))) for one in left}
    record = summary(results, changes)
    record["provenance"] = provenance("none", device="cpu")
    print(json.dumps({**record, "provenance": "…"}, indent=1, ensure_ascii=False))
    if options.out:
        text = json.dumps(record, indent=1, ensure_ascii=False)
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
