"""What sparse_ae is measured against: the same results from plain loops, easy to check by eye.

They take one person and joint at a time, as the published codebases do, and with their choices of
library calls: torch for windows, whole maps and gradients, NumPy for a whole map, SciPy for an
assignment (theirs is slower). Refinement looks only for the joints that a person lacks, as the
released code does, not for all, as HigherHRNet does. tests/benchmarks/test_reference.py compares
every function with the library.

B images, P persons, K joints, D embedding dimensions, H×W cells.
"""

from __future__ import annotations

import contextlib
import copy
import io

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment


def embedding_loss(tag_maps, joints, visible, *, at_once=False):
    """Compute pull and push of the released form, each the mean over the images.

    tag_maps: (B, K, D, H, W); joints: (B, P, K, 2); visible: (B, P, K). at_once: read a person's
    tags from the maps in one go, not joint by joint as HigherHRNet does.
    """
    pulls, pushes = [], []
    for b in range(len(tag_maps)):
        joint_count, dim, height, width = tag_maps[b].shape
        tags = tag_maps[b].permute(0, 2, 3, 1).reshape(-1, dim)  # (K·H·W, D)
        means, pull = [], 0.0
        for p in range(joints.shape[1]):
            cells = []
            for k in range(joint_count):
                if visible[b, p, k]:
                    x, y = int(joints[b, p, k, 0]), int(joints[b, p, k, 1])
                    cells.append((k * height + y) * width + x)
            if not cells:
                continue
            own = tags[cells] if at_once else torch.stack([tags[cell] for cell in cells])
            mean = own.mean(0)
            means.append(mean)
            pull = pull + (own - mean).square().sum(1).mean()
        push = torch.zeros(())
        if len(means) > 1:
            means = torch.stack(means)
            gap = (means[:, None] - means[None]).square().sum(2)
            push = 0.5 * (torch.exp(-gap).sum() - len(means)) / (len(means) * (len(means) - 1))
        pulls.append(pull / max(len(means), 1))
        pushes.append(push)
    return sum(pulls) / len(pulls), sum(pushes) / len(pushes)


def heatmap_loss(pred, target, scale=None, *, beta=0.55, focal=True, mask=None):
    """Compute L_r of maps (B, K, H, W), every cell by the same formula; mask: (B, H, W)."""
    pred = pred.float()
    if scale is not None:
        target = target ** (beta / scale) ** 2
    loss = (pred - target) ** 2
    if focal:
        share = (1 - target.log()) ** -0.01  # 0 where the target is
        loss = loss * (share * (1 - pred).abs() + (1 - share) * pred.abs())
    if mask is not None:
        loss = loss * mask[:, None].expand_as(loss)
    return loss.mean()


def scale_from_tags(tag_maps):
    """Average bin centres, weighted by the magnitudes of tags (B, K, D, H, W); none of them 0."""
    magnitude = tag_maps.detach().float().abs()
    weight = magnitude / magnitude.sum(2, keepdim=True)
    centres = (torch.arange(tag_maps.shape[2]) + 0.5) / tag_maps.shape[2]
    return (weight * centres[:, None, None]).sum(2)


def swahr_losses(pred, target, scale):
    """Compute SWAHR's losses of maps (B, K, H, W), every cell by the same formula."""
    drawn = (target > 0).float()
    log = torch.where(target > 0, target, torch.ones_like(target)).log()
    turn = scale * log
    share = target**0.01
    weight = share * (1 - pred).abs() + (1 - share) * pred.abs()
    adapted = target * (1 + turn + 0.5 * turn**2)
    return (weight * (pred - adapted) ** 2).mean(), (drawn * scale**2).mean()


def heatmap_targets(joints, visible, size, sigma=2):
    """Draw (K, size, size) heatmaps of joints (P, K, 2), visible (P, K)."""
    reach = 3 * sigma + 1
    x = np.arange(2 * reach + 1, dtype=float)
    y = x[:, None]
    patch = np.exp(-((x - reach) ** 2 + (y - reach) ** 2) / (2 * sigma**2))
    heatmaps = np.zeros((joints.shape[1], size, size), np.float32)
    for p in range(len(joints)):
        for k in range(joints.shape[1]):
            if not visible[p, k]:
                continue
            x, y = int(joints[p, k, 0]), int(joints[p, k, 1])
            if x < 0 or y < 0 or x >= size or y >= size:
                continue
            left, top = int(np.round(x - 3 * sigma - 1)), int(np.round(y - 3 * sigma - 1))
            right, bottom = int(np.round(x + 3 * sigma + 2)), int(np.round(y + 3 * sigma + 2))
            rows = slice(max(0, top), min(bottom, size))
            columns = slice(max(0, left), min(right, size))
            part = patch[
                max(0, -top) : min(bottom, size) - top, max(0, -left) : min(right, size) - left
            ]
            heatmaps[k, rows, columns] = np.maximum(heatmaps[k, rows, columns], part)
    return heatmaps


def peaks(heatmaps, tags, min_score=0.1, nms=5, count=30):
    """Return each joint's candidates, a list of K lists of (x, y, score, tag)."""
    maps = torch.from_numpy(heatmaps)
    around = F.max_pool2d(maps[None], nms, stride=1, padding=nms // 2)[0]
    score, cell = (maps * (maps == around)).flatten(1).topk(count, dim=1)
    width = heatmaps.shape[2]
    found = []
    for k in range(len(heatmaps)):
        joint = []
        for value, place in zip(score[k].tolist(), cell[k].tolist(), strict=True):
            if np.float32(value) > np.float32(min_score):
                y, x = divmod(place, width)
                joint.append((x, y, np.float32(value), tags[k, :, y, x]))
        found.append(joint)
    return found


def group(candidates, order, tag_threshold=1.0):
    """Group by the released rule; return a list of dictionaries, joint → (x, y, score, tag)."""
    persons = []
    for joint in order:
        found = candidates[joint]
        if not found:
            continue
        if not persons:
            persons = [{joint: candidate} for candidate in found]
            continue
        means = [sum(part[3] for part in one.values()) / len(one) for one in persons]
        cost = np.full((len(found), max(len(found), len(persons))), 1e5, np.float32)
        distance = np.full(cost.shape, np.inf, np.float32)
        for row, (_, _, score, tag) in enumerate(found):
            for column, mean in enumerate(means):
                distance[row, column] = np.sqrt(((tag - mean) ** 2).sum())
                rounded = np.round(distance[row, column] / np.float32(tag_threshold))
                if rounded <= 1:
                    cost[row, column] = rounded - score
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            if distance[row, column] <= tag_threshold:
                persons[column][joint] = found[row]
            else:
                persons.append({joint: found[row]})
    return persons


def refine(person, heatmaps, tags):
    """Add each joint that a person lacks from the whole map; return the person's mean tag."""
    mean = np.mean([part[3] for part in person.values()], axis=0)
    missing = [k for k in range(len(heatmaps)) if k not in person]
    for k in missing:
        distance = np.sqrt(((tags[k] - mean[:, None, None]) ** 2).sum(axis=0))
        y, x = np.unravel_index(np.argmax(heatmaps[k] - np.round(distance)), distance.shape)
        person[k] = (x, y, heatmaps[k, y, x], tags[k, :, y, x])
    return mean


def adjust(x, y, heatmap):
    """Return the point a quarter cell off the cell's centre, towards the higher neighbours."""
    height, width = heatmap.shape
    right = heatmap[y, min(x + 1, width - 1)] > heatmap[y, max(x - 1, 0)]
    below = heatmap[min(y + 1, height - 1), x] > heatmap[max(y - 1, 0), x]
    return x + (0.75 if right else 0.25), y + (0.75 if below else 0.25)


def decode(heatmaps, tags, order):
    """Decode maps (K, H, W), (K, D, H, W) to keypoints (P, K, 3), scores (P,), mean tags (P, D)."""
    persons = group(peaks(heatmaps, tags), order)
    keypoints = np.zeros((len(persons), len(heatmaps), 3), np.float32)
    scores = np.zeros(len(persons), np.float32)
    means = np.zeros((len(persons), tags.shape[1]), np.float32)
    for p, person in enumerate(persons):
        for _, _, score, _ in person.values():
            scores[p] += score / len(heatmaps)
        means[p] = refine(person, heatmaps, tags)
        for k, (x, y, score, _) in person.items():
            keypoints[p, k] = (*adjust(x, y, heatmaps[k]), score)
    return keypoints, scores, means


def coco_evaluation(annotations, found, sigmas):
    """Return a function that evaluates detections as CrowdPose does, with faster-coco-eval.

    Returns None if that is not installed.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError:
        return None

    def evaluate():
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(copy.copy(annotations))
            evaluation = COCOeval_faster(
                truth, truth.loadRes(found), "keypoints_crowd", print_function=lambda *_: None
            )
            evaluation.params.kpt_oks_sigmas = np.array(sigmas)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()

    return evaluate
