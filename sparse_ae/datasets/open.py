"""Open the data sets that a run's settings name."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.datasets.crowd_dataset import CrowdDataset
from sparse_ae.datasets.dataset import Concatenated
from sparse_ae.datasets.keypoint_dataset import LAYOUTS, KeypointDataset, data_folder
from sparse_ae.settings.sections import DataSettings
from sparse_ae.skeleton import get_skeleton

CROWD_FIELDS = ("skeleton", "size", "persons", "crowding", "scale_spread", "occlusion", "scales")
TESTED_ON = {"coco": "val"}  # COCO does not publish the annotations of its test photos


def open_dataset(
    data: DataSettings, split: str, *, skip_broken: bool = False
) -> CrowdDataset | KeypointDataset | Concatenated:
    """Open a split of the data that the settings name.

    Args:
        data: Settings of the data.
        split: "train", "val" or "test". Photos without a labelled person are left out of "train".
        skip_broken: Whether to leave out broken photos and records, and list them.

    Raises:
        ValueError: The data do not exist, or the settings do not name the split.
    """
    if not data.photos:
        return open_crowds(data, split)
    options = {"skip_broken": skip_broken, "empty": split != "train"}
    if data.split == "by_id":
        return _by_id(split, options)
    held_back, official = _source(data, split)
    if data.source == "custom":
        photos = KeypointDataset(
            *getattr(data, f"{official}_set"), get_skeleton(data.skeleton), **options
        )
    else:
        photos = KeypointDataset.official(data.source, official, **options)
    if not held_back:
        return photos
    return _those(
        photos,
        lambda number: (spread(number) < data.val_fraction) == (split == "val"),
        f"val_fraction: {data.val_fraction} of {len(photos)} photos leaves none to {split} on",
    )


def has_split(data: DataSettings, split: str) -> bool:
    """Return whether the settings name a split; its files may be missing nevertheless."""
    if not data.photos or data.split == "by_id":
        return True
    try:
        _source(data, split)
    except ValueError:
        return False
    return True


def open_crowds(data: DataSettings, split: str) -> CrowdDataset:
    """Open the rendered crowds of a split, the same for every method and seed of a preset."""
    count = getattr(data, f"{split}_scenes")
    cached = data.source != "rendered" or split != "train"
    return CrowdDataset(crowd_config(data, split), count, cached=cached)


def crowd_config(data: DataSettings, split: str) -> CrowdConfig:
    """Return the configuration of a split's scenes."""
    fields = {name: getattr(data, name) for name in CROWD_FIELDS}
    return CrowdConfig(split=split, seed=data.crowd_seed, **fields)


def spread(number: int) -> float:
    """Return a hash of an image's id, evenly spread over [0, 1)."""
    return zlib.crc32(str(number).encode()) / 2**32


def by_id(number: int) -> str:
    """Return the split of a photo of COCO's val2017, which depends on its id alone."""
    share = zlib.crc32(str(number).encode()) % 10
    return "test" if share < 2 else "val" if share == 2 else "train"


def _by_id(split: str, options: dict) -> KeypointDataset | Concatenated:
    """Open a split of COCO's val2017, divided by ids; "train" adds train2017, if it is there."""
    photos = KeypointDataset.official("coco", "val", **options)
    photos = _those(photos, lambda number: by_id(number) == split, f"no photo to {split} on")
    annotations = data_folder() / "coco" / LAYOUTS["coco"][0].format("train")
    if split == "train" and annotations.is_file():
        return Concatenated([photos, KeypointDataset.official("coco", "train", **options)])
    return photos


def _those(
    photos: KeypointDataset, chosen: Callable[[int], bool], otherwise: str
) -> KeypointDataset:
    """Return the photos whose ids are chosen; raise ValueError if there are none."""
    kept = [i for i, number in enumerate(photos.ids.tolist()) if chosen(number)]
    if not kept:
        raise ValueError(otherwise)
    return photos.only(kept)


def _source(data: DataSettings, split: str) -> tuple[bool, str]:
    """Return whether a split is a share of the training photos, and which official split has it."""
    if data.val_fraction and split != "test":
        return True, "train"
    if data.source == "coco" and split == "val":
        raise ValueError("val_fraction: 0, but COCO's val photos are those that one tests on: keep "
                         "a share of the training photos back to validate on")  # fmt: skip
    official = TESTED_ON.get(data.source, split) if split == "test" else split
    if data.source == "custom" and not getattr(data, f"{official}_set"):
        raise ValueError(f"{official}_set: missing, as [annotations.json, folder of its photos]")
    return False, official
