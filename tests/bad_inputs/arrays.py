"""Arrays and settings that the library's functions refuse: what a caller's own model may give."""

from __future__ import annotations

import numpy as np
import torch
from synthetic import PAIR

from sparse_ae.decoding import decode, decode_batch
from sparse_ae.grouping import group
from sparse_ae.losses import grouping_loss, heatmap_loss, scale_loss
from sparse_ae.metrics import keypoint_ap
from sparse_ae.targets import heatmap_targets, person_scale

from . import Case

XY, SCORE, TAG = np.zeros((2, 3, 2)), np.full((2, 3), 0.5), np.zeros((2, 3, 1))
HEAT, TAGS = np.full((2, 4, 4), 0.5, np.float32), np.zeros((2, 1, 4, 4), np.float32)
NAN, INF = float("nan"), float("inf")


def grouped(xy=XY, score=SCORE, tag=TAG, order=(0, 1), **options):
    """An attempt to group candidates."""
    return lambda _: group(xy, score, tag, order, **options)


def decoded(heatmaps=HEAT, tags=TAGS, **options):
    """An attempt to decode maps."""
    return lambda _: decode(heatmaps, tags, PAIR, **options)


def changed(array, value):
    """A copy with another first value."""
    copy = array.copy()
    copy.flat[0] = value
    return copy


def average(**fields):
    """An attempt to score a detection with these fields."""
    truth = {"images": [{"id": 1}], "categories": [{"id": 1}], "annotations": [
        {"image_id": 1, "category_id": 1, "keypoints": [1, 1, 2] * 2, "bbox": [0, 0, 2, 2],
         "area": 4.0, "num_keypoints": 2}]}  # fmt: skip
    found = {"image_id": 1, "category_id": 1, "keypoints": [1, 1, 1] * 2, "score": 0.5} | fields
    return lambda _: keypoint_ap(truth, [found], PAIR)


SEEN = torch.ones(1, 2, 3, dtype=torch.bool)
EMBEDDED = torch.zeros(1, 2, 3, 4)
CASES = [
    Case("group: scores of one dimension", grouped(score=SCORE[0]), r"score: expected \(K, N\), g"),
    Case("group: other candidates", grouped(xy=XY[:1]), r"xy: expected \(2, 3, 2\) to go with sco"),
    Case("group: no dimension", grouped(tag=TAG[..., :0]), r"tag: expected \(2, 3, D\) .*at least"),
    Case("group: an order with gaps", grouped(order=(0, 2)), "order: expected each of the K = 2 j"),
    Case("group: another rule", grouped(rule="best"), "rule: expected one of released, higherhrne"),
    Case("group: a score of NaN", grouped(score=changed(SCORE, NAN)), "score: expected numbers, g"),
    Case("group: a score without end", grouped(score=changed(SCORE, INF)), "score: expected finit"),
    Case("group: tags of NaN", grouped(tag=changed(TAG, NAN)), "tag: expected finite candidates"),
    Case("group: tags beyond float32", grouped(tag=changed(TAG, 1e300)), "tag: expected finite ca"),
    Case("group: tags whose squares overflow", grouped(tag=changed(TAG, 1e30)),
         r"tag: expected numbers up to 1e\+15, got larger ones"),
    Case("group: places without end", grouped(xy=changed(XY, INF)), "xy: expected finite candidat"),
    Case("group: least score NaN", grouped(min_score=NAN), "min_score: expected a number from 0 o"),
    Case("group: no distance", grouped(tag_threshold=0), "tag_threshold: expected a positive numb"),
    Case("group: a distance without end", grouped(tag_threshold=INF), "tag_threshold: expected a "),
    Case("group: nobody", grouped(max_people=0), "max_people: expected a whole number from 1 on"),
    Case("group: NaN people", grouped(max_people=NAN), "max_people: expected a whole number from"),
    Case("decode: one map", decoded(HEAT[0]), r"heatmaps: expected \(K, H, W\), got shape \(4, 4"),
    Case("decode: no cell", decoded(HEAT[:, :0]), r"heatmaps: expected \(K, H, W\), got shape"),
    Case("decode: other joints", decoded(np.zeros((3, 4, 4))), "heatmaps: expected K = 2 joints,"),
    Case("decode: tags of another size", decoded(tags=TAGS[..., :3]), "tags: expected .* to go wi"),
    Case("decode: NaN in a heatmap", decoded(changed(HEAT, NAN)), "heatmaps: expected finite valu"),
    Case("decode: infinite tags", decoded(tags=changed(TAGS, -INF)), "tags: expected finite value"),
    Case("decode: tags that overflow", decoded(tags=TAGS + 1e30), r"tag: expected numbers up to 1"),
    Case("decode: an even window", decoded(nms=4), "nms: expected an odd number of cells, got 4"),
    Case("decode: a window without end", decoded(nms=INF), "nms: expected an odd number of cells"),
    Case("decode: NaN people", decoded(max_people=NAN), "max_people: expected a whole number from"),
    Case("decode: no threads", lambda _: decode_batch(HEAT[None], TAGS[None], PAIR, workers=0),
         "workers: expected a whole number from 1 on, got 0"),
    Case("loss: another form", lambda _: grouping_loss(EMBEDDED, SEEN, form="best"),
         "form: expected one of poster, released, got 'best'"),
    Case("loss: visible as numbers", lambda _: grouping_loss(EMBEDDED, SEEN.float()),
         r"visible: expected bool of \(1, 2, 3\) \(B, P, K\), got torch.float32"),
    Case("loss: a scale below 0", lambda _: scale_loss(EMBEDDED, SEEN, torch.full((1, 2), -1.0)),
         "scale: expected sqrt.box area. / image side, got a negative value"),
    Case("loss: a target of 2", lambda _: heatmap_loss(
        torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 2.0)), r"target: expected heatmaps in"),
    Case("targets: joints of NaN", lambda _: heatmap_targets(
        np.full((1, 2, 2), NAN), np.ones((1, 2), bool), 8), "joints: expected finite visible join"),
    Case("targets: no size", lambda _: heatmap_targets(XY[:, :2], np.ones((2, 2), bool), 0),
         "size: expected a positive int or"),
    Case("scale: a box below 0", lambda _: person_scale([[0, 0, -1, 5]], 64), "boxes: expected fi"),
    Case("AP: a score of NaN", average(score=NAN), "detections: expected a finite score, got nan"),
    Case("AP: too few joints", average(keypoints=[1, 1, 1]), "detections: expected 6 finite numbe"),
    Case("AP: an unknown image", average(image_id=7), "detections: image_id 7 is not in annotatio"),
]  # fmt: skip
