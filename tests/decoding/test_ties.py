"""Of equal peaks the first in reading order counts: in the host's memory and on an accelerator."""

import numpy as np
import pytest
import torch
from synthetic import PAIR

from sparse_ae.decoding import decode_batch, device_maps, host_maps
from sparse_ae.decoding import people as module

DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]


def on_the_host(heatmaps, count):
    maxima = host_maps.run_maxima(heatmaps)
    return host_maps.peaks(heatmaps, maxima, np.float32(0.1), 1, count)[0]


def on_a_device(heatmaps, count, device):
    """What the code for an accelerator finds; positions are within their cell."""
    maps = torch.from_numpy(heatmaps)[None].to(device)
    found, _ = device_maps.candidates(maps, torch.zeros_like(maps)[:, :, None], 0.1, 1, count)
    return found[0, :, :, :2].floor().long().numpy()


@pytest.mark.parametrize("device", DEVICES)
def test_a_map_of_one_value_by_hand(device):
    """Every cell is a peak: those of the first row and the begin of the second count."""
    heatmaps = np.full((2, 40, 50), 0.5, np.float32)
    expected = [[x, 0] for x in range(50)] + [[x, 1] for x in range(7)]
    for found in (on_the_host(heatmaps, 57), on_a_device(heatmaps, 57, device)):
        assert found.tolist() == [expected, expected]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(20))
def test_equal_peaks_keep_their_order(seed, device):
    """More equal peaks than are taken: which ones are left out is told by their place alone."""
    generator = np.random.default_rng(seed)
    heatmaps = generator.choice(np.float32([0, 0, 0.25, 0.5, 0.75]), (3, 64, 80))
    found = on_the_host(heatmaps, 30)
    np.testing.assert_array_equal(on_a_device(heatmaps, 30, device), found)
    cells = found[..., 1] * 80 + found[..., 0]
    scores = np.take_along_axis(heatmaps.reshape(3, -1), cells, 1)
    assert (np.diff(scores) <= 0).all()
    assert (np.diff(cells)[np.diff(scores) == 0] > 0).all()


@pytest.mark.parametrize("device", DEVICES)
def test_persons_of_equal_peaks_are_the_same_everywhere(device, monkeypatch):
    generator = np.random.default_rng(0)
    heatmaps = generator.choice(np.float32([0, 0, 0, 0.3, 0.6]), (4, 2, 48, 48))
    tags = generator.integers(0, 3, (4, 2, 2, 48, 48)).astype(np.float32)
    expected = decode_batch(heatmaps, tags, PAIR, max_people=9)
    monkeypatch.setattr(module, "_on_device", lambda _: True)
    maps = (torch.from_numpy(part).to(device) for part in (heatmaps, tags))
    for one, other in zip(decode_batch(*maps, PAIR, max_people=9), expected, strict=True):
        for part, another in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, another)
