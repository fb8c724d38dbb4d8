"""Layouts from annotated photographs: a body in a similar pose at each person's place and scale."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparse_ae.crowds.camera.camera import Camera
from sparse_ae.crowds.camera.portable import cos_sin, snap
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.layout import MIN_DISTANCE, SCALE_LIMITS, Layout, turn_bodies
from sparse_ae.crowds.people.bodies import CROWDPOSE_JOINTS, Bodies
from sparse_ae.skeleton import COCO, CROWDPOSE

CANDIDATES = 1500  # random bodies at random yaws; the most similar one is taken
MAX_UNZIP_RATIO = 60  # gzip shrinks a JSON to about a tenth
MIN_JOINTS = 3  # labelled joints needed to read a pose
USUAL_TILT = (0.12, 0.15)  # mean and standard deviation of cameras' tilts, radians
USUAL_HEIGHT = (1.6, 0.5)  # mean and standard deviation of cameras' heights, metres


class Photo(NamedTuple):
    """Annotations of one image.

    Attributes:
        width: Width of the image, pixels.
        height: Height of the image, pixels.
        joints: (P, K, 3) x, y in pixels and v.
        boxes: (P, 4) x, y, width, height in pixels.
    """

    width: int
    height: int
    joints: np.ndarray
    boxes: np.ndarray


def digest(path: str) -> str:
    """Return a short hash of a layout file's content.

    Args:
        path: Path of the JSON, or of a gzipped JSON that ends in .gz.

    Raises:
        ValueError: If the file cannot be read; the message names it.
    """
    return hashlib.sha256(_read(path)).hexdigest()[:16]


def _read(path: str) -> bytes:
    """Read a file, unzipped if its name ends in .gz; refuse one that unzips to absurd sizes."""
    try:
        if not path.endswith(".gz"):
            return Path(path).read_bytes()
        most = MAX_UNZIP_RATIO * Path(path).stat().st_size
        with gzip.open(path) as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise ValueError(
                f"layouts {path}: unfolds to more than {MAX_UNZIP_RATIO} times its size"
            )
        return data
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"layouts {path}: cannot be read ({reason})") from None


@cache
def read_photos(path: str, fewest: int, most: int) -> list[Photo]:
    """Read the images of a COCO or CrowdPose keypoint JSON that have enough labelled persons.

    Args:
        path: Path of the JSON, or of a gzipped JSON that ends in .gz.
        fewest: Fewest labelled persons of an image.
        most: Most labelled persons of an image.

    Returns:
        The images in the file's order.

    Raises:
        ValueError: If the file is not such a JSON or has no such image; the message names the file.
    """
    expected = "expected COCO's or CrowdPose's keypoint annotations"
    try:
        content = json.loads(_read(path))
        people: dict[int, list] = {image["id"]: [] for image in content["images"]}
        for row in content["annotations"]:
            values = np.array(row.get("keypoints", ()), np.float64)
            if not row.get("iscrowd") and values.size and (values.reshape(-1, 3)[:, 2] > 0).any():
                people[row["image_id"]].append((values.reshape(-1, 3), row["bbox"]))
        photos = []
        for image in content["images"]:
            if fewest <= len(people[image["id"]]) <= most:
                joints, boxes = zip(*people[image["id"]], strict=True)
                photos.append(Photo(image["width"], image["height"], np.stack(joints),
                                    np.array(boxes, np.float64).reshape(-1, 4)))  # fmt: skip
                _check_photo(image["id"], photos[-1])
    except UnicodeDecodeError as error:  # its repr holds the whole file
        found = f"byte {error.object[error.start]:#x} at {error.start}"
        raise ValueError(f"layouts {path}: no text in UTF-8 ({found}); save it as UTF-8") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError,
            OverflowError) as error:  # fmt: skip
        if str(error).startswith("layouts"):
            raise
        raise ValueError(f"layouts {path}: {expected} ({error!r})") from None
    if not photos:
        raise ValueError(f"layouts {path}: no image with {fewest} to {most} labelled persons")
    if photos[0].joints.shape[1] not in (len(COCO), len(CROWDPOSE)):
        raise ValueError(f"layouts {path}: {expected}, 17 or 14 keypoints a person")
    return photos


def _check_photo(name, photo: Photo) -> None:
    """Raise ValueError for an image whose numbers cannot be drawn."""
    numbers = (photo.joints, photo.boxes, np.array([photo.width, photo.height], np.float64))
    if not all(np.isfinite(values).all() for values in numbers):
        raise ValueError(f"image {name}: NaN or infinity")
    if len(photo.boxes) != len(photo.joints) or min(photo.width, photo.height) < 1:
        raise ValueError(f"image {name}: a person without a box, or no width and height")
    if not (photo.boxes[:, 2:] > 0).all():
        raise ValueError(f"image {name}: a box without width or height")


def imitate_photo(
    rng: np.random.Generator, config: CrowdConfig, bodies: Bodies, index: int
) -> Layout:
    """Place bodies where the people of an image are, the larger ones nearer.

    People below the smallest scale are left out.

    Args:
        rng: Generator of this scene's positions.
        config: Configuration of the scene; `layouts` names the JSON.
        bodies: The bank of bodies.
        index: Number of the scene.

    Raises:
        ValueError: If the JSON cannot be used; see `read_photos`.
    """
    photos = read_photos(config.layouts, *config.persons)
    photo = photos[index % len(photos)]
    factor = config.size / max(photo.width, photo.height)
    shift = (config.size - factor * np.array((photo.width, photo.height))) / 2 - 0.5 * (1 - factor)
    joints, boxes = photo.joints.copy(), photo.boxes * factor
    joints[..., :2] = joints[..., :2] * factor + shift
    boxes[:, :2] += shift
    focal = snap(config.size * float(np.exp(rng.uniform(np.log(0.9), np.log(1.8)))))
    camera = Camera(focal, USUAL_HEIGHT[0], USUAL_TILT[0], 0.0, (config.size - 1) / 2)
    large = np.sqrt(boxes[:, 2] * boxes[:, 3]) >= SCALE_LIMITS[0] * config.size
    large[np.argmax(boxes[:, 3])] = True  # at least one person stays
    found = [best_matching_body(rng, config, bodies, camera, *person)
             for person in zip(joints[large], boxes[large], strict=True)]  # fmt: skip
    body, yaw, feet = (np.array(values) for values in zip(*found, strict=True))
    feet = snap(feet.astype(np.float64))
    camera = fit_ground(camera, feet)
    return Layout(body, yaw, camera_to_world(camera, feet), camera)


def best_matching_body(
    rng, config, bodies: Bodies, camera: Camera, joints: np.ndarray, box: np.ndarray
):
    """Return the body, yaw and feet that fit a person's joints best.

    Many random bodies at random yaws are scaled and moved to fit. The feet are given in metres
    right of, below and in front of the camera.
    """
    body = rng.choice(bodies.of_split(config.split), CANDIDATES)
    yaw = rng.uniform(0, 2 * np.pi, CANDIDATES)
    wanted = range(17) if len(joints) == len(COCO) else CROWDPOSE_JOINTS
    seen = joints[:, 2] > 0
    posed = turn_bodies(bodies.joints[body][:, np.array(wanted)[seen]], yaw)
    cos, sin = cos_sin(USUAL_TILT[0])
    tilted = np.stack((posed[..., 0], -posed[..., 2] * cos), -1)  # right and down
    tilted[..., 1] -= posed[..., 1] * sin
    real, middle = joints[seen, :2], tilted.mean(1)
    offsets, tilted = real - real.mean(0), tilted - middle[:, None]
    along, own = (tilted * offsets).sum((1, 2)), (tilted**2).sum((1, 2))
    lengths = np.maximum(along / np.maximum(own, 1e-9), 1e-9)  # pixels per metre
    misfit = ((lengths[:, None, None] * tilted - offsets) ** 2).sum((1, 2))
    if seen.sum() < MIN_JOINTS:  # too few joints for a scale: use the box's height
        tall = bodies.joints[body, :17, 2].max(1) + 0.1
        lengths, misfit = np.full(CANDIDATES, box[3]) / tall, np.zeros(CANDIDATES)
    best = int(np.argmin(misfit))
    depth = max(camera.focal / lengths[best], MIN_DISTANCE)
    right, down = (real.mean(0) - camera.centre) * depth / camera.focal
    x, y = middle[best]
    return body[best], yaw[best], (right - x, down - y, depth)


def fit_ground(camera: Camera, feet: np.ndarray) -> Camera:
    """Return the camera above the ground plane that fits feet (P, 3) best.

    A usual height and tilt are assumed where the feet do not determine them.
    """
    down, depth = feet[:, 1], feet[:, 2]  # below a camera tilted by t: down = height - depth * t
    rows = np.concatenate((np.stack((np.ones_like(depth), -depth), 1) / 0.25, np.diag(
        (1 / USUAL_HEIGHT[1], 1 / USUAL_TILT[1]))))  # fmt: skip
    values = np.concatenate(
        (down / 0.25, (USUAL_HEIGHT[0] / USUAL_HEIGHT[1], USUAL_TILT[0] / USUAL_TILT[1]))
    )
    height, tilt = np.linalg.lstsq(rows, values, rcond=None)[0]
    pitch = np.arctan(np.clip(tilt, -0.3, 1))
    return camera._replace(height=float(snap(np.clip(height, 0.4, 6))),
                           pitch=float(snap(pitch)))  # fmt: skip


def camera_to_world(camera: Camera, feet: np.ndarray) -> np.ndarray:
    """Return (P, 3) world points for points right of, below and in front of the camera, metres."""
    right, down, depth = feet.T
    cos, sin = cos_sin(camera.pitch)
    return np.stack((right, depth * cos - down * sin, camera.height - depth * sin - down * cos), 1)
