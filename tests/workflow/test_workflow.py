"""The ways to a record: console script, papermill and Snakemake give the same one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from synthetic import make_arrays, make_record

from sparse_ae.cli import main
from sparse_ae.companion.experiment import identity, is_made
from sparse_ae.companion.records import read_record, record_path, settings_digest, write_record
from sparse_ae.settings import PRESETS, load_settings
from sparse_ae.training.resume import state_path

ROOT = Path(__file__).resolve().parents[2]
TIMES = ("train_seconds", "images_per_second")


def figures(path):
    """A record's metrics without its times, in a form in which nan equals nan."""
    return figures_of(read_record(path))


def figures_of(record):
    """Those of a record that was read."""
    return {name: repr(value) for name, value in record["metrics"].items() if name not in TIMES}


def run(*command):
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, capture_output=True, text=True,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A run of the console script: rve, seed 3, smoke."""
    root = tmp_path_factory.mktemp("reference")
    arguments = ["--preset", "smoke", "--method", "rve", "--seed", "3", "--root", str(root)]
    assert main(["train", *arguments]) == 0
    return figures(record_path("smoke", "rve", 3, root))


def test_papermill_gives_the_same_figures(tmp_path, reference):
    done = run(
        "papermill", "experiments/train.ipynb", tmp_path / "out.ipynb", "-p", "method", "rve",
        "-p", "seed", 3, "-p", "preset", "smoke", "-p", "results", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert figures(record_path("smoke", "rve", 3, tmp_path)) == reference


def test_papermill_says_what_is_wrong_with_a_parameter(tmp_path):
    """The other parameters: test_train_page.py."""
    done = run(
        "papermill", "experiments/train.ipynb", tmp_path / "out.ipynb", "-p", "seed", "three",
        "-p", "results", tmp_path / "results",
    )  # fmt: skip
    assert done.returncode != 0
    message = "ValueError: run.seed: expected an integer, got 'three'"
    assert message in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "results").exists()


def test_snakemake_makes_the_runs_once(tmp_path, reference):
    settings = load_settings("smoke", "ae8", 3)
    whose = identity(settings)
    record = make_record("ae8", 3) | whose | {"settings_digest": settings_digest(whose)}
    paths = [
        write_record(record, make_arrays(), tmp_path),
        record_path("smoke", "rve", 3, tmp_path),
    ]
    assert is_made(settings, tmp_path)
    # a record that was changed by hand is none
    paths[0].write_text(paths[0].read_text().replace('"steps": 40', '"steps": 41'))
    command = (
        "snakemake", "-s", "experiments/Snakefile", "-c2", "--quiet", "all", "--nolock",
        "--config", "preset=smoke", "seed=3", f"root={tmp_path}",
    )  # fmt: skip
    done = run(*command)
    assert done.returncode == 0, done.stderr[-2000:]
    assert figures(paths[1]) == reference
    assert figures(paths[0]) != figures_of(record)
    assert read_record(paths[0])["settings"]["optim"]["steps"] == 40
    written = [path.stat().st_mtime_ns for path in paths]
    state_path(paths[0]).touch()  # as a kill leaves it that comes just after the record
    assert run(*command).returncode == 0
    assert not state_path(paths[0]).exists()
    assert [path.stat().st_mtime_ns for path in paths] == written


def snakemake_in(folder, *settings):
    """The command of a run with its own folder of locks, stamps and records."""
    return (
        "snakemake", "-s", "experiments/Snakefile", "-c1", "--quiet", "all",
        "--directory", str(folder), "--config", f"root={folder / 'results'}", *settings,
    )  # fmt: skip


def test_snakemake_goes_on_past_a_failed_run_and_names_it(tmp_path):
    preset = tmp_path / "bad.yaml"
    preset.write_text(
        (PRESETS / "smoke.yaml").read_text()
        + "methods:\n"
        + "  rve: {optim: {learning_rate: 1.0e+9, max_grad_norm: 0.0}}\n"
        + "  ae1: {optim: {learning_rate: 1.0e+9, max_grad_norm: 0.0}}\n"
        + "runs: {methods: [rve, ae1, ae8], seeds: [1]}\n"
    )
    done = run(*snakemake_in(tmp_path, f"preset={preset}"))
    assert done.returncode == 1
    for method in ("rve", "ae1", "ae8"):
        there = record_path("bad", method, 1, tmp_path / "results").is_file()
        assert there == (method == "ae8")
    told = done.stderr[done.stderr.index("2 of 3 runs are not made:") :].splitlines()
    names = [line for line in told if line.startswith("  bad/")]
    assert names == ["  bad/rve/seed-1", "  bad/ae1/seed-1"]
    assert told[2].startswith("    sparse-ae: error: ")
    log = tmp_path / told[3].removeprefix("    log    ")
    assert told[2].strip() in log.read_text()
    again = told[4].removeprefix("    again  sparse-ae ")
    folder = tmp_path / "results"
    assert again == f"train --preset {preset} --method rve --seed 1 --root {folder} --resume"


def test_two_in_one_folder_and_a_kill(tmp_path):
    """The second workflow is refused while the first is at work. SIGKILL leaves the first one's
    locks and its training; neither is in the way of the next."""
    command = snakemake_in(tmp_path, "preset=smoke", "methods=ae8", "seed=4")
    first = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background
    )  # fmt: skip
    try:
        wait_until(lambda: trainings(tmp_path))
        (training,) = trainings(tmp_path)
        training.suspend()
        second = run(*command)
        assert second.returncode == 1
        assert "snakemake: another one is at work in this folder" in second.stderr
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
    training.resume()
    assert list(tmp_path.glob(".snakemake/locks/*.lock"))
    wait_until(lambda: not trainings(tmp_path))
    assert not record_path("smoke", "ae8", 4, tmp_path / "results").exists()
    done = run(*command)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "1 runs made" in done.stderr
    assert is_made(load_settings("smoke", "ae8", 4), tmp_path / "results")


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def trainings(root):
    """The processes that train into a folder of `root`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        found += [process] if "train" in line and str(root / "results") in line else []
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("method", ["ae8", "rve"])
def test_committed_runs_are_those_that_the_preset_describes(method, seed):
    """A setting, the bodies or the renderer changed: then the reader's runs must be made anew."""
    assert is_made(load_settings("reader", method, seed), ROOT / "experiments" / "results")


def test_the_settings_in_use_are_the_best_of_the_search():
    for method in ("ae8", "rve"):
        path = ROOT / "experiments" / "results" / "reader" / method / "search.json"
        found = json.loads(path.read_text(encoding="utf-8"))
        best = max(found["trials"], key=lambda trial: trial["metrics"]["AP"])["settings"]
        assert found["best"] == best
        used = load_settings("reader", method, 0)
        tried = [(section, name) for section in best for name in best[section]]
        assert ("loss", "pull_weight") in tried
        for section, name in set(tried) - {("optim", "steps")}:
            assert getattr(getattr(used, section), name) == best[section][name], (method, name)


@pytest.mark.parametrize(("cause", "code"), [(KeyboardInterrupt(), 130), (ValueError(), None)])
def test_an_interrupted_compiled_function_is_an_interrupted_run(monkeypatch, capsys, cause, code):
    """Python turns an interrupt at the moment of such a call into an error of its own."""

    def called(*_, **__):
        raise SystemError("returned a result with an exception set") from cause

    monkeypatch.setattr("sparse_ae.companion.experiment.run", called)
    if code is None:
        with pytest.raises(SystemError):
            main(["train", "--preset", "smoke"])
    else:
        assert main(["train", "--preset", "smoke"]) == code
        assert capsys.readouterr().err == "sparse-ae: interrupted; nothing half-written is left\n"


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sparse_ae.companion.experiment.evaluate", interrupt)
    arguments = ["--preset", "smoke", "--method", "ae8", "--root", str(tmp_path)]
    assert main(["train", *arguments]) == 130
    assert "seed-0.resume.safetensors has the training so far; the same command with --resume " in (
        capsys.readouterr().err
    )
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"seed-0.csv", "seed-0.resume.safetensors"}  # from which --resume goes on
