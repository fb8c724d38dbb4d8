"""The scale read from trained embeddings at true joints, beside people's true scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy import stats

from sparse_ae.companion.figures.scenes import example_scene
from sparse_ae.companion.figures.style import WIDTH
from sparse_ae.companion.tables.formatting import METHOD_COLOURS, METHOD_LABELS, number
from sparse_ae.losses import scale_code, scale_from_tags
from sparse_ae.targets import person_scale

PERSON = ["method", "seed", "example", "person"]  # columns that identify a person in a run


def scales_from_embeddings(
    records: Sequence[Mapping], arrays: Mapping, methods: Sequence[str]
) -> pd.DataFrame:
    """Read the scale from the embeddings in the example scenes of runs.

    The scenes are rendered again.

    Args:
        records: Records of all runs.
        arrays: {(method, seed): arrays}.
        methods: Those to read, in the order of the table.

    Returns:
        A row per visible joint: method, seed, example, person; true, the scale of the person's box
        as training has it (`targets.person_scale`); told, what `losses.scale_from_tags` reads from
        the embedding at the joint; perfect, what it reads from the code of the true scale.

    Raises:
        ValueError: If a scene has other joints than the record.
    """
    scenes, parts = {}, []
    for record in sorted((r for r in records if r["method"] in methods),
                         key=lambda record: methods.index(record["method"])):  # fmt: skip
        run = arrays[record["method"], record["seed"]]
        for example, image in enumerate(run["example_id"].tolist()):
            key = (repr(record["data"]["test_crowd"]), image)
            if key not in scenes:
                scenes[key] = example_scene(record, run, example)
            parts.append(_joints(record, run, example, scenes[key]))
    columns = [*PERSON, "true", "told", "perfect"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _joints(record: Mapping, run: Mapping, example: int, scene) -> pd.DataFrame:
    """Return the rows of one scene under one run."""
    count = len(scene.keypoints)
    seen = run["example_visible"][example]  # (P, K), P of the fullest scene
    if seen[count:].any() or not np.array_equal(seen[:count], scene.keypoints[..., 2] > 0):
        raise ValueError(
            f"{record['preset']}/{record['method']}/seed-{record['seed']}: example_visible: not "
            f"the joints of scene {run['example_id'][example]} as it is rendered now; run it again"
        )
    person, _ = np.nonzero(seen)
    tags = run["example_tags"][example][seen]  # (n, D)
    true = person_scale(scene.boxes, scene.image.shape[0])[person]
    return pd.DataFrame({
        "method": record["method"], "seed": record["seed"], "example": example, "person": person,
        "true": true, "told": _read(torch.from_numpy(tags)),
        "perfect": scale_of_code(true, tags.shape[1]),
    })  # fmt: skip


def scale_of_code(scale: np.ndarray, dim: int) -> np.ndarray:
    """Return (n,) the scales read back from the codes of scales (n,), in `dim` dimensions."""
    return _read(scale_code(torch.from_numpy(np.asarray(scale, np.float32)), dim))


def _read(tags: torch.Tensor) -> np.ndarray:
    """Return (n,) the scale read from each embedding (n, D)."""
    return scale_from_tags(tags.T[None, None, :, :, None])[0, 0, :, 0].numpy()


def rank_correlations(joints: pd.DataFrame, name: str = "told") -> pd.Series:
    """Compute Spearman's correlation with the true scale, per run.

    A person counts once, with the mean over its joints.

    Args:
        joints: Table from `scales_from_embeddings`.
        name: "told" or "perfect".

    Returns:
        The correlations, indexed by method and seed.
    """
    persons = joints.groupby(PERSON, sort=False)[["true", name]].mean()
    runs = persons.groupby(["method", "seed"], sort=False)
    return runs.apply(lambda run: float(stats.spearmanr(run["true"], run[name]).statistic))


def scale_figure(joints: pd.DataFrame, dim: int = 8) -> Figure:
    """Show the scale told over the true scale, a panel per method and a dot per person of a run.

    The scale told is the mean over the person's joints. The dotted line is a perfect reading, the
    black line the reading of a perfect code.

    Args:
        joints: Table from `scales_from_embeddings`.
        dim: Dimensions of the perfect code.
    """
    methods = list(joints["method"].unique())
    figure, axes = plt.subplots(1, max(1, len(methods)), figsize=(WIDTH, 3.6),
                                layout="constrained", sharex=True, sharey=True,
                                squeeze=False)  # fmt: skip
    persons = joints.groupby(PERSON, sort=False)[["true", "told"]].mean().reset_index()
    found = rank_correlations(joints) if methods else None
    every = np.linspace(0.03, 0.77, 371)
    for axis, method in zip(axes[0], methods, strict=False):
        part = persons[persons["method"] == method]
        axis.plot(every, every, color="#555555", ls=":", lw=1.6, label="a perfect reading")
        axis.plot(every, scale_of_code(every, dim), color="black", lw=1.2,
                  label="the reading of a perfect code")  # fmt: skip
        axis.scatter(part["true"], part["told"], s=12, color=METHOD_COLOURS[method], alpha=0.45,
                     linewidths=0)  # fmt: skip
        mean = number(float(found[method].mean()), 2)
        axis.set_title(f"{METHOD_LABELS[method]}\nrank correlation {mean}")
        axis.set(xlabel="true scale, of the image's side", xlim=(0, 0.8), ylim=(0, 0.8),
                 aspect="equal")  # fmt: skip
    axes[0, 0].set_ylabel("scale told")
    if methods:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
