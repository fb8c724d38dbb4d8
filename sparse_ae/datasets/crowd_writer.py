"""Write scenes in COCO's layout: per split a folder of pictures and a JSON; and a manifest.

    images/<split>/000000.png, …
    annotations/person_keypoints_<split>.json
    manifest.json       what was requested and what was written, for every split of the folder
    .partial/           while a split is being written: annotations, one file per chunk of scenes

If writing is interrupted, the same call resumes where it stopped and ends with the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
from tqdm import tqdm

from sparse_ae import __version__
from sparse_ae.crowds.config import LEVELS, CrowdConfig
from sparse_ae.crowds.scene import render_scene
from sparse_ae.datasets.crowd_coco import frame, image_entry, person_entries
from sparse_ae.datasets.crowd_dataset import CrowdDataset
from sparse_ae.datasets.crowd_folder import Target, check_folder
from sparse_ae.runtime.workers import map_in_processes


def write_crowds(
    config: CrowdConfig,
    count: int,
    folder,
    *,
    workers: int | None = None,
    quality: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the first `count` scenes as a COCO data set.

    A script that writes with several workers must do so under `if __name__ == "__main__":`. Only
    one process at a time may write into a folder.

    Args:
        config: Configuration of the scenes.
        count: Number of scenes.
        folder: Made if it does not exist; it may hold other splits of the same configuration.
        workers: Number of processes that render; by default one per core, at most eight.
        quality: 1 to 100 for JPEG; by default PNG, which alone keeps every pixel.
        progress: Whether to show a bar, and to say if nothing was left to do.

    Returns:
        The path of the annotation file.

    Raises:
        ValueError: The folder holds other scenes, or files that this function did not write; the
            message names file and remedy.
        OSError: The folder cannot be written, or a worker died.
    """
    if quality is not None and (type(quality) is not int or not 1 <= quality <= 100):
        raise ValueError(f"quality {quality!r}: expected an integer from 1 to 100")
    if workers is not None and (type(workers) is not int or workers < 1):
        raise ValueError(f"workers {workers!r}: expected an integer from 1")
    scenes = CrowdDataset(config, count, workers=workers)
    target = Target(config, scenes.count, Path(folder), quality, scenes.digest)
    manifest = check_folder(target)
    before = manifest["splits"].get(config.split, {})
    whole = before.get("complete") and target.annotations.is_file()
    if whole and target.has_pictures(0, target.count):
        if progress:
            print(f"{target.annotations}: complete already, nothing to do")
    else:
        target.make_folders()
        _note(target, manifest, {"complete": False, **target.entry()})
        _draw(target, scenes.workers, progress)
        found = {**target.entry(), **_assemble(target)}
        _note(target, manifest, {"complete": True, "version": __version__, **found})
    shutil.rmtree(target.partial, ignore_errors=True)
    with contextlib.suppress(OSError):  # not empty: another split has shards there
        target.partial.parent.rmdir()
    return target.annotations


def _note(target: Target, manifest: dict, entry: dict):
    """Write the manifest with this entry for the target's split."""
    manifest["splits"][target.config.split] = entry
    with target.replacing(target.manifest) as file:
        json.dump(manifest, file, indent=1)
        file.write("\n")


def _draw(target: Target, workers: int, progress: bool):
    """Render every chunk that is not complete yet."""
    tasks = [
        (target, start, stop)
        for start, stop in target.chunks()
        if not (target.shard(start, stop).is_file() and target.has_pictures(start, stop))
    ]
    if tasks:
        render_scene(target.config, 0)  # compile first: workers then find the compiled code on disk
    bar = tqdm(
        desc=f"{target.folder.name}, {target.config.split}",
        unit="scene",
        total=target.count,
        initial=target.count - sum(stop - start for _, start, stop in tasks),
        disable=not progress,
    )
    with bar, contextlib.closing(map_in_processes(_write_chunk, tasks, workers)) as done:
        for number in done:
            bar.update(number)


def _write_chunk(task: tuple[Target, int, int]) -> int:
    """Render scenes start to stop - 1, write their pictures, then their shard; return how many."""
    target, start, stop = task
    options = [] if target.quality is None else [cv2.IMWRITE_JPEG_QUALITY, target.quality]
    images, persons = [], []
    for i in range(start, stop):
        scene = render_scene(target.config, i)
        image = image_entry(target.config, i, scene.crowd_index, target.suffix)
        code = cv2.imencode(target.suffix, scene.image[..., ::-1], options)[1]
        (target.pictures / image["file_name"]).write_bytes(code)
        images.append(image)
        persons += person_entries(i, scene.keypoints, scene.boxes, scene.areas, scene.masks)
    with target.replacing(target.shard(start, stop)) as file:
        json.dump({"images": images, "annotations": persons}, file)
    return stop - start


def _assemble(target: Target) -> dict:
    """Merge the annotations of all shards into one file; return their counts for the manifest."""
    levels: Counter[str] = Counter()
    persons = 0
    with target.replacing(target.annotations) as file:
        for i, (name, value) in enumerate(frame(target.config, target.digest).items()):
            file.write(f"{',' if i else '{'}\n{json.dumps(name)}: {json.dumps(value)}")
        file.write(',\n"images": [')
        for i, image in enumerate(_entries(target, "images")):
            levels[_level(image["crowdIndex"])] += 1
            file.write(",\n" * (i > 0) + json.dumps(image))
        file.write('],\n"annotations": [')
        for persons, person in enumerate(_entries(target, "annotations"), 1):
            file.write(",\n" * (persons > 1) + json.dumps({"id": persons, **person}))
        file.write("]\n}\n")
    return {"persons": persons, "difficulty": {name: levels[name] for name in LEVELS}}


def _entries(target: Target, name: str) -> Iterator[dict]:
    """Yield the images or annotations of all shards, reading one shard at a time."""
    for start, stop in target.chunks():
        yield from json.loads(target.shard(start, stop).read_text(encoding="utf-8"))[name]


def _level(crowd_index: float) -> str:
    return next(name for name, (low, high) in LEVELS.items() if low <= crowd_index < high)
