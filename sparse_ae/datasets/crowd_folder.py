"""The folder that `write_crowds` fills: its paths, its manifest, and which splits may join it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sparse_ae.crowds.config import CrowdConfig
from sparse_ae.crowds.people.bodies import load_bodies
from sparse_ae.datasets.crowd_coco import LICENCE, settings
from sparse_ae.datasets.crowd_dataset import RENDERER

CHUNK = 16  # scenes per shard: a worker that is killed loses at most so many
MANIFEST = "manifest.json"
SHARED = ("configuration", "renderer", "bodies", "images")  # equal in all splits of a folder


@dataclass(frozen=True)
class Target:
    """A split to write: scenes 0 to count - 1 of `config`, into `folder`.

    Attributes:
        quality: JPEG quality, 1 to 100; None for PNG.
        digest: Hash of the scenes, see `CrowdDataset.digest`.
    """

    config: CrowdConfig
    count: int
    folder: Path
    quality: int | None
    digest: str

    @property
    def pictures(self) -> Path:
        """The folder of the images."""
        return self.folder / "images" / self.config.split

    @property
    def annotations(self) -> Path:
        """The annotation file, which exists once all scenes are written."""
        return self.folder / "annotations" / f"person_keypoints_{self.config.split}.json"

    @property
    def manifest(self) -> Path:
        """The file that lists what the folder holds."""
        return self.folder / MANIFEST

    @property
    def format(self) -> str:
        """Format of the pictures: "png", or "jpeg" followed by its quality."""
        return "png" if self.quality is None else f"jpeg{self.quality}"

    @property
    def suffix(self) -> str:
        """File name suffix of the pictures."""
        return ".png" if self.quality is None else ".jpg"

    @property
    def partial(self) -> Path:
        """Folder of the shards; its name identifies the scenes."""
        return self.folder / ".partial" / f"{self.config.split}-{self.digest}-{self.format}"

    def shard(self, start: int, stop: int) -> Path:
        """Return the annotations' path of scenes start to stop - 1, written after the pictures."""
        return self.partial / f"{start:06d}-{stop:06d}.json"

    def chunks(self) -> list[tuple[int, int]]:
        """Return start and stop of every chunk of scenes."""
        starts = range(0, self.count, CHUNK)
        return [(start, min(start + CHUNK, self.count)) for start in starts]

    def has_pictures(self, start: int, stop: int) -> bool:
        """Return whether the pictures of these scenes exist and are not empty."""
        paths = (self.pictures / f"{i:06d}{self.suffix}" for i in range(start, stop))
        return all(path.is_file() and path.stat().st_size for path in paths)

    def entry(self) -> dict:
        """Return the manifest's entry for this split before rendering."""
        return {
            "configuration": settings(self.config),
            "count": self.count,
            "images": self.format,
            "renderer": RENDERER,
            "bodies": load_bodies().digest,
            "digest": self.digest,  # of all the above except the format
        }

    def make_folders(self):
        """Make the folders; raise a one-line OSError if that fails."""
        for path in (self.pictures, self.annotations.parent, self.partial):
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                advice = f"cannot be made ({error.strerror}); choose another folder"
                raise OSError(f"{path}: {advice}") from None

    @contextlib.contextmanager
    def replacing(self, path: Path) -> Iterator[TextIO]:
        """Open a temporary file that replaces `path` once it is complete and on disk."""
        scratch = self.partial / f"{path.name}.{os.getpid()}"
        with open(scratch, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)


def read_manifest(folder) -> dict:
    """Read the manifest of a folder of written crowds; without one, return no splits.

    Each entry of "splits" has complete, configuration, count, images (their format), renderer,
    bodies (a hash) and digest; a complete split also has version, persons, and difficulty, the
    number of scenes of each level.

    Raises:
        ValueError: The file is not such a manifest.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(entry, dict) for entry in manifest["splits"].values()):
            raise TypeError
    except (FileNotFoundError, NotADirectoryError):
        return {"licence": LICENCE, "splits": {}}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path}: not a manifest of crowds; choose another folder") from None
    return manifest


def check_folder(target: Target) -> dict:
    """Return the folder's manifest; raise ValueError if the target cannot join the folder."""
    manifest, split = read_manifest(target.folder), target.config.split
    wanted = json.loads(json.dumps(target.entry()))
    for name, entry in manifest["splits"].items():
        fields = wanted if name == split else SHARED
        old, new = _flat(entry, fields), _flat(wanted, fields)
        if name != split:
            old["split"] = new["split"]
        for field in [*new, *old]:
            if old.get(field) != new.get(field):
                raise ValueError(
                    f"{target.manifest}: split {name} has {field} {old.get(field)}, not "
                    f"{new.get(field)}; choose another folder, or delete this one"
                )
    for path in target.partial.parent.glob(f"{split}-*"):
        if path != target.partial:
            raise ValueError(f"{path}: of other scenes; choose another folder, or delete it")
    begun = split in manifest["splits"] or target.partial.is_dir()
    for path in (target.annotations, target.pictures):
        if not begun and path.exists():
            raise ValueError(f"{path}: not in {MANIFEST}; choose another folder, or delete it")
    return manifest


def _flat(entry: dict, fields: Iterable[str]) -> dict:
    """Return the given fields of a manifest's entry, with those of its configuration merged in."""
    chosen = {field: entry.get(field) for field in fields}
    return {**(chosen.pop("configuration") or {}), **chosen}
