"""What must hold after a run was killed, at whichever moment."""

from __future__ import annotations

import shutil
import time

import numpy as np
import torch
from forked_runs import PHASES, Forks, copy, kill, preset

from sparse_ae.companion.records import read_arrays, read_record, record_files, record_path
from sparse_ae.models.weights_files import read_tensors

TIMES = ("train_seconds", "images_per_second")
SETTINGS = {"steps": 24, "test_scenes": 16}


class Killed:
    """A run with an older record in its place and a finished one beside it, and how long each of
    its phases takes."""

    def __init__(self, folder):
        self.folder, self.forks = folder, Forks(folder)
        self.root, self.kept = folder / "results", folder / "kept"
        self.path = record_path("small", "ae8", 1, self.root)
        self.other = record_path("small", "ae8", 2, self.root)
        preset(folder, **{**SETTINGS, "steps": 3})
        for seed in (1, 2):
            assert self.make(seed).code == 0
        self.old = read_record(self.path)
        copy(self.root, self.kept)
        preset(folder, **SETTINGS)
        shutil.rmtree(self.forks.cache)
        whole = self.make(1)
        assert whole.code == 0, whole.told
        self.new, self.arrays = read_record(self.path), read_arrays(self.path)
        self.weights = read_tensors(self.path.with_suffix(".safetensors")).tensors
        names, moments = zip(*whole.began.items(), strict=True)
        assert names == (*PHASES, "written", "over")
        self.lasts = dict(zip(PHASES, np.diff(moments).tolist(), strict=False))

    def make(self, seed, **options):
        """The run, as the workflow asks for it."""
        return self.forks.run(
            "train", "--preset", self.folder / "small.yaml", "--method", "ae8", "--seed", seed,
            "--root", self.root, "--skip-made", "--resume", "--save-every", 5, **options,
        )  # fmt: skip

    def reset(self, phase: str):
        """The older records in place; before the phase in which they are drawn, no crowds."""
        copy(self.kept, self.root)
        if phase == "rendering":
            shutil.rmtree(self.forks.cache)

    def at(self, phase: str, share: float) -> str:
        """Kill it after so large a share of a phase, look, and make it again; "old" or "new", which
        record was there in between."""
        self.reset(phase)
        untouched = self._times_of_the_other()
        self.make(1, during=phase, act=kill, after=share * self.lasts[phase])
        found = read_record(self.path)  # whole, whichever it is
        arrays = read_arrays(self.path)
        assert record_files(self.path)[0].is_file()
        is_new = found["settings"] == self.new["settings"]
        if is_new:
            self._is_new(found, arrays)
        else:
            assert repr(found) == repr(self.old)
        began = time.time_ns()
        again = self.make(1)
        assert again.code == 0, again.told
        self.check_new()
        assert self._times_of_the_other() == untouched
        if is_new:  # and is not made twice
            assert self.path.stat().st_mtime_ns < began
        left = {path.name for path in self.path.parent.iterdir()}
        assert left == {f"seed-{seed}.{ending}" for seed in (1, 2)
                        for ending in ("json", "npz", "safetensors", "csv")}, left  # fmt: skip
        self.forks.wait_until_alone()
        left = list(self.forks.temporary.rglob("*"))
        assert left == [], left
        assert not [path for path in self.forks.cache.iterdir() if "-" in path.name]
        return "new" if is_new else "old"

    def _times_of_the_other(self) -> dict:
        """When each file of the record beside it was written; there are no detections of crowds."""
        times = {
            path: path.stat().st_mtime_ns for path in record_files(self.other) if path.is_file()
        }
        assert len(times) == 3
        return times

    def check_new(self):
        """The record is that of a run that nobody killed."""
        self._is_new(read_record(self.path), read_arrays(self.path))

    def _is_new(self, record, arrays):
        """The figures of a run that nobody killed, to the bit."""
        for name, value in record["metrics"].items():
            if name not in TIMES:
                assert repr(value) == repr(self.new["metrics"][name]), name
        assert list(arrays) == list(self.arrays)
        for name, values in arrays.items():
            np.testing.assert_array_equal(values, self.arrays[name], err_msg=name)
        tensors = read_tensors(self.path.with_suffix(".safetensors")).tensors
        assert list(tensors) == list(self.weights)
        assert all(torch.equal(value, tensors[name]) for name, value in self.weights.items())
