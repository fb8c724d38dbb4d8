"""Pictures and what is drawn over them: persons' skeletons and tints, a colour a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from sparse_ae.decoding.nms import oks_nms
from sparse_ae.skeleton import SKELETONS, Skeleton

# Paul Tol's "bright" and "muted" colours, which colour-blind readers can tell apart
PERSON_COLOURS = (
    "#ee6677", "#4477aa", "#ccbb44", "#228833", "#66ccee", "#aa3377", "#999933", "#332288",
    "#44aa99", "#882255",
)  # fmt: skip
LEAST = 0.25  # the score from which on a picture shows a person


def distinct(people: np.ndarray, alike: float = 0.3, least: float = LEAST) -> np.ndarray:
    """Return the people that a picture shows, best first; evaluation counts them all.

    Args:
        people: (M, K, 3) x, y, score of their joints; nan where there is nobody.
        alike: Object keypoint similarity from which on two are one (`decoding.nms.oks_nms`).
        least: People score at least so much, in the mean over their joints.

    Returns:
        (N, K, 3) of them.
    """
    people = np.asarray(people, float)
    people = people[(people[..., 2] > 0).any(1)]
    scores = people[..., 2].clip(min=0).mean(1)
    order = np.argsort(-scores, kind="stable")
    people = people[order[scores[order] >= least]]
    skeleton = next(s for s in SKELETONS.values() if len(s) == people.shape[1])
    return people[oks_nms(people, skeleton, alike)]


def draw_people(axis: Axes, people: np.ndarray) -> None:
    """Skeletons of persons (M, K, 3): x, y in pixels and a score. Joints that were not found, with
    score 0 or nan, are left out."""
    people = np.asarray(people, float)
    found = people[..., 2] > 0  # (M, K), False for nan too
    skeleton = next(s for s in SKELETONS.values() if len(s) == people.shape[1])
    outline = [patheffects.Stroke(linewidth=3.6, foreground="white"), patheffects.Normal()]
    for person, (joints, real) in enumerate(zip(people, found, strict=True)):
        colour = person_colour(person)
        for limb in skeleton.limbs:
            if real[list(limb)].all():
                axis.plot(*joints[list(limb), :2].T, color=colour, lw=2, path_effects=outline)
        axis.scatter(*joints[real, :2].T, s=11, color=colour, edgecolors="white", linewidths=0.5,
                     zorder=3)  # fmt: skip


def draw_skeleton(
    axis: Axes, joints, skeleton: Skeleton, colours: Sequence[str | None], *, width: float = 3.0,
    alone: bool = True,
) -> None:  # fmt: skip
    """One person (K, 3), large, a colour a joint, None for one that is of no concern.

    Limbs have the colour of their two joints, and are dark and dashed between two colours. What
    is of no concern is thin and grey if the person is `alone`, else left out, and so is the white
    edge by which limbs stand out. Joints of score 0 or nan are left out.
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


def show_scene(axis: Axes, scene, strength: float = 0.5) -> None:
    """A scene with every person's visible part tinted in the person's colour."""
    image = np.asarray(scene.image, float) / 255
    for person in range(len(scene.keypoints)):
        seen = scene.masks == person
        image[seen] = (1 - strength) * image[seen] + strength * np.array(
            to_rgb(person_colour(person))
        )
    show_image(axis, image)


def show_image(axis: Axes, image: np.ndarray) -> None:
    """A picture without axes."""
    axis.imshow(image, interpolation="bicubic")
    axis.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
    axis.axis("off")


def person_colour(person: int) -> str:
    """The colour of person number `person` of a scene."""
    return PERSON_COLOURS[person % len(PERSON_COLOURS)]
