"""Bytes of pictures and sounds out of tables, in memory as long as they take a small share of it, and then in a file without a name."""

from __future__ import annotations

import tempfile
import threading
import weakref
from dataclasses import dataclass, replace
from typing import TypeVar

import psutil

from zhuji.core.files import os_reason
from zhuji.core.records import Medium
from zhuji.core.unreadable import NoScratch

M = TypeVar("M", bound=Medium)

SHARE = 0.1
"""Of the memory that is free when the first of them comes: what their bytes may take."""


class Scratch:
    """A file without a name that bytes are added to; closed, and so gone, when nobody refers to it any more."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as what is in it is used
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def add(self, data: bytes) -> Part:
        with self._lock:
            start = self._file.seek(0, 2)
            self._file.write(data)
        return Part(self, start, len(data))

    def read(self, start: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """So many bytes of a file, from `start` on."""

    scratch: Scratch
    start: int
    size: int

    def read(self) -> bytes:
        return self.scratch.read(self.start, self.size)


class Store:
    """Keeps pictures and sounds that come with their bytes."""

    def __init__(self) -> None:
        self._room = SHARE * psutil.virtual_memory().available
        self._scratch: Scratch | None = None

    def keep(self, medium: M) -> M:
        """The same with its bytes where they are kept. Raises NoScratch where there is no room for them."""
        data = medium.data
        if data is None:
            return medium
        self._room -= len(data)
        if self._room >= 0:
            return medium
        try:
            self._scratch = self._scratch or Scratch()
            return replace(medium, data=None, stored=self._scratch.add(data))
        except OSError as error:
            raise NoScratch(why=os_reason(error)) from None
