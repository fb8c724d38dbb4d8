"""Command lines with mistakes: one line on stderr, status 1 or 2, no traceback."""

from __future__ import annotations

from pathlib import Path

from . import Case, command

PREDICT = ("predict", "--weights", "no.safetensors", "--out", "{}/out")
SMOKE = ("crowds", "--preset", "smoke")
DATA = ("evaluate", "--data", "coco", "--weights", "no.safetensors")


def with_a_file(name: str, *words: str):
    """A command typed where there is a file of this name."""

    def attempt(folder: Path) -> None:
        (folder / name).write_text("a file where a folder has to be")
        command(*words)(folder)

    return attempt


COMMANDS = [
    ((), "the following arguments are required: COMMAND"),
    (("paint",), "invalid choice: 'paint'"),
    (("train", "--colour", "red"), "unrecognized arguments: --colour red"),
    (("train", "--preset", "none"), "unknown preset 'none': expected a YAML file or one of"),
    (("train", "--preset", "{}/none.yaml"), "unknown preset '.*none.yaml': expected a YAML file"),
    (("train", "--method", "best"), "unknown method 'best': expected one of ae1, ae8"),
    (("train", "--seed", "-1"), "run.seed: expected at least 0, got -1"),
    (("train", "--seed", "three"), "argument --seed: invalid int value: 'three'"),
    (("train", "--set", "optim.steps"), "--set optim.steps: expected SECTION.NAME=VALUE, as optim"),
    (("train", "--set", "steps=3"), "--set steps=3: expected SECTION.NAME=VALUE, as optim.steps=5"),
    (("train", "--set", "optim.steps=0"), "error: optim.steps: expected at least 1, got 0"),
    (("train", "--set", "optim.stesp=3"), "error: unknown setting 'optim.stesp': expected one of"),
    (("train", "--set", "optim.steps=["), r"--set optim.steps=\[: '\[' is no value of YAML"),
    (("train", "--set", "run.seed=3"), "--set run.seed=3: --preset, --method and --seed say which"),
    (
        ("train", "--preset", "smoke", "--save-every", "0"),
        "--save-every: expected 1 or more, got 0",
    ),
    (("train", "--preset", "smoke", "--devices", "all"), "--devices: expected auto or a number"),
    (("evaluate", "--weights", "no.safetensors"), "no weights at no.safetensors"),
    (("evaluate", "--split", "dev"), "argument --split: invalid choice: 'dev'"),
    (("evaluate", "--data", "coco"), "--data needs --weights"),
    (("evaluate", "--data", "voc"), "argument --data: invalid choice: 'voc'"),
    ((*DATA, "--record", "{}/no/a.json"), "--record .*no/a.json: no such folder; make it first"),
    ((*DATA, "--detections", "{}/no/a.json"), "--detections .*: no such folder; make it first"),
    (("search", "--preset", "smoke"), "preset 'smoke' has no search for method 'ae8'"),
    (("search", "--preset", "reader", "--method", "best"), "preset 'reader' has no search for met"),
    (("summarise", "--preset", "none", "--root", "{}"), "no records to summarise"),
    (
        ("figures", "--preset", "../up", "--root", "{}"),
        "the figures need records of ae8 and rve with preset",
    ),
    ((*SMOKE, "--preview", "no/where.png"), "no/where.png: cannot be written; is the folder there"),
    ((*SMOKE, "--preview", "sheet.txt"), "sheet.txt: expected a file name that ends in .png"),
    (
        (*SMOKE, "--out", "{}", "--preview", "a.png"),
        "argument --preview: not allowed with argument",
    ),
    ((*SMOKE, "--jpeg"), "--jpeg needs --out"),
    ((*SMOKE, "--keypoints"), "--keypoints needs --preview"),
    ((*SMOKE, "--size", "20"), "size: expected"),
    ((*SMOKE, "--size", "large"), "argument --size: invalid int value: 'large'"),
    ((*SMOKE, "--count", "0"), "data.train_scenes: expected at least 1, got 0"),
    (
        (*SMOKE, "--count", "1", "--workers", "0", "--out", "{}"),
        "workers 0: expected an integer fr",
    ),
    (("predict", "a.jpg"), "the following arguments are required: --out"),
    ((*PREDICT, "a.jpg"), "no weights at no.safetensors: train a model first"),
    ((*PREDICT, "{}/*.jpg"), "no photo there, that is, no file that ends in .jpg"),
    ((*PREDICT, "{}"), "no photo there, that is, no file that ends in .jpg"),
    ((*PREDICT, "a.jpg", "--min-score", "nan"), "--min-score: expected 0 to 1, got nan"),
    ((*PREDICT, "a.jpg", "--min-score", "high"), "argument --min-score: invalid float value"),
]
CASES = [
    *(Case(f"command: {' '.join(words)[:80]}", command(*words), message)
      for words, message in COMMANDS),
    Case("command: train where a file is", with_a_file(
        "smoke", "train", "--preset", "smoke", "--root", "{}"), "results folder .*smoke.* cannot"),
    Case("command: crowds where a file is", with_a_file(
        "images", *SMOKE, "--count", "1", "--out", "{}"), "images/train: .*; choose another folde"),
]  # fmt: skip
