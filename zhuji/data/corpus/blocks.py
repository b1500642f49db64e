"""The table of a corpus's blocks: one fixed record a block, so that a million of them take no more memory than 64 MB.

A record of `blocks.bin` says where a block lies and what it holds (`BLOCK`, 64 bytes, kept in memory), and how many of its documents
have each rounded length (`SIZES` counts, read when they are needed). Nothing of it is believed before it is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from zhuji.core.errors import DamagedFile
from zhuji.core.files import os_reason
from zhuji.core.log import in_language

TABLE = "blocks.bin"
SPLITS = ("train", "valid")
"""`BLOCK.split` is the place in here."""
SIZES = 240
"""Rounded lengths there are: 1, 2, … 16, then eight an octave up to that of 2³² units."""
CHUNK = 1024
"""Records read at a time: one MiB."""

BLOCK = np.dtype(
    [
        ("source", "<u4"), ("shard", "<u4"), ("offset", "<u8"), ("documents", "<u4"), ("split", "u1"), ("zero", "V3"),
        ("units", "<u8"), ("sha256", "V32"),
    ]
)  # fmt: skip
"""Where a block lies and what it holds. `shard`: number of its file; `documents`, `units`: how many."""
RECORD = np.dtype([("block", BLOCK), ("sizes", "<u4", (SIZES,))])
LARGEST = {"shard": 100_000, "offset": 1 << 48, "units": 1 << 40}
"""What numbers of a record are below: no sum of them overflows."""

Array = np.ndarray


def size_of(lengths: Array) -> Array:
    """The place of each length (N,), at least 1 and below 2³², among the rounded ones; (N,) int64."""
    lengths = np.asarray(lengths, np.int64)
    exponent = np.frexp(np.maximum(lengths - 1, 1).astype(np.float64))[1]  # 2^(e - 1) <= length - 1 < 2^e
    within = ((lengths - 1) >> np.maximum(exponent - 4, 0)) - 8
    return np.where(lengths <= 16, lengths - 1, 8 * (exponent - 3) + within)


def length_of(size: Array) -> Array:
    """The rounded length at each place: the longest length that stands there; (N,) int64."""
    size = np.asarray(size, np.int64)
    octave, within = (size - 8) // 8, (size - 8) % 8
    return np.where(size < 16, size + 1, (within + 9) << np.maximum(octave, 0))


def counted(lengths: Array) -> Array:
    """How many lengths (N,) stand at each place, (SIZES,) uint32."""
    return np.bincount(size_of(lengths), minlength=SIZES).astype("<u4")


class TableWriter:
    """Writes records as they come, into a folder."""

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = open(folder / TABLE, "wb")  # noqa: SIM115 - closed by `close`
        self._hash = hashlib.sha256()
        self.blocks = 0

    def add(self, lengths: Array, *, source: int, split: int, shard: int, offset: int, sha256: bytes) -> None:
        """The record of a block of documents of these lengths (N,)."""
        record = np.zeros((), RECORD)
        block = record["block"]
        block["source"], block["split"], block["shard"], block["offset"] = source, split, shard, offset
        block["documents"], block["units"] = len(lengths), int(lengths.sum())
        block["sha256"], record["sizes"] = np.void(sha256), counted(lengths)
        data = record.tobytes()
        self._file.write(data)
        self._hash.update(data)
        self.blocks += 1

    @property
    def sha256(self) -> str:
        """Of what was written so far."""
        return self._hash.hexdigest()

    def flush(self) -> IO[bytes]:
        """The file, with all that was written handed to the system."""
        self._file.flush()
        return self._file

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def read_table(folder: Path, blocks: int, sha256: str, sources: int) -> Array:
    """The `BLOCK` of each block, (blocks,), of a corpus of so many sources.

    Raises:
        DamagedFile: the table is missing, not the one that was written, or says what cannot be.
    """
    path = folder / TABLE
    wrong = in_language("it is missing, or not as long as the manifest says", "文件缺失，或长度与清单不符")
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size != blocks * RECORD.itemsize:
            raise damaged(path, wrong)
        kept, digest, start = np.empty(blocks, BLOCK), hashlib.sha256(), 0
        with open(path, "rb", buffering=0) as file:
            while data := file.read(CHUNK * RECORD.itemsize):
                digest.update(data)
                if start + len(data) // RECORD.itemsize > blocks or len(data) % RECORD.itemsize:
                    raise damaged(path, wrong)
                records = np.frombuffer(data, RECORD)
                kept[start : start + len(records)] = records["block"]
                _check(path, records, sources)
                start += len(records)
    except OSError as error:
        raise damaged(path, os_reason(error)) from None
    if start != blocks or digest.hexdigest() != sha256:
        raise damaged(path, in_language("it is another one than was written", "它与写入时不同"))
    return kept


def sizes_of(folder: Path, numbers: Array) -> Iterator[tuple[int, Array]]:
    """The counts of these blocks (N,), in their order, some at a time: (how many came before, (n, SIZES) uint32).

    Raises:
        DamagedFile: the table is no longer there.
    """
    path = folder / TABLE
    try:
        with open(path, "rb", buffering=0) as file:
            for start in range(0, len(numbers), CHUNK):
                part = numbers[start : start + CHUNK]
                first, last = int(part.min()), int(part.max())
                if last - first < 4 * len(part):
                    found = _read(path, file, first, last + 1 - first)["sizes"][part - first]
                else:
                    found = np.concatenate([_read(path, file, number, 1)["sizes"] for number in part.tolist()])
                yield start, found
    except OSError as error:
        raise damaged(path, os_reason(error)) from None


def _read(path: Path, file: IO[bytes], first: int, count: int) -> Array:
    file.seek(first * RECORD.itemsize)
    data = file.read(count * RECORD.itemsize)
    if len(data) != count * RECORD.itemsize:
        raise damaged(path, in_language("it became shorter", "文件变短了"))
    return np.frombuffer(data, RECORD)


def _check(path: Path, records: Array, sources: int) -> None:
    blocks = records["block"]
    sound = (
        (blocks["source"] < sources) & (blocks["split"] < len(SPLITS)) & (blocks["documents"] >= 1)
        & (blocks["units"] >= blocks["documents"])
        & (records["sizes"].sum(1, dtype=np.uint64) == blocks["documents"])
    )  # fmt: skip
    for name, limit in LARGEST.items():
        sound &= blocks[name] < limit
    if not sound.all():
        number = int(np.flatnonzero(~sound)[0])
        raise damaged(
            path, in_language(f"what it says of a block cannot be (record {number})", f"其中的块记录有误（第 {number} 条）")
        )


def damaged(path: Path, why: str) -> DamagedFile:
    """The error for a part of a corpus that is not as it was written."""
    return DamagedFile(file=path, format=in_language("corpus", "语料"), why=why)
