"""How much memory evaluation, training and the book take, and whether it grows.

    python benchmarks/memory.py [--quick] [--pages] [--out FILE.json]

Evaluates a net on 5,000 scenes and trains one for 200 epochs, each in a process of its own, and
samples their private memory (RssAnon of Linux, without what can be read again from a file, such as
scenes on disk). Then samples what a run of the preset `smoke` and, with --pages, building the
book's pages take, all processes together. It takes five minutes, and ten more with --pages. `grows`
is by how much the last quarter of the samples exceeds the second one, on average.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES, EPOCHS = 5000, 200
SAMPLES = 100
MB = 2**20


def own_megabytes() -> float:
    """Return this process's memory that no file holds, in MB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return round(int(line.split()[1]) * 1024 / MB, 1)
    raise OSError("/proc/self/status: no RssAnon; this needs Linux")


def evaluation(count: int) -> dict:
    """Sample an evaluation of a small net, trained for a few steps, on `count` scenes."""
    from sparse_ae.companion.experiment import evaluate_on, fit
    from sparse_ae.evaluation import evaluation as module
    from sparse_ae.settings import load_settings

    settings = load_settings("smoke", "rve", 0, {"data": {"test_scenes": count}})
    net, samples, per_image = fit(settings, progress=False).model, [], module.as_results

    def counted(*arguments):
        counted.images += 1
        if counted.images % max(1, count // SAMPLES) == 0:
            samples.append((counted.images, own_megabytes()))
        return per_image(*arguments)

    counted.images = 0
    module.as_results = counted
    evaluate_on(settings, net, "test", progress=False)
    return series("images", samples)


def training(epochs: int) -> dict:
    """Sample a training of this many epochs."""
    from sparse_ae.companion.experiment import fit
    from sparse_ae.settings import load_settings
    from sparse_ae.training.train_state import TrainState

    usual = load_settings("smoke", "rve", 0)
    batch, scenes = usual.optim.batch, usual.data.train_scenes
    steps = epochs * scenes // batch
    learn, samples = TrainState.learn, []

    def counted(run, one):
        learn(run, one)
        if run.step % max(1, steps // SAMPLES) == 0:
            samples.append((run.step * batch / scenes, own_megabytes()))

    TrainState.learn = counted
    fit(usual.override({"optim": {"steps": steps}}), progress=False)
    return series("epochs", samples)


def series(what: str, samples: list) -> dict:
    """Return samples as a record keeps them."""
    done, megabytes = zip(*samples, strict=True)
    quarter = len(megabytes) // 4
    growth = statistics.mean(megabytes[-quarter:]) - statistics.mean(
        megabytes[quarter : 2 * quarter]
    )
    return {what: list(done), "megabytes": list(megabytes), "peak": max(megabytes),
            "grows": round(growth, 1)}  # fmt: skip


def most_together(command: list[str], environment: dict) -> dict:
    """Return the memory of a command and its processes over time: seconds, megabytes, the peak.

    Shared memory is counted once (PSS). A command that fails raises RuntimeError.
    """
    import psutil

    began, samples = time.monotonic(), []
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()), daemon=True)
    reader.start()
    while process.poll() is None:
        held = 0
        for number in psutil.pids():
            try:
                one = psutil.Process(number)
                ours = number == process.pid or process.pid in [p.pid for p in one.parents()]
                held += one.memory_full_info().pss if ours else 0
            except (psutil.Error, OSError):  # it ended meanwhile
                continue
        samples.append((round(time.monotonic() - began, 1), round(held / MB, 1)))
        time.sleep(0.5)
    reader.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {errors[0][-500:]}")
    seconds, megabytes = zip(*samples, strict=True)
    return {"seconds": seconds, "megabytes": megabytes, "peak": max(megabytes)}


def measured_apart(name: str, number: int, environment: dict) -> dict:
    """Run `evaluation` or `training` in a process of its own."""
    command = [sys.executable, __file__, "--only", name, "--number", str(number)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, text=True,
                          stdout=subprocess.PIPE)  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def measure(quick: bool, pages: bool) -> dict:
    """Measure everything, and return the record."""
    from sparse_ae.runtime.provenance import provenance

    share = 50 if quick else 1
    with tempfile.TemporaryDirectory(prefix="sparse-ae-memory-") as folder:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "SPARSE_AE_CACHE": f"{folder}/cache",
                       "PYTHONPATH": str(ROOT)}  # fmt: skip
        found = {"quick": quick, "load": round(os.getloadavg()[0], 2),
                 "evaluation": measured_apart("evaluation", IMAGES // share, environment),
                 "training": measured_apart("training", EPOCHS // share, environment)}  # fmt: skip
        run = [sys.executable, "-m", "sparse_ae.cli", "train", "--preset", "smoke",
               "--root", folder]  # fmt: skip
        found["parts"] = {"a run of the preset smoke": most_together(run, environment)}
        if pages:
            book = [str(Path(sys.executable).with_name("jupyter-book")), "build", "book/", "--all",
                    "--path-output", folder]  # fmt: skip
            found["parts"]["the book's pages"] = most_together(book, environment)
    return found | {"provenance": provenance("scenes of the preset smoke", device="cpu")}


def main():
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a fiftieth of it, for tests")
    parser.add_argument("--pages", action="store_true", help="build the book's pages, too")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the figures here too")
    parser.add_argument("--only", choices=("evaluation", "training"), help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps({"evaluation": evaluation, "training": training}[options.only](
            options.number)))  # fmt: skip
        return
    found = measure(options.quick, options.pages)
    for name in ("evaluation", "training"):
        row = found[name]
        what, done = next(iter(row.items()))
        print(f"{name:28}{row['peak']:8.1f} MB at most, over {done[-1]:g} {what}; "
              f"grows by {row['grows']:.1f} MB from the second quarter to the last")  # fmt: skip
    for name, row in found["parts"].items():
        print(f"{name:28}{row['peak']:8.1f} MB at most, in {row['seconds'][-1]:.0f} s")
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
