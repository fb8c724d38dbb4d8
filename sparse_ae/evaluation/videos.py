"""Read the frames of a video, one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once; our own error line is enough
INEXACT = 2  # frames by which a container's count may be wrong: some state only the duration


def is_video(path: str | Path) -> bool:
    """Return whether a file has the ending of a video."""
    return Path(path).suffix.lower() in VIDEOS


def read_frames(path: str | Path, *, progress: bool = False) -> Iterator[np.ndarray]:
    """Read a video's frames with OpenCV, upright as its metadata says.

    Args:
        path: The file.
        progress: Whether to show a bar of the frames.

    Yields:
        (H, W, 3) uint8, red first.

    Raises:
        ValueError: The file is missing or no video or, after the last frame that can be read, it is
            cut short; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    count, claimed = 0, round(max(0, video.get(cv2.CAP_PROP_FRAME_COUNT)))
    bar = tqdm(total=claimed or None, desc=path.name, unit=" frames", leave=False,
               disable=not progress)  # fmt: skip
    try:
        while (frame := video.read()[1]) is not None:
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            count += 1
            bar.update()
    finally:
        bar.close()
        video.release()
        cv2.utils.logging.setLogLevel(level)
    if not count:
        raise ValueError(f"{path}: no video that OpenCV can read")
    if count < claimed - INEXACT:
        raise ValueError(f"{path}: cut short: only {count} of {claimed} frames can be read")
