"""What several subcommands have in common."""

from __future__ import annotations

import argparse

PRESET = "reader"
ROOT = "experiments/results"


def run_options(command: argparse.ArgumentParser) -> None:
    """--preset, --method and --seed of a run, and --root of its record."""
    command.add_argument("--preset", default=PRESET, help="name in experiments/presets, or a file")
    command.add_argument("--method", default="rve", help="ae1, ae8, ae8_scale or rve")
    command.add_argument("--seed", type=int, default=0, help="an integer from 0 on")
    root_option(command)


def root_option(command: argparse.ArgumentParser) -> None:
    """--root of the records."""
    command.add_argument("--root", default=ROOT, help="folder of the records")


def preset_option(command: argparse.ArgumentParser, text: str = "whose records") -> None:
    """--preset of records that are there."""
    command.add_argument("--preset", default=PRESET, help=text)


def show(metrics: dict[str, float]) -> None:
    """Print a run's figures, a line each; counts are whole numbers."""
    for name, value in metrics.items():
        print(f"{name:24} {value:10}" if isinstance(value, int) else f"{name:24} {value:10.4f}")
