"""Pictures, presets and skeletons with damage, and what reading them has to give."""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path

import numpy as np
from bad_inputs.settings import SKELETON
from hypothesis import strategies as st
from PIL import Image

from sparse_ae.companion.experiment import identity
from sparse_ae.datasets.pictures import read_photo
from sparse_ae.evaluation.photo_files import MOST_PIXELS, read_picture
from sparse_ae.settings import PRESETS, Settings, load_settings
from sparse_ae.skeleton import read_skeleton

from .arrays import in_a_line
from .damage import damaged, in_a_file, told_of

ENDINGS = {"jpg": "JPEG", "png": "PNG", "tiff": "TIFF", "webp": "WEBP", "bmp": "BMP"}


@functools.cache
def _picture(kind: str) -> bytes:
    """A small picture with Exif data and a text, as far as the kind has them."""
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112], exif[0x010E] = 6, "a text"
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    options = {} if kind == "bmp" else {"exif": exif}
    Image.fromarray(pixels).save(buffer, ENDINGS[kind], **options)
    return buffer.getvalue()


def pictures() -> st.SearchStrategy:
    """Pictures of every kind that is read, their bytes changed."""
    return st.one_of(*(
        st.tuples(st.just(f"a.{kind}"), damaged(st.builds(_picture, st.just(kind))))
        for kind in ENDINGS
    ))  # fmt: skip


@in_a_file
def check_picture(path: Path) -> bool:
    """Valid: (H, W, 3) uint8, of no more pixels than are allowed; as part of a data set, of the
    size that its annotations say. Or a ValueError."""
    try:
        photo, _ = read_photo(path, 32, 24)
        assert photo.shape == (24, 32, 3)
    except ValueError as error:
        told_of(error, path)
    try:
        picture = read_picture(path)
    except ValueError as error:
        return told_of(error, path)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert picture.shape[0] * picture.shape[1] <= MOST_PIXELS
    return True


def settings() -> st.SearchStrategy:
    """Presets of the repository and a skeleton, their text changed."""
    texts = [(PRESETS / f"{name}.yaml").read_bytes() for name in ("smoke", "laptop", "crowdpose")]
    return st.one_of(
        st.tuples(st.just("preset.yaml"), damaged(st.sampled_from(texts))),
        st.tuples(st.just("skeleton.yaml"), damaged(st.just(SKELETON.encode()))),
    )


@in_a_file
def check_settings(path: Path) -> bool:
    """Valid: a skeleton whose indices are within it; settings that are what their plain values
    make again, with crowds that can be described. Or a ValueError."""
    try:
        if path.stem == "skeleton":
            skeleton = read_skeleton(path)
            assert sorted(skeleton.flip) == list(range(len(skeleton))) == sorted(skeleton.order)
            assert min(skeleton.sigmas) > 0
            return True
        loaded = load_settings(path, "rve", 0)
    except ValueError as error:
        return told_of(error, path, "\n") if "preset" not in str(error) else False
    assert Settings.model_validate(json.loads(json.dumps(loaded.to_dict()))) == loaded
    try:
        if loaded.data.source == "crowds" and loaded.data.train_scenes < 1e5:
            assert identity(loaded)["settings"]["data"]["size"] == loaded.data.size
    except ValueError as error:
        return in_a_line(error)
    return True
