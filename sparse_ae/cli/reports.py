"""`sparse-ae summarise` and `figures`: tables and figures from records."""

from __future__ import annotations

import argparse
from pathlib import Path

from sparse_ae.cli.options import preset_option, root_option


def add_reports(add) -> None:
    """Add the subcommands and their options."""
    command = add("summarise", summarise, "compute a preset's tables from its records")
    preset_option(command)
    root_option(command)

    command = add("figures", figures, "draw a preset's figures from its records")
    preset_option(command)
    root_option(command)
    command.add_argument("--out", type=Path, default=Path("figures"), help="folder of the pictures")


def summarise(options: argparse.Namespace) -> None:
    """Compute all of a preset's tables with intervals, except those that still fit its records."""
    from tqdm import tqdm

    from sparse_ae.companion.cached_tables import cached_table, table_names, table_path
    from sparse_ae.companion.completed_runs import read_with_base

    records, arrays = read_with_base(options.preset, options.root)
    if not records:
        raise ValueError(f"{options.root}/{options.preset}: no records to summarise")
    names = table_names(options.preset)
    bar = tqdm(names)
    for name in bar:
        bar.set_description(name)
        cached_table(name, records, arrays, options.root)
    for name in names:
        print(table_path(name, options.preset, options.root))


def figures(options: argparse.Namespace) -> None:
    """Write every figure of a preset's records as an SVG file."""
    from sparse_ae.companion.figures.export import write_figures

    for path in write_figures(options.preset, options.root, options.out):
        print(path)
