"""Scene i of a configuration: its picture and its labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.bystander import draw_bystander
from sparse_ae.crowds.camera.raster import SAMPLES, empty_surface, rasterise
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.imitate import imitate_photo
from sparse_ae.crowds.labels import Labels, make_labels, project_people
from sparse_ae.crowds.layout import Layout, draw_lineup, draw_target, place_people, set_distances
from sparse_ae.crowds.paint import RasterisedScene, paint_image
from sparse_ae.crowds.people.appearance import Clothes, draw_clothes
from sparse_ae.crowds.people.bodies import CROWDPOSE_JOINTS, SPLITS, Bodies, load_bodies
from sparse_ae.crowds.people.dress import dress, dressed_mesh
from sparse_ae.crowds.preview import Preview, draw_preview
from sparse_ae.crowds.surroundings.props import (
    Props,
    draw_clutter,
    draw_occluders,
    draw_seats,
    merge_meshes,
)
from sparse_ae.metrics.crowding import crowd_index

STREAMS = ("crowding", "persons", "scales", "scale_spread", "camera", "places", "clothes",
           "props", "occluders", "bystander", "look")  # fmt: skip
ATTEMPTS = 8  # at a crowd in which everybody can be labelled
MIN_AREA_LEFT = 0.3  # share of a person's visible area that an occluder must leave visible
MIN_JOINTS_LEFT = 5  # joints of a person that an occluder must leave visible
INDEX_MARGIN = 0.01  # a preview's crowd index must be this far inside its range
PREVIEW_MARGIN = 0.05  # an estimate this far above the range needs no preview


class Scene(NamedTuple):
    """P persons in an image of side S, with K keypoints each.

    Coordinates are pixels, x right, y down, with pixel centres at integers.

    Attributes:
        image: (S, S, 3) uint8, RGB.
        keypoints: (P, K, 3) float32: x, y and v. v is 2 for a visible joint, 1 for a labelled but
            hidden one, 0 for one outside the frame; x and y are 0 there.
        boxes: (P, 4) float32 x, y, width, height of all that lies in the frame, hidden parts too.
        masks: (S, S) int16, the person visible at each pixel, -1 for none.
        areas: (P,) float32, pixels of each person's mask.
        crowd_index: Crowd index of the scene.

    Example:
        >>> from sparse_ae.crowds import CrowdConfig, render_scene
        >>> scene = render_scene(CrowdConfig(persons=(3, 3), size=64), 0)
        >>> scene.keypoints.shape
        (3, 17, 3)
        >>> bool((scene.areas == [(scene.masks == person).sum() for person in range(3)]).all())
        True
    """

    image: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray
    masks: np.ndarray
    areas: np.ndarray
    crowd_index: float


class Crowd(NamedTuple):
    """P persons and what they wear.

    Attributes:
        layout: Who stands where, and the camera.
        clothes: Their clothes.
        dressed: (P, W, 3) metres, vertices of the dressed bodies in their own frames.
        preview: A preview of the crowd, where one was drawn.
    """

    layout: Layout
    clothes: Clothes
    dressed: np.ndarray
    preview: Preview | None = None

    def joined_with(self, other: Crowd | None) -> Crowd:
        """Return these people followed by the others, in front of the same camera."""
        if other is None:
            return self
        parts = zip(self.layout[:3], other.layout[:3], strict=True)
        layout = Layout(*(np.concatenate(pair) for pair in parts), self.layout.camera)
        clothes = zip(self.clothes, other.clothes, strict=True)
        clothes = Clothes(*(np.concatenate(pair) for pair in clothes))
        return Crowd(layout, clothes, np.concatenate((self.dressed, other.dressed)))

    def select(self, keep: np.ndarray) -> Crowd:
        """Return the crowd of the persons that `keep` selects, without a preview."""
        clothes = Clothes(*(values[keep] for values in self.clothes))
        return Crowd(self.layout.select(keep), clothes, self.dressed[keep])


def render_scene(config: CrowdConfig, index: int) -> Scene:
    """Render one scene, the same to the bit whatever was drawn before.

    Args:
        config: Which scenes to draw.
        index: Number of the scene, from 0.

    Returns:
        The picture and its labels. People too hidden to be labelled are left out, unless nobody
        would remain.

    Raises:
        ValueError: If `index` is no integer from 0, or the file of `config.layouts` cannot be used.

    Example:
        >>> from sparse_ae.crowds import CrowdConfig, render_scene
        >>> config = CrowdConfig(split="val", size=64)
        >>> scene = render_scene(config, 7)
        >>> scene.image.dtype, scene.image.shape
        (dtype('uint8'), (64, 64, 3))
        >>> bool((render_scene(config, 7).image == scene.image).all())
        True
    """
    if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or index < 0:
        raise ValueError(f"scene {index!r}: expected an integer from 0")
    bodies, split = load_bodies(), SPLITS.index(config.split)
    rngs = {name: np.random.default_rng((config.seed, split, int(index), stream))
            for stream, name in enumerate(STREAMS)}  # fmt: skip
    if config.layouts:
        layout = imitate_photo(rngs["places"], config, bodies, int(index))
        crowd = dress_layout(rngs["clothes"], bodies, layout)
    else:
        crowd = draw_crowd(rngs, config, bodies)
    props, bystander = add_props(rngs, config, bodies, crowd)
    rasterised, labels = render_labels(config, bodies, crowd, props, bystander)
    wanted = CROWDPOSE_JOINTS if config.skeleton == "crowdpose" else range(17)
    keypoints = labels.joints[:, list(wanted)]
    found = float(crowd_index(keypoints, labels.boxes))
    return Scene(paint_image(rngs["look"], config, rasterised), keypoints, *labels[1:], found)


def draw_crowd(rngs, config: CrowdConfig, bodies: Bodies) -> Crowd:
    """Draw crowds until everybody can be labelled and the crowd index is in its range.

    Returns the best one if all attempts fail.
    """
    target = draw_target(rngs, config, bodies)
    clothes = draw_clothes(rngs["clothes"], bodies.phenotype[target.body])
    dressed = dress(bodies, target.body, clothes)
    unplaced = draw_lineup(rngs["camera"], config, bodies, target, dressed)
    low, high = target.limits
    low, high = low + INDEX_MARGIN * (low > 0), high - INDEX_MARGIN
    best, least, shrink, lineup = None, None, 1.0, set_distances(unplaced)
    for attempt in range(ATTEMPTS):
        layout, found = place_people(rngs["places"], config, lineup, target)
        if found <= high + PREVIEW_MARGIN or attempt >= ATTEMPTS - 2:
            preview = draw_preview(bodies, layout, dressed)
            labels = preview.labels()
            found = float(crowd_index(labels.joints[:, :17], labels.boxes))
            short = int((~labels.can_be_labelled()).sum()), max(low - found, found - high, 0.0)
            if best is None or short < least:
                best, least = Crowd(layout, clothes, dressed, preview), short
            if short == (0, 0.0):
                break
        if found > high or attempt > 1:  # too crowded: see everybody from farther away
            shrink *= min(0.9, max(0.5, np.sqrt((target.crowding + 0.1) / (found + 0.1))))
            lineup = set_distances(unplaced, shrink)
    return best


def dress_layout(rng: np.random.Generator, bodies: Bodies, layout: Layout) -> Crowd:
    """Dress the bodies of a layout in clothes drawn for them."""
    clothes = draw_clothes(rng, bodies.phenotype[layout.body])
    return Crowd(layout, clothes, dress(bodies, layout.body, clothes))


def add_props(
    rngs, config: CrowdConfig, bodies: Bodies, crowd: Crowd
) -> tuple[Props, Crowd | None]:
    """Draw seats, clutter, occluders and perhaps a bystander.

    An occluder or a bystander that would leave too little of somebody visible is dropped.
    """
    layout = crowd.layout
    meshes = draw_seats(rngs["props"], bodies, layout)
    meshes += draw_clutter(rngs["props"], layout, config.clutter, config.size)
    bystander = draw_bystander(rngs["bystander"], config, bodies, layout.camera)
    occluders = draw_occluders(rngs["occluders"], layout, config.occlusion)
    if bystander is None and not occluders:
        return merge_meshes(meshes), None
    preview = crowd.preview or draw_preview(bodies, layout, crowd.dressed)
    before = preview.labels()
    if bystander is not None:
        trial = preview.with_people(bystander)
        if still_visible(before, trial.labels()):
            preview = trial
        else:
            bystander = None
    for occluder in occluders:
        trial = preview.with_mesh(occluder)
        if still_visible(before, trial.labels()):
            meshes.append(occluder)
            preview = trial
    if bystander is None:
        return merge_meshes(meshes), None
    return merge_meshes(meshes), dress_layout(rngs["bystander"], bodies, bystander)


def still_visible(before: Labels, after: Labels) -> bool:
    """Return whether everybody stays visible enough after something was put in front."""
    seen = [(labels.joints[..., 2] == 2).sum(1) for labels in (before, after)]
    enough = seen[1] >= np.minimum(seen[0], MIN_JOINTS_LEFT)
    return bool((enough & (after.areas >= MIN_AREA_LEFT * before.areas)).all())


def render_labels(
    config, bodies: Bodies, crowd: Crowd, props: Props, bystander: Crowd | None = None
):
    """Rasterise a scene and compute its labels, leaving out people too hidden to be labelled.

    Returns:
        The rasterised scene and its Labels.
    """
    mesh = dressed_mesh(bodies)
    camera, size = crowd.layout.camera.scaled(SAMPLES), config.size * SAMPLES
    corners = camera.project(props.vertices)
    while True:
        everyone = crowd.joined_with(bystander)
        points = everyone.layout.to_world(everyone.dressed)
        screen = camera.project(points)
        surface = empty_surface(size)
        for who in range(len(screen)):
            rasterise(surface, screen[who], mesh.triangles, who, 0, mesh.closed)
        for i in range(len(props.kinds)):
            first, end = np.searchsorted(props.prop, (i, i + 1))
            rasterise(surface, corners, props.triangles[first:end], len(screen) + i, first)
        outline = screen[: len(crowd.dressed)]
        people = project_people(bodies, crowd.layout, outline, config.size, SAMPLES)
        labels = make_labels(people, surface, config.size)
        keep = labels.can_be_labelled()
        if keep.all() or not keep.any():  # keep the last people, however little of them is visible
            camera = crowd.layout.camera
            return RasterisedScene(camera, mesh, everyone.clothes, points, props, surface), labels
        crowd = crowd.select(keep)
