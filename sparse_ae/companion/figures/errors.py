"""The worst images of each kind of failure, each with one failure drawn alone and large.

These figures colour single joints by their owner. The OpenCV drawing of people has one colour per
person and cannot do that, so Matplotlib draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sparse_ae.companion.figures.scenes import (
    crowd_tested_on,
    enlarge_points,
    sharp_scene,
    show_image,
)
from sparse_ae.companion.tables.formatting import METHOD_LABELS
from sparse_ae.crowds import render_scene
from sparse_ae.metrics.errors import KINDS, ErrorCase, find_errors, owners
from sparse_ae.skeleton import Skeleton, get_skeleton

PAIR = ("#0077bb", "#ee7733")  # Paul Tol's "vibrant" blue and orange, distinct for everybody
OTHERS = "#aa3377"  # for third persons
TINT = "#ddcc77"  # for a true person, where colours stand for decoded ones
FAINT = 0.35  # contrast of the picture where nobody is involved
WIDTHS = (7.0, 3.0)  # of the limbs of the first person, and of the second one drawn over it
LEAST_SIDE = 0.3  # least share of the picture's side that a panel shows


def runs_with_failures(
    records: Sequence[dict], arrays: Mapping, methods: Sequence[str]
) -> list[tuple[dict, Mapping]]:
    """Return the first run of each method whose record counts failures, as (record, arrays)."""
    found = []
    for method in methods:
        runs = [record for record in records if record["method"] == method
                and "failure_counts" in arrays[method, record["seed"]]]  # fmt: skip
        if runs:
            found.append((runs[0], arrays[method, runs[0]["seed"]]))
    return found


def gallery_figure(
    runs: Sequence[tuple[Mapping, Mapping]], kinds: Sequence[str], place: int = 0
) -> Figure:
    """Show the image of each run in which a kind of failure happened most, one row per kind.

    Only the failure whose decoded person scores highest is drawn (`draw_case`); for "missed", all
    are drawn (`draw_missed`). The rest of the picture is grey and faint.

    Args:
        runs: (record, arrays) pairs, one column each.
        kinds: Some of `errors.KINDS`, one row each.
        place: 0 for the worst image, 1 for the second worst.

    Raises:
        ValueError: For an unknown kind.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    figure, axes = plt.subplots(len(kinds), max(1, len(runs)), squeeze=False, layout="constrained",
                                figsize=(3.9 * max(1, len(runs)), 4.3 * len(kinds)))  # fmt: skip
    for axis in axes.flat:
        axis.axis("off")
    for row, kind in zip(axes, kinds, strict=True):
        for axis, (record, arrays) in zip(row, runs, strict=False):
            _worst_image(axis, record, arrays, kind, place)
    return figure


def _worst_image(axis: Axes, record: Mapping, arrays: Mapping, kind: str, place: int) -> None:
    """Draw one panel of the gallery."""
    row = KINDS.index(kind)
    image = int(arrays["failure_index"][row, place])
    if image < 0:
        axis.set_title(f"{METHOD_LABELS[record['method']]}\nnever {kind}", fontsize=10)
        return
    crowd = crowd_tested_on(record)
    scene, (large, factor) = render_scene(crowd, image), sharp_scene(crowd, image)
    people = np.asarray(arrays["failure_people"][row, place], float)
    people = people[np.isfinite(people).all(axis=(1, 2))]
    skeleton = get_skeleton(crowd.skeleton)
    found = find_errors(people, scene.keypoints, scene.areas, skeleton)[kind]
    if kind == "missed":
        draw_missed(axis, large, [case.true[0] for case in found])
    else:
        whose = owners(people, scene.keypoints, scene.areas, skeleton)
        case, people = most_confident(found, people), enlarge_points(people, factor)
        draw_case(axis, large, people, whose, case, kind, skeleton)
    count, persons = int(arrays["failure_counts"][image, row]), int(arrays["persons"][image])
    axis.set_title(f"{METHOD_LABELS[record['method']]}\nscene {image}, {persons} people: "
                   f"{count} × {kind}", fontsize=10)  # fmt: skip


def most_confident(found: Sequence[ErrorCase], people: np.ndarray) -> ErrorCase:
    """Return the failure whose decoded person scores highest.

    Args:
        found: The failures; the failing person is the last of its decoded ones.
        people: (M, K, 3); a person's score is the mean over its joints.

    Returns:
        The first of equals; an empty case if there are no failures.
    """
    scores = [people[case.decoded[-1], :, 2].mean() for case in found]
    return found[int(np.argmax(scores))] if found else ErrorCase((), ())


def draw_case(
    axis: Axes, scene, people: np.ndarray, whose: np.ndarray, case: ErrorCase, kind: str,
    skeleton: Skeleton,
) -> None:  # fmt: skip
    """Draw one failure, with the picture cut to the people involved.

    For "split" and "twice", the true person is tinted, and the joints of it that each of the two
    decoded people has are drawn in a colour, thick for the one that has more. For "merged" and
    "swapped", each true person is tinted in a colour, and the joints of the decoded person have
    their owners' colours. Limbs between two owners are dashed, limbs to a joint of nobody are thin.

    Args:
        axis: Axes to draw on.
        scene: Scene from `render_scene`.
        people: (M, K, 3) the decoded people.
        whose: (M, K) the true person of every joint, from `errors.owners`.
        case: The failure.
        kind: Its kind.
        skeleton: The K joints.
    """
    apart = kind in ("split", "twice")
    colours = dict(zip(case.true, (*PAIR, *[OTHERS] * len(case.true)), strict=False))
    show_image(axis, tinted(scene, dict.fromkeys(case.true, TINT) if apart else colours))
    low, size = np.split(scene.boxes[list(case.true)], 2, axis=1)
    corners = [low, low + size]
    for number, person in enumerate(case.decoded):
        mine = np.isin(whose[person], case.true)
        shown = [colours.get(int(owner)) for owner in whose[person]]
        if apart:
            shown = [PAIR[number] if real else None for real in mine]
        draw_skeleton(axis, people[person], skeleton, shown, alone=not apart,
                      width=WIDTHS[number] if apart else 3.2)  # fmt: skip
        corners.append(people[person, mine, :2])
    if case.true:
        cut(axis, np.concatenate(corners), scene.image.shape[0])


def draw_missed(axis: Axes, scene, persons: Sequence[int]) -> None:
    """Show the whole picture, with these persons tinted and their visible part outlined."""
    show_image(axis, tinted(scene, dict.fromkeys(persons, PAIR[1])))
    for person in persons:
        seen = scene.masks == person
        if seen.any():
            axis.contour(seen, levels=[0.5], colors=["#000000"], linewidths=1.0)


def tinted(scene, colours: Mapping[int, str], strength: float = 0.45) -> np.ndarray:
    """Return a grey, faint picture in which the visible parts of some persons are tinted.

    Args:
        scene: Scene from `render_scene`.
        colours: Colour per person.
        strength: Strength of the tint, from 0 to 1.

    Returns:
        (S, S, 3) float, from 0 to 1.
    """
    image = np.asarray(scene.image, float) / 255
    grey = image.mean(axis=2, keepdims=True)
    shown = np.repeat(1 - FAINT * (1 - grey), 3, axis=2)
    for person, colour in colours.items():
        seen = scene.masks == person
        light = 0.4 + 0.6 * grey[seen]
        shown[seen] = (1 - strength) * light + strength * np.array(to_rgb(colour))
    return shown


def cut(axis: Axes, points: np.ndarray, side: int) -> None:
    """Show the square around points (n, 2), with a margin, within a picture of this side."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = min(max(0.56 * (high - low).max(), LEAST_SIDE * side / 2), side / 2)
    middle = np.clip((low + high) / 2, half - 0.5, side - half - 0.5)
    axis.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] + half, middle[1] - half))


def draw_skeleton(
    axis: Axes, joints, skeleton: Skeleton, colours: Sequence[str | None], *, width: float = 3.0,
    alone: bool = True,
) -> None:  # fmt: skip
    """Draw one person, large, with a colour per joint.

    A limb has the colour of its two joints; between two colours it is dark and dashed. Joints of
    score 0 or nan are left out.

    Args:
        axis: Axes to draw on.
        joints: (K, 3) x, y and score.
        skeleton: The K joints.
        colours: K colours; None for an irrelevant joint.
        width: Width of limbs, in points.
        alone: Whether irrelevant limbs are drawn, thin and grey, and others have a white edge.
    """
    joints = np.asarray(joints, float)
    real = joints[:, 2] > 0
    white = patheffects.Stroke(linewidth=width + 2, foreground="white")
    for a, b in skeleton.limbs:
        style = {"color": colours[a], "lw": width}
        if None in (colours[a], colours[b]):
            style = {"color": "#555555", "lw": 0.8}
        elif colours[a] != colours[b]:
            style = {"color": "#222222", "lw": width, "ls": (0, (1.5, 1))}
        known = None not in (colours[a], colours[b])
        if real[[a, b]].all() and (known or alone):
            edge = [white, patheffects.Normal()] if known and alone else []
            axis.plot(*joints[[a, b], :2].T, path_effects=edge, **style)
    for joint in np.flatnonzero(real):
        if colours[joint] is not None:
            axis.scatter(*joints[joint, :2], s=14 * width, color=colours[joint], zorder=3,
                         edgecolors="black", linewidths=0.8)  # fmt: skip
