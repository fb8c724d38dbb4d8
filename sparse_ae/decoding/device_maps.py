"""Find peaks and best cells in maps on an accelerator, in torch: the maps stay there.

This is the counterpart of host_maps, with the same results. Only a few numbers are copied to the
host. Shapes: B images, K joints, D embedding dimensions, H×W cells, N candidates per joint.
Positions are those that `decode` gives: a quarter of a cell from the centre of a cell, (x + 0.5, y
+ 0.5), towards the higher neighbours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 32  # joints whose best cells are searched at once, each in a map of its own


def candidates(
    heatmaps: Tensor, tags: Tensor, min_score: float, radius: int, count: int
) -> tuple[Tensor, Tensor]:
    """Find the `count` highest peaks of each joint, with their tags.

    torch's topk leaves open which of equal values it takes. Here no two are equal, because each
    cell's value is followed by its position: of equal peaks, the first in reading order comes
    first.

    Args:
        heatmaps: (B, K, H, W) float32.
        tags: (B, K, D, H, W) float32.
        min_score: a peak is above it.
        radius: no cell within so many cells of a peak is higher.
        count: number of peaks to find, N.

    Returns:
        (B, K, N, 3 + D) x, y, score, tag, with a score of 0 where there are fewer; and (2,) bool,
        whether heatmaps and tags are finite. Both are in host memory, after a single copy.
    """
    images, joints, _, width = heatmaps.shape
    around = F.max_pool2d(heatmaps, 2 * radius + 1, stride=1, padding=radius)
    is_peak = (heatmaps == around) & (heatmaps > min_score)
    score = torch.where(is_peak, heatmaps, 0.0).flatten(2)  # (B, K, H·W)
    cells = score.shape[2]
    # the bits of positive floats sort as the floats do; in the low bits an earlier cell is larger
    place = cells - 1 - torch.arange(cells, device=score.device)
    key = (score.contiguous().view(torch.int32).long() << 32) + place
    cell = cells - 1 - (key.topk(min(count, cells), dim=2).values & 0xFFFFFFFF)  # (B, K, N)
    score = score.gather(2, cell)
    tag = tags.flatten(3).gather(3, cell[:, :, None].expand(-1, -1, tags.shape[2], -1))
    found = torch.cat([_place(heatmaps, cell, width), score[..., None], tag.transpose(2, 3)], 3)
    finite = torch.stack([torch.isfinite(heatmaps).all(), torch.isfinite(tags).all()])
    crossing = torch.cat([found.flatten(), finite.float()]).cpu()
    return crossing[:-2].view(images, joints, -1, found.shape[3]), crossing[-2:] > 0


def best_cells(
    heatmaps: Tensor, tags: Tensor, image: Tensor, joint: Tensor, mean: Tensor
) -> Tensor:
    """Find the cells in which n joints best fit their persons' mean tags.

    Args:
        heatmaps: (B, K, H, W) float32.
        tags: (B, K, D, H, W) float32.
        image, joint: (n,) indices, in host memory.
        mean: (n, D) mean tags, in host memory.

    Returns:
        (n, 3) x, y and the heatmap's value in the cell with the largest heatmap − round(‖tag −
        mean‖), or the first such cell in reading order. In host memory, after a single copy.
    """
    device, width = heatmaps.device, heatmaps.shape[3]
    image, joint, mean = (part.to(device) for part in (image, joint, mean))
    found = []
    for b, k, m in zip(*(part.split(CHUNK) for part in (image, joint, mean)), strict=True):
        distance = torch.zeros((), device=device)
        for d in range(tags.shape[2]):  # one at a time: no (n, D, H, W) is held
            difference = tags[b, k, d] - m[:, d, None, None]  # (n, H, W)
            distance = distance + difference * difference
        value = heatmaps[b, k] - distance.sqrt().round()
        cell = value.flatten(1).argmax(1)  # the first of equal ones
        maps = heatmaps[b, k][:, None]  # (n, 1, H, W)
        score = maps.flatten(1).gather(1, cell[:, None])
        found.append(torch.cat([_place(maps, cell[:, None, None], width)[:, 0, 0], score], 1))
    return torch.cat(found).cpu()


def _place(heatmaps: Tensor, cell: Tensor, width: int) -> Tensor:
    """Return the positions (B, K, N, 2) of cells (B, K, N) of the maps (B, K, H, W).

    At the border, the cell itself replaces the missing neighbour.
    """
    height = heatmaps.shape[2]
    flat = heatmaps.flatten(2)
    y, x = cell // width, cell % width

    def at(row, column):
        row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
        return flat.gather(2, row * width + column)

    right = at(y, x + 1) > at(y, x - 1)
    below = at(y + 1, x) > at(y - 1, x)
    return torch.stack([x + 0.25 + 0.5 * right, y + 0.25 + 0.5 * below], 3)
