"""Fit the expected first share of isotropic people: python benchmarks/null_share.py

It simulates many kinds of crowds and fits a small net to their shares, which it writes into
sparse_ae/metrics/null_fit.json. Both together take about ten minutes on one core. The fit is
tested on crowds that the net has not seen.
"""

from __future__ import annotations

import argparse
import json
from math import atan, exp, pi, sin
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from sparse_ae.metrics.null_fit import (
    MOST_DIMS,
    MOST_JOINTS,
    MOST_PERSONS,
    WEIGHTS,
    bracket,
    is_fitted,
)
from sparse_ae.metrics.null_share import simulated_shares

UNITS = 16
# rounds of descent, and the standard error below which all crowds weigh the same
STAGES = ((3000, 1e-3), (6000, 4e-4))
CHUNK = 150  # rounds between two reports of the loss


class Crowd(NamedTuple):
    """A kind of crowd.

    Attributes:
        counts: visible joints of each person.
        dim: dimensions of an embedding.
        angle: atan(sqrt(W / B)), from the spreads within and between persons.
    """

    counts: tuple[int, ...]
    dim: int
    angle: float


def draw_crowd(generator: np.random.Generator) -> Crowd:
    """Draw equal or unequal numbers of joints, and spreads of all sizes, favouring small ones."""
    persons = generator.integers(1, MOST_PERSONS + 1)
    dim = generator.integers(2, MOST_DIMS + 1)
    low, high = sorted(generator.integers(1, MOST_JOINTS + 1, 2))
    kind = generator.random()
    if kind < 0.3:
        counts = [int(generator.integers(1, MOST_JOINTS + 1))] * persons
    elif kind < 0.9:
        counts = generator.integers(low, high + 1, persons)
    else:
        counts = generator.choice([low, high], persons)
    if persons == 1:
        return Crowd((int(counts[0]),), int(dim), pi / 2)
    angle = generator.random() * pi / 2
    if generator.random() < 0.5:
        angle = atan(exp(generator.uniform(-4, 1.5)))
    return Crowd(tuple(sorted(map(int, counts))), int(dim), angle)


def simulate(crowds: int, draws: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return the net's inputs (n, 7), and bounds, simulated shares and standard errors (n,)."""
    generator, rows = np.random.default_rng(seed), []
    while len(rows) < crowds:
        crowd = draw_crowd(generator)
        if is_fitted(crowd.counts, crowd.dim):
            shares = simulated_shares(*crowd, draws, generator)
            low, high, inputs = bracket(crowd.counts, crowd.dim, sin(crowd.angle) ** 2,
                                        1 - sin(crowd.angle) ** 2)  # fmt: skip
            rows.append((inputs, low, high, shares.mean(), shares.std() / draws**0.5))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def fit(inputs, low, high, share, error) -> torch.nn.Sequential:
    """Fit the net by weighted least squares of the share, with a small penalty on its weights."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(inputs.shape[1], UNITS), torch.nn.Tanh(), torch.nn.Linear(UNITS, UNITS),
        torch.nn.Tanh(), torch.nn.Linear(UNITS, 1)).double()  # fmt: skip
    inputs, low, high, share, error = map(torch.from_numpy, (inputs, low, high, share, error))
    for rounds, least in STAGES:
        optimizer = torch.optim.LBFGS(net.parameters(), max_iter=CHUNK, history_size=100,
                                      tolerance_grad=1e-10, tolerance_change=1e-14,
                                      line_search_fn="strong_wolfe")  # fmt: skip

        def loss(optimizer=optimizer, weight=1 / (error**2 + least**2)):
            optimizer.zero_grad()
            off = low + (high - low) * net(inputs)[:, 0] - share
            decay = sum(values.square().sum() for values in net.parameters())
            value = (weight * off.square()).mean() + 1e-6 * decay
            value.backward()
            return value

        for done in range(0, rounds, CHUNK):
            print(f"round {done}: {optimizer.step(loss).item():.4f}")
    return net


def errors(net, inputs, low, high, share, _error) -> np.ndarray:
    """Return (n,) how far the fitted shares are from the simulated ones."""
    with torch.no_grad():
        between = net(torch.from_numpy(inputs))[:, 0].numpy()
    return low + (high - low) * between - share


def main():
    """Simulate, fit, test and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crowds", type=int, default=4000, help="kinds of crowds to learn from")
    parser.add_argument("--draws", type=int, default=4000, help="images of each")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="JSON file to write")
    options = parser.parse_args()
    net = fit(*simulate(options.crowds, options.draws, 1))
    unseen = errors(net, *simulate(max(options.crowds // 10, 1), 4 * options.draws, 2))
    print(f"crowds not seen: RMS error {np.sqrt((unseen**2).mean()):.4f}, "
          f"largest {np.abs(unseen).max():.4f}, the simulation's own included")  # fmt: skip
    layers = [[[[float(f"{v:.7g}") for v in row] for row in part.weight.tolist()],
               [float(f"{v:.7g}") for v in part.bias.tolist()]] for part in net[::2]]  # fmt: skip
    made = f"python benchmarks/null_share.py --crowds {options.crowds} --draws {options.draws}"
    options.out.write_text(json.dumps({"made_by": made, "layers": layers}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
