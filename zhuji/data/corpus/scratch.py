"""Rows of numbers in a temporary file: what is remembered of a stream without taking memory."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Generator

import numpy as np

from zhuji.core.errors import ScratchFull
from zhuji.core.files import os_reason

Array = np.ndarray


class Scratch:
    """Rows of one type and shape, appended and read by their place. The file lies in TMPDIR, has no name (where the system allows that)
    and is gone when it is closed or the process ends. It is read and not mapped, because mapped pages count as memory of the process.

    Raises ScratchFull wherever the file cannot be made, has no room or cannot be read."""

    def __init__(self, dtype: type[np.generic], *shape: int) -> None:
        self._dtype, self._shape = np.dtype(dtype), shape
        self._row = self._dtype.itemsize * math.prod(shape)
        self._size = 0
        with _told():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`

    def __len__(self) -> int:
        """Rows appended."""
        return self._size

    def append(self, rows: Array) -> None:
        """Rows (N, *shape) behind all others."""
        left = np.ascontiguousarray(rows, self._dtype).reshape(-1).view(np.uint8).data
        with _told():
            self._file.seek(self._size * self._row)
            while left:
                left = left[self._file.write(left) :]
        self._size += len(rows)

    def read(self, start: int, stop: int) -> Array:
        """The rows from `start` to `stop` or the last, (N, *shape)."""
        return self._spans([start], [min(stop, self._size)])

    def take(self, numbers: Array) -> Array:
        """The rows with these numbers (N,), in any order; (N, *shape)."""
        distinct, back = np.unique(numbers, return_inverse=True)
        return self.pieces(distinct)[back]

    def pieces(self, numbers: Array, length: int = 1) -> Array:
        """The rows of the pieces with these ascending numbers (P,), one piece after the other; (N, *shape). A piece has `length` rows, the
        last of all may have fewer."""
        if not len(numbers):
            return self._spans([], [])
        ends = np.append(np.flatnonzero(np.diff(numbers) != 1), len(numbers) - 1)
        starts = np.append(0, ends[:-1] + 1)
        stops = np.minimum((numbers[ends] + 1) * length, self._size)
        return self._spans((numbers[starts] * length).tolist(), stops.tolist())

    def close(self) -> None:
        """Forgets everything."""
        self._file.close()

    def _spans(self, starts: list[int], stops: list[int]) -> Array:
        found = np.empty((sum(stops) - sum(starts), *self._shape), self._dtype)
        view, at = found.reshape(-1).view(np.uint8).data, 0
        with _told():
            for start, stop in zip(starts, stops, strict=True):
                self._file.seek(start * self._row)
                end = at + (stop - start) * self._row
                while at < end:
                    count = self._file.readinto(view[at:end])
                    assert count, "a file without a name is changed by nobody else"
                    at += count
        return found


@contextlib.contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ScratchFull(file=tempfile.tempdir, why=os_reason(error)) from error
