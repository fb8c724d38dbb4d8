"""Scenes as pictures: plain, with persons tinted, or with the people that a net decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sparse_ae.companion.figures.style import WIDTH, person_colour
from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.decoding.nms import oks_nms
from sparse_ae.evaluation.drawing import draw_people
from sparse_ae.metrics import HARD
from sparse_ae.skeleton import Skeleton, get_skeleton

LEAST = 0.25  # least score of the people that a picture shows
SHARP = 512  # least side, in pixels, of a picture in which people are looked at


def show_scene(axis: Axes, scene, strength: float = 0.5) -> None:
    """Show a scene with every person's visible part tinted in the person's colour.

    Args:
        axis: Axes to draw on.
        scene: Scene from `render_scene`.
        strength: Strength of the tint, from 0 to 1.
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
    """Return whether a run's test images are crowds, which unlike photos can be rendered again."""
    return "test_crowd" in record["data"]


def crowd_tested_on(record: Mapping) -> CrowdConfig:
    """Return the configuration of a run's test scenes; raise ValueError for a run on photos."""
    if not shows_crowds(record):
        raise ValueError(f"preset {record['preset']}: tested on photos, and only the scenes of "
                         "crowds can be drawn anew")  # fmt: skip
    return CrowdConfig(**record["data"]["test_crowd"])


def example_scene(record: Mapping, arrays: Mapping, example: int):
    """Render the test scene of a run's example number `example` again."""
    return render_scene(crowd_tested_on(record), int(arrays["example_id"][example]))


def sharp_scene(config: CrowdConfig, number: int) -> tuple:
    """Render a scene again with more pixels; everything stays in place.

    Args:
        config: Configuration of the crowds.
        number: Number of the scene.

    Returns:
        The scene, and the integer factor of its size, the smallest that reaches SHARP.
    """
    factor = -(-SHARP // config.size)
    return render_scene(replace(config, size=factor * config.size), number), factor


def enlarge_points(points: np.ndarray, factor: int) -> np.ndarray:
    """Return the positions of a picture's points (..., 2+) in one `factor` times as large."""
    moved = np.array(points, float)
    moved[..., :2] = factor * moved[..., :2] + (factor - 1) / 2  # pixel centres stay centres
    return moved


def crowded_example(arrays: Mapping) -> int:
    """Return the first example that is hard and has at least four persons; else the most crowded.

    Figures of a single scene show this one. The scene decides the choice, not the results.
    """
    crowding = arrays["crowd_index"][arrays["example_id"]]
    hard = (crowding >= HARD) & (arrays["persons"][arrays["example_id"]] >= 4)
    return int(np.argmax(hard if hard.any() else crowding))


def crowd_sheet_figure(scenes: Sequence, columns: int = 4) -> Figure:
    """Show scenes side by side with their number of persons and crowd index."""
    rows = -(-len(scenes) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 1.1 * WIDTH / columns * rows),
                                layout="constrained", squeeze=False)  # fmt: skip
    for axis in axes.flat:
        axis.axis("off")
    for axis, scene in zip(axes.flat, scenes, strict=False):
        show_image(axis, scene.image)
        persons = len(scene.keypoints)
        axis.set_title(f"{persons} person{'s' if persons != 1 else ''}, index "
                       f"{scene.crowd_index:.2f}", fontsize=9)  # fmt: skip
    return figure


def labels_figure(scene) -> Figure:
    """Show a scene plain, and with people tinted and joints marked: dots visible, rings hidden."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, WIDTH / 2), layout="constrained")
    show_image(left, scene.image)
    show_scene(right, scene, strength=0.35)
    for state, face in ((2, "white"), (1, "none")):
        x, y, _ = scene.keypoints[scene.keypoints[..., 2] == state].T
        right.scatter(x, y, s=22, facecolors=face, edgecolors="white", linewidths=1.2)
    return figure


def people_to_show(
    people: np.ndarray, skeleton: Skeleton, *, threshold: float = 0.3, least: float = LEAST
) -> np.ndarray:
    """Choose the decoded people that a picture shows; average precision counts all of them.

    Args:
        people: (M, K, 3) x, y and score of every joint; nan where there is nobody.
        skeleton: The K joints.
        threshold: Object keypoint similarity from which two people count as one (`oks_nms`).
        least: Lowest score, the mean over its joints, of a person that is shown.

    Returns:
        (N, K, 3) the chosen people, the best first.
    """
    people = np.asarray(people, float)
    people = people[(people[..., 2] > 0).any(1)]
    scores = people[..., 2].clip(min=0).mean(1)
    order = np.argsort(-scores, kind="stable")
    people = people[order[scores[order] >= least]]
    return people[oks_nms(people, skeleton, threshold)]


def example_people_figure(record: Mapping, arrays: Mapping, count: int = 4) -> Figure:
    """Draw the first example scenes of a run with the people that it decoded there.

    Args:
        record: Record of the run.
        arrays: Arrays of the run.
        count: Largest number of scenes.

    Returns:
        A panel per scene, side by side; `people_to_show` chooses the people.
    """
    skeleton = get_skeleton(record["settings"]["data"]["skeleton"])
    crowd = crowd_tested_on(record)
    images, people = [], []
    for example, number in enumerate(arrays["example_id"][:count]):
        scene, factor = sharp_scene(crowd, int(number))
        chosen = people_to_show(arrays["example_people"][example], skeleton)
        images.append(scene.image)
        people.append(enlarge_points(chosen, factor))
    return people_figure(images, people, skeleton)


def people_figure(
    images: Sequence[np.ndarray], people: Sequence[np.ndarray], skeleton: Skeleton
) -> Figure:
    """Show pictures (H, W, 3) side by side, each with its people (M, K, 3), a colour per person."""
    figure, axes = plt.subplots(1, len(images), figsize=(WIDTH, WIDTH / len(images)),
                                layout="constrained", squeeze=False)  # fmt: skip
    for axis, image, found in zip(axes[0], images, people, strict=True):
        # "none": an SVG file keeps every pixel, and a browser may enlarge it
        show_image(axis, draw_people(image, found, skeleton), interpolation="none")
    return figure
