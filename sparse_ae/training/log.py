"""Log a training: a CSV file beside the record, and TensorBoard's curves."""

from __future__ import annotations

import contextlib
import csv
import io
from pathlib import Path

from sparse_ae.runtime.files import write_whole

ALWAYS = ("learning_rate", "images_per_second")


class TrainingLog:
    """Writes a row for each point of the curve.

    Args:
        path: The CSV file. Its columns are step, the losses, learning_rate, images_per_second, and
            validation, which is empty unless the net was validated since the point before.
        done: The step from which a run continues. Rows of later steps are removed; with 0 the file
            starts anew.
        tensorboard: A folder for the same curves; None to write none.

    Raises:
        ValueError: TensorBoard is requested but not installed.
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path, done: int = 0, tensorboard: Path | None = None):
        self.path = path
        self._board = None if tensorboard is None else _board(tensorboard, done)
        rows = _rows(path, done) if done else []
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        write_whole(path, text.getvalue().encode())
        self._titled = bool(rows)

    def add(self, step: int, losses: dict[str, float], always: dict[str, float],
            validation: float | None = None):  # fmt: skip
        """Write a row; it is on disk when this returns.

        Args:
            step: Step of the point.
            losses: Losses by name.
            always: learning_rate and images_per_second.
            validation: The figure, if the net was validated since the point before.

        Raises:
            OSError: The file cannot be written.
        """
        names = ("step", *losses, *ALWAYS, "validation")
        values = [*losses.values(), *(always[name] for name in ALWAYS)]
        row = [step, *(f"{value:.6g}" for value in values),
               "" if validation is None else f"{validation:.6g}"]  # fmt: skip
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([row] if self._titled else [names, row])
        self._titled = True
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text.getvalue())
        except OSError as error:
            raise OSError(f"{self.path} cannot be written ({error.strerror})") from None
        if self._board is not None:
            points = {**{f"loss/{name}": value for name, value in losses.items()}, **always}
            points |= {} if validation is None else {"validation": validation}
            for name, value in points.items():
                self._board.add_scalar(name, value, step)

    def close(self):
        """Write TensorBoard's last points to disk."""
        if self._board is not None:
            self._board.close()


def _rows(path: Path, done: int) -> list[list[str]]:
    """Return the title and the whole rows up to step `done`; a killed run may leave half a row."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        title, *rows = list(csv.reader(file)) or [[]]
    kept = []
    for row in rows:
        with contextlib.suppress(ValueError, IndexError):
            kept += [row] if len(row) == len(title) and int(row[0]) <= done else []
    return [title, *kept] if title else []


def _board(folder: Path, done: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError(
            "--tensorboard: TensorBoard is not installed: pip install 'sparse-ae[tensorboard]'"
        ) from None
    return SummaryWriter(str(folder), purge_step=done + 1)
