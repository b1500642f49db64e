"""Writes a corpus: documents as they come, a block at a time, into a folder that appears when it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from zhuji.core.files import PARTIAL, write_json
from zhuji.data.corpus.blocks import SPLITS, TableWriter
from zhuji.data.corpus.shards import (
    LENGTH,
    MANIFEST,
    Arrays,
    ArraySpec,
    BlocksFacts,
    Documents,
    Manifest,
    SourceFacts,
    Split,
    shard_name,
)

BLOCK_BYTES = 512 << 10
"""From which a block is full: a window of 8 MiB then mixes the documents of sixteen places."""
SHARD_BYTES = 256 << 20
"""From which a new shard is begun."""


class Writer:
    """Takes documents of several sources and splits; holds one block of each."""

    def __init__(self, folder: Path, arrays: Mapping[str, ArraySpec], block_bytes: int = BLOCK_BYTES) -> None:
        self.folder, self.arrays, self.block_bytes = folder, dict(arrays), block_bytes
        self._table = TableWriter(folder)
        self._documents = dict.fromkeys(SPLITS, 0)
        self._waiting: dict[tuple[int, Split], list[Arrays]] = {}
        self._bytes: dict[tuple[int, Split], int] = {}
        self._shard: IO[bytes] | None = None
        self._shards = 0

    def add(self, source: int, split: Split, document: Arrays) -> None:
        """One document of at least one unit; `document`: name -> (T, …), for each of `arrays`."""
        key = source, split
        typed = {name: np.asarray(document[name], spec.dtype) for name, spec in self.arrays.items()}
        assert len({len(array) for array in typed.values()}) == 1, "the arrays of a document are equally long"
        self._waiting.setdefault(key, []).append(typed)
        self._documents[split] += 1
        self._bytes[key] = self._bytes.get(key, 0) + LENGTH.itemsize + sum(array.nbytes for array in typed.values())
        if self._bytes[key] >= self.block_bytes:
            self._flush(key)

    def documents(self, split: Split) -> int:
        """Documents of a split so far."""
        return self._documents[split]

    def close(self) -> None:
        """Writes what waits."""
        for key in sorted(self._waiting):
            if self._waiting[key]:
                self._flush(key)
        self._end_shard()
        os.fsync(self._table.flush().fileno())
        self.abandon()

    @property
    def facts(self) -> BlocksFacts:
        """Of the table of blocks so far."""
        return BlocksFacts(number=self._table.blocks, sha256=self._table.sha256)

    def abandon(self) -> None:
        """Lets go of the open files without asking that they be safe on disk."""
        self._table.close()
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def _flush(self, key: tuple[int, Split]) -> None:
        held = Documents.of(self._waiting.pop(key))
        self._bytes[key] = 0
        data = held.lengths.astype(LENGTH).tobytes() + b"".join(held.arrays[name].tobytes() for name in sorted(self.arrays))
        shard = self._open_shard()
        source, split = key
        self._table.add(
            held.lengths, source=source, split=SPLITS.index(split), shard=self._shards - 1, offset=shard.tell(),
            sha256=hashlib.sha256(data).digest(),
        )  # fmt: skip
        shard.write(data)

    def _open_shard(self) -> IO[bytes]:
        if self._shard is not None and self._shard.tell() >= SHARD_BYTES:
            self._end_shard()
        if self._shard is None:
            self._shard = open(self.folder / shard_name(self._shards), "wb")  # noqa: SIM115 - closed by `close`
            self._shards += 1
        return self._shard

    def _end_shard(self) -> None:
        if self._shard is not None:
            self._shard.flush()
            os.fsync(self._shard.fileno())
            self._shard.close()
            self._shard = None


@contextlib.contextmanager
def corpus_folder(folder: Path) -> Generator[Path]:
    """A folder to write into, which becomes `folder` when the block ends well. Its name beside `folder` is always the same, so what
    a killed run left there is removed by the next."""
    partial = folder.parent / f"{PARTIAL}{folder.name}"
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        yield partial
        os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def finish(writer: Writer, *, fingerprint: str, encoder: str, sources: tuple[SourceFacts, ...], **facts: Any) -> Manifest:
    """Writes what waits and, last of all, the manifest."""
    writer.close()
    manifest = Manifest(
        fingerprint=fingerprint, encoder=encoder, arrays=writer.arrays, sources=sources, blocks=writer.facts, **facts
    )
    write_json(writer.folder / MANIFEST, manifest.model_dump(mode="json"))
    return manifest
