"""Presets, skeletons and parameters of notebooks that make no sense."""

from __future__ import annotations

import re
from pathlib import Path

from sparse_ae.companion.experiment import recorded_config
from sparse_ae.runtime.launch import Options
from sparse_ae.settings.presets import load_config, read_search
from sparse_ae.skeleton import read_skeleton

from . import Case, with_file

HOUSE = Path(__file__).resolve().parents[2]
# ten lists of ten lists of …: a few lines of YAML that unfold to 10¹² words
BOMB = "\n".join(
    f"{name}: &{name} [{', '.join([inner] * 10)}]"
    for name, inner in zip("abcdefghijkl", ["lol", *(f"*{n}" for n in "abcdefghijk")], strict=True)
)
PRESETS = [
    ("sizes: 3", "unknown setting 'sizes': expected one of .*size"),
    ("steps: many", "steps: expected an integer, got 'many'"),
    ("steps: 2.5", "steps: expected an integer, got 2.5"),
    ("steps: 0", "steps: expected a positive number, got 0"),
    ("pull_weight: 1e-3", r"pull_weight: expected a number, got '1e-3' \(write 1.0e-3"),
    ("pull_weight: -1", "pull_weight: expected 0 to 1e.09, got -1.0"),
    ("focal: true", "unknown setting 'focal'"),
    ("learning_rate: .nan", "learning_rate: expected a finite number, got nan"),
    (f"learning_rate: 1{'0' * 400}", "learning_rate: expected a finite number, got 1000"),
    ("sigma: -1", "sigma: expected a positive number, got -1.0"),
    ("widths: [8, 16]", r"widths: expected five numbers of channels, got \[8, 16\]"),
    ("widths: [8, 8, 8, 8, 0]", "widths: expected 1 to 100000, got .8, 8, 8, 8, 0"),
    ("rule: 1", "rule: expected a name, got 1"),
    ("persons: 3", "persons: expected a list of numbers, got 3"),
    ("persons: [1, 2, 3]", "persons: expected 2 numbers, got 3"),
    ("persons: [5, 1]", r"persons: expected the lower number first, got \[5, 1\]"),
    ("persons: [1, 200]", "persons: expected 1 to 30, got .1, 200"),
    ("zoom: [2, 0.5]", r"zoom: expected the lower number first, got \[2.0, 0.5\]"),
    ("size: 100", "size: expected a multiple of 32, got 100"),
    ("size: 320000000", "size: expected 32 to 8192, got 320000000"),
    ("tag_threshold: 0", "tag_threshold: expected 1e-06 to 1e.06, got 0"),
    ("flip: 7", "flip: expected 0 to 1, got 7"),
    ("examples: [-1]", "examples: expected 0 to 1e.09, got .-1"),
    ("skeleton: dog", "unknown skeleton 'dog': expected one of coco, crowdpose"),
    ("skeleton: none.yaml", "skeleton none.yaml: No such file"),
    ("methods: [rve]", "methods: expected settings under each method's name"),
    ("methods:\n  rev: {}", "unknown method 'rev'"),
    ("methods:\n  rve:\n    wieght: 1", "unknown setting 'wieght'"),
    ("search: {rve: [3]}", "search: expected a list of settings under a method's name"),
    ("runs: {seeds: [one]}", "runs: seeds: expected integers from 0 on, got 'one'"),
    ("runs: {methods: [[rve]]}", r"runs: methods: expected names, got \['rve'\]"),
    ("base: [reader]", r"base: expected a preset's name, got \['reader'\]"),
    ("base: nowhere", "unknown preset 'nowhere': expected a YAML file or one of"),
    ("- 1", "expected settings as 'name: value' lines"),
    ("a: [", "is no valid YAML"),
    ("day: 2030-99-99", "is no valid YAML: month must be in 1..12"),
    ("[" * 10_000, "is no valid YAML"),
    (b"steps: \xff", "is no valid YAML"),
    (BOMB, "unknown setting 'a'"),
    (f"{BOMB}\nsteps: *l".replace("a:", "runs:", 1), "runs: expected lists under"),
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
    ("name: triangle", "name: [a]", "name: expected a text"),
    ("[top, left, right]", "[top, top, right]", "keypoints: expected a list of different names"),
    ("[top, left, right]", "[top, left, 3]", "keypoints: expected a list of different names"),
    ("[0.05, 0.05, 0.05]", "[0.05, 0.05]", "3 keypoints but 2 sigmas"),
    ("[0.05, 0.05, 0.05]", "[0.05, 0.05, 0]", "sigmas: expected positive finite numbers"),
    ("[0.05, 0.05, 0.05]", "[0.05, 0.05, .nan]", "sigmas: expected positive finite numbers"),
    ("[0.05, 0.05, 0.05]", "[0.05, 0.05, true]", "sigmas: expected a list of positive numbers"),
    ("[[left, right]]", "[[left, rigth]]", "flip_pairs: 'rigth' is not among keypoints"),
    ("[[left, right]]", "[[left, right], [left, top]]", "mirrored to one other only"),
    ("[[left, right]]", "[left, right]", r"flip_pairs: expected pairs of names"),
    ("[[left, right]]", "3", r"flip_pairs: expected pairs of names"),
    ("limbs:", "order: [top]\nlimbs:", "order must name each of 0..2 once"),
    ("limbs:", "order: 3\nlimbs:", "order: expected a list of keypoints' names"),
    ("[top, left, right]", "[top, left", "no YAML"),
    ("triangle", "2030-99-99", "no YAML: month must be in 1..12"),
]


def preset(path: Path):
    """Read a preset as every command does."""
    return load_config(str(path), "rve", 0)


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
    return lambda _: recorded_config(load_config("smoke", "rve", 0, **settings))


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
    Case("notebook: preset", notebook("train", preset="none"), "unknown preset 'none': expected a"),
    Case("notebook: preset a number", notebook("train", preset=3), "preset: expected a name or a"),
    Case("notebook: method", notebook("train", method="best"), "unknown method 'best': expected o"),
    Case("notebook: method a list", notebook("train", method=["rve"]), r"unknown method \['rve'\]"),
    Case("notebook: seed in words", notebook("train", seed="three"), "seed: expected an integer,"),
    Case("notebook: seed 1.5", notebook("train", seed=1.5), "seed: expected an integer, got 1.5"),
    Case("notebook: seed below 0", notebook("train", seed=-1),
         "^seed: expected an integer from 0 on, below 2⁶³, got -1"),
    Case("notebook: seed too large", notebook("train", seed=2**63),
         "^seed: expected an integer from 0 on, below 2⁶³, got 9"),
    Case("search: none in the preset", lambda _: read_search("smoke", "ae8"),
         "preset 'smoke' has no search for method 'ae8'"),
    Case("crowds: ranges that are none", crowds(crowding=((2.0, 0.5),)),
         "crowding .*: expected one or more pairs of numbers from 0 to 3, each in rising order"),
    Case("crowds: larger than the picture", crowds(scales=(0.5, 3.0)), "scales .*: expected 2 num"),
    Case("machine: no process", lambda _: Options(devices="0"), "--devices: expected auto or a nu"),
    Case("machine: workers", lambda _: Options(workers=-1), "--workers: expected 0 or more, got -"),
]  # fmt: skip
