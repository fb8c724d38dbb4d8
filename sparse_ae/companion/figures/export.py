"""Write the figures of a preset's runs to files, for `sparse-ae figures`."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

from sparse_ae.companion.completed_runs import example_run, read_runs
from sparse_ae.companion.figures.curves import training_figure
from sparse_ae.companion.figures.embeddings import margin_figure, pca_figure
from sparse_ae.companion.figures.scenes import (
    crowded_example,
    example_people_figure,
    shows_crowds,
)
from sparse_ae.companion.figures.style import set_style


def write_figures(preset: str, root: str | Path, folder: str | Path) -> list[Path]:
    """Write the figures of a preset's records as SVG files; for photos, those without a scene.

    Args:
        preset: Name of the preset.
        root: Folder of all records.
        folder: Folder for the files, created if missing.

    Returns:
        Their paths.

    Raises:
        ValueError: If a method that the figures compare has no record.
    """
    records, arrays = read_runs(preset, root)
    pair = [example_run(records, method) for method in ("ae8", "rve")]
    if None in pair:
        raise ValueError(f"{root}: the figures need records of ae8 and rve with preset {preset}")
    set_style()
    ae8, rve = ((run, arrays[run["method"], run["seed"]]) for run in pair)
    figures = {}
    if all(map(shows_crowds, pair)):
        figures["embeddings"] = pca_figure([ae8, rve], crowded_example(ae8[1]))
        figures["people"] = example_people_figure(*rve)
    figures["group-margin"] = margin_figure(records, arrays)
    figures["training"] = training_figure(records, arrays)
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = [Path(folder) / f"{name}.svg" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
    return paths
