"""Decoded pictures, once and for all: in memory, or in a file that is mapped into it where they would take more than a share of what is free.

A picture is decoded and resized once, some ahead of each other (`data.ahead`), and kept as bytes; training then only reads them, so that a
model never waits for a decoder, and an epoch costs the same from the second on as from the first.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# NumPy's memory maps are typed in part only.

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil

from zhuji.core.contracts import Encoded, Modality
from zhuji.core.errors import DiskFull
from zhuji.core.log import in_language
from zhuji.core.quantity import bytes_text

SHARE = 0.25
"""Of the free memory: what decoded pictures of one split may take before they go to disk."""
_FIRST, _PORTION = 16, 1 << 26
"""Pictures that show how large a decoded one is; bytes that are decoded at a time after that."""


def kept(modality: Modality, pictures: Sequence[Any], scratch: Path | None) -> list[Encoded]:
    """The pictures, encoded, as views into one array. `scratch`: where its file may lie, which has no name and goes when it is no longer used;
    None: in memory, whatever they take.

    Raises PictureError for one that cannot be shown, and DiskFull.
    """
    found = modality.encode(pictures[:_FIRST])
    if not found:
        return []
    first = cast(np.ndarray, found[0].values)
    array = _array((len(pictures), *first.shape), first.dtype, scratch)
    rows: list[Encoded] = []
    step = max(1, _PORTION // max(first.nbytes, 1))
    while True:
        for row in found:
            array[len(rows)] = row.values
            rows.append(replace(row, values=array[len(rows)]))
        if len(rows) == len(pictures):
            return rows
        found = modality.encode(pictures[len(rows) : len(rows) + step])


def _array(shape: tuple[int, ...], dtype: np.dtype[Any], scratch: Path | None) -> np.ndarray:
    size = int(np.prod(shape)) * dtype.itemsize
    if scratch is None or size <= SHARE * psutil.virtual_memory().available:
        return np.empty(shape, dtype)
    # A map that finds the disk full kills the process, so this is asked before.
    if size > shutil.disk_usage(scratch).free:
        needed, free = bytes_text(size), bytes_text(shutil.disk_usage(scratch).free)
        why = in_language(f"decoded pictures take {needed}, and {free} are free", f"解码后的图片需 {needed}，仅剩 {free}")
        raise DiskFull(file=scratch, why=why, run=scratch)
    with tempfile.TemporaryFile(dir=scratch) as file:
        file.truncate(size)
        return np.memmap(file, dtype, "r+", shape=shape)
