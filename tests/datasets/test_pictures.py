"""Pictures of every kind: both readers see the same; what is behind a JPEG's end is no fault."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from sparse_ae.datasets.pictures import jpeg_is_whole, read_and_warp, read_photo
from sparse_ae.evaluation.photo_files import read_picture

Y, X = np.mgrid[:40, :60]
GREY = (4 * X).astype(np.uint8)
COLOURS = np.stack([GREY, (6 * Y).astype(np.uint8), 255 - GREY], 2)
SIXTEEN = GREY.astype(np.uint16) * 256 + 200


def coded(picture, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def of_mode(mode: str, kind: str) -> bytes:
    return coded(Image.fromarray(COLOURS).convert(mode), kind)


def by_opencv(ending: str, image) -> bytes:
    return cv2.imencode(ending, image)[1].tobytes()


def twelve_bits() -> bytes:
    """The grey of twelve bits, two in three bytes."""
    one, two = (SIXTEEN >> 4).reshape(-1, 2).T
    three = np.stack([one >> 4, (one & 15) << 4 | two >> 8, two & 255], 1)
    return three.astype(np.uint8).tobytes()


def grey_tiff(order: str, bits: int = 16, white: int = 1, kind: int = 1, pixels=None) -> bytes:
    """A grey TIFF in either order of bytes, uncompressed; white 0: its 0 is white; kind 2: with a
    sign."""
    pixels = SIXTEEN.astype(f"{order}u2").tobytes() if pixels is None else pixels
    entries = [(256, 60), (257, 40), (258, bits), (259, 1), (262, white), (273, 8), (277, 1),
               (278, 40), (279, len(pixels)), (339, kind)]  # fmt: skip
    directory = struct.pack(f"{order}H", len(entries))
    for tag, value in entries:
        directory += struct.pack(f"{order}HHI", tag, 4, 1) + struct.pack(f"{order}I", value)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", 8 + len(pixels)) + pixels + directory + b"\0" * 4


KINDS = {
    **{f"{kind} {mode}": of_mode(mode, kind) for kind, modes in {
        "JPEG": ("L", "RGB", "CMYK"), "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
        "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK"), "BMP": ("1", "L", "P", "RGB"),
        "WEBP": ("RGB", "RGBA"),
    }.items() for mode in modes},
    "PNG of 16 bits, grey": by_opencv(".png", SIXTEEN),
    "PNG of 16 bits": by_opencv(".png", COLOURS[..., ::-1].astype(np.uint16) * 256 + 200),
    "TIFF of 16 bits, grey": by_opencv(".tiff", SIXTEEN),
    "TIFF of 16 bits": by_opencv(".tiff", COLOURS[..., ::-1].astype(np.uint16) * 256 + 200),
    "TIFF of 16 bits, the low byte first": grey_tiff("<"),
    "TIFF of 16 bits, the high byte first": grey_tiff(">"),
    "TIFF of 12 bits, grey": grey_tiff("<", 12, pixels=twelve_bits()),
    "TIFF of 16 bits, grey, 0 is white": grey_tiff("<", white=0),
    "TIFF of 8 bits, grey, 0 is white": grey_tiff("<", 8, 0, pixels=GREY.tobytes()),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_both_readers_see_the_same(tmp_path, kind):
    path = tmp_path / "picture"
    path.write_bytes(KINDS[kind])
    for_training = read_photo(path, 60, 40)[0][..., ::-1]
    for_predict = read_picture(path)
    assert for_predict.dtype == for_training.dtype == np.uint8
    assert np.array_equal(for_training, for_predict)
    assert np.array_equal(read_and_warp(path, 60, 40, np.eye(2, 3), (60, 40)), for_predict)
    if "grey" in kind or "first" in kind:
        grey = 255 - GREY if "0 is white" in kind else GREY
        assert np.array_equal(for_predict, np.repeat(grey[..., None], 3, 2))
    elif "16 bits" in kind:
        assert np.abs(for_predict.astype(int) - COLOURS).max() == 0


@pytest.mark.parametrize(
    "picture",
    [Image.fromarray((GREY / 255).astype(np.float32)), Image.fromarray(GREY.astype(np.int32))],
)
def test_pictures_of_32_bits_are_refused_by_both(tmp_path, picture):
    path = tmp_path / "picture.tif"
    path.write_bytes(coded(picture, "TIFF"))
    for read in (read_picture, lambda path: read_photo(path, 60, 40)):
        with pytest.raises(ValueError, match=r"picture.tif: .*32 bits a channel: save it with 8"):
            read(path)


@pytest.mark.parametrize("bits", [8, 16])
def test_numbers_with_a_sign_are_refused_by_both(tmp_path, bits):
    path = tmp_path / "picture.tif"
    pixels = GREY.astype(f"<u{bits // 8}").tobytes()
    path.write_bytes(grey_tiff("<", bits, kind=2, pixels=pixels))
    for read in (read_picture, lambda path: read_photo(path, 60, 40)):
        with pytest.raises(ValueError, match=r"picture.tif: .*numbers with a sign: save it with 8"):
            read(path)


def test_colours_of_32_bits_are_refused_by_both(tmp_path):
    path = tmp_path / "picture.tif"
    path.write_bytes(by_opencv(".tiff", (COLOURS / 255).astype(np.float32)))
    for read in (read_picture, lambda path: read_photo(path, 60, 40)):
        with pytest.raises(ValueError, match=r"picture.tif: no picture"):
            read(path)


def jpegs() -> dict[str, bytes]:
    """Three JPEGs: plain, with restarts and in several scans; and with a preview inside."""
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    plain = by_opencv(".jpg", noise)
    found = {"plain": plain}
    for name, flag in (("restarts", cv2.IMWRITE_JPEG_RST_INTERVAL),
                       ("scans", cv2.IMWRITE_JPEG_PROGRESSIVE)):  # fmt: skip
        found[name] = cv2.imencode(".jpg", noise, [flag, 1])[1].tobytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(plain) + 2) + plain
    found["preview"] = plain[:2] + segment + plain[2:]
    found["filled"] = plain[:-2] + b"\xff\xff\xff\xd9"
    return found


@pytest.mark.parametrize("name", jpegs())
def test_what_is_behind_a_jpegs_end_is_no_fault(tmp_path, name):
    data, rng = jpegs()[name], np.random.default_rng(1)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    path = tmp_path / "phone.jpg"
    films = [rng.bytes(200_000) for _ in range(4)]
    assert any(film.rfind(b"\xff\xda") > film.rfind(b"\xff\xd9") for film in films)
    for behind in (b"", b"\0" * 9, data, b"\xff\xda", *films):
        path.write_bytes(data + behind)
        assert np.array_equal(read_photo(path, 60, 40)[0], expected)


@pytest.mark.parametrize("name", jpegs())
def test_a_jpeg_that_ends_too_early_is_told_wherever_it_is_cut(tmp_path, name):
    data = jpegs()[name]
    assert not any(jpeg_is_whole(data[:end]) for end in range(2, len(data)))
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[:-1])
    with pytest.raises(ValueError, match=r"cut.jpg: JPEG cut short; fetch it again"):
        read_photo(path, 60, 40)
