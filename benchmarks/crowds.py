"""How fast crowds are drawn, and what that takes.

    python benchmarks/crowds.py [--quick] [--out FILE.json]

Prints a table of scenes per second by size and workers, and the machine. `make bench` runs it. It
takes about two minutes on an idle machine; --quick takes seconds, and its figures mean little.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2

from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.datasets.crowd_coco import person_entries
from sparse_ae.runtime.workers import available_cores, map_in_processes

PERSONS = 10
CHUNK = 4  # scenes per task: few, so that all workers end at about the same time
STARTS, QUICK_STARTS = 3, 1  # fresh processes, whose median counts
FIRST = (
    "from sparse_ae.crowds import CrowdConfig, render_scene; "
    f"render_scene(CrowdConfig(size=256, persons=({PERSONS}, {PERSONS})), 0)"
)


class Chunk(NamedTuple):
    """A worker's report: id, times of its first start and of each scene's end (s), peak MB."""

    worker: int
    began: float
    ended: list[float]
    megabytes: float


def configuration(size: int) -> CrowdConfig:
    """Return the default configuration, except for size and number of persons."""
    return CrowdConfig(size=size, persons=(PERSONS, PERSONS))


@cache
def warm(config: CrowdConfig):
    """Load bodies and compiled code, once per process."""
    render_scene(config, 0)


def draw(task: tuple[CrowdConfig, int]) -> Chunk:
    """Draw CHUNK scenes from the given one on."""
    config, start = task
    warm(config)
    began, ended = time.time(), []
    for i in range(start, start + CHUNK):
        render_scene(config, i)
        ended.append(time.time())
    return Chunk(os.getpid(), began, ended, most_memory())


def most_memory() -> float:
    """Return the peak memory of this process, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # resource's figure of a process begins with its parent's
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS gives bytes


def rate(chunks: list[Chunk]) -> float:
    """Return scenes per second while all workers work, from the last start to the first end."""
    workers = {chunk.worker for chunk in chunks}
    spans = [[c for c in chunks if c.worker == worker] for worker in workers]
    begin = max(min(c.began for c in span) for span in spans)
    end = min(max(c.ended[-1] for c in span) for span in spans)
    done = sum(begin < moment <= end for c in chunks for moment in c.ended)
    return done / (end - begin) if end > begin else float("nan")


def measure(size: int, workers: int, seconds: float, pilot: float) -> dict:
    """Measure a row: about `seconds` of drawing by `workers`; pilot: seconds per scene."""
    config = configuration(size)
    tasks = max(2 * workers, round(seconds * workers / pilot / CHUNK))
    chunks = list(map_in_processes(draw, [(config, CHUNK * i) for i in range(tasks)], workers))
    used = len({chunk.worker for chunk in chunks})
    if used < workers:
        print(f"{size} px: {used} of {workers} workers had work; ask for more --seconds")
    return {
        "size": size,
        "workers": workers,
        "scenes": CHUNK * tasks,
        "scenes_per_second": round(rate(chunks), 1),
        "megabytes": round(max(chunk.megabytes for chunk in chunks)),
    }


def one_core(size: int, seconds: float) -> dict:
    """Measure processor milliseconds per scene: to draw it, and to make its PNG and annotations."""
    config, drawn, written = configuration(size), [], []
    warm(config)
    end = time.perf_counter() + seconds
    while not drawn or time.perf_counter() < end:
        before = time.process_time()
        scene = render_scene(config, len(drawn))
        between = time.process_time()
        cv2.imencode(".png", scene.image)
        person_entries(0, scene.keypoints, scene.boxes, scene.areas, scene.masks)
        written.append(time.process_time() - between)
        drawn.append(between - before)
    draw_ms, write_ms = (round(1e3 * statistics.fmean(t), 2) for t in (drawn, written))
    return {"size": size, "scenes": len(drawn), "draw_ms": draw_ms, "write_ms": write_ms}


def start_up(starts: int) -> float:
    """Return seconds from a fresh process's start to its first scene, compiled code on disk."""
    taken = []
    for _ in range(1 + starts):
        before = time.perf_counter()
        subprocess.run([sys.executable, "-c", FIRST], check=True)
        taken.append(time.perf_counter() - before)
    return round(statistics.median(taken[1:]), 2)


def show(found: dict):
    """Print the table, a column per size."""
    sizes = [row["size"] for row in found["one_core"]]
    rows = {(row["workers"], row["size"]): row for row in found["workers"]}
    counts = sorted({workers for workers, _ in rows})

    def line(name: str, values):
        print(f"{name:36}" + "".join(f"{value:>10}" for value in values))

    line(f"scenes of {PERSONS} persons", [f"{size} px" for size in sizes])
    for n in counts:
        name = f"scenes a second, {n} worker{'s' * (n > 1)}"
        line(name, [rows[n, size]["scenes_per_second"] for size in sizes])
    for n in counts[1:]:
        pairs = [(rows[1, size], rows[n, size]) for size in sizes]
        shares = [m["scenes_per_second"] / o["scenes_per_second"] / n for o, m in pairs]
        line(f"  of {n} times one worker", [f"{share:.0%}" for share in shares])
    line("one core: ms to draw", [row["draw_ms"] for row in found["one_core"]])
    line("one core: ms for PNG and masks", [row["write_ms"] for row in found["one_core"]])
    line("most memory of a worker, MB", [rows[counts[-1], size]["megabytes"] for size in sizes])
    line("start to first scene, s", [found["start_seconds"]])
    made, load = found["provenance"], found["load"]
    commit = (made["commit"] or "no commit")[:9] + " with changes" * bool(made["dirty"])
    packages = ", ".join(
        f"{name} {made['packages'][name]}" for name in ("python", "numpy", "numba")
    )
    print(f"\n{made['device']}, {made['cores']} cores, load {load} before; {packages}; {commit}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512], metavar="PX")
    parser.add_argument("--workers", type=int, nargs="+", default=[2, available_cores()],
                        metavar="N", help="besides one")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=6.0, help="of drawing for each figure")
    parser.add_argument("--quick", action="store_true", help="one size, half a second each")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the figures here too")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.seconds = options.sizes[:1], min(options.seconds, 0.5)
    found = {"persons": PERSONS, "one_core": [], "workers": []}
    found["load"] = round(os.getloadavg()[0], 2)
    for size in options.sizes:
        single = one_core(size, options.seconds / 2)
        found["one_core"].append(single)
        for workers in sorted({1, *options.workers}):
            row = measure(size, workers, options.seconds, single["draw_ms"] / 1e3)
            found["workers"].append(row)
    found["start_seconds"] = start_up(QUICK_STARTS if options.quick else STARTS)

    from sparse_ae.runtime.provenance import (
        provenance,  # only now: it needs torch, crowds do not
    )

    found["provenance"] = provenance("", device="cpu")
    show(found)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
