"""The identity of a run: its settings and data, the path of its record, and its command."""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
from pathlib import Path
from typing import Any

import yaml

from sparse_ae.companion.knobs import knobs_digest
from sparse_ae.companion.records import ROOT, is_done, record_path, settings_digest
from sparse_ae.datasets.open import crowd_config, has_split, open_crowds, open_dataset
from sparse_ae.settings import Settings, load_settings
from sparse_ae.skeleton import SKELETONS, get_skeleton
from sparse_ae.training.resume import remove_state, state_path


def identity(settings: Settings, *, skip_broken: bool = True) -> dict[str, dict]:
    """Return what identifies a run, as its record keeps it.

    Equal identities mean equal runs of the same code: the digests cover the scenes' bodies, the
    photos' annotations and which photos exist, a skeleton that is read from a file, and the weights
    that a run starts from.

    Args:
        settings: Settings of the run.
        skip_broken: Whether photos may be missing, and records broken; if none are, the digests are
            the same.

    Returns:
        A dict with `settings`, all of them by section, and `data`, what the run is made on.

    Raises:
        ValueError: For missing data.
    """
    data: dict[str, Any] = {}
    photos, splits = settings.data.photos, ["train", "test"]
    if photos and has_split(settings.data, "val"):  # for crowds, the settings say all
        splits.append("val")
    for split in splits:
        opened = open_dataset(settings.data, split, skip_broken=skip_broken)
        data[f"{split}_digest"] = opened.digest
        if not photos:
            data[f"{split}_crowd"] = dataclasses.asdict(crowd_config(settings.data, split))
    if settings.data.crowd_share:
        data["mixed_in_digest"] = open_crowds(settings.data, "train").digest
    if settings.report.knob_scenes:
        data["knobs_digest"] = knobs_digest(settings.data, settings.report.knob_scenes)
    if settings.data.skeleton not in SKELETONS:
        skeleton = get_skeleton(settings.data.skeleton)
        data["skeleton_digest"] = settings_digest(dataclasses.asdict(skeleton))
    start = settings.model.pretrained
    if start not in ("", "imagenet"):
        try:
            data["start_digest"] = hashlib.sha256(Path(start).read_bytes()).hexdigest()[:16]
        except OSError as error:
            raise ValueError(f"model.pretrained: {start}: {error.strerror}") from None
    return {"settings": plain_settings(settings), "data": data}


def plain_settings(settings: Settings) -> dict[str, dict]:
    """Return all settings as plain values.

    Files are reduced to their names, since their folders depend on the machine.
    """
    plain = settings.to_dict()
    for name in ("train_set", "val_set", "test_set"):
        plain["data"][name] = [Path(part).name for part in plain["data"][name]]
    plain["data"]["skeleton"] = Path(plain["data"]["skeleton"]).name
    plain["model"]["pretrained"] = Path(plain["model"]["pretrained"]).name
    return plain


def path_of(settings: Settings, root: str | Path = ROOT) -> Path:
    """Return the path of a run's record."""
    run = settings.run
    return record_path(run.preset, run.method, run.seed, root)


def is_made(settings: Settings, root: str | Path = ROOT) -> bool:
    """Return whether a complete record of exactly this run exists, by its content, not its age."""
    return is_done(path_of(settings, root), settings_digest(identity(settings)))


def forget_state(settings: Settings, root: str | Path = ROOT) -> None:
    """Remove the training's state of a run that was killed just after it wrote its record."""
    remove_state(state_path(path_of(settings, root)))


def command_of(settings: Settings) -> str:
    """Return the command that repeats this run, even if a notebook made it.

    Settings that differ from the preset's become --set options, but not for a preset that is a file
    elsewhere, which cannot be compared.
    """
    run = settings.run
    words = ["sparse-ae", "train", "--preset", run.preset, "--method", run.method,
             "--seed", str(run.seed)]  # fmt: skip
    try:
        usual = plain_settings(load_settings(run.preset, run.method, run.seed))
    except ValueError:
        return shlex.join(words)
    for section, values in plain_settings(settings).items():
        for name, value in values.items():
            if value != usual[section][name]:
                words += ["--set", f"{section}.{name}={_as_yaml(value)}"]
    return shlex.join(words)


def _as_yaml(value) -> str:
    """Return a value in one line for --set; JSON would write 1e-05, which YAML reads as text."""
    return yaml.safe_dump(value, default_flow_style=True, width=float("inf")).split("\n")[0]


def name_of(settings: Settings) -> str:
    """Return a run's name in progress bars."""
    return f"{settings.run.method} seed {settings.run.seed}"
