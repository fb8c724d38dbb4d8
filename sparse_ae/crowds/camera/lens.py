"""The steps from a rendered image to a picture file: lens, sensor and compression."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from sparse_ae.crowds.camera.texture import fast_kernel

NOISE_BANK_SIZE = 1 << 18


class Lens(NamedTuple):
    """A lens, its sensor and the file format.

    Attributes:
        gain: (3,) exposure and white balance.
        vignetting: How much darker the corners are.
        contrast: Factor on the contrast; 1 changes nothing.
        blur: Kernel (K,) of a separable blur, kernel (K, K) of any other, or None.
        noise: Standard deviation of the noise, on a scale of 255.
        jpeg_quality: Quality of the JPEG compression, 0 for none.
    """

    gain: np.ndarray
    vignetting: float
    contrast: float
    blur: np.ndarray | None
    noise: float
    jpeg_quality: int


@cache
def noise_bank() -> np.ndarray:
    """Return (NOISE_BANK_SIZE,) float32 normal random numbers; each pixel takes three of them."""
    return np.random.default_rng(3).standard_normal(NOISE_BANK_SIZE, dtype=np.float32)


def draw_lens(rng: np.random.Generator, size: int, most_noise: float) -> Lens:
    """Draw a lens.

    Args:
        rng: Generator of this scene's look.
        size: Side of the picture, pixels.
        most_noise: Largest standard deviation of the noise, on a scale of 255. At 0 the picture has
            neither noise nor compression.
    """
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
    """Return a (K,) float32 Gaussian of a standard deviation in pixels, with sum 1."""
    return cv2.getGaussianKernel(2 * int(np.ceil(2 * width)) + 1, width, cv2.CV_32F)[:, 0]


def motion_kernel(length: float, angle: float) -> np.ndarray:
    """Return a (K, K) float32 blur along a line of `length` pixels at `angle` radians; sum 1."""
    half = int(np.ceil(length / 2))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    along, off = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    line = np.clip(length / 2 - np.abs(along) + 0.5, 0, 1) * np.clip(1 - np.abs(off), 0, 1)
    return (line / line.sum()).astype(np.float32)


def apply_lens(rng: np.random.Generator, image: np.ndarray, lens: Lens) -> np.ndarray:
    """Turn a rendered image into the picture that a lens and its sensor give.

    Args:
        rng: Generator of this scene's look.
        image: (S, S, 3) float32, on a scale of 255.
        lens: The lens.

    Returns:
        (S, S, 3) uint8.
    """
    size = len(image)
    picture = np.empty(image.shape, np.uint8)
    starts = rng.integers(0, NOISE_BANK_SIZE - 3 * min(size, NOISE_BANK_SIZE // 6), size)
    if lens.blur is not None and lens.blur.ndim == 1:
        image = cv2.sepFilter2D(image, -1, lens.blur, lens.blur, borderType=cv2.BORDER_REFLECT)
    elif lens.blur is not None:
        image = cv2.filter2D(image, -1, lens.blur, borderType=cv2.BORDER_REFLECT)
    expose(picture, image, noise_bank(), starts, lens.gain.astype(np.float32),
           np.float32(lens.vignetting), np.float32(lens.contrast),
           np.float32(lens.noise))  # fmt: skip
    if lens.jpeg_quality:
        _, file = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, lens.jpeg_quality))
        picture = cv2.imdecode(file, cv2.IMREAD_COLOR)
    return picture


@fast_kernel
def expose(picture, image, noise_bank, starts, gain, vignetting, contrast, noise):
    """Apply exposure, vignetting, contrast, noise and rounding; a shoulder keeps highlights."""
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
