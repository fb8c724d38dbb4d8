"""`sparse-ae crowds`: render scenes into a data set, a picture, or the cache."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from sparse_ae.cli.options import PRESET


def add_crowds(add) -> None:
    """Add the subcommand and its options."""
    command = add("crowds", crowds, "render crowds: a COCO data set, a picture")
    command.formatter_class = argparse.HelpFormatter  # the help texts state the defaults
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


def crowds(options: argparse.Namespace) -> None:
    """Render scenes into a COCO data set, a picture, or the cache."""
    from sparse_ae.datasets.crowd_writer import write_crowds
    from sparse_ae.datasets.open import open_crowds
    from sparse_ae.settings import load_settings

    given = {} if options.size is None else {"size": options.size}
    if options.count is not None:
        given.update(dict.fromkeys(("train_scenes", "val_scenes", "test_scenes"), options.count))
    data = load_settings(options.preset, "rve", 0, {"data": given}).data
    for needed, option in (("out", "jpeg"), ("preview", "keypoints")):
        if getattr(options, option) and not getattr(options, needed):
            raise ValueError(f"--{option} needs --{needed}")
    if data.photos and not data.crowd_share:
        print(f"preset {options.preset} has photos, and no crowds to render")
        return
    usual = ["train", "val", "test"] if options.out else ["train", "test"]
    if data.source == "rendered" and not options.out:
        usual = ["test"]  # the others are rendered during training
    for split in options.split or usual:
        scenes = open_crowds(data, split)
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
    """Write the first scenes as one picture, and return its path."""
    import cv2

    from sparse_ae.crowds import contact_sheet
    from sparse_ae.crowds.sheet import draw_keypoints

    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: expected a file name that ends in .png")
    shown = [scenes.scene(i) for i in range(min(24, len(scenes)))]
    if keypoints:
        shown[1::2] = [scene._replace(image=draw_keypoints(scene)) for scene in shown[1::2]]
    if not cv2.imwrite(str(path), contact_sheet(shown)[..., ::-1]):
        raise OSError(f"{path}: cannot be written; is the folder there?")
    return path


@contextlib.contextmanager
def _resumable():
    """On an interrupt, say how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on where this one stopped") from None
