"""How fast losses, targets, decoding, grouping and evaluation are, against plain code.

    python benchmarks/core.py [--out benchmarks/results/core.json] [--quick]

Prints a table (milliseconds, the median of alternating runs on one thread), whether the targets
are met, and how cost grows with persons and with cells. Five minutes or so on an idle machine;
--quick takes seconds, and its figures mean little. book/speed.md shows the committed record.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
import reference
import scenes
import torch
from map_works import Work, enlarge_work, heatmap_work, photo_work, swahr_work
from report import show

from sparse_ae.crowds import CrowdConfig
from sparse_ae.datasets import CrowdDataset
from sparse_ae.decoding import decode, decode_batch, host_maps
from sparse_ae.evaluation import evaluate, load
from sparse_ae.grouping import group
from sparse_ae.losses import gather_tags, grouping_loss
from sparse_ae.metrics import keypoint_ap
from sparse_ae.runtime.precision import uses_bfloat16
from sparse_ae.runtime.provenance import provenance
from sparse_ae.settings import DecodeSettings
from sparse_ae.skeleton import COCO, CROWDPOSE
from sparse_ae.targets import clear_targets, heatmap_targets

ROUNDS, QUICK_ROUNDS = 15, 1
SECONDS = 2.0  # a pair of quick calls is repeated for so long
SLOW = 1.0  # seconds from which a call needs no other before it to warm memory up
WEIGHTS = Path(__file__).parents[1] / "data" / "weights" / "crowds-rve.safetensors"
GROWTH = 1.3  # cost ~ size ** exponent; linear, with room for caches that get too small


def loss_work(persons, dim, images=8, size=128, ratio=None, at_once=False) -> Work:
    """Make the embedding loss's row: forward and backward, reading tags from maps included."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(images, 17, dim, size, size, generator=generator, requires_grad=True)
    joints = torch.rand(images, persons, 17, 2, generator=generator) * size
    visible = torch.rand(images, persons, 17, generator=generator) < 0.8

    def run(loss):
        maps.grad = None
        pull, push = loss()
        (pull + push).backward()

    return Work(
        f"embedding loss, {images} images, {persons} persons, {size}², D {dim}"
        + "; a person's tags at once" * at_once,
        lambda: run(lambda: grouping_loss(gather_tags(maps, joints), visible, form="released")),
        lambda: run(lambda: reference.embedding_loss(maps, joints, visible, at_once=at_once)),
        ratio,
    )


def targets_work(size, persons=30, ratio=None, again=False) -> Work:
    """Make the row of one image's heatmap targets.

    With `again`, they are drawn into maps that are then cleared, to be drawn into once more.
    """
    joints = scenes.joints(np.random.default_rng(0), persons, size)
    visible = np.ones(joints.shape[:2], bool)
    maps = np.zeros((joints.shape[1], size, size), np.float32)

    def draw_and_clear():
        heatmap_targets(joints, visible, size, out=maps)
        clear_targets(maps, joints, visible)

    return Work(
        f"targets, {persons} persons, {size}²" + "; drawn and cleared in the same maps" * again,
        draw_and_clear if again else lambda: heatmap_targets(joints, visible, size),
        lambda: reference.heatmap_targets(joints, visible, size),
        ratio,
        moved=maps.nbytes,  # written, at the least
    )


def decode_work(persons, size, dim, noise=False, ratio=None, limit=None) -> Work:
    """Make the row of decoding with refinement."""
    heatmaps, tags = scenes.maps(persons, size, dim, noise=noise)
    return Work(
        f"decode, {persons} persons, {size}², D {dim}" + ", tags noise" * noise,
        lambda: decode(heatmaps, tags, COCO),
        lambda: reference.decode(heatmaps, tags, COCO.order),
        ratio,
        limit,
    )


def group_work(persons, size, dim, ratio=None, limit=None) -> Work:
    """Make the row of grouping alone, on the candidates of a scene."""
    heatmaps, tags = scenes.maps(persons, size, dim)
    maxima = host_maps.run_maxima(heatmaps)
    xy, score = host_maps.peaks(heatmaps, maxima, np.float32(0.1), 2, 30)
    tag = tags[np.arange(17)[:, None], :, xy[..., 1], xy[..., 0]]
    candidates = reference.peaks(heatmaps, tags)
    return Work(
        f"group alone, {persons} persons, D {dim}",
        lambda: group(xy, score, tag, COCO.order),
        lambda: reference.group(candidates, COCO.order),
        ratio,
        limit,
    )


def batch_work(images, size) -> Work:
    """Make the row of a batch on all cores, against one image after another."""
    parts = [scenes.maps(15, size, 8, seed=seed) for seed in range(images)]
    heatmaps, tags = (np.stack(part) for part in zip(*parts, strict=True))
    return Work(
        f"decode_batch, {images} images, 15 persons, {size}², D 8, all cores; one by one",
        lambda: decode_batch(heatmaps, tags, COCO),
        lambda: [decode(h, t, COCO) for h, t in zip(heatmaps, tags, strict=True)],
    )


def evaluation_work(images) -> Work:
    """Make the row of CrowdPose's average precision, against faster-coco-eval if installed."""
    annotations, found = scenes.crowds(images)
    return Work(
        f"evaluation, {images} images, {len(found)} detections; faster-coco-eval",
        lambda: keypoint_ap(annotations, found, CROWDPOSE, crowd=True),
        reference.coco_evaluation(annotations, found, CROWDPOSE.sigmas),
        1.0,
    )


def crowd_work(count=64, limit=None) -> Work:
    """Make the row of a whole evaluation, network and measures of embeddings included."""
    net, size = load(WEIGHTS).net, 128
    data = CrowdDataset(CrowdConfig("val", size=size, skeleton="crowdpose"), count)
    data.arrays(progress=False)
    precision = "bfloat16" if uses_bfloat16("auto") else "float32"
    return Work(
        f"evaluation of {count} crowds, {size}², network included",
        lambda: evaluate(net, data, DecodeSettings(), size, precision=precision, progress=False),
        None,
        limit=limit and count * limit,
    )


def works(quick: bool) -> list[Work]:
    """Return the rows of the table, small ones for --quick."""
    if quick:
        return [
            loss_work(3, 2, 2, 32), heatmap_work("Γ + W", 3, 32, 2), swahr_work(3, 32, 2),
            targets_work(32, 3), enlarge_work(16, 128, 2), decode_work(3, 64, 2),
            group_work(3, 64, 2), photo_work(2, 64), batch_work(2, 64), evaluation_work(20),
            crowd_work(2),
        ]  # fmt: skip
    return [
        loss_work(30, 1, ratio=100),
        loss_work(30, 8, ratio=40),
        loss_work(30, 1, at_once=True),
        loss_work(30, 8, at_once=True),
        heatmap_work("plain", ratio=1.5),
        heatmap_work("Γ + W", 10, ratio=5),
        heatmap_work("Γ + W", ratio=3),
        heatmap_work("Γ of tags, W, mask", ratio=8),
        heatmap_work("Γ of tags, W, mask", trained=True),
        swahr_work(10, ratio=4),
        swahr_work(ratio=3),
        targets_work(128, ratio=40),
        targets_work(256, ratio=40),
        targets_work(256, ratio=40, again=True),
        enlarge_work(32, 128, images=16, ratio=5),
        enlarge_work(128, 512, ratio=5),
        decode_work(30, 512, 8, ratio=20, limit=60),
        decode_work(30, 512, 8, noise=True),
        decode_work(15, 256, 8, ratio=20),
        group_work(30, 512, 8, ratio=8, limit=1),
        photo_work(ratio=30, limit=70),
        batch_work(16, 256),
        evaluation_work(2000),
        crowd_work(limit=5.5),
    ]


def copy_speed(quick: bool) -> float:
    """Return how many bytes copying a large array reads and writes per second."""
    there = np.ones(2**20 if quick else 2**25)
    copy, taken = there.copy(), []
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        start = time.perf_counter()
        np.copyto(copy, there)
        taken.append(time.perf_counter() - start)
    return 2 * there.nbytes / statistics.median(taken)


def measure(work: Work, quick: bool) -> dict:
    """Measure a row: medians of alternating runs, in milliseconds, and whether targets are met.

    An untimed call of the same function precedes each timed one: a virtual machine takes back
    memory that was unused for a few seconds, and a loop that takes as long would leave only cold
    memory to the other function.
    """
    functions = [work.ours] + [work.other] * (work.other is not None)
    seconds: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    least, until = (QUICK_ROUNDS if quick else ROUNDS), time.perf_counter() + SECONDS * (not quick)
    while len(seconds[0]) < least or time.perf_counter() < until:
        for function, taken in zip(functions, seconds, strict=True):
            if not quick and (not taken or taken[-1] < SLOW):
                function()
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    ours, *other = (1000 * statistics.median(taken) for taken in seconds)
    ratio = other[0] / ours if other else None
    met = [ratio >= work.ratio] if ratio and work.ratio else []
    met += [ours <= work.limit] if work.limit else []
    return {
        "work": work.name, "ours_ms": ours, "reference_ms": other[0] if other else None,
        "ratio": ratio, "least_ratio": work.ratio, "most_ms": work.limit,
        "met": all(met) if met else None, "rounds": len(seconds[0]), "moved_bytes": work.moved,
    }  # fmt: skip


def growth(quick: bool) -> list[dict]:
    """Measure how our cost grows with persons and with cells, in milliseconds.

    The exponent is that of the power of their number that fits best (1: linear; less if part of the
    cost is constant).
    """
    persons, sizes = ((2, 4), (32, 64)) if quick else ((4, 8, 16, 32), (128, 256, 512))
    dim = 2 if quick else 8
    curves = {
        "loss, persons": (persons, lambda n: loss_work(n, dim, 1, sizes[0])),
        "loss, cells": (sizes, lambda n: loss_work(persons[-1], dim, 1, n)),
        "targets, persons": (persons, lambda n: targets_work(sizes[0], n)),
        "targets, cells": (sizes, lambda n: targets_work(n, persons[-1])),
        "decode, persons": (persons, lambda n: decode_work(n, sizes[1], dim)),
        "decode, cells": (sizes, lambda n: decode_work(persons[-2], n, dim)),
    }
    rows = []
    for name, (values, make) in curves.items():
        taken = [measure(make(n)._replace(other=None), quick)["ours_ms"] for n in values]
        amount = [n**2 if name.endswith("cells") else n for n in values]
        exponent = float(np.polyfit(np.log(amount), np.log(taken), 1)[0])
        rows.append({"curve": name, "size": amount, "ms": taken, "exponent": exponent,
                     "linear": exponent <= GROWTH})  # fmt: skip
    return rows


def main():
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--quick", action="store_true", help="small inputs, once each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = {"schema": 1, "load": os.getloadavg()[0], "quick": options.quick}
    record["rows"] = [measure(work, options.quick) for work in works(options.quick)]
    record["copy_bytes_per_second"] = copy_speed(options.quick)
    record["growth"] = growth(options.quick)
    record["provenance"] = provenance(data_digest="made up; benchmarks/scenes.py")
    print(show(record))
    if options.out:
        options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
