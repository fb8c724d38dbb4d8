"""Scenes as pictures: plain, with persons tinted, or with the people that a net decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sparse_ae.companion.figures.style import person_colour
from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.decoding.nms import oks_nms
from sparse_ae.evaluation.drawing import draw_people
from sparse_ae.metrics import HARD
from sparse_ae.skeleton import Skeleton, get_skeleton

LEAST = 0.25  # the score from which on a picture shows a person
ENLARGED = 512  # least side, in pixels, of a picture that skeletons are drawn on


def show_scene(axis: Axes, scene, strength: float = 0.5) -> None:
    """Show a scene with every person's visible part tinted in the person's colour.

    Args:
        axis: Where.
        scene: Of `render_scene`.
        strength: Of the tint, from 0 to 1.
    """
    image = np.asarray(scene.image, float) / 255
    for person in range(len(scene.keypoints)):
        seen = scene.masks == person
        image[seen] = (1 - strength) * image[seen] + strength * np.array(
            to_rgb(person_colour(person))
        )
    show_image(axis, image)


def show_image(axis: Axes, image: np.ndarray, *, interpolation: str = "bicubic") -> None:
    """Show a picture (H, W, 3) without axes."""
    axis.imshow(image, interpolation=interpolation)
    axis.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
    axis.axis("off")


def shows_crowds(record: Mapping) -> bool:
    """Return whether a run's test images are crowds, which can be rendered anew; photos cannot."""
    return "test_crowd" in record["data"]


def example_scene(record: Mapping, arrays: Mapping, example: int):
    """Render the test scene of a run's example number `example` anew.

    ValueError for a run on photos (`shows_crowds`).
    """
    if not shows_crowds(record):
        raise ValueError(f"preset {record['preset']}: tested on photos, and only the scenes of "
                         "crowds can be drawn anew")  # fmt: skip
    crowd = CrowdConfig(**record["data"]["test_crowd"])
    return render_scene(crowd, int(arrays["example_id"][example]))


def crowded_example(arrays: Mapping) -> int:
    """Return the first example that is hard and has at least four persons; else the most crowded.

    Figures of a single scene show this one: it is chosen by the scene, not by what came out.
    """
    crowding = arrays["crowd_index"][arrays["example_id"]]
    hard = (crowding >= HARD) & (arrays["persons"][arrays["example_id"]] >= 4)
    return int(np.argmax(hard if hard.any() else crowding))


def crowd_sheet_figure(scenes: Sequence, columns: int = 4) -> Figure:
    """Show scenes side by side with their number of persons and crowd index."""
    rows = -(-len(scenes) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.4 * columns, 2.65 * rows),
                                layout="constrained", squeeze=False)  # fmt: skip
    for axis in axes.flat:
        axis.axis("off")
    for axis, scene in zip(axes.flat, scenes, strict=False):
        show_image(axis, scene.image)
        persons = len(scene.keypoints)
        axis.set_title(f"{persons} person{'s' if persons != 1 else ''}, index "
                       f"{scene.crowd_index:.2f}", fontsize=9)  # fmt: skip
    return figure


def people_to_show(
    people: np.ndarray, skeleton: Skeleton, *, threshold: float = 0.3, least: float = LEAST
) -> np.ndarray:
    """Choose the decoded people that a picture shows; average precision counts all of them.

    Args:
        people: (M, K, 3) x, y and score of every joint; nan where there is nobody.
        skeleton: The K joints.
        threshold: Object keypoint similarity from which on two people are one (`oks_nms`).
        least: Lowest score of a person, the mean over its joints, that is shown.

    Returns:
        (N, K, 3) the chosen ones, the best first.
    """
    people = np.asarray(people, float)
    people = people[(people[..., 2] > 0).any(1)]
    scores = people[..., 2].clip(min=0).mean(1)
    order = np.argsort(-scores, kind="stable")
    people = people[order[scores[order] >= least]]
    return people[oks_nms(people, skeleton, threshold)]


def draw_enlarged(image: np.ndarray, people: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Draw people over an enlarged copy of a small picture, where lines stay sharp.

    Args:
        image: (H, W, 3) uint8, RGB.
        people: (M, K, 3) x and y in pixels of `image`, and score.
        skeleton: The K joints.

    Returns:
        (F H, F W, 3) uint8, F the smallest integer with which the shorter side reaches ENLARGED.
    """
    factor = -(-ENLARGED // min(image.shape[:2]))
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    moved = np.array(people, float)
    moved[..., :2] = factor * moved[..., :2] + (factor - 1) / 2  # pixel centres stay centres
    return draw_people(large, moved, skeleton)


def example_people_figure(record: Mapping, arrays: Mapping, count: int = 4) -> Figure:
    """Draw the first example scenes of a run with the people that it decoded there.

    Args:
        record: Of the run.
        arrays: Of the run.
        count: Largest number of scenes.

    Returns:
        A panel per scene, side by side; `people_to_show` chooses the people.
    """
    skeleton = get_skeleton(record["settings"]["data"]["skeleton"])
    examples = range(min(count, len(arrays["example_id"])))
    images = [example_scene(record, arrays, example).image for example in examples]
    people = [people_to_show(arrays["example_people"][e], skeleton) for e in examples]
    return people_figure(images, people, skeleton)


def people_figure(
    images: Sequence[np.ndarray], people: Sequence[np.ndarray], skeleton: Skeleton
) -> Figure:
    """Show pictures (H, W, 3) side by side, each with its people (M, K, 3), a colour per person."""
    figure, axes = plt.subplots(1, len(images), figsize=(3.6 * len(images), 3.6),
                                layout="constrained", squeeze=False)  # fmt: skip
    for axis, image, found in zip(axes[0], images, people, strict=True):
        # "none": an SVG file keeps every pixel, and a browser may enlarge it
        show_image(axis, draw_enlarged(image, found, skeleton), interpolation="none")
    return figure
