"""Pictures that are none, and folders of photos that are not what annotations say."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from photos import TRIANGLE, WIDTH, content, write

from sparse_ae.datasets.keypoint_dataset import KeypointDataset
from sparse_ae.datasets.pictures import read_photo
from sparse_ae.evaluation.infer import find_people, views
from sparse_ae.evaluation.photo_files import read_picture
from sparse_ae.evaluation.predictor import Usage
from sparse_ae.settings import DecodeSettings

from . import Case, with_file

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 96 64\n%%EndComments\nquit\n"


def png(width: int, height: int) -> bytes:
    """A PNG whose header claims these sides, and which has a few bytes of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)
            + chunk(b"IEND", b""))  # fmt: skip


def in_data_set(spoil, **options):
    """An attempt to read the second photo of a data set that `spoil(folder)` has been at."""

    def attempt(folder: Path) -> None:
        path = write(folder, content())
        spoil(folder)
        KeypointDataset(path, folder / "images", TRIANGLE, **options)[1]

    return attempt


def replaced(data: bytes):
    """Put something else in the place of the second photo."""
    return lambda folder: (folder / "images" / "002.jpg").write_bytes(data)


def linked_out(folder: Path) -> None:
    """Make the second photo a link to a file beside the folder of images."""
    photo = folder / "images" / "002.jpg"
    photo.rename(folder / "secret.jpg")
    photo.symlink_to(folder / "secret.jpg")


def linked_folder(folder: Path) -> None:
    """Make the second photo's folder a link to one beside the folder of images."""
    (folder / "elsewhere").mkdir()
    (folder / "images" / "002.jpg").rename(folder / "elsewhere" / "002.jpg")
    (folder / "images" / "sub").symlink_to(folder / "elsewhere")
    data = content()
    data["images"][1]["file_name"] = "sub/002.jpg"
    write_people(folder, data)


def write_people(folder: Path, data: dict) -> None:
    """The annotations alone."""
    (folder / "people.json").write_text(json.dumps(data))


def jpeg(width: int, height: int) -> bytes:
    """A grey photo."""
    return cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))[1].tobytes()


class Net:
    """What find_people looks at before it looks at a photo."""

    keypoints = 3


def found(photo, decode=None, **options):
    """An attempt to find people in an array."""
    decode = decode or DecodeSettings()
    return lambda _: find_people(Net(), photo, TRIANGLE, 64, decode, **options)


def usage(**given):
    """An attempt to read how a net is used, as a weights file says it."""
    told = Usage(64, TRIANGLE).to_dict()
    told["decode"] |= {name: given.pop(name) for name in list(given) if name in told["decode"]}
    return lambda _: Usage.from_dict(told | given)


def read(data: bytes):
    """An attempt to read a picture of a user's own."""
    return with_file("a.jpg", data, read_picture)


PHOTO = np.zeros((64, 96, 3), np.uint8)
WHOLE = jpeg(96, 64)
CASES = [
    Case("picture: empty", read(b""), r"a.jpg: no picture that Pillow can read, of the kinds JPEG"),
    Case("picture: text", read(b"<html>404</html>"), "a.jpg: no picture that Pillow can read"),
    Case("picture: cut short", read(WHOLE[:-60]), r"a.jpg: cannot be read \("),
    Case("picture: a program in PostScript", read(POSTSCRIPT), "a.jpg: no picture that Pillow can"),
    Case("picture: a PNG without pixels", read(png(96, 64)), r"a.jpg: cannot be read \("),
    Case("picture: missing", lambda folder: read_picture(folder / "no.jpg"),
         r"no.jpg: cannot be read \(No such file or directory\)"),
    Case("picture: a folder", read_picture, r"cannot be read \(Is a directory\)"),
    Case("picture: too large", read(png(50_000, 50_000)),
         "a.jpg: 50000 × 50000 pixels, more than 80 million: make it smaller"),
    Case("photo: missing", in_data_set(lambda f: (f / "images" / "002.jpg").unlink()),
         r"002.jpg: no such file; fetch it, or check the folder \(.*people.json: image 2\); mend"),
    Case("photo: no folder", in_data_set(lambda f: (f / "images").rename(f / "photos")),
         r"images/001.jpg: no such file; fetch it, or check the folder \(.*people.json: image 1"),
    Case("photo: a link out of the folder", in_data_set(linked_out),
         r"002.jpg: a link out of the folder of images; put the photo there .*people.json: image"),
    Case("photo: a linked folder", in_data_set(linked_folder),
         r"002.jpg: a link out of the folder of images; put the photo there .*people.json: image"),
    Case("photo: a link to itself", in_data_set(
        lambda f: (f / "images" / "002.jpg").unlink()
        or (f / "images" / "002.jpg").symlink_to("002.jpg")), r"002.jpg: "),
    Case("photo: of another size", in_data_set(replaced(jpeg(64, WIDTH))),
         r"002.jpg: 64 × 96 pixels, but 96 × 64 in the annotations; they .*people.json: image 2"),
    Case("photo: claims to be larger", in_data_set(replaced(png(30_000, 30_000))),
         "002.jpg: 30000 × 30000 pixels, but 96 × 64 in the annotations; they belong to another"),
    Case("photo: cut short", in_data_set(replaced(WHOLE[:-60])), "002.jpg: JPEG cut short; fetch"),
    Case("photo: empty", in_data_set(replaced(b"")), "002.jpg: no picture of the kinds JPEG"),
    Case("photo: a PNG cut short", in_data_set(replaced(png(96, 64)[:50])), "002.jpg: PNG cut sho"),
    Case("photo: a folder", lambda folder: read_photo(folder, 96, 64), r"cannot be read \(Is a di"),
    Case("data set: another name", lambda _: KeypointDataset.official("voc", "val"),
         "data set 'voc': expected one of coco, crowdpose"),
    Case("data set: not there", lambda folder: KeypointDataset.official("coco", "val", folder),
         r"person_keypoints_val2017.json: no such file; SPARSE_AE_DATA names its root folder"),
    Case("predict: grey", found(PHOTO[..., 0]), r"image: expected uint8 of shape \(H, W, 3\), red"),
    Case("predict: floats", found(PHOTO / 255), "image: expected uint8 .*, got float64 of shape"),
    Case("predict: no pixel", found(PHOTO[:0]), r"image: expected uint8 .* of shape \(0, 96, 3\)"),
    Case("predict: a strip", found(np.zeros((1, 500, 3), np.uint8)),
         "image: 500 × 1 pixels: longer than 8 times the short side; cut it into parts"),
    Case("predict: half precision", found(PHOTO, precision="float16"),
         "precision: expected float32 or bfloat16, got 'float16'"),
    Case("predict: without scale 1", found(PHOTO, DecodeSettings(scales=(0.5,))),
         r"scales: expected numbers up to 4 with 1 among them, got \[0.5\]"),
    Case("predict: scales that are none", lambda _: views(PHOTO, 64, (1, float("nan"))),
         r"scales: expected numbers up to 4 with 1 among them, got \[1, nan\]"),
    Case("predict: a field too many", usage(colour=3), "usage: missing or unknown: 'colour'"),
    Case("predict: a mirror in words", usage(flip="yes"), "flip: expected true or false, got 'y"),
    Case("predict: scales in a usage", usage(scales=[0.5]), r"scales: expected 1 among them, got"),
    Case("predict: a scale without end", usage(scales=[1, float("inf")]), "scales: expected a fin"),
    Case("predict: size 0", usage(size=0), "size: expected 1 to 8192 pixels"),
    Case("predict: size that fills the memory", usage(size=10**9), "size: expected 1 to 8192"),
    Case("predict: size in words", usage(size="large"), "size: expected an integer, got 'large"),
    Case("predict: a score of 2", usage(min_score=2), "min_score: expected at most 1, got 2"),
    Case("predict: nobody", usage(max_people=0), "max_people: expected at least 1, got 0"),
    Case("predict: no distance", usage(tag_threshold=float("nan")), "tag_threshold: expected"),
    Case("predict: another rule", usage(rule="best"), "rule: expected 'released' or 'higher"),
]  # fmt: skip
