"""Measure the net that ships on photos, and write its card's figures.

    SPARSE_AE_DATA=… python experiments/card.py     # measures: five minutes on one core
    python experiments/card.py --check              # exits with 1 if the card is out of date

The record is data/weights/people.json; the card is data/weights/README.md. The weights are measured
as they ship, in 16 bits. The threshold's precision is measured on the validation photos, on which
the threshold was chosen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from sparse_ae.datasets import PoseDataset
from sparse_ae.datasets.open import open_dataset
from sparse_ae.evaluation import Predictor, evaluate, load
from sparse_ae.evaluation.evaluation import as_results
from sparse_ae.evaluation.predictor import SHIPPED
from sparse_ae.metrics import keypoint_matches
from sparse_ae.runtime.files import write_whole
from sparse_ae.runtime.provenance import provenance
from sparse_ae.settings import load_settings

HOUSE = Path(__file__).parents[1] / "data" / "weights"
RECORD, CARD = HOUSE / "people.json", HOUSE / "README.md"
START, END = "<!-- measured by experiments/card.py -->\n", "<!-- end of what is measured -->"
USES = {"mirror": {"flip": True}, "plain": {"flip": False},
        "half": {"flip": True, "scales": (1.0, 0.5)}}  # fmt: skip
SHOWN = {"AP": "AP, with the mirror image", "AP50": "at OKS 0.5", "APM": "medium people",
         "APL": "large people"}  # fmt: skip
SCORES = (0.2, 0.25)


def measure(split: str) -> dict:
    """Measure AP and seconds per photo of each use, and what each threshold shows."""
    data = open_dataset(load_settings("people", "rve", 1).data, split)
    found = {"photos": len(data)}
    for name, decode in USES.items():
        use = load(decode=decode)
        began = time.process_time()
        metrics = evaluate(use.net, data, use.usage.decode, use.usage.size, keep_detections=True,
                           name=f"{split} {name}").metrics  # fmt: skip
        found[name] = {key: round(float(metrics[key]), 4) for key in SHOWN}
        found[name]["seconds"] = round((time.process_time() - began) / len(data), 3)
    return found | {"thresholds": thresholds(load(), data, split)}


def thresholds(net: Predictor, data: PoseDataset, split: str) -> list[dict]:
    """Return, per least score, the share of people shown that is right, and of people found."""
    truth = data.ground_truth()
    category, results = truth["categories"][0]["id"], []
    for index in tqdm(range(len(data)), f"{split} thresholds", unit=" photos"):
        sample = data[index]
        results += as_results(net.predict(sample.image, min_score=0.0), sample.id, category)
    matches = keypoint_matches(truth, results, data.skeleton)
    right, counted, persons = matches.matched[0], ~matches.skipped[0], matches.persons.sum()
    rows = []
    for least in SCORES:
        shown = counted & (matches.score >= least)
        rows.append({"score": least, "precision": round(float(np.mean(right[shown])), 3),
                     "found": round(float(right[shown].sum() / persons), 3)})  # fmt: skip
    return rows


def table(record: dict) -> str:
    """Return the figures as Markdown, in percent."""
    val, test = record["val"], record["test"]
    rows = [
        ("", f"{val['photos']} validation photos", f"{test['photos']} test photos"),
        ["---"] * 3,
    ]
    rows += [(label, f"{100 * val['mirror'][key]:.1f}", f"{100 * test['mirror'][key]:.1f}")
             for key, label in SHOWN.items()]  # fmt: skip
    for use, label in (("plain", "AP, without it"), ("half", "AP, with it and at half the size")):
        rows.append((label, f"{100 * val[use]['AP']:.1f}", f"{100 * test[use]['AP']:.1f}"))
    for row in val["thresholds"]:
        least, right = f"from a score of {row['score']} on", f"{100 * row['precision']:.0f}"
        rows.append((f"of 100 people shown {least}, right (OKS 0.5 or more)", right, ""))
        rows.append((f"of 100 labelled people, shown {least}", f"{100 * row['found']:.0f}", ""))
    rows.append(("seconds a photo on one core, with the mirror image", "",
                 f"{test['mirror']['seconds']:.2f}"))  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def weights_digest() -> str:
    """Return the digest of the weights that ship."""
    return hashlib.sha256(SHIPPED.read_bytes()).hexdigest()[:16]


def updated() -> str:
    """Return the card's text with the record's figures."""
    before, rest = CARD.read_text(encoding="utf-8").split(START)
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return f"{before}{START}{table(record)}{END}{rest.split(END)[1]}"


def main() -> int:
    """Measure and write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="measure nothing, compare")
    if parser.parse_args().check:
        if json.loads(RECORD.read_text(encoding="utf-8"))["weights"] != weights_digest():
            print(f"{RECORD.name}: measured of other weights; run experiments/card.py")
            return 1
        if updated() != CARD.read_text(encoding="utf-8"):
            print(f"{CARD.name}: its table is not that of {RECORD.name}; run experiments/card.py")
            return 1
        return 0
    torch.set_num_threads(1)
    data = open_dataset(load_settings("people", "rve", 1).data, "test")
    record = {split: measure(split) for split in ("val", "test")}
    record |= {"weights": weights_digest(), "provenance": provenance(data.digest)}
    write_whole(RECORD, (json.dumps(record, indent=1) + "\n").encode())
    CARD.write_text(updated(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
