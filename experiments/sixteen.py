"""Sixteen photos learnt by heart: the small net, trained and tested on the same few of COCO's.

    SPARSE_AE_DATA=… python experiments/sixteen.py

This checks the whole path from a JPEG to average precision, affine maps and skeletons included; it
says nothing about other photos. The sixteen are COCO's first whose people are all labelled and, in
COCO's sense, large: at 256 pixels a net with cells of two pixels, however well trained, cannot
place the joints of small people well enough for the strictest of the ten OKS thresholds. It takes
about ten minutes on one core, and an AP of at least 0.90 is expected.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sparse_ae.companion.experiment import run
from sparse_ae.datasets.keypoint_dataset import LAYOUTS, data_folder
from sparse_ae.runtime.launch import Options
from sparse_ae.settings import load_settings

COUNT = 16
LARGE = 96**2  # square pixels of the photo, COCO's bound


def choose(annotations: Path, count: int = COUNT) -> dict:
    """Return COCO's JSON for the first photos (by id) whose people are all labelled and LARGE."""
    content = json.loads(annotations.read_text(encoding="utf-8"))
    people: dict[int, list[dict]] = {}
    for one in content["annotations"]:
        people.setdefault(one["image_id"], []).append(one)
    fit = [image for image, found in people.items() if all(map(_labelled_and_large, found))]
    chosen = sorted(fit)[:count]
    if len(chosen) < count:
        raise SystemExit(f"{annotations}: {len(chosen)} photos with large persons alone of {count}")
    return {
        "images": [image for image in content["images"] if image["id"] in chosen],
        "annotations": [one for one in content["annotations"] if one["image_id"] in chosen],
        "categories": content["categories"],
    }


def _labelled_and_large(person: dict) -> bool:
    return bool(person.get("num_keypoints")) and not person.get("iscrowd") and (
        person["area"] >= LARGE
    )  # fmt: skip


def main():
    """Train, test, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", default="ae8", help="which losses")
    parser.add_argument("--seed", type=int, default=1, help="an integer from 0 on")
    parser.add_argument("--root", default="experiments/results", help="folder of the records")
    parser.add_argument("--resume", action="store_true", help="go on where it was interrupted")
    options = parser.parse_args()
    annotations, photos = (
        data_folder() / "coco" / part.format("train") for part in LAYOUTS["coco"]
    )
    if not annotations.is_file():
        raise SystemExit(f"{annotations}: no such file; SPARSE_AE_DATA names its root folder")
    path = Path("data") / "cache" / "sixteen.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(choose(annotations)), encoding="utf-8")
    both = (str(path), str(photos))
    data = {"train_set": both, "test_set": both}
    settings = load_settings("sixteen", options.method, options.seed, {"data": data})
    record = run(settings, options.root, options=Options(resume=options.resume))
    print(f"AP {record['metrics']['AP']:.3f} on the sixteen photos that it was trained on")


if __name__ == "__main__":
    main()
