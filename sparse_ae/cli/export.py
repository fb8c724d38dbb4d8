"""`sparse-ae export`: write a net to a file for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_export(add) -> None:
    """Add the subcommand and its options."""
    command = add("export", export, "write a net as ONNX: image (H, W, 3) uint8, red first, H and "
                  "W multiples of 64 -> heatmaps (K, H/2, W/2), the mean of both sizes, and "
                  "embeddings (K, D, H/4, W/4); compared with torch first")  # fmt: skip
    option = command.add_argument
    option("--onnx", type=Path, required=True, metavar="FILE", help="the file to write")
    option("--weights", help="of ours, of HigherHRNet or of the paper (default: the shipped net)")
    option("--size", type=int, metavar="PX",
           help="short side at which photos are to be seen, noted in the file (as in training)",
           )  # fmt: skip


def export(options: argparse.Namespace) -> None:
    """Write the file, and print how much its outputs differ from torch's."""
    from sparse_ae.evaluation.export import export_onnx
    from sparse_ae.evaluation.predictor import load

    if not options.onnx.parent.is_dir():  # before spending a minute on it
        raise ValueError(f"--onnx {options.onnx}: no such folder; make it first")
    net = load(options.weights, size=options.size, device="cpu")
    difference = export_onnx(net, options.onnx)
    print(f"{options.onnx}: {options.onnx.stat().st_size / 1e6:.1f} MB, within {difference:.0e} of "
          "torch")  # fmt: skip
