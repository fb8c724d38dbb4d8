"""Count how crowded, large and hidden the persons of COCO and of CrowdPose are.

    SPARSE_AE_DATA=... python data/real_statistics.py

SPARSE_AE_DATA holds annotations/person_keypoints_train2017.json as COCO publishes it (or
layouts/person_keypoints_train2017_recovered.json.gz, which holds only its persons with keypoints
and gives the same counts), and crowdpose/json/crowdpose_val.json. The script writes
real_statistics.json beside this file: counts only, no annotation. Half a minute.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
from pathlib import Path

from sparse_ae.crowds.statistics import statistics

COMMAND = "SPARSE_AE_DATA=... python data/real_statistics.py"
SOURCES = {
    "coco": {
        "title": "COCO train2017",
        "files": [
            "layouts/person_keypoints_train2017_recovered.json.gz",
            "annotations/person_keypoints_train2017.json",
        ],
        "paper": "Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014",
        "site": "https://cocodataset.org",
        "licence": "annotations: CC BY 4.0, COCO Consortium",
        "notes": ["the smallest persons have boxes but no keypoints, and are not counted"],
        "persons": 149813,
    },
    "crowdpose": {
        "title": "CrowdPose val",
        "files": ["crowdpose/json/crowdpose_val.json"],
        "paper": "Li et al., CrowdPose: Efficient Crowded Scenes Pose Estimation and A New "
        "Benchmark, CVPR 2019",
        "site": "https://github.com/jeffffffli/CrowdPose",
        "licence": "only counts are taken from it, no annotation",
        "notes": [
            "num_keypoints follows a rule of its own: persons of 0 are left out, as the published "
            "crowd indices do, though most have labelled keypoints",
            "head and neck are never 2 (visible), and many persons have no 2 at all: "
            "v = 1 does not always mean hidden",
        ],
        "persons": 7074,
    },
}


def read(folder: Path, files: list[str]) -> tuple[str, dict]:
    """Return the name and content of the first of the files that exists."""
    for name in files:
        path = folder / name
        if path.is_file():
            data = path.read_bytes()
            return name, json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    raise SystemExit(f"{folder / files[0]}: no such file; SPARSE_AE_DATA names its folder")


def count_sources(folder: Path) -> dict:
    """Return the statistics and origin of every source; exit if a source is incomplete."""
    found = {"command": COMMAND, "sources": {}, "statistics": {}}
    for name, source in SOURCES.items():
        file, content = read(folder, source["files"])
        counted = statistics(content)
        if counted["persons"] != source["persons"]:
            persons = f"{counted['persons']} persons, expected {source['persons']}"
            raise SystemExit(f"{folder / file}: {persons}: not {source['title']} as published")
        about = {key: value for key, value in source.items() if key not in ("files", "persons")}
        found["sources"][name] = {**about, "file": file}
        found["statistics"][name] = counted
    return found


def to_json(found: dict) -> str:
    """Return JSON with one line per list of numbers."""
    text = json.dumps(found, indent=1, ensure_ascii=False)
    return re.sub(r"\[[-\d.,\s]+\]", lambda match: "".join(match.group().split()), text) + "\n"


def main():
    """Count and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).with_name("real_statistics.json")
    )
    arguments = parser.parse_args()
    if "SPARSE_AE_DATA" not in os.environ:
        parser.error("set SPARSE_AE_DATA to the folder of the real data sets")
    found = count_sources(Path(os.environ["SPARSE_AE_DATA"]))
    for name, counted in found["statistics"].items():
        print(f"{name}: {counted['images']} images, {counted['persons']} persons")
        for what, histogram in counted["histograms"].items():
            print(f"  {what:18} mean {histogram['mean']:7.3f}, 5 to 95 % {histogram['quantiles']}")
    text = to_json(found)
    arguments.out.write_text(text, encoding="utf-8")
    print(f"{arguments.out.name}: {len(text) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
