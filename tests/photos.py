"""Small photos with people, written as a data set in COCO's format."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from flat import by_section

from sparse_ae.skeleton import Skeleton

WIDTH, HEIGHT = 96, 64
TRIANGLE = Skeleton(
    name="triangle",
    keypoints=("top", "left", "right"),
    sigmas=(0.05, 0.05, 0.05),
    flip_pairs=((1, 2),),
    limbs=((0, 1), (0, 2)),
    order=(0, 1, 2),
)
JOINTS = ((20, 12), (30, 44), (12, 40))  # of the first person, the others stand to its right
COLOURS = ((0, 0, 255), (0, 255, 0), (255, 0, 0))  # blue first: red top, green left, blue right


def person(number: int, image: int, **changes) -> dict:
    """An annotation of a labelled person."""
    joints = [value for x, y in JOINTS for value in (x + 30 * (number % 2), y, 2)]
    return {
        "id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "keypoints": joints,
        "num_keypoints": 3, "bbox": [8 + 30 * (number % 2), 8, 26, 40], "area": 500.0,
        "segmentation": [], **changes,
    }  # fmt: skip


def content(images: int = 3) -> dict:
    """So many photos, with a person each."""
    category = {"id": 1, "name": "person", "keypoints": list(TRIANGLE.keypoints)}
    names = [f"{i:03d}.jpg" for i in range(1, images + 1)]
    records = [{"id": i, "file_name": name, "width": WIDTH, "height": HEIGHT}
               for i, name in enumerate(names, 1)]  # fmt: skip
    people = [person(100 + i, i) for i in range(1, images + 1)]
    return {"images": records, "annotations": people, "categories": [category]}


def photo(number: int) -> np.ndarray:
    """Grey, with a disc of its own colour at each joint of person 100 + number."""
    image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    keypoints = np.reshape(person(100 + number, number)["keypoints"], (-1, 3))
    for (x, y, _), colour in zip(keypoints.tolist(), COLOURS, strict=True):
        cv2.circle(image, (x, y), 4, colour, -1)
    return image


def write(folder: Path, data: dict) -> Path:
    """The photos that the records name, and the annotations; returns the path of these."""
    (folder / "images").mkdir(exist_ok=True, parents=True)
    for number, record in enumerate(data["images"], 1):
        path = folder / "images" / Path(record["file_name"]).name
        cv2.imwrite(str(path), photo(number), [cv2.IMWRITE_JPEG_QUALITY, 95])
    path = folder / "people.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def custom_preset(folder: Path, data: dict | None = None, **settings) -> Path:
    """A preset file for a small net on such photos, with the skeleton of its own.

    settings: by their names alone, in place of these; see `flat.by_section`.
    """
    path = write(folder, content(6) if data is None else data)
    skeleton = {"name": "triangle", "keypoints": list(TRIANGLE.keypoints),
                "sigmas": list(TRIANGLE.sigmas), "flip_pairs": [["left", "right"]],
                "limbs": [["top", "left"], ["top", "right"]]}  # fmt: skip
    (folder / "triangle.yaml").write_text(json.dumps(skeleton), encoding="utf-8")
    both = [str(path), str(folder / "images")]
    settings = {
        "source": "custom", "size": 64, "train_set": both, "val_set": both, "test_set": both,
        "skeleton": str(folder / "triangle.yaml"), "widths": [8, 8, 8, 8, 8], "steps": 12,
        "batch": 4, "sigma": 1.0, "learning_rate": 3e-3, **settings,
    }  # fmt: skip
    preset = folder / "custom.yaml"
    preset.write_text(json.dumps(by_section(settings)), encoding="utf-8")
    return preset
