"""Small corpora for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from zhuji.core.seed import stream
from zhuji.data.corpus.build import Coding
from zhuji.data.corpus.shards import ArraySpec, Corpus, SourceFacts
from zhuji.data.corpus.writing import Writer, corpus_folder, finish

ARRAYS = {"ids": ArraySpec(dtype="<u2", below=1 << 16), "words": ArraySpec(dtype="|u1", below=3)}


def lengths_of(documents: int, mean: float = 3.2) -> list[int]:
    return stream(0, "lengths", documents).lognormal(mean, 0.7, documents).astype(int).clip(1, 300).tolist()


def corpus(folder: Path, *sources: list[int], weights: tuple[float, ...] = (), block_bytes: int = 2_000) -> Corpus:
    """One document for each length; document n of source s is made of the number 1000 s + n, over and over."""
    with corpus_folder(folder) as partial:
        writer = Writer(partial, ARRAYS, block_bytes)
        for s, lengths in enumerate(sources):
            for n, length in enumerate(lengths):
                writer.add(s, "train", {"ids": np.full(length, 1000 * s + n), "words": np.arange(length) % 3 == 0})
        facts = tuple(SourceFacts(name=f"s{s}", weight=w) for s, w in enumerate(weights or [1.0] * len(sources)))
        finish(writer, fingerprint="f", encoder="e", sources=facts)
    return Corpus(folder)


def by_bytes(texts: list[str]) -> list[dict[str, np.ndarray]]:
    return [{"ids": np.frombuffer(text.encode(), np.uint8)} for text in texts]


BYTES = Coding(by_bytes, {"ids": ArraySpec(dtype="|u1")}, "bytes")


FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs the device that is always full")


def full_file(**settings: Any) -> IO[bytes]:
    """In place of `tempfile.TemporaryFile`: a file that has no room."""
    return open(FULL, "r+b", **settings)
