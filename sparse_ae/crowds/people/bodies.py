"""The bank of posed bodies, and how it is read, checked and decoded.

data/make_bodies.py builds it, and data/README.md describes its arrays.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from sparse_ae.runtime.array_files import read_npz

MAGIC, FORMAT = "sparse-ae bodies", 1
SPLITS = ("train", "val", "test")
HEAD, TRUNK, ARM, LEG = range(4)
HEAD_TOP, NECK = 17, 18  # joints beyond COCO's seventeen
CROWDPOSE_JOINTS = (*range(5, 17), HEAD_TOP, NECK)
ARRAYS = {  # per name: kind of dtype, number of dimensions
    "steps": ("i", 3),
    "triangles": ("u", 2),
    "parts": ("u", 1),
    "along": ("f", 2),
    "template": ("f", 2),
    "joints": ("f", 3),
    "seat": ("f", 1),
    "split": ("u", 1),
    "family": ("u", 1),
    "families": ("U", 1),
    "phenotype": ("f", 2),
}
FINITE = ("along", "template", "joints", "seat", "phenotype", "quantum")


class BodiesError(ValueError):
    """The bank of bodies cannot be used; the message names the file and says what to do.

    Example:
        >>> from sparse_ae.crowds import load_bodies
        >>> load_bodies("none.npz")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        sparse_ae.crowds.people.bodies.BodiesError: none.npz: no such file; ...
    """


@dataclass(frozen=True)
class Bodies:
    """N posed bodies that share V vertices and F triangles.

    Attributes:
        vertices: (N, V, 3) float32 metres; x to the body's left, y to its back, z up, ground at 0.
        triangles: (F, 3) int32.
        parts: (F,) uint8, one of HEAD, TRUNK, ARM, LEG.
        along: (V, 4) float32, per part the coordinate at which garments end (see data/README.md).
        template: (V, 3) float32 metres, the rest pose, which patterns and faces are drawn on.
        joints: (N, 19, 3) float32 metres: COCO's seventeen, head top, neck.
        seat: (N,) float32 metres, height of the seat under those who sit, else 0.
        split: (N,) uint8, index into SPLITS.
        family: (N,) uint8, index into `families`.
        families: Names of the families of poses.
        phenotype: (N, 6) float32 in [0, 1]: gender, age, muscle, weight, height, proportions.
        digest: Hash of the file.

    Example:
        >>> from sparse_ae.crowds import load_bodies
        >>> bodies = load_bodies()
        >>> bodies.joints.shape == (len(bodies), 19, 3)
        True
        >>> sum(len(bodies.of_split(split)) for split in ("train", "val", "test")) == len(bodies)
        True
    """

    vertices: np.ndarray
    triangles: np.ndarray
    parts: np.ndarray
    along: np.ndarray
    template: np.ndarray
    joints: np.ndarray
    seat: np.ndarray
    split: np.ndarray
    family: np.ndarray
    families: tuple[str, ...]
    phenotype: np.ndarray
    digest: str

    def __len__(self) -> int:
        return len(self.vertices)

    def of_split(self, split: str) -> np.ndarray:
        """Return the indices of the bodies of "train", "val" or "test"."""
        return np.flatnonzero(self.split == SPLITS.index(split))


def bodies_path() -> Path:
    """Return the path of the bank.

    It is SPARSE_AE_BODIES if that is set, else the file in the package's crowds folder (installed),
    else the one in data/.
    """
    if "SPARSE_AE_BODIES" in os.environ:
        return Path(os.environ["SPARSE_AE_BODIES"])
    return _own_bank()


@cache
def _own_bank() -> Path:
    """Return the path of the bank that came with the package or the repository."""
    package = Path(__file__).parents[2]
    installed = package / "crowds" / "bodies.npz"
    return installed if installed.exists() else package.parent / "data" / "bodies.npz"


def load_bodies(path: str | os.PathLike | None = None) -> Bodies:
    """Load the bank of bodies, once per process.

    Args:
        path: Path of the bank; by default `bodies_path()`.

    Raises:
        BodiesError: If the file is missing, cut short, or no bank of this format; the message has
            one line.

    Example:
        >>> from sparse_ae.crowds import load_bodies
        >>> bodies = load_bodies()
        >>> "standing" in bodies.families
        True
        >>> load_bodies() is bodies
        True
    """
    return _load(str(path if path is not None else bodies_path()))


@cache
def _load(path: str) -> Bodies:
    """Read, check and decode the bank at a path."""
    advice = "restore it with `git checkout data/bodies.npz` or build it: data/make_bodies.py"
    if path == str(Path(os.environ.get("SPARSE_AE_BODIES", ""))):
        advice = (
            "SPARSE_AE_BODIES names this file; unset it to use the bank that comes with sparse_ae"
        )
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
        arrays = read_npz(path)
    except FileNotFoundError:
        raise BodiesError(f"{path}: no such file; {advice}") from None
    except OSError as error:
        raise BodiesError(f"{path}: cannot be read ({error.strerror or error}); {advice}") from None
    except ValueError as error:
        raise BodiesError(f"{path}: no .npz of plain arrays ({error}); {advice}") from None
    problem = _problem(arrays)
    if problem:
        raise BodiesError(f"{path}: {problem}; {advice}")
    return _decode(arrays, digest)


def _problem(arrays: dict[str, np.ndarray]) -> str | None:
    """Return what is wrong with a bank's arrays, or None."""
    if str(arrays.get("magic")) != MAGIC:
        return "not a bank of bodies (no magic string)"
    if arrays.get("format") != FORMAT:
        return f"format {arrays.get('format')}, expected {FORMAT}"
    for name, (kind, dimensions) in {**ARRAYS, "quantum": ("f", 0)}.items():
        if name not in arrays:
            return f"array {name!r} is missing"
        if arrays[name].dtype.kind != kind or arrays[name].ndim != dimensions:
            return f"array {name!r} has the wrong type or shape"
    count, vertices, _ = arrays["steps"].shape
    faces = len(arrays["triangles"])
    shapes = {"steps": (count, vertices, 3), "triangles": (faces, 3), "parts": (faces,),
              "along": (vertices, 4), "template": (vertices, 3), "joints": (count, 19, 3),
              "seat": (count,), "split": (count,), "family": (count,),
              "phenotype": (count, 6)}  # fmt: skip
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            return f"array {name!r} has shape {arrays[name].shape}, expected {shape}"
    if faces == 0 or arrays["triangles"].max() >= vertices or arrays["parts"].max() > LEG:
        return "a triangle names a vertex or part that does not exist"
    if set(np.unique(arrays["split"])) != {0, 1, 2}:
        return "a split has no bodies"
    if arrays["family"].max() >= len(arrays["families"]):
        return "a body's family does not exist"
    if not all(np.isfinite(arrays[name]).all() for name in FINITE):
        return "an array holds numbers that are not finite"
    return None


def _decode(arrays: dict[str, np.ndarray], digest: str) -> Bodies:
    """Turn a bank's arrays into Bodies.

    The file stores vertices as steps, in quanta, from each vertex to the next.
    """
    steps = np.cumsum(arrays["steps"], axis=1, dtype=np.int32)
    fields = {name: arrays[name] for name in ARRAYS if name not in ("steps", "families")}
    fields["triangles"] = fields["triangles"].astype(np.int32)
    for name in ("along", "template", "joints", "seat", "phenotype"):
        fields[name] = fields[name].astype(np.float32)
    return Bodies(
        vertices=steps.astype(np.float32) * np.float32(arrays["quantum"]),
        families=tuple(str(name) for name in arrays["families"]),
        digest=digest,
        **fields,
    )
