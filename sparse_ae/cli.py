"""The console script `sparse-ae`: subcommands that call the library, no logic of its own."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from pathlib import Path

from sparse_ae import __version__

PRESET = "reader"


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; 0 if it went well, 1 with one line for an error, 130 if interrupted."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"sparse-ae: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        advice = str(error) or "nothing half-written is left"
        print(f"sparse-ae: interrupted; {advice}", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The subcommands with their options."""
    parser = argparse.ArgumentParser(
        prog="sparse-ae",
        description="The living companion of 'Regularizing Vector Embedding in Bottom-Up Human "
        "Pose Estimation' (ECCV 2022).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sparse_ae {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _add(commands, "train", train, "train one model, evaluate it, write its record")
    _run_options(command)
    command.add_argument("--root", default="experiments/results", help="folder of the records")
    command.add_argument(
        "--skip-made", action="store_true", help="do nothing where the record is there already"
    )

    command = _add(commands, "evaluate", evaluate, "evaluate trained weights on crowds")
    _run_options(command)
    command.add_argument("--weights", help="safetensors file (default: beside the run's record)")
    command.add_argument("--split", choices=("val", "test"), default="test", help="which crowds")
    command.add_argument("--root", default="experiments/results", help="folder of the records")

    _crowds_options(_add(commands, "crowds", crowds, "render crowds: a COCO data set, a picture"))

    command = _add(commands, "search", search, "choose the losses' weights on validation crowds")
    command.add_argument("--preset", default=PRESET, help="name in experiments/presets, or a file")
    command.add_argument(
        "--method", nargs="+", default=["ae8", "rve"], help="methods to search for"
    )
    command.add_argument("--root", default="experiments/results", help="folder of the records")

    command = _add(commands, "summarise", summarise, "compute a preset's tables from its records")
    command.add_argument("--preset", default=PRESET, help="whose records")
    command.add_argument("--root", default="experiments/results", help="folder of the records")

    command = _add(commands, "figures", figures, "draw a preset's figures from its records")
    command.add_argument("--preset", default=PRESET, help="whose records")
    command.add_argument("--root", default="experiments/results", help="folder of the records")
    command.add_argument("--out", type=Path, default=Path("figures"), help="folder of the pictures")
    return parser


def _add(commands, name: str, function, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name, help=text, description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    command.set_defaults(command=function)
    return command


def _run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--preset", default=PRESET, help="name in experiments/presets, or a file")
    command.add_argument("--method", default="rve", help="ae1, ae8, ae8_scale or rve")
    command.add_argument("--seed", type=int, default=0, help="an integer from 0 on")


def _crowds_options(command: argparse.ArgumentParser) -> None:
    command.formatter_class = argparse.HelpFormatter  # the texts tell the defaults
    command.description = (
        "Render the crowds of a preset. With --out they become a data set in COCO's format: "
        "pictures, annotations, and a manifest that says what they are; the same command again "
        "goes on where it was stopped. With --preview some become one picture, to look at. With "
        "neither they go into the cache from which `sparse-ae train` reads."
    )
    add = command.add_argument
    add("--preset", default=PRESET, help=f"name in experiments/presets, or a file ({PRESET})")
    one = command.add_mutually_exclusive_group()
    one.add_argument(
        "--out", type=Path, metavar="DIR", help="write a COCO data set into this folder"
    )
    one.add_argument(
        "--preview", type=Path, nargs="?", const=Path("crowds.png"), metavar="FILE.png",
        help="write a picture of the first 24 scenes (crowds.png)",
    )  # fmt: skip
    add(
        "--split", choices=("train", "val", "test"), nargs="+",
        help="which scenes: no two splits share a body (--out: all three; --preview: train; "
        "otherwise train and test)",
    )  # fmt: skip
    add("--count", type=int, metavar="N", help="scenes of each split (as the preset says)")
    add("--size", type=int, metavar="PX", help="side of the square pictures (as the preset says)")
    add("--jpeg", action="store_true", help="with --out: JPEG of quality 95, a fifth of the bytes")
    add("--keypoints", action="store_true", help="with --preview: skeletons on every second scene")
    add("--workers", type=int, metavar="N", help="processes that draw (one a core, eight at most)")


def train(options: argparse.Namespace) -> None:
    """One run, from scenes to record."""
    from sparse_ae.experiment import is_made, run
    from sparse_ae.presets import load_config

    config = load_config(options.preset, options.method, options.seed)
    name = f"{config.preset}/{config.method}/seed-{config.seed}"
    if options.skip_made and is_made(config, options.root):
        print(f"{name}: made already")
        return
    metrics = run(config, options.root)["metrics"]
    print(f"\n{name}")
    _show(metrics)


def evaluate(options: argparse.Namespace) -> None:
    """Figures of trained weights, printed."""
    from sparse_ae.experiment import evaluate_weights
    from sparse_ae.presets import load_config
    from sparse_ae.results import record_path

    config = load_config(options.preset, options.method, options.seed)
    beside = record_path(config.preset, config.method, config.seed, options.root)
    weights = options.weights or beside.with_suffix(".safetensors")
    _show(evaluate_weights(config, weights, options.split).metrics)


def crowds(options: argparse.Namespace) -> None:
    """Render scenes into a COCO data set, a picture, or the cache."""
    from sparse_ae.crowds.preset import preset_crowds
    from sparse_ae.crowds.writer import write_crowds
    from sparse_ae.presets import load_config

    given = {} if options.size is None else {"size": options.size}
    if options.count is not None:
        given.update(dict.fromkeys(("train_scenes", "val_scenes", "test_scenes"), options.count))
    config = load_config(options.preset, "rve", 0, **given)
    for needed, option in (("out", "jpeg"), ("preview", "keypoints")):
        if getattr(options, option) and not getattr(options, needed):
            raise ValueError(f"--{option} needs --{needed}")
    usual = ["train", "val", "test"] if options.out else ["train", "test"]
    for split in options.split or usual:
        scenes = preset_crowds(config, split)
        scenes.workers = scenes.workers if options.workers is None else options.workers
        if options.preview:
            print(_preview(scenes, options.preview, options.keypoints))
            return
        if options.out:
            quality = 95 if options.jpeg else None
            with _resumable():
                print(write_crowds(scenes.config, len(scenes), options.out,
                                   workers=scenes.workers, quality=quality))  # fmt: skip
        else:
            scenes.arrays(progress=True)


def _preview(scenes, path: Path, keypoints: bool) -> Path:
    """The first scenes as one picture."""
    import cv2

    from sparse_ae.crowds import contact_sheet
    from sparse_ae.crowds.sheet import drawn

    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: expected a file name that ends in .png")
    shown = [scenes[i] for i in range(min(24, len(scenes)))]
    if keypoints:
        shown[1::2] = [scene._replace(image=drawn(scene)) for scene in shown[1::2]]
    if not cv2.imwrite(str(path), contact_sheet(shown)[..., ::-1]):
        raise OSError(f"{path}: cannot be written; is the folder there?")
    return path


@contextlib.contextmanager
def _resumable():
    """SIGTERM is like Ctrl-C, so that the workers are told to end; both tell how to go on."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on where this one stopped") from None
    finally:
        signal.signal(signal.SIGTERM, before)


def search(options: argparse.Namespace) -> None:
    """The best of each method's settings in the preset's search, by AP on validation crowds."""
    from sparse_ae.search import search as choose

    for method in options.method:
        choose(options.preset, method, options.root)


def summarise(options: argparse.Namespace) -> None:
    """All of a preset's tables with intervals; those that fit its records are left as they are."""
    from tqdm import tqdm

    from sparse_ae.runs import read_runs
    from sparse_ae.summaries import SUMMARIES, summary, summary_path

    records, arrays = read_runs(options.preset, options.root)
    if not records:
        raise ValueError(f"{options.root}/{options.preset}: no records to summarise")
    bar = tqdm(SUMMARIES)
    for name in bar:
        bar.set_description(name)
        summary(name, records, arrays, options.root)
    for name in SUMMARIES:
        print(summary_path(name, options.preset, options.root))


def figures(options: argparse.Namespace) -> None:
    """Every figure of a preset's records, as SVG files."""
    from sparse_ae.figures import write_figures

    for path in write_figures(options.preset, options.root, options.out):
        print(path)


def _show(metrics: dict[str, float]) -> None:
    for name, value in metrics.items():
        print(f"{name:24} {value:10.4f}")


if __name__ == "__main__":
    sys.exit(main())
