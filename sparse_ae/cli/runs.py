"""`sparse-ae train`, `evaluate`, `search`: runs of a preset."""

from __future__ import annotations

import argparse
from pathlib import Path

from sparse_ae.cli.options import (
    machine_options,
    preset_option,
    read_machine_options,
    read_settings,
    root_option,
    run_options,
    show,
)
from sparse_ae.cli.photos import VIEW_DEFAULTS, view_options
from sparse_ae.cli.photos import evaluate as evaluate_on_photos


def add_runs(add) -> None:
    """Add the subcommands and their options."""
    command = add("train", train, "train one model, evaluate it, write its record")
    run_options(command)
    command.add_argument(
        "--skip-made", action="store_true", help="do nothing where the record is there already"
    )
    machine_options(command)

    command = add(
        "evaluate",
        evaluate,
        "evaluate trained weights on the data of a preset, or on COCO or CrowdPose",
    )
    run_options(command)
    option = command.add_argument
    option("--weights", help="weights file (default: beside the run's record)")
    option("--split", choices=("train", "val", "test"), default="test", help="of the data")
    option("--data", choices=("coco", "crowdpose"), help="instead of the preset's data")
    option("--detections", type=Path, metavar="FILE", help="of --data, in COCO's results format")
    option("--record", type=Path, metavar="FILE", help="JSON for the figures on --data")
    option("--skip-broken", action="store_true", help="go on without broken photos and records")
    view_options(command)

    command = add("search", search, "choose the losses' weights on validation crowds")
    preset_option(command, "name in experiments/presets, or a file")
    command.add_argument(
        "--method", nargs="+", default=["ae8", "rve"], help="methods to search for"
    )
    root_option(command)


def train(options: argparse.Namespace) -> None:
    """Make one run, from scenes to record."""
    from sparse_ae.companion.experiment import forget_state, is_made, run

    settings = read_settings(options)
    made = settings.run
    name = f"{made.preset}/{made.method}/seed-{made.seed}"
    if options.skip_made and is_made(settings, options.root):
        forget_state(settings, options.root)
        print(f"{name}: made already")
        return
    record = run(settings, options.root, options=read_machine_options(options))
    if record is not None:
        print(f"\n{name}")
        show(record["metrics"])


def evaluate(options: argparse.Namespace) -> None:
    """Print the figures of trained weights on the preset's data, or on an official data set."""
    if options.data:
        return evaluate_on_photos(options)
    for name, usual in (("detections", None), ("record", None), *VIEW_DEFAULTS.items()):
        if getattr(options, name) != usual:  # a run is evaluated as its settings say
            raise ValueError(f"--{name.replace('_', '-')}: needs --data; to evaluate a run with "
                             "other settings, change its preset or use --set")  # fmt: skip
    from sparse_ae.companion.experiment import evaluate_weights, path_of

    settings = read_settings(options)
    weights = options.weights or path_of(settings, options.root).with_suffix(".safetensors")
    found = evaluate_weights(settings, weights, options.split, skip_broken=options.skip_broken)
    return show(found.metrics)


def search(options: argparse.Namespace) -> None:
    """Search for the best of each method's settings in the preset, by AP on validation crowds."""
    from sparse_ae.companion.search import search as choose

    for method in options.method:
        choose(options.preset, method, options.root)
