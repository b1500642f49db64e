"""A corpus on disk: a manifest, a table of blocks, and shards of plain little-endian arrays that are read block by block.

A block holds whole documents of one source and one split: `lengths (N,)` uint32, then each array in the order of its name,
`(units,)` or `(units, C)`. Blocks are read with ordinary reads, not mapped, so that resident memory does not grow with the corpus.
Nothing in a manifest or the table (see `blocks`) is believed before it is checked; a block is believed when its sha256 is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from zhuji.core.config import Settings
from zhuji.core.errors import CorpusFormat, MissingFile
from zhuji.core.files import os_reason
from zhuji.core.log import in_language
from zhuji.data.corpus.blocks import SPLITS, counted, damaged, read_table, sizes_of

FORMAT = 2
MANIFEST = "manifest.json"
LARGEST = 1 << 30
"""Bytes of a manifest, at most."""
UNIT_BYTES = 1 << 22
"""Bytes of a unit in all arrays together, at most."""
LENGTH = np.dtype("<u4")
"""How the length of a document is written."""

Array = np.ndarray
Arrays = Mapping[str, Array]
Split = Literal["train", "valid"]


class ArraySpec(Settings):
    """One array of each document: its type, its channels (0: one number a unit) and, of ids, the number that all are below."""

    dtype: Literal["<u2", "<u4", "|u1", "<f2", "<f4"]
    channels: int = Field(default=0, ge=0, le=1 << 20)
    below: int | None = Field(default=None, gt=0)

    @property
    def bytes_a_unit(self) -> int:
        return np.dtype(self.dtype).itemsize * max(self.channels, 1)


class SourceFacts(Settings):
    """A source of the corpus: its name, how often it is read in an epoch, and its files with their sha256 and size."""

    name: str
    weight: float = Field(default=1.0, gt=0, le=1000, allow_inf_nan=False)
    files: dict[str, dict[str, str | int]] = Field(default_factory=dict)


class BlocksFacts(Settings):
    """The table of the blocks: how many there are, and the sha256 of its file."""

    number: int = Field(ge=0, lt=1 << 32)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(Settings):
    """What a corpus is: everything but the units and where they lie. `fingerprint` tells corpora apart that were built from other
    texts or in another way; `encoder` that of what made units of the texts."""

    format: Literal[2] = FORMAT
    fingerprint: str
    encoder: str
    arrays: dict[str, ArraySpec] = Field(min_length=1)
    sources: tuple[SourceFacts, ...]
    blocks: BlocksFacts
    ledger: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _bounded(self) -> Manifest:
        if self.bytes_a_unit > UNIT_BYTES:
            raise ValueError(f"a unit takes {self.bytes_a_unit} bytes, of at most {UNIT_BYTES}")
        return self

    @property
    def bytes_a_unit(self) -> int:
        """Bytes of a unit in all arrays together."""
        return sum(array.bytes_a_unit for array in self.arrays.values())


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
    """One split of a corpus on disk. `blocks`: the `BLOCK` of each of its blocks; `weights`: how often each of its sources is read in
    an epoch, in place of what the manifest says."""

    def __init__(self, folder: Path | str, split: Split = "train", weights: Sequence[float] | None = None) -> None:
        """Raises MissingFile: there is no manifest; DamagedFile: it is not what it should be, or a shard is missing or short;
        CorpusFormat: another version of Zhuji wrote it."""
        self.folder, self.split = Path(folder), split
        self.manifest = read_manifest(self.folder)
        self.weights = tuple(weights or (source.weight for source in self.manifest.sources))
        assert len(self.weights) == len(self.manifest.sources), "one weight a source"
        facts = self.manifest.blocks
        table = read_table(self.folder, facts.number, facts.sha256, len(self.manifest.sources))
        _check_shards(self.folder, table, _bytes(table, self.manifest))
        self._places = np.flatnonzero(table["split"] == SPLITS.index(split))
        self.blocks: Array = table[self._places]
        self.bytes: Array = _bytes(self.blocks, self.manifest)
        """Bytes of each block on disk, about as many as it takes in memory; (blocks,) int64."""

    @property
    def documents(self) -> int:
        return int(self.blocks["documents"].sum(dtype=np.int64))

    @property
    def units(self) -> int:
        return int(self.blocks["units"].sum(dtype=np.int64))

    def sizes(self, chosen: Array | None = None) -> Iterator[tuple[int, Array]]:
        """How many documents of each rounded length the blocks have, or the chosen ones (N,), some blocks at a time: (how many came
        before, (n, SIZES) uint32)."""
        return sizes_of(self.folder, self._places if chosen is None else self._places[chosen])

    def read(self, index: int) -> Documents:
        """The documents of a block.

        Raises:
            DamagedFile: its bytes are not those that were written.
        """
        block, size = self.blocks[index], int(self.bytes[index])
        path, offset = self.folder / shard_name(int(block["shard"])), int(block["offset"])
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise damaged(path, os_reason(error)) from None
        if hashlib.sha256(data).digest() != block["sha256"].tobytes():
            where = f"{offset}–{offset + size}"
            raise damaged(path, in_language(f"bytes {where} changed", f"字节 {where} 已变化"))
        return self._documents(path, index, data)

    def _documents(self, path: Path, index: int, data: bytes) -> Documents:
        documents, units = int(self.blocks["documents"][index]), int(self.blocks["units"][index])
        lengths = np.frombuffer(data, LENGTH, documents).astype(np.int64)
        ((_, sizes),) = self.sizes(np.array([index]))
        if lengths.sum() != units or lengths.min() < 1 or not np.array_equal(counted(lengths), sizes[0]):
            raise damaged(path, in_language("the lengths of its documents do not fit", "文档长度不符"))
        arrays: dict[str, Array] = {}
        start = documents * LENGTH.itemsize
        for name, spec in sorted(self.manifest.arrays.items()):
            flat = np.frombuffer(data, spec.dtype, units * max(spec.channels, 1), start)
            start += flat.nbytes
            if spec.below is not None and int(flat.max()) >= spec.below:
                raise damaged(
                    path, in_language(f"'{name}' has ids beyond {spec.below}", f"「{name}」中有超出 {spec.below} 的编号")
                )
            arrays[name] = flat.reshape(units, spec.channels) if spec.channels else flat
        return Documents(lengths, arrays)


def shard_name(number: int) -> str:
    """The file of a shard."""
    return f"shard-{number:05}.bin"


class _Format(BaseModel):
    """What every manifest of every version says."""

    format: int


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the corpus in a folder.

    Raises:
        MissingFile: there is none.
        DamagedFile: it is not what it should be.
        CorpusFormat: another version of Zhuji wrote it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise MissingFile(file=path)
    try:
        if path.stat().st_size > LARGEST:
            raise damaged(path, in_language(f"it holds more than {LARGEST} bytes", f"它超过 {LARGEST} 字节"))
        data = path.read_bytes()
        version = _Format.model_validate_json(data).format
        if version != FORMAT:
            raise CorpusFormat(file=folder, known=FORMAT, value=version)
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise damaged(path, f"{place}: {first['msg']}" if place else str(first["msg"])) from None
    except OSError as error:
        raise damaged(path, os_reason(error)) from None


def _bytes(blocks: Array, manifest: Manifest) -> Array:
    """Bytes of each block on disk, (blocks,) int64."""
    documents, units = blocks["documents"].astype(np.int64), blocks["units"].astype(np.int64)
    return documents * LENGTH.itemsize + units * manifest.bytes_a_unit


def _check_shards(folder: Path, blocks: Array, size: Array) -> None:
    """Every block lies inside a regular file of the folder itself."""
    shards, which = np.unique(blocks["shard"], return_inverse=True)
    ends = np.zeros(len(shards), np.int64)
    np.maximum.at(ends, which, blocks["offset"].astype(np.int64) + size)
    for number, end in zip(shards.tolist(), ends.tolist(), strict=True):
        path = folder / shard_name(number)
        if path.is_symlink() or not path.is_file():
            raise damaged(path, in_language("it is missing, or no regular file", "文件缺失或不是普通文件"))
        if end > path.stat().st_size:
            raise damaged(path, in_language("it is shorter than it was written", "文件比写入时短"))
