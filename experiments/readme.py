"""Write the README's table and picture from the committed records of the preset `reader`.

python experiments/readme.py            # after the records changed
python experiments/readme.py --check    # exits 1 where the README is not what they say
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sparse_ae.figures import example_people_figure
from sparse_ae.results import read_arrays, read_record, read_records, record_path
from sparse_ae.tables import crowd_table

HOUSE = Path(__file__).parents[1]
RESULTS = HOUSE / "experiments" / "results"
README = HOUSE / "README.md"
PICTURE = HOUSE / "book" / "images" / "people.png"
START, END = "<!-- crowd table", "<!-- end of crowd table -->"
SEEDS = (1, 2, 3)  # those that are committed; seed 0 is what `make book` makes


def table() -> str:
    """The crowded-scene table of the committed seeds, as Markdown."""
    records = [record for record in read_records("reader", RESULTS) if record["seed"] in SEEDS]
    frame = crowd_table(records).reset_index()
    rows = [list(frame.columns), ["---"] * len(frame.columns), *frame.values.tolist()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def updated() -> str:
    """The README with its table as the records have it."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    comment, rest = rest.split("\n", 1)
    after = rest.split(END)[1]
    return f"{before}{START}{comment}\n{table()}\n{END}{after}"


def draw() -> None:
    """Four test scenes with the persons that the first committed run of `rve` found."""
    path = record_path("reader", "rve", SEEDS[0], RESULTS)
    figure = example_people_figure(read_record(path), read_arrays(path))
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
        print("README.md: its table is not that of the records; run experiments/readme.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
