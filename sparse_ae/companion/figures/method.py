"""Figures that explain the method and need no run: codes, widths and weights."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from sparse_ae.companion.figures.style import WIDTH, person_colour
from sparse_ae.losses import heatmap_loss, scale_code, scale_from_tags
from sparse_ae.settings import LossSettings
from sparse_ae.targets import heatmap_targets


def descent_figure(path: np.ndarray) -> Figure:
    """Draw the paths of embeddings that move.

    Args:
        path: (steps, P, K, 2) embeddings over the steps.
    """
    figure, axis = plt.subplots(figsize=(5.2, 4.0), layout="constrained")
    for person in range(path.shape[1]):
        colour = person_colour(person)
        for joint in range(path.shape[2]):
            axis.plot(*path[:, person, joint].T, color=colour, lw=0.9, alpha=0.7)
        axis.scatter(*path[0, person].T, s=14, color=colour, alpha=0.6)
        axis.scatter(*path[-1, person].T, s=45, color=colour, zorder=3)
    axis.set(aspect="equal", xlabel="dimension 1", ylabel="dimension 2")
    return figure


def scale_code_figure() -> Figure:
    """Draw the scale code over the scale, and the cosine between the codes of two scales."""
    scale = torch.linspace(0.02, 0.98, 241)
    code = scale_code(scale, 8)  # (241, 8)
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.7), layout="constrained")
    extent = (0.02, 0.98, -0.5, 7.5)
    image = left.imshow(code.T.numpy(), aspect="auto", origin="lower", extent=extent,
                        interpolation="nearest")  # fmt: skip
    left.set(xlabel="scale of the person", ylabel="dimension", title="scale code")
    figure.colorbar(image, ax=left)
    image = right.imshow(
        (code @ code.T).numpy(), origin="lower", extent=(0.02, 0.98, 0.02, 0.98), vmin=0
    )
    right.set(xlabel="scale of one person", ylabel="scale of another", title="cosine of two codes")
    figure.colorbar(image, ax=right)
    for axis in (left, right):
        axis.grid(False)
    return figure


def widths_figure(scales=(0.10, 0.15, 0.20, 0.50, 0.80), sigma: float = 3.0) -> Figure:
    """Draw targets of several scales, with widths from the true scale and from a perfect code.

    Args:
        scales: Scales of the people.
        sigma: Width of a target where Γ is 1, in cells.
    """
    beta, cells = LossSettings().beta, 49
    code = scale_code(torch.tensor(scales), 8)  # (S, 8)
    read = scale_from_tags(code.T[None, None, :, :, None])[0, 0, :, 0]  # maps (B, K, D, H, W)
    joint = np.full((1, 1, 2), cells // 2, float)
    target = heatmap_targets(joint, np.ones((1, 1), bool), cells, sigma=sigma)[0]
    figure, axes = plt.subplots(2, len(scales), figsize=(WIDTH, 4.3), layout="constrained")
    for row, values, word in ((axes[0], scales, "true"), (axes[1], read.tolist(), "read")):
        for axis, value in zip(row, values, strict=True):
            axis.imshow(target ** (beta / value) ** 2, vmin=0, vmax=1, interpolation="nearest")
            axis.set_title(f"{word} scale {value:.2f}\nΓ = {value / beta:.2f}", fontsize=9)
            axis.axis("off")
    return figure


def weight_figure() -> Figure:
    """Draw the weight W over the network's response, and what a background cell costs."""
    response = torch.linspace(0.005, 0.995, 100)
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.5), layout="constrained")
    for target, style in ((0.0, "-"), (1e-6, ":"), (0.01, "-."), (1.0, "--")):
        wanted = torch.full_like(response, target)
        weight = _cost(response, wanted) / _cost(response, wanted, focal=False)
        left.plot(response, weight, ls=style, label=f"target {target:g}")
    left.set(xlabel="response of the network", ylabel="weight W")
    left.legend()
    nothing = torch.zeros_like(response)
    for focal, colour, style in ((False, "#8c8c8c", ":"), (True, "#0072b2", "-")):
        label = "with W" if focal else "without W"
        right.plot(response, _cost(response, nothing, focal), color=colour, ls=style, label=label)
    right.set(xlabel="response in the background", ylabel="cost of a cell")
    right.legend()
    return figure


def _cost(response: torch.Tensor, target: torch.Tensor, focal: bool = True) -> torch.Tensor:
    """Return (N,) the heatmap loss of single cells."""
    cells = zip(response.view(-1, 1, 1, 1, 1), target.view(-1, 1, 1, 1, 1), strict=True)
    return torch.stack([heatmap_loss(p, t, focal=focal) for p, t in cells])
