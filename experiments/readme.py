"""Write the README's table and picture from the committed records of the evidence.

python experiments/readme.py            # after the records changed
python experiments/readme.py --check    # exits with 1 if the README is out of date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sparse_ae.companion.cached_tables import cached_table
from sparse_ae.companion.completed_runs import EVIDENCE, read_runs
from sparse_ae.companion.figures.scenes import example_people_figure
from sparse_ae.companion.tables.claims import verdict_rows

HOUSE = Path(__file__).parents[1]
RESULTS = HOUSE / "experiments" / "results"
README = HOUSE / "README.md"
PICTURE = HOUSE / "book" / "images" / "people.png"
START, END = "<!-- verdicts", "<!-- end of verdicts -->"  # the comments about the table
SEEDS = (1, 2, 3, 4, 5)  # those that are committed


def committed():
    """Return records and arrays of the committed seeds."""
    records, arrays = read_runs(EVIDENCE, RESULTS)
    records = [record for record in records if record["seed"] in SEEDS]
    return records, {run: found for run, found in arrays.items() if run[1] in SEEDS}


def table() -> str:
    """Return the claims with their verdicts, as Markdown."""
    records, arrays = committed()
    claims = verdict_rows(cached_table("verdicts", records, arrays, RESULTS))
    rows = [list(claims.columns), ["---"] * len(claims.columns), *claims.values.tolist()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def updated() -> str:
    """Return the README's text with the table from the records."""
    before, rest = README.read_text(encoding="utf-8").split(START)
    comment, rest = rest.split("\n", 1)
    return f"{before}{START}{comment}\n{table()}\n{END}{rest.split(END)[1]}"


def draw() -> None:
    """Draw four test scenes with the people that the first committed run of `rve` found."""
    records, arrays = committed()
    record = next(record for record in records if record["method"] == "rve")
    figure = example_people_figure(record, arrays["rve", record["seed"]])
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=80, bbox_inches="tight")


def main() -> int:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, compare")
    if not parser.parse_args().check:
        README.write_text(updated(), encoding="utf-8")
        draw()
        return 0
    if updated() != README.read_text(encoding="utf-8"):
        print("README.md: a table is not that of the records; run experiments/readme.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
