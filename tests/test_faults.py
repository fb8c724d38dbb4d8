"""Disks that are full or read-only, signals, processes that die: told, and nothing is lost."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from forked_runs import PHASES, preset, terminate
from kills import Killed

from sparse_ae.cli import main
from sparse_ae.companion.experiment import run
from sparse_ae.companion.records import read_record, record_path
from sparse_ae.crowds import CrowdConfig
from sparse_ae.datasets import CrowdDataset
from sparse_ae.datasets import crowd_dataset as dataset
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.models.weights_files import read_tensors, write_tensors
from sparse_ae.runtime.files import write_whole
from sparse_ae.settings import load_settings
from sparse_ae.training.log import TrainingLog
from sparse_ae.training.resume import read_state, state_path

pytestmark = pytest.mark.slow
FULL = "No space left on device"


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run to be killed, as tests/soak does thirty times."""
    made = Killed(tmp_path_factory.mktemp("killed"))
    yield made
    made.forks.close()


@pytest.mark.parametrize(("phase", "share"), [("rendering", 0.6), ("writing", 0.4)])
def test_a_killed_run_leaves_a_whole_record_and_is_made_again(killed, phase, share):
    assert killed.at(phase, share) in ({"old", "new"} if phase == "writing" else {"old"})


@pytest.mark.parametrize(("phase", "advice"), [
    ("rendering", "interrupted; nothing half-written is left"),
    ("training", "has the state after step "), ("evaluation", "has the training so far; the same"),
])  # fmt: skip
def test_sigterm_ends_a_run_that_goes_on_later(killed, phase, advice):
    killed.reset(phase)
    # early: the phase took longer when it was measured, with functions to compile
    ended = killed.make(1, during=phase, act=terminate, after=0.1 * killed.lasts[phase])
    assert ended.code == 130
    assert advice in ended.told.splitlines()[-1]
    killed.forks.wait_until_alone()
    assert not list(killed.forks.temporary.iterdir())
    assert not [path for path in killed.forks.cache.iterdir() if "-" in path.name]
    assert repr(read_record(killed.path)) == repr(killed.old)
    state = state_path(killed.path)
    assert state.is_file() == (phase != "rendering")
    if state.is_file():
        recorded = {name: killed.new[name] for name in ("settings", "data")}
        sections = {name: recorded["settings"][name] for name in ("loss", "optim")}
        done = read_state(state, {**sections, **recorded})[0]["step"]
        assert (done == 24) == (phase == "evaluation")
    assert killed.make(1).code == 0
    killed.check_new()


SWALLOWING = """
import os, signal, sys
from sparse_ae.cli import main

class Loading:  # a module whose compiled part swallows what interrupts it
    def find_spec(name, *_):
        if name == sys.argv[1]:
            try:
                os.kill(os.getpid(), getattr(signal, sys.argv[2]))
                for _ in range(1000):
                    pass
            except BaseException:
                print("swallowed")

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Loading)
sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_an_interrupt_is_not_lost_in_an_import(tmp_path, number):
    """It was: of 64 runs, each interrupted at another moment, one went on to its record."""
    command = [sys.executable, "-c", SWALLOWING, "sparse_ae.evaluation.evaluation", number]
    train = ["train", "--preset", "smoke", "--method", "ae8", "--root", str(tmp_path)]
    done = subprocess.run([*command, *train], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "sparse-ae: interrupted; nothing half-written is left\n"
    assert (done.stdout, list(tmp_path.iterdir())) == ("", [])


def test_an_interrupt_in_a_later_import_is_an_interrupted_run(tmp_path, monkeypatch, capsys):
    """One that a subcommand did not ask for itself, when things are begun: they are ended."""

    def begun(*_, **__):
        class Interrupting:
            @staticmethod
            def find_spec(name, *_):
                if name == "imported_later":
                    signal.raise_signal(signal.SIGTERM)

        with monkeypatch.context() as patched:
            patched.setattr(sys, "meta_path", [Interrupting, *sys.meta_path])
            importlib.import_module("imported_later")

    monkeypatch.setattr("sparse_ae.companion.experiment.run", begun)
    assert main(["train", "--preset", "smoke", "--root", str(tmp_path)]) == 130
    assert "interrupted; nothing half-written" in capsys.readouterr().err


def test_a_process_that_loads_images_and_dies_ends_the_run(killed, tmp_path):
    """As the system ends it for lack of memory: no hang, and a line that names it."""
    path = preset(tmp_path, source="rendered", steps=4000)

    def kill_one(number):
        loads = [p for p in psutil.Process(number).children() if "tracker" not in str(p.cmdline())]
        loads[-1].send_signal(signal.SIGKILL)

    ended = killed.forks.run(
        "train", "--preset", path, "--method", "ae8", "--root", tmp_path, "--workers", 2,
        during="training", act=kill_one, after=3.0,
    )  # fmt: skip
    assert ended.code == 1
    last = ended.told.splitlines()[-1]
    assert last.startswith("sparse-ae: error: step "), ended.told
    assert "a process that loads images died (" in last  # how it is told: test_loaders.py
    assert "fewer --workers need less" in last
    killed.forks.wait_until_alone()
    assert not list(killed.forks.temporary.iterdir())


@contextlib.contextmanager
def mounted(folder: Path, size: int):
    """A disk of its own, of so many bytes; the test is skipped where one may not have it."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(
        command, capture_output=True, check=False).returncode:  # fmt: skip
        pytest.skip("needs to mount a small disk, which only root may")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_and_the_old_record_stays(killed, tmp_path):
    records = sum(path.stat().st_size + 4096 for path in killed.kept.rglob("*"))
    with mounted(tmp_path / "disk", records + 100_000) as disk:
        shutil.copytree(killed.kept, disk, dirs_exist_ok=True)
        path = record_path("small", "ae8", 1, disk)
        before = {part.name: part.read_bytes() for part in path.parent.glob("seed-1.*")}
        command = (
            "train",
            "--preset",
            killed.folder / "small.yaml",
            "--method",
            "ae8",
            "--seed",
            1,
        )
        ended = killed.forks.run(*command, "--root", disk)
        assert ended.code == 1
        told = ended.told.splitlines()[-1]
        assert told == f"sparse-ae: error: {state_path(path)} cannot be written ({FULL})"
        left = {part.name: part.read_bytes() for part in path.parent.glob("*seed-1.*")}
        del before["seed-1.csv"], left["seed-1.csv"]  # the log begins anew
        assert left == before
        ended = killed.forks.run(*command, "--root", tmp_path, SPARSE_AE_CACHE=str(disk / "cache"))
        assert ended.code == 1
        told = ended.told.splitlines()[-1]
        assert f"{disk / 'cache'}: cannot be written ({FULL}); choose another" in told
        assert not list((disk / "cache").iterdir())


def test_a_read_only_disk_is_told_before_the_training(killed, tmp_path):
    with mounted(tmp_path / "disk", 100_000) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        command = ("train", "--preset", killed.folder / "small.yaml", "--method", "ae8")
        ended = killed.forks.run(*command, "--root", disk)
        assert (ended.code, list(ended.began)) == (1, ["over"])
        assert "cannot be written to (Read-only file system)" in ended.told.splitlines()[-1]
        ended = killed.forks.run(*command, "--root", tmp_path, SPARSE_AE_CACHE=str(disk / "cache"))
        assert ended.code == 1
        assert "cannot be written (Read-only file system); choose" in ended.told.splitlines()[-1]


class Full:
    """A file on a disk without room."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def write(self, _):
        raise OSError(28, FULL)


def test_whatever_is_written_names_itself_on_a_full_disk(tmp_path, monkeypatch):
    """The same without a disk of its own: a state, a log, weights, scenes."""
    log = TrainingLog(tmp_path / "seed-1.csv")
    monkeypatch.setattr(Path, "open", Full)
    always = {"learning_rate": 0.1, "images_per_second": 1.0}
    with pytest.raises(OSError, match=rf"seed-1.csv cannot be written \({FULL}\)"):
        log.add(1, {"pull": 1.0}, always)
    monkeypatch.undo()
    monkeypatch.setattr("sparse_ae.runtime.files.open", Full, raising=False)
    with pytest.raises(OSError, match=rf"a.json cannot be written \({FULL}\)"):
        write_whole(tmp_path / "a.json", b"{}")
    monkeypatch.undo()
    monkeypatch.setattr("sparse_ae.models.weights_files.open", Full, raising=False)
    with pytest.raises(OSError, match=rf"net.safetensors cannot be written \({FULL}\)"):
        save_checkpoint(PoseNet(3, 1, (8, 8, 8, 8, 8)), tmp_path / "net.safetensors")
    monkeypatch.undo()
    monkeypatch.setattr(dataset, "open", Full, raising=False)
    scenes = CrowdDataset(CrowdConfig(split="val", size=64, persons=(1, 2)), 1, tmp_path / "cache")
    with pytest.raises(OSError, match=rf"cache: cannot be written \({FULL}\); choose another"):
        scenes.arrays(progress=False)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["cache", "seed-1.csv"]


def test_scenes_that_the_dead_left_half_drawn_are_removed(tmp_path):
    scenes = CrowdDataset(CrowdConfig(split="val", size=64, persons=(1, 2)), 1, tmp_path)
    dead, alive = (Path(str(scenes._scratch()).replace(str(os.getpid()), number))
                   for number in (str(2**22 - 1), str(os.getppid())))  # fmt: skip
    for folder in (dead, alive):
        folder.mkdir()
    scenes.arrays(progress=False)
    left = {path.name for path in tmp_path.iterdir()}
    assert dead.name not in left
    assert {alive.name, scenes.digest} <= left


def test_a_run_with_workers_leaves_nothing_behind(killed, tmp_path):
    """No process, no temporary file: rendered by two processes, loaded by two."""
    path = preset(tmp_path, train_scenes=130, steps=2, source="rendered")
    shutil.rmtree(killed.forks.cache)
    ended = killed.forks.run("train", "--preset", path, "--root", tmp_path, "--workers", 2)
    assert ended.code == 0, ended.told
    killed.forks.wait_until_alone(5)
    assert not list(killed.forks.temporary.iterdir())
    names = {path.name for path in record_path("small", "rve", 0, tmp_path).parent.iterdir()}
    assert names == {f"seed-0.{ending}" for ending in ("json", "npz", "safetensors", "csv")}
    assert list(ended.began) == [*PHASES, "written", "over"]


def test_weights_are_written_under_the_name_that_is_given(tmp_path, monkeypatch):
    """Under another, as safetensors does it, a killed process would leave a file for ever."""
    held = []

    class Seen(io.FileIO):
        def write(self, content):
            held.append(sorted(path.name for path in tmp_path.iterdir()))
            return super().write(content)

    monkeypatch.setattr("sparse_ae.models.weights_files.open", Seen, raising=False)
    write_tensors(tmp_path / "a.part", {"x": torch.arange(3)}, {"format": "a format"})
    assert held == [["a.part"]]
    read = read_tensors(tmp_path / "a.part")
    assert read.tensors["x"].tolist() == [0, 1, 2]
    assert read.metadata == {"format": "a format"}


def test_torch_that_lacks_memory_is_one_line(tmp_path, monkeypatch, capsys):
    from sparse_ae.cli import main

    def lacks(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr("sparse_ae.training.train_state.training_losses", lacks)
    assert main(["train", "--preset", "smoke", "--root", str(tmp_path)]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("sparse-ae: error: step 1: out of memory ([enforce fail]")
    assert error.endswith("a smaller batch or fewer --workers need less")
    monkeypatch.setattr("sparse_ae.training.train_state.training_losses", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # what is no fault of the machine stays as it is
        run(load_settings("smoke", "ae8", 0), tmp_path, progress=False)
    assert sys.exc_info() == (None, None, None)
