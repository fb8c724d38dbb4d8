"""Presets, skeletons and parameters of notebooks that make no sense."""

from __future__ import annotations

import re
from pathlib import Path

from flat import flat_settings

from sparse_ae.companion.experiment import identity
from sparse_ae.runtime.launch import Options
from sparse_ae.settings import load_settings, read_search
from sparse_ae.skeleton import read_skeleton

from . import Case, with_file

HOUSE = Path(__file__).resolve().parents[2]
# ten lists of ten lists of …: a few lines of YAML that unfold to 10¹² words
BOMB = "\n".join(
    f"{name}: &{name} [{', '.join([inner] * 10)}]"
    for name, inner in zip("abcdefghijkl", ["lol", *(f"*{n}" for n in "abcdefghijk")], strict=True)
)


# the same as one list
BOMB_OF_LISTS = "[lol]"
for name in "abcdefghijkl":
    BOMB_OF_LISTS = f"[&{name} {BOMB_OF_LISTS}, {', '.join([f'*{name}'] * 9)}]"


PRESETS = [
    ("sizes: 3", "unknown setting 'sizes': expected one of augment, .*, data, .*optim"),
    ("data: {sizes: 3}", "unknown setting 'data.sizes': expected one of .*size"),
    ("run: {seed: 3}", "unknown setting 'run'"),
    ("1: 3", "unknown setting '1': expected one of augment"),
    ("loss: {1: 3}", "unknown setting 'loss.1': expected one of beta"),
    ("loss: 3", "loss: expected settings as 'name: value' lines, got 3"),
    ("loss: [sigma]", "loss: expected settings as 'name: value' lines, got .'sigma'"),
    ("optim: {steps: many}", "optim.steps: expected an integer, got 'many'"),
    ("optim: {steps: 2.5}", "optim.steps: expected an integer, got 2.5"),
    ("optim: {steps: true}", "optim.steps: expected an integer, got True"),
    ("optim: {steps: 0}", "optim.steps: expected at least 1, got 0"),
    ("loss: {pull_weight: 1e-3}", r"loss.pull_weight: expected a number, got '1e-3' \(write 1.0e"),
    ("loss: {pull_weight: -1}", "loss.pull_weight: expected at least 0, got -1"),
    ("loss: {focal: true}", "loss.focal: the method decides it, not a preset"),
    ("model: {dim: 3}", "model.dim: the method decides it, not a preset"),
    ("methods: {rve: {model: {dim: 3}}}", "model.dim: the method decides it, not a preset"),
    ("search: {rve: [{loss: {focal: true}}]}", "loss.focal: the method decides it, not a preset"),
    ("optim: {learning_rate: .nan}", "optim.learning_rate: expected a finite number, got nan"),
    (f"optim: {{learning_rate: 1{'0' * 400}}}", "optim.learning_rate: expected a number, got 1000"),
    ("optim: {learning_rate: 0}", "optim.learning_rate: expected more than 0, got 0"),
    ("optim: {ema: 1}", "optim.ema: expected less than 1, got 1"),
    ("loss: {sigma: -1}", "loss.sigma: expected at least 0.001, got -1"),
    ("model: {widths: [8, 16]}", r"model.widths: expected five or six numbers, got \[8, 16\]"),
    ("model: {widths: [8, 8, 8, 8, 0]}", "model.widths: expected at least 1, got 0"),
    ("model: {depths: [1]}", "model.depths: expected 4 numbers, one fewer than widths, got .1"),
    ("model: {high_res_heatmaps: false}", "model.high_res_heatmaps: network small always has"),
    ("model: {high_res_heatmaps: 1}", "model.high_res_heatmaps: expected true or false, got 1"),
    ("decode: {rule: 1}", "decode.rule: expected 'released' or 'higherhrnet', got 1"),
    ("decode: {tag_threshold: 0}", "decode.tag_threshold: expected at least 0.000001, got 0"),
    ("decode: {scales: [0.5]}", r"decode.scales: expected 1 among them, got \[0.5\]"),
    ("data: {persons: 3}", "data.persons: expected a list, got 3"),
    ("data: {persons: [1]}", "data.persons: a value is missing"),
    ("data: {persons: [1, 2, 3]}", "data.persons: expected 2 values, got 3"),
    ("data: {persons: [5, 1]}", r"data.persons: expected the lower number first, got \[5, 1\]"),
    ("data: {persons: [1, 200]}", "data.persons: expected at most 30, got 200"),
    ("augment: {scale: [2, 0.5]}", "augment.scale: expected the lower number first, got .2.0, 0"),
    ("augment: {flip: 7}", "augment.flip: expected at most 1, got 7"),
    ("data: {size: 100}", "data.size: expected a multiple of 32, got 100"),
    ("data: {size: 320000000}", "data.size: expected at most 8192, got 320000000"),
    ("data: {source: photos}", "data.source: expected 'crowds', 'rendered', .*, got 'photos'"),
    ("data: {source: custom}", r"data.train_set: missing, as \[annotations.json, folder of its"),
    ("data: {train_set: [a.json, b]}", "data.train_set: expected, with `source: custom`, the nam"),
    ("data: {val_fraction: 1.0}", "data.val_fraction: expected less than 1, got 1"),
    ("data: {split: by_id}", "data.split: by_id is for `source: coco`, not for crowds"),
    ("data: {crowd_share: 0.5}", "data.crowd_share: expected 0, for all images of `source: crow"),
    ("report: {examples: [-1]}", "report.examples: expected at least 0, got -1"),
    ("data: {skeleton: dog}", "data.skeleton: unknown skeleton 'dog': expected one of coco, crow"),
    ("data: {skeleton: none.yaml}", "data.skeleton: skeleton none.yaml: No such file"),
    ("data: {source: coco}", "data.skeleton: expected 'coco' for its data, got 'crowdpose'"),
    ("methods: [rve]", "methods: expected settings as 'name: value' lines"),
    ("methods:\n  rev: {}", "unknown method 'rev'"),
    ("methods: {rve: 3}", "methods.rve: expected settings as 'name: value' lines, got 3"),
    ("methods: {rve: {wieght: 1}}", "unknown setting 'methods.rve.wieght': expected one of augm"),
    ("methods: {rve: {loss: {wieght: 1}}}", "unknown setting 'methods.rve.loss.wieght': expect"),
    ("search: {rve: 3}", "search.rve: expected a list, got 3"),
    ("search: {rve: [3]}", "search.rve: expected settings as 'name: value' lines, got 3"),
    ("runs: {seeds: [one]}", "runs.seeds: expected an integer, got 'one'"),
    ("runs: {seed: [1]}", "unknown setting 'runs.seed': expected one of methods, search_seeds, s"),
    ("runs: {methods: [[rve]]}", r"runs.methods: expected a text, got \['rve'\]"),
    ("runs: {methods: [rev]}", "unknown method 'rev'"),
    ("base: [reader]", r"base: expected a text, got \['reader'\]"),
    ("base: nowhere", "unknown preset 'nowhere': expected a YAML file or one of"),
    ("- 1", "expected settings as 'name: value' lines"),
    ("a: [", "is no valid YAML"),
    ("day: 2030-99-99", "is no valid YAML: month must be in 1..12"),
    ("[" * 10_000, "is no valid YAML"),
    (b"steps: \xff", "is no valid YAML"),
    (BOMB, "unknown setting 'a'"),
    (f"{BOMB}\ndata: *l".replace("a:", "runs:", 1), "runs: expected settings as 'name: val"),
    (f"data: {{crowding: {BOMB_OF_LISTS}}}", "data.crowding: expected "),
    (f"model: {{widths: {BOMB_OF_LISTS}}}", "model.widths: expected an integer, got .."),
]
SKELETON = """
name: triangle
keypoints: [top, left, right]
sigmas: [0.05, 0.05, 0.05]
flip_pairs: [[left, right]]
limbs: [[top, left], [top, right]]
"""
SKELETONS = [
    ("name: triangle", "", "keys missing or unknown: name"),
    ("name:", "colour: 3\nname:", "keys missing or unknown: colour"),
    ("name: triangle", "name: [a]", "name: expected a string"),
    ("[top, left, right]", "[top, top, right]", "keypoints: expected a list of different names"),
    ("[top, left, right]", "[top, left, 3]", "keypoints: expected a list of different names"),
    ("[0.05, 0.05, 0.05]", "[0.05, 0.05]", "3 keypoints but 2 sigmas"),
    ("[0.05, 0.05, 0.05]", "[0.05, 0.05, 0]", "sigmas: expected positive finite numbers"),
    ("[0.05, 0.05, 0.05]", "[0.05, 0.05, .nan]", "sigmas: expected positive finite numbers"),
    ("[0.05, 0.05, 0.05]", "[0.05, 0.05, true]", "sigmas: expected a list of positive numbers"),
    ("[[left, right]]", "[[left, rigth]]", "flip_pairs: 'rigth' is not among keypoints"),
    ("[[left, right]]", "[[left, right], [left, top]]", "flip_pairs: a keypoint can be in one f"),
    ("[[left, right]]", "[left, right]", r"flip_pairs: expected pairs of names"),
    ("[[left, right]]", "3", r"flip_pairs: expected pairs of names"),
    ("limbs:", "order: [top]\nlimbs:", "order must name each of 0..2 once"),
    ("limbs:", "order: 3\nlimbs:", "order: expected a list of keypoint names"),
    ("[top, left, right]", "[top, left", "no YAML"),
    ("triangle", "2030-99-99", "no YAML: month must be in 1..12"),
]


def preset(path: Path):
    """Read a preset as every command does."""
    return load_settings(path, "rve", 0)


def notebook(name: str, **parameters):
    """An attempt to begin a notebook with these parameters: its cells up to the first settings."""
    text = (HOUSE / "experiments" / f"{name}.md").read_text(encoding="utf-8")
    cells = re.findall(r"^```{code-cell} ipython3\n(.*?)^```", text, re.M | re.S)
    defaults, first = (re.sub(r"^:tags:.*$", "", cell, flags=re.M) for cell in cells[:2])

    def attempt(_: Path) -> None:
        there: dict = {}
        for source in (defaults, first):  # the house's own notebook
            exec(compile(source, name, "exec"), there)  # noqa: S102
            there |= parameters

    return attempt


def crowds(**settings):
    """An attempt to describe crowds."""
    return lambda _: identity(flat_settings("smoke", "rve", 0, **settings))


CASES = [
    *(Case(f"preset: {str(text)[:30]!r}", with_file("bad.yaml", text, preset),
           message if "skeleton" in message or "preset" in message else f"bad.yaml.*{message}")
      for text, message in PRESETS),
    *(Case(f"skeleton: {new[:30]!r} for {old[:12]}",
           with_file("skeleton.yaml", SKELETON.replace(old, new, 1), read_skeleton),
           f"skeleton.yaml: .*{message}")
      for old, new, message in SKELETONS),
    Case("preset: a base of a base", lambda folder: (
        (folder / "low.yaml").write_text("base: reader\n"),
        (folder / "top.yaml").write_text(f"base: {folder / 'low.yaml'}\n"),
        preset(folder / "top.yaml")), "top.yaml: base low.yaml has a base itself"),
    Case("preset: a base that is none", lambda folder: (
        (folder / "low.yaml").write_text("[1"),
        (folder / "top.yaml").write_text(f"base: {folder / 'low.yaml'}\n"),
        preset(folder / "top.yaml")), "low.yaml is no valid YAML"),
    Case("override: unknown", lambda _: load_settings("smoke", "rve", 0, {"optim": {"stesp": 3}}),
         "^unknown setting 'optim.stesp': expected one of batch"),
    Case("override: no section", lambda _: load_settings("smoke", "rve", 0, {"steps": 3}),
         "^steps: expected settings as 'name: value' lines, got 3"),
    Case("override: of the run", lambda _: load_settings("smoke", "rve", 0, {"run": {"seed": 3}}),
         "^run: preset, method and seed are given by themselves"),
    Case("notebook: preset", notebook("train", preset="none"), "unknown preset 'none': expected a"),
    Case("notebook: preset a number", notebook("train", preset=3), "preset: expected a name or a"),
    Case("notebook: method", notebook("train", method="best"), "unknown method 'best': expected o"),
    Case("notebook: method a list", notebook("train", method=["rve"]), r"unknown method \['rve'\]"),
    Case("notebook: seed in words", notebook("train", seed="three"), "seed: expected an integer,"),
    Case("notebook: seed 1.5", notebook("train", seed=1.5), "seed: expected an integer, got 1.5"),
    Case("notebook: seed below 0", notebook("train", seed=-1),
         "^run.seed: expected at least 0, got -1"),
    Case("notebook: seed too large", notebook("train", seed=2**63),
         "^run.seed: expected less than 9223372036854775808, got 9"),
    Case("search: none in the preset", lambda _: read_search("smoke", "ae8"),
         "preset 'smoke' has no search for method 'ae8'"),
    Case("crowds: ranges that are none", crowds(crowding=((2.0, 0.5),)),
         "crowding .*: expected one or more pairs of numbers from 0 to 3, each in rising order"),
    Case("crowds: larger than the picture", crowds(scales=(0.5, 3.0)), "scales .*: expected 2 num"),
    Case("machine: no process", lambda _: Options(devices="0"), "--devices: expected auto or a nu"),
    Case("machine: workers", lambda _: Options(workers=-1), "--workers: expected 0 or more, got -"),
]  # fmt: skip
