"""A corpus on disk: a manifest, and shards of plain little-endian arrays that are read block by block.

A block holds whole documents of one source and one split: `lengths (N,)` uint32, then each array in the order of its name,
`(units,)` or `(units, C)`. Blocks are read with ordinary reads, not mapped, so that resident memory does not grow with the corpus.
Nothing in a manifest is believed before it is checked; a block is believed when its sha256 is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from zhuji.core.config import Settings
from zhuji.core.errors import DamagedFile, MissingFile
from zhuji.core.files import os_reason
from zhuji.core.log import in_language

FORMAT = 1
MANIFEST = "manifest.json"
LENGTH = np.dtype("<u4")
"""How the length of a document is written."""

Array = np.ndarray
Arrays = Mapping[str, Array]
Split = Literal["train", "valid"]
Digest = Field(pattern=r"^[0-9a-f]{64}$")


class ArraySpec(Settings):
    """One array of each document: its type, its channels (0: one number a unit) and, of ids, the number that all are below."""

    dtype: Literal["<u2", "<u4", "|u1", "<f2", "<f4"]
    channels: int = Field(default=0, ge=0, le=1 << 20)
    below: int | None = Field(default=None, gt=0)

    @property
    def bytes_a_unit(self) -> int:
        return np.dtype(self.dtype).itemsize * max(self.channels, 1)


class Block(Settings):
    """Where a block stands and what it holds. `sizes`: (rounded length, documents), see `rounded`; known without reading it."""

    source: int = Field(ge=0)
    split: Split
    file: str = Field(pattern=r"^shard-[0-9]{5}\.bin$")
    offset: int = Field(ge=0)
    documents: int = Field(gt=0)
    units: int = Field(gt=0)
    sizes: tuple[tuple[int, int], ...]
    sha256: str = Digest


class SourceFacts(Settings):
    """A source of the corpus: its name, how often it is read in an epoch, and its files with their sha256 and size."""

    name: str
    weight: float = Field(default=1.0, gt=0, le=1000, allow_inf_nan=False)
    files: dict[str, dict[str, str | int]] = Field(default_factory=dict)


class Manifest(Settings):
    """What a corpus is: everything but the units. `fingerprint` tells corpora apart that were built from other texts or in another
    way; `encoder` that of what made units of the texts."""

    format: Literal[1] = FORMAT
    fingerprint: str
    encoder: str
    arrays: dict[str, ArraySpec] = Field(min_length=1)
    sources: tuple[SourceFacts, ...]
    blocks: tuple[Block, ...]
    ledger: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees(self) -> Manifest:
        for block in self.blocks:
            if block.source >= len(self.sources):
                raise ValueError(f"a block is of source {block.source}, of {len(self.sources)}")
            if sum(count for _, count in block.sizes) != block.documents or min(min(pair) for pair in block.sizes) < 1:
                raise ValueError("a block's sizes must count its documents")
        return self

    def bytes_of(self, block: Block) -> int:
        """Bytes of a block on disk."""
        return block.documents * LENGTH.itemsize + block.units * sum(a.bytes_a_unit for a in self.arrays.values())

    def total(self, split: Split) -> tuple[int, int]:
        """(documents, units) of a split."""
        held = [block for block in self.blocks if block.split == split]
        return sum(block.documents for block in held), sum(block.units for block in held)


def rounded(lengths: Array) -> Array:
    """Lengths rounded up to one of few: exact to 16, then eight steps an octave."""
    exponent = np.frexp(np.maximum(lengths - 1, 1).astype(np.float64))[1]
    step = np.where(lengths <= 16, 1, np.left_shift(1, np.maximum(exponent - 4, 0)))
    return -(-lengths // step) * step


def sizes_of(lengths: Array) -> tuple[tuple[int, int], ...]:
    """How many documents there are of each rounded length."""
    size, count = np.unique(rounded(lengths), return_counts=True)
    return tuple(zip(size.tolist(), count.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Documents:
    """Documents one after the other. `lengths (N,)` int64; `arrays`: name -> (sum of lengths, …)."""

    lengths: Array
    arrays: Arrays

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def of(cls, documents: Sequence[Arrays]) -> Documents:
        """At least one document; all bring the same arrays."""
        names = list(documents[0])
        lengths = np.array([len(document[names[0]]) for document in documents], np.int64)
        return cls(lengths, {name: np.concatenate([document[name] for document in documents]) for name in names})

    @classmethod
    def joined(cls, parts: Sequence[Documents]) -> Documents:
        """The documents of all parts, of which there is at least one."""
        arrays = {name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays}
        return cls(np.concatenate([part.lengths for part in parts]), arrays)


class Corpus:
    """One split of a corpus on disk. `weights`: how often each of its sources is read in an epoch, in place of what the manifest
    says."""

    def __init__(self, folder: Path | str, split: Split = "train", weights: Sequence[float] | None = None) -> None:
        """Raises MissingFile: there is no manifest; DamagedFile: it is not what it should be, or a shard is missing or short."""
        self.folder, self.split = Path(folder), split
        self.manifest = read_manifest(self.folder)
        self.weights = tuple(weights or (source.weight for source in self.manifest.sources))
        assert len(self.weights) == len(self.manifest.sources), "one weight a source"
        self.blocks = tuple(block for block in self.manifest.blocks if block.split == split)
        _check_shards(self.folder, self.manifest)

    @property
    def documents(self) -> int:
        return sum(block.documents for block in self.blocks)

    @property
    def units(self) -> int:
        return sum(block.units for block in self.blocks)

    def bytes_of(self, index: int) -> int:
        """Bytes of a block on disk, about as many as it takes in memory."""
        return self.manifest.bytes_of(self.blocks[index])

    def read(self, index: int) -> Documents:
        """The documents of a block.

        Raises:
            DamagedFile: its bytes are not those that were written.
        """
        block, size = self.blocks[index], self.bytes_of(index)
        path = self.folder / block.file
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(block.offset)
                data = file.read(size)
        except OSError as error:
            raise damaged(path, os_reason(error)) from None
        if hashlib.sha256(data).hexdigest() != block.sha256:
            where = f"{block.offset}–{block.offset + size}"
            raise damaged(path, in_language(f"bytes {where} changed", f"字节 {where} 已变化"))
        return self._documents(path, block, data)

    def _documents(self, path: Path, block: Block, data: bytes) -> Documents:
        lengths = np.frombuffer(data, LENGTH, block.documents).astype(np.int64)
        if lengths.sum() != block.units or lengths.min() < 1 or sizes_of(lengths) != block.sizes:
            raise damaged(path, in_language("the lengths of its documents do not fit", "文档长度不符"))
        arrays: dict[str, Array] = {}
        start = block.documents * LENGTH.itemsize
        for name, spec in sorted(self.manifest.arrays.items()):
            flat = np.frombuffer(data, spec.dtype, block.units * max(spec.channels, 1), start)
            start += flat.nbytes
            if spec.below is not None and int(flat.max()) >= spec.below:
                raise damaged(
                    path, in_language(f"'{name}' has ids beyond {spec.below}", f"「{name}」中有超出 {spec.below} 的编号")
                )
            arrays[name] = flat.reshape(block.units, spec.channels) if spec.channels else flat
        return Documents(lengths, arrays)


def damaged(path: Path, why: str) -> DamagedFile:
    """The error for a part of a corpus that is not as it was written."""
    return DamagedFile(file=path, format=in_language("corpus", "语料"), why=why)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the corpus in a folder.

    Raises:
        MissingFile: there is none.
        DamagedFile: it is not what it should be.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise MissingFile(file=path)
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise damaged(path, f"{place}: {first['msg']}" if place else str(first["msg"])) from None
    except OSError as error:
        raise damaged(path, os_reason(error)) from None


def _check_shards(folder: Path, manifest: Manifest) -> None:
    """Every block lies inside a regular file of the folder itself."""
    sizes: dict[str, int] = {}
    for block in manifest.blocks:
        path = folder / block.file
        if block.file not in sizes:
            if path.is_symlink() or not path.is_file():
                raise damaged(path, in_language("it is missing, or no regular file", "文件缺失或不是普通文件"))
            sizes[block.file] = path.stat().st_size
        if block.offset + manifest.bytes_of(block) > sizes[block.file]:
            raise damaged(path, in_language("it is shorter than it was written", "文件比写入时短"))
