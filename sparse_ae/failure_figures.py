"""The worst images of each kind of failure, with the persons that were decoded there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.failures import KINDS
from sparse_ae.pictures import draw_people, show_image
from sparse_ae.tables import METHOD_LABELS


def telling_runs(
    records: Sequence[dict], arrays: Mapping, methods: Sequence[str]
) -> list[tuple[dict, Mapping]]:
    """The first run of each method whose record tells its failures, as (record, arrays)."""
    found = []
    for method in methods:
        runs = [record for record in records if record["method"] == method
                and "failure_counts" in arrays[method, record["seed"]]]  # fmt: skip
        if runs:
            found.append((runs[0], arrays[method, runs[0]["seed"]]))
    return found


def gallery_figure(runs: Sequence[tuple[Mapping, Mapping]], kind: str, place: int = 0) -> Figure:
    """A panel a run: the image in which `kind` of failures.KINDS happened most (`place` 1: second
    most), with all persons that were decoded there. ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    row = KINDS.index(kind)
    figure, axes = plt.subplots(1, len(runs), figsize=(2.9 * len(runs), 3.3), layout="constrained",
                                squeeze=False)  # fmt: skip
    for axis, (record, arrays) in zip(axes[0], runs, strict=True):
        image = int(arrays["failure_index"][row, place])
        axis.set_title(f"{METHOD_LABELS[record['method']]}\nnever", fontsize=9.5)
        if image < 0:
            axis.axis("off")
            continue
        crowd = CrowdConfig(**record["config"]["test_crowd"])
        show_image(axis, render_scene(crowd, image).image)
        draw_people(axis, np.asarray(arrays["failure_people"][row, place], float))
        count, persons = int(arrays["failure_counts"][image, row]), int(arrays["persons"][image])
        axis.set_title(f"{METHOD_LABELS[record['method']]}\nscene {image}, {persons} persons: "
                       f"{count} × {kind}", fontsize=9.5)  # fmt: skip
    return figure
