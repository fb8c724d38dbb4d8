"""Records of runs and of searches, and states of runs, that are not what they say."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import numpy as np
import torch
from synthetic import make_arrays, make_record

from sparse_ae.companion import records as results
from sparse_ae.companion.trials import read_trials
from sparse_ae.training.resume import read_state, write_state

from . import Case, with_file

HALVES = dict.fromkeys(("AP", "AP_hard", "grouping_accuracy"), 0.5)
TRIAL = {"settings": {"optim": {"steps": 3}}, "metrics": HALVES,
         "runs": [{"settings_digest": "0", "metrics": HALVES}]}  # fmt: skip


def edited(change):
    """An attempt to read a record that somebody changed by hand: change(record as JSON has it)."""

    def attempt(folder: Path) -> None:
        path = results.write_record(make_record(), make_arrays(), folder)
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))
        results.read_record(path)

    return attempt


def arrays(spoil):
    """An attempt to read arrays that `spoil(path)` has been at."""

    def attempt(folder: Path) -> None:
        path = results.write_record(make_record(), make_arrays(), folder).with_suffix(".npz")
        spoil(path)
        results.read_arrays(path)

    return attempt


def field(name: str, value):
    """Set a field, of a dict in it after a dot."""
    outer, _, inner = name.partition(".")

    def change(record: dict) -> None:
        record[outer] = {**record[outer], inner: value} if inner else value

    return change


def moved(folder: Path) -> None:
    """Read a record under another seed's name."""
    path = results.write_record(make_record(), make_arrays(), folder)
    results.read_record(path.rename(path.with_name("seed-2.json")))


def search(content):
    """An attempt to read the record of a search."""
    return with_file("search.json", content, read_trials)


RUN = {"settings": {"optim": {"steps": 3, "batch": 8}}, "data": {"train_digest": "0"}}


def state(spoil=None, **sections):
    """An attempt to go on from a state that does not fit a run of 3 steps."""

    def attempt(folder: Path) -> None:
        path = folder / "seed-0.resume.safetensors"
        write_state(path, RUN, {"step": 1}, {"a": torch.zeros(2)})
        if spoil:
            spoil(path)
        read_state(path, RUN | sections)

    return attempt


def foreign(path: Path) -> None:
    """A safetensors file of the right format, and of nothing else."""
    from safetensors.torch import save_file

    from sparse_ae.training.resume import FORMAT

    save_file({"a": torch.zeros(2)}, str(path), {"format": FORMAT, "header": "[1]"})


def text(content: str):
    """An attempt to read such a text as a record."""
    return with_file("seed-1.json", content, results.read_record)


def with_objects(path: Path) -> None:
    """Arrays of Python objects, which only a pickle can hold."""
    np.savez(path, **make_arrays() | {"persons": np.array([{}, None], object)})


OTHER_LENGTH = make_arrays() | {"persons": np.zeros(3)}
CASES = [
    Case("record: missing", lambda folder: results.read_record(folder / "seed-1.json"),
         "seed-1.json: no such record; make it with experiments/train.ipynb"),
    Case("record: a folder", lambda folder: results.read_record(folder),
         r"cannot be read \(Is a directory\)"),
    Case("record: empty", text(""), "seed-1.json: not a whole JSON file .*; delete it, run again"),
    Case("record: cut short", text('{"schema": 1, "pre'), "seed-1.json: not a whole JSON file"),
    Case("record: nested without end", text("[" * 100_000), "seed-1.json: not a whole JSON file"),
    Case("record: a list", text("[1, 2]"), "seed-1.json: expected a JSON object with the fields"),
    Case("record: something else", text('{"images": []}'), "seed-1.json: field 'schema' is missin"),
    Case("record: moved", moved, "seed-2.json: fields preset, method and seed say .*: the file wa"),
    *(Case(f"record: {name} {str(value)[:20]}", edited(field(name, value)),
           f"seed-1.json: .*{message}")
      for name, value, message in (
          ("schema", 99, "field 'schema' is 99, this code reads"),
          ("seed", "1", "field 'seed' must be int"),
          ("method", "../ae8", "method must be a plain name without slashes, not '../ae8'"),
          ("colour", "red", "unknown field 'colour'"),
          ("metrics", {"AP": 0.5}, "field 'metrics' lacks or should not have 'A"),
          ("metrics.AP", "high", "field 'metrics.AP' must be a number or null"),
          ("metrics.AP", math.inf, "field 'metrics.AP' must be finite, or null"),
          ("metrics.AP", math.nan, "field 'metrics.AP' must be finite, or null"),
          ("settings", {"steps": 4}, "field 'settings_digest' does not belong to field 'settings'"),
          ("data", {"train_digest": "1"}, "field 'settings_digest' does not belong to field 'set"),
          ("settings", {"steps": math.nan}, "field 'settings': .*"),
          ("settings", [], "field 'settings' must be dict"),
          ("provenance", [], "field 'provenance' must be dict"),
          ("provenance.commit", 5, "field 'provenance.commit' must be a text or null"),
      )),
    Case("arrays: missing", arrays(Path.unlink), "seed-1.npz: the record's arrays are missing; ru"),
    Case("arrays: cut short", arrays(lambda path: path.write_bytes(path.read_bytes()[:300])),
         "seed-1.npz: not a whole npz file .*; run it again"),
    Case("arrays: a pickle", arrays(lambda path: path.write_bytes(pickle.dumps([1]))),
         "seed-1.npz: not a whole npz file .*; run it again"),
    Case("arrays: objects", arrays(with_objects),
         "seed-1.npz: not a whole npz file .array 'persons.npy' holds Python objects.*; run it"),
    Case("arrays: one too few", arrays(lambda path: np.savez(path, **OTHER_LENGTH)),
         "seed-1.npz: array 'persons' must have one value an image"),
    Case("arrays: another file's", arrays(lambda path: np.savez(path, images=np.zeros(3))),
         "seed-1.npz: array 'accuracy_at' is missing"),
    Case("search: cut short", search('{"trials": ['), "search.json: no record of a search .*; del"),
    Case("search: a list", search([]), "search.json: no record of a search, which has a list of t"),
    Case("search: a trial that is none", search({"trials": [3]}), "search.json: .*trial 0: expect"),
    Case("search: a trial without figures", search({"trials": [TRIAL | {"metrics": {}}]}),
         "search.json: .*trial 0: metrics.AP: missing; delete it and search again"),
    Case("search: a name that is markup",
         search({"trials": [TRIAL | {"settings": {"loss": {"scale_form": "<b>"}}}]}),
         "search.json: .*trial 0: settings.loss.'scale_form': expected a plain name; del"),
    Case("search: a setting of no section", search({"trials": [TRIAL | {"settings": {"a": 1}}]}),
         "search.json: .*trial 0: settings.'a': expected a section of settings; del"),
    Case("search: a setting in words",
         search({"trials": [TRIAL | {"settings": {"optim": {"steps": "a b"}}}]}),
         "search.json: .*trial 0: settings.optim.'steps': expected a plain name; del"),
    Case("search: a setting that is none",
         search({"trials": [TRIAL | {"settings": {"optim": {"steps": None}}}]}),
         "search.json: .*trial 0: settings.optim.'steps': expected finite numbers; del"),
    Case("search: a figure that is not the mean of its runs",
         search({"trials": [TRIAL | {"metrics": HALVES | {"AP": 0.6}}]}),
         "search.json: .*trial 0: metrics.AP: expected the mean of its runs; delete it"),
    Case("search: a run that is none", search({"trials": [TRIAL | {"runs": [1]}]}),
         "search.json: .*trial 0: runs: expected metrics and the digest"),
    Case("state: of other settings", state(settings={"optim": {"steps": 4, "batch": 8}}),
         "resume.safetensors: the state of a run with settings.optim.steps 3, this one has 4: set"),
    Case("state: of other data", state(data={"train_digest": "1"}),
         "resume.safetensors: the state of a run with data.train_digest '0', this one has '1': se"),
    Case("state: without a setting", state(settings={"optim": {"steps": 3}}),
         "resume.safetensors: the state of a run with settings.optim.batch 8, this one has None: "),
    Case("state: cut short", state(lambda path: path.write_bytes(path.read_bytes()[:50])),
         "resume.safetensors is no complete safetensors file: .*; delete it to start anew, or run"),
    Case("state: of something else", state(foreign),
         "resume.safetensors: no state of a run.*; delete it to start anew, or run without --resu"),
]  # fmt: skip
