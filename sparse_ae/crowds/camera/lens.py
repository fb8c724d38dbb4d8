"""What lies between a scene and its file: lens, sensor, compression."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from sparse_ae.crowds.camera.texture import fast_kernel

NOISE_BANK_SIZE = 1 << 18


class Lens(NamedTuple):
    """gain: (3,) exposure and white balance. corner: how much darker the corners are. contrast:
    1 is plain. blur: kernel (K,) of a separable blur, (K, K) of another, or None. noise: standard
    deviation, of 255. quality: of JPEG, or 0 for none."""

    gain: np.ndarray
    vignetting: float
    contrast: float
    blur: np.ndarray | None
    noise: float
    jpeg_quality: int


@cache
def noise_bank() -> np.ndarray:
    """(GRAINS,) float32 normal numbers, of which each pixel takes three."""
    return np.random.default_rng(3).standard_normal(NOISE_BANK_SIZE, dtype=np.float32)


def draw_lens(rng: np.random.Generator, size: int, most_noise: float) -> Lens:
    """A lens for pictures of a side of `size` pixels; with most_noise 0 a clean one: neither
    noise nor compression."""
    warm, green = rng.normal(0, 0.05), rng.normal(0, 0.015)
    gain = np.array([1 + warm, 1 + green, 1 - warm]) * np.exp(rng.normal(0, 0.16))
    kind, width = rng.random(), np.exp(rng.normal(-0.5, 0.35)) * max(1.0, size / 320)
    blur = None
    if kind < 0.5:
        blur = gaussian_kernel(min(width, 1.6))
    elif kind < 0.6:
        blur = motion_kernel(min(width * 3, 7.0), rng.uniform(0, np.pi))
    noise = rng.uniform(0.1, 1) ** 1.5 * most_noise
    jpeg_quality = int(rng.integers(32, 96)) if rng.random() < 0.6 and most_noise > 0 else 0
    return Lens(gain, float(max(0.0, rng.normal(0.08, 0.12))), float(rng.uniform(0.85, 1.2)), blur,
                float(noise), jpeg_quality)  # fmt: skip


def gaussian_kernel(width: float) -> np.ndarray:
    """(K,) float32 blur of a standard deviation in pixels, sum 1."""
    return cv2.getGaussianKernel(2 * int(np.ceil(2 * width)) + 1, width, cv2.CV_32F)[:, 0]


def motion_kernel(length: float, angle: float) -> np.ndarray:
    """(K, K) float32 blur along a line of so many pixels, sum 1."""
    half = int(np.ceil(length / 2))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    along, off = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    line = np.clip(length / 2 - np.abs(along) + 0.5, 0, 1) * np.clip(1 - np.abs(off), 0, 1)
    return (line / line.sum()).astype(np.float32)


def apply_lens(rng: np.random.Generator, image: np.ndarray, lens: Lens) -> np.ndarray:
    """(S, S, 3) uint8 picture of an image (S, S, 3) float32 of 255, seen through a lens."""
    size = len(image)
    picture = np.empty(image.shape, np.uint8)
    starts = rng.integers(0, NOISE_BANK_SIZE - 3 * min(size, NOISE_BANK_SIZE // 6), size)
    if lens.blur is not None and lens.blur.ndim == 1:
        image = cv2.sepFilter2D(image, -1, lens.blur, lens.blur, borderType=cv2.BORDER_REFLECT)
    elif lens.blur is not None:
        image = cv2.filter2D(image, -1, lens.blur, borderType=cv2.BORDER_REFLECT)
    expose(
        picture,
        image,
        noise_bank(),
        starts,
        lens.gain.astype(np.float32),
        np.float32(lens.vignetting),
        np.float32(lens.contrast),
        np.float32(lens.noise),
    )
    if lens.jpeg_quality:
        _, file = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, lens.jpeg_quality))
        picture = cv2.imdecode(file, cv2.IMREAD_COLOR)
    return picture


@fast_kernel
def expose(picture, image, noise_bank, starts, gain, vignetting, contrast, noise):
    """Exposure, vignette, contrast, a shoulder that keeps highlights, noise and rounding."""
    size = image.shape[0]
    half = size / 2
    for row in range(size):
        for column in range(size):
            x, y = (column + 0.5 - half) / half, (row + 0.5 - half) / half
            dim = 1 - vignetting * (x * x + y * y)
            for c in range(3):
                value = image[row, column, c] * dim * gain[c]
                value = 110 + (value - 110) * contrast
                if value > 190:
                    value = 255 - 65 * 65 / (value - 190 + 65)
                value += noise * noise_bank[starts[row] + 3 * column + c]
                picture[row, column, c] = int(min(max(value + 0.5, 0.0), 255.0))
