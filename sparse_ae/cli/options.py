"""Options that several subcommands share."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from sparse_ae.settings.methods import ALL

if TYPE_CHECKING:
    from sparse_ae.runtime.launch import Options
    from sparse_ae.settings import Settings

PRESET = "reader"
ROOT = "experiments/results"


def run_options(command: argparse.ArgumentParser) -> None:
    """Add --preset, --method, --seed and --set of a run, and --root of its record."""
    command.add_argument("--preset", default=PRESET, help="name in experiments/presets, or a file")
    command.add_argument("--method", default="rve", help=", ".join(ALL))
    command.add_argument("--seed", type=int, default=0, help="an integer from 0 on")
    command.add_argument("--set", action="append", default=[], metavar="SECTION.NAME=VALUE",
                         help="another value for one setting, such as optim.steps=500")  # fmt: skip
    root_option(command)


def read_settings(options: argparse.Namespace) -> Settings:
    """Return the settings of the run that the options name; raise ValueError for bad options."""
    import yaml

    from sparse_ae.settings import load_settings

    overrides: dict[str, dict] = {}
    for text in options.set:
        name, equals, value = text.partition("=")
        section, _, setting = name.partition(".")
        if not (equals and section and setting):
            raise ValueError(f"--set {text}: expected SECTION.NAME=VALUE, as optim.steps=500")
        if section == "run":
            raise ValueError(f"--set {text}: --preset, --method and --seed say which run it is")
        try:
            overrides.setdefault(section, {})[setting] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ValueError(f"--set {text}: {value!r} is no value of YAML") from None
    return load_settings(options.preset, options.method, options.seed, overrides)


def machine_options(command: argparse.ArgumentParser) -> None:
    """Add the runtime options of a training, `launch.Options`."""
    add = command.add_argument_group("options that change no result").add_argument
    add("--resume", action="store_true", help="go on where an interrupted run was saved last")
    add("--save-every", type=int, default=500, metavar="STEPS", help="how often it is saved")
    add("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if any")
    add("--devices", default="auto", metavar="N",
        help="processes a machine, a GPU each; auto: those that torchrun or SLURM starts, else one",
        )  # fmt: skip
    add("--nodes", type=int, default=1, metavar="N", help="machines")
    add("--workers", type=int, metavar="N",
        help="processes that load photos or draw crowds (default: the cores left)")  # fmt: skip
    add("--compile", action="store_true", help="by torch.compile: minutes first, then faster")
    add("--tensorboard", action="store_true", help="curves for TensorBoard, beside the CSV log")
    add("--skip-broken", action="store_true",
        help="leave out broken photos and records, and list them at the end")  # fmt: skip


def read_machine_options(options: argparse.Namespace) -> Options:
    """Return the checked options of `machine_options`."""
    from sparse_ae.runtime.launch import Options

    fields = dataclasses.fields(Options)
    return Options(**{field.name: getattr(options, field.name) for field in fields})


def root_option(command: argparse.ArgumentParser) -> None:
    """Add --root, the folder of the records."""
    command.add_argument("--root", default=ROOT, help="folder of the records")


def preset_option(command: argparse.ArgumentParser, text: str = "whose records") -> None:
    """Add --preset, the preset of existing records."""
    command.add_argument("--preset", default=PRESET, help=text)


def told(error: BaseException, options: argparse.Namespace) -> str:
    """Return an error's message, with advice for Python turned into advice for the command."""
    message = str(error) or "out of memory"
    if not hasattr(options, "skip_broken"):
        return message.replace(", or leave it out with skip_broken=True", "")
    return message.replace("skip_broken=True", "--skip-broken")


def show(metrics: dict[str, float]) -> None:
    """Print a run's figures, a line each; counts are whole numbers."""
    for name, value in metrics.items():
        print(f"{name:24} {value:10}" if isinstance(value, int) else f"{name:24} {value:10.4f}")
