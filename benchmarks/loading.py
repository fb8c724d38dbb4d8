"""How fast photos are loaded for training: from JPEG files to views, and to batches.

    SPARSE_AE_DATA=... python benchmarks/loading.py [--workers 2] [--quick] [--out FILE.json]

Prints milliseconds of processor time per photo, step by step, on one core, and photos per second of
a DataLoader. The aim is 150 per second with two workers, at 512 × 512. The rate is meaningful only
on an idle machine, so the load before it is printed, too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from sparse_ae.datasets import KeypointDataset
from sparse_ae.datasets.augment import random_view, transform_boxes, transform_keypoints
from sparse_ae.datasets.loss_masks import downsample_mask, loss_mask
from sparse_ae.datasets.pictures import read_and_warp, read_photo
from sparse_ae.runtime.provenance import provenance
from sparse_ae.settings import AugmentSettings
from sparse_ae.training import Stream, Targets, collate
from sparse_ae.training.loaders import AHEAD

AIM = 150  # photos a second with two workers
BATCH = 10  # photos, as in the paper
MOST_STEPS = 1_000_000  # more than a measurement takes


def steps(data: KeypointDataset, size: int, rounds: int) -> dict[str, float]:
    """Return median milliseconds of processor time over photos and rounds, step by step."""
    taken: dict[str, list[float]] = {}

    def timed(name, function, *arguments, photos=1):
        before = time.process_time()
        result = function(*arguments)
        taken.setdefault(name, []).append(1e3 * (time.process_time() - before) / photos)
        return result

    samples = []
    shape, augment = (size, size), AugmentSettings(colour=0.0)  # as the paper's presets
    for step in range(rounds * len(data)):
        i = step % len(data)
        width, height = data.sizes[i].tolist()
        keypoints, boxes = data.annotations.persons(i)
        rng = np.random.default_rng(step)
        matrix, mirrored = random_view(width, height, size, rng, augment)
        timed("read and decode", read_photo, data.path(i), width, height)
        timed("read, decode, warp", read_and_warp, data.path(i), width, height, matrix, shape)
        timed("joints", transform_keypoints, keypoints, matrix, mirrored, data.skeleton, shape)
        timed("boxes", transform_boxes, boxes, matrix, shape)
        mask = timed("mask", loss_mask, data.annotations.regions[i], boxes, matrix, shape)
        timed("mask in cells, twice", lambda m=mask: (downsample_mask(m, 4), downsample_mask(m, 2)))
        samples.append(timed("a whole sample", data.random_view, i, size, augment, rng))
        if len(samples) == BATCH:
            timed("a batch, each photo", collate, samples, Targets(), photos=BATCH)
            samples.clear()
    return {name: round(statistics.median(times), 3) for name, times in taken.items()}


def rate(data: KeypointDataset, size: int, workers: int, seconds: float) -> float:
    """Return photos per second that workers deliver, in batches, to a process that drops them."""
    augment = AugmentSettings(colour=0.0)
    stream = Stream(data, augment, size, Targets(), batch=BATCH, steps=MOST_STEPS, seed=0,
                    workers=workers)  # fmt: skip
    batches = stream.batches()
    for _ in range(
        1 + AHEAD * workers
    ):  # processes start, and what they prepared meanwhile is used up
        next(batches)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() < begin + seconds:
        next(batches)
        done += BATCH
    return round(done / (time.perf_counter() - begin), 1)


def main():
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, metavar="PX", help="side of a view")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="0: measure steps only")
    parser.add_argument("--seconds", type=float, default=10.0, help="of loading for the rate")
    parser.add_argument("--quick", action="store_true", help="every photo once, half a second")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the figures here too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    data = KeypointDataset.official("coco", "train", empty=False)
    found = {"size": options.size, "photos": len(data), "load": round(os.getloadavg()[0], 2)}
    found["one_core_ms"] = steps(data, options.size, 1 if options.quick else 5)
    for name, value in found["one_core_ms"].items():
        print(f"{name:24}{value:8.2f} ms")
    if options.workers:
        seconds = 0.5 if options.quick else options.seconds
        found["workers"] = options.workers
        found["photos_per_second"] = rate(data, options.size, options.workers, seconds)
        print(f"{options.workers} workers: {found['photos_per_second']} photos a second "
              f"(aim: {AIM} with two), load {found['load']} before")  # fmt: skip
    found["provenance"] = provenance(f"COCO train2017, {len(data)} photos", device="cpu")
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
