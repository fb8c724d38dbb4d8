"""From a picture to people, step by step: one net's heatmaps, embeddings and people."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from sparse_ae.companion.figures.embeddings import draw_embeddings
from sparse_ae.companion.figures.errors import draw_skeleton
from sparse_ae.companion.figures.scenes import enlarge_points, show_image
from sparse_ae.companion.figures.style import WIDTH, person_colour
from sparse_ae.evaluation import Predictor
from sparse_ae.evaluation.infer import infer
from sparse_ae.losses import gather_tags


def pipeline_figure(predictor: Predictor, image: np.ndarray, sharp: np.ndarray) -> Figure:
    """Show a picture, the net's heatmaps in it, the embeddings at the joints, and the people.

    Args:
        predictor: A predictor whose net has embeddings.
        image: (S, S, 3) uint8, at the size that the net was trained at.
        sharp: (F S, F S, 3) uint8, the same picture with F times the pixels per side, for display.
    """
    maps = infer(predictor.net, [image[None]], predictor.skeleton)
    heat = maps.heatmaps[0].amax(0).clamp(0, 1).numpy()  # (S, S)
    found = predictor.predict(image).keypoints  # (P, K, 3)
    stride = image.shape[0] / maps.native_tags.shape[3]
    at = torch.from_numpy((found[None, ..., :2] + 0.5) / stride)  # (1, P, K, 2), in map cells
    tags = gather_tags(maps.native_tags, at)[0].numpy()  # (P, K, D)
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 2 * WIDTH * 0.55), layout="constrained")
    axes = axes.ravel()
    show_image(axes[0], sharp, interpolation="none")
    faint = sharp.mean(2) / 255 * 0.6
    show_image(axes[1], np.repeat(faint[..., None], 3, 2), interpolation="none")
    over = axes[1].images[0].get_extent()
    axes[1].imshow(heat, cmap="inferno", vmin=0, vmax=1, interpolation="bilinear",
                   alpha=np.clip(3 * heat, 0, 1), extent=over)  # fmt: skip
    if len(found):
        draw_embeddings(axes[2], tags, found[..., 2] > 0)
    show_image(axes[3], sharp, interpolation="none")
    people = enlarge_points(found, sharp.shape[0] // image.shape[0])
    for number, person in enumerate(people):
        draw_skeleton(axes[3], person, predictor.skeleton,
                      [person_colour(number)] * len(person), width=2.0)  # fmt: skip
    titles = ("picture", "heatmaps, the highest of all joints", "embeddings at the joints found",
              "people")  # fmt: skip
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title)
    return figure
