"""Rendered scenes as a data set: one at a time, as arrays on disk, or as COCO annotations."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import write_array_header_1_0
from tqdm import tqdm

from sparse_ae.crowds.arrays import scenes_as_arrays
from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.imitate import digest as layouts_digest
from sparse_ae.crowds.people.bodies import load_bodies
from sparse_ae.crowds.scene import Scene, render_scene
from sparse_ae.datasets.augment import transform_boxes, transform_keypoints
from sparse_ae.datasets.crowd_coco import frame, image_entry, person_entries
from sparse_ae.datasets.dataset import PoseDataset, Sample, view_scale
from sparse_ae.runtime.files import is_alive
from sparse_ae.runtime.workers import available_cores, map_in_processes
from sparse_ae.skeleton import get_skeleton

RENDERER = 7  # raise it when the same configuration gives different pictures
CHUNK = 64  # scenes that a worker draws between two reports
NAMES = ("images", "keypoints", "boxes", "areas", "counts", "crowd_index")


def cache_folder() -> Path:
    """Return SPARSE_AE_CACHE, by default data/cache in the repository or the current folder."""
    repository = Path(__file__).parents[2] / "data"
    fallback = repository if (repository / "bodies.npz").exists() else Path("data")
    return Path(os.environ.get("SPARSE_AE_CACHE", fallback / "cache"))


class CrowdDataset(PoseDataset):
    """The first `count` scenes of a configuration.

    Args:
        config: Configuration of the scenes.
        count: Number of scenes.
        cache: Folder in which `arrays` are kept; by default `cache_folder()`.
        workers: Number of processes that render; by default one per core, at most eight.
        cached: Whether views come from `arrays`, which are rendered once, or each scene is rendered
            when it is asked for.

    Raises:
        ValueError: count is not a positive integer.
    """

    as_crowds, broken = True, ()

    def __init__(
        self, config: CrowdConfig, count: int, cache=None, *, workers: int | None = None,
        cached: bool = True,
    ):  # fmt: skip
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f"count {count!r}: expected an integer from 1")
        self.config, self.count, self.cached = config, int(count), cached
        self.skeleton = get_skeleton(config.skeleton)
        self.ids = np.arange(1, self.count + 1)
        self.sizes = np.full((self.count, 2), config.size)
        self.cache = Path(cache) if cache is not None else cache_folder()
        self.workers = workers or min(8, available_cores())

    def scene(self, index: int) -> Scene:
        """Render a scene with its ground truth."""
        return render_scene(self.config, range(self.count)[index])

    def scenes(self) -> Iterator[Scene]:
        """Render all scenes, one after the other."""
        return map(self.scene, range(self.count))

    def view(self, index, matrix, mirrored, shape) -> Sample:
        """Return a scene warped by an affine."""
        if self.cached:
            data = self._arrays
            count = data["counts"][index]
            image = data["images"][index]
            keypoints, boxes = (data[name][index, :count] for name in ("keypoints", "boxes"))
        else:
            image, keypoints, boxes = (
                getattr(self.scene(index), name) for name in ("image", "keypoints", "boxes")
            )
        return Sample(
            cv2.warpAffine(image, matrix, tuple(shape), flags=cv2.INTER_LINEAR),
            transform_keypoints(keypoints, matrix, mirrored, self.skeleton, shape),
            transform_boxes(boxes, matrix, shape),
            view_scale(matrix, boxes, shape),
            None,
            matrix,
            index + 1,
        )

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        return self.arrays(progress=False)

    @property
    def digest(self) -> str:
        """Short hash of what the scenes depend on: configuration, bodies, renderer, count."""
        settings = self.config.as_dict()
        if self.config.layouts:  # hash the file's content, not its path
            settings["layouts"] = layouts_digest(self.config.layouts)
        parts = (settings, self.count, load_bodies().digest, RENDERER)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def arrays(self, progress: bool = True) -> dict[str, np.ndarray]:
        """Return all scenes as read-only arrays on disk, padded with zeros to Pmax persons.

        Pmax is config.persons[1]. The scenes are rendered once: later calls, and other processes,
        read what is in cache/<digest>. A script that renders with several workers must do so under
        `if __name__ == "__main__":`.

        Returns:
            images (N, S, S, 3) uint8; keypoints (N, Pmax, K, 3), boxes (N, Pmax, 4), areas (N,
            Pmax) and crowd_index (N,) float32; counts (N,) int64.

        Raises:
            OSError: The folder cannot be written, or a worker died.
            ValueError: The arrays on disk are damaged.
        """
        folder = self.cache / self.digest
        if not folder.is_dir():
            scratch = self._scratch()
            try:
                self._write(scratch, progress)
                scratch.rename(folder)
            except ChildProcessError:
                raise
            except OSError as error:
                if not folder.is_dir():  # else another process was first
                    raise self._unwritable(error) from None
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        try:
            return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES}
        except (OSError, ValueError, EOFError):
            raise ValueError(f"{folder}: damaged; delete it, and it is drawn again") from None

    def _scratch(self) -> Path:
        """Make a new folder in the cache to render into, and remove those of killed processes."""
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            node = re.sub(r"\W", "", platform.node())
            for left in self.cache.glob(f"*-{node}-*-*"):  # named as below
                number = left.name.split("-")[2]
                if number.isdecimal() and not is_alive(int(number)):
                    shutil.rmtree(left, ignore_errors=True)
            prefix = f"{self.digest}-{node}-{os.getpid()}-"
            return Path(tempfile.mkdtemp(prefix=prefix, dir=self.cache))
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> OSError:
        advice = "choose another folder with the environment variable SPARSE_AE_CACHE"
        return OSError(f"{self.cache}: cannot be written ({error.strerror}); {advice}")

    def _write(self, folder: Path, progress: bool):
        """Render every scene into the array files of `folder`.

        The files are written, not mapped into memory: a full disk then raises an error instead of
        ending the process with SIGBUS.
        """
        people, size = self.config.persons[1], self.config.size
        joints = len(get_skeleton(self.config.skeleton))
        shapes = {"images": ((size, size, 3), "u1"), "keypoints": ((people, joints, 3), "f4"),
                  "boxes": ((people, 4), "f4"), "areas": ((people,), "f4"), "counts": ((), "i8"),
                  "crowd_index": ((), "f4")}  # fmt: skip
        kinds = {name: np.dtype(kind) for name, (_, kind) in shapes.items()}
        bar = tqdm(total=self.count, desc=f"crowds, {self.config.split}", unit="scene",
                   disable=not progress)  # fmt: skip
        with ExitStack() as open_files, bar, closing(self._stacks()) as stacks:
            files = {}
            for name, (shape, _) in shapes.items():
                files[name] = open_files.enter_context(open(folder / f"{name}.npy", "wb"))
                head = {"descr": kinds[name].str, "fortran_order": False,
                        "shape": (self.count, *shape)}  # fmt: skip
                write_array_header_1_0(files[name], head)
            for stack in stacks:
                for name, values in stack.items():
                    files[name].write(np.ascontiguousarray(values, kinds[name]).tobytes())
                bar.update(len(stack["counts"]))

    def _stacks(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield chunks of scenes in order, rendered by the workers."""
        tasks = [(self.config, start, min(start + CHUNK, self.count))
                 for start in range(0, self.count, CHUNK)]  # fmt: skip
        render_scene(self.config, 0)  # compile first: workers then find the compiled code on disk
        yield from map_in_processes(scenes_as_arrays, tasks, self.workers)

    def ground_truth(self) -> dict:
        """Return the annotations in COCO's format, which pycocotools reads; image i has id i + 1.

        Images have a crowdIndex, as in CrowdPose. The annotations come from `arrays`.
        """
        data = self.arrays(progress=False)
        images, annotations = [], []
        for i, count in enumerate(data["counts"]):
            images.append(image_entry(self.config, i, data["crowd_index"][i]))
            persons = (data[name][i, :count] for name in ("keypoints", "boxes", "areas"))
            annotations += person_entries(i, *persons)
        annotations = [{"id": i, **person} for i, person in enumerate(annotations, 1)]
        rest = frame(self.config, self.digest)
        return {**rest, "images": images, "annotations": annotations}
