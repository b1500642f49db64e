"""A graph of neighbours over the vectors of an index (HNSW, Malkov & Yashunin 2018), as the library usearch builds and reads it.

The library believes what a file says, so every number in it that leads somewhere is checked before the library sees the first byte, and
it is given the very bytes that were checked. The layout (usearch 2): the vectors `(N, W)` after their two sizes; a head of 64 bytes;
five numbers; the level of each node; and for each node its key, its level, and a list of neighbours on each level from 0 up.
"""

# pyright: reportMissingImports=false
# usearch is an optional extra.

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhuji.core.errors import DamagedBundle, MissingExtra
from zhuji.core.log import in_language
from zhuji.model.safety import read_bytes

HEAD = np.dtype(
    [
        ("magic", "S7"), ("version", "<u2", 3), ("kinds", "u1", 4), ("present", "<u8"), ("deleted", "<u8"), ("width", "<u8"),
        ("rest", "u1", 23),
    ]
)  # fmt: skip
KINDS = (105, 11, 14, 15)
"""Inner product, 32-bit floats, 64-bit keys, 32-bit numbers of nodes."""
NUMBERS = np.dtype([(name, "<u8") for name in ("size", "links", "base_links", "top", "entry")])
MOST_LINKS, MOST_LEVELS = 1024, 64
LOOKED_AT = 256
"""Nodes kept in sight while searching: of 125,000 texts that finds 90 of 100 neighbours where the library's own 64 finds 82."""
_CHUNK = 8192
"""Nodes looked at together."""

Vectors = NDArray[np.float32]
Array = NDArray[Any]


def _library() -> Any:
    try:
        from usearch import index as library
    except ImportError:
        raise MissingExtra(what="zhuji nearest", package="usearch", extra="search") from None
    return library


def write_graph(path: Path, vectors: Vectors) -> None:
    """The graph of vectors `(N, W)` of length 1. Raises MissingExtra."""
    graph = _library().Index(ndim=vectors.shape[1], metric="ip", dtype="f32")
    graph.add(np.arange(len(vectors)), vectors, threads=1)  # of several, another graph would come out each time
    graph.save(str(path))
    assert sound(path.read_bytes(), vectors), "the library writes as it is known here to write"


def open_graph(path: Path, size: int, vectors: Vectors) -> Any:
    """The graph in a file of `size` bytes, which must be one of these vectors `(N, W)`. Raises DamagedBundle and MissingExtra."""
    library = _library()
    data = read_bytes(path, size)
    if not sound(data, vectors):
        raise DamagedBundle(file=path, why=in_language("it does not belong to these vectors", "它与这些向量不符"))
    graph = library.Index(ndim=vectors.shape[1], metric="ip", dtype="f32")
    graph.load(data)
    graph.expansion_search = LOOKED_AT
    return graph


def sound(data: bytes, vectors: Vectors) -> bool:
    """Whether a file holds these vectors `(N, W)`, each once, and no list of neighbours leads out of it."""
    rows, width = vectors.shape
    start = 8 + 4 * rows * width
    nodes = start + HEAD.itemsize + NUMBERS.itemsize + 2 * rows
    if not rows or len(data) < nodes or np.frombuffer(data, "<u4", 2).tolist() != [rows, 4 * width]:
        return False
    head, numbers = np.frombuffer(data, HEAD, 1, start)[0], np.frombuffer(data, NUMBERS, 1, start + HEAD.itemsize)[0]
    facts = (
        head["magic"],
        int(head["version"][0]),
        tuple(head["kinds"]),
        *(int(head[n]) for n in ("present", "deleted", "width")),
    )
    if facts != (b"usearch", 2, KINDS, rows, 0, width) or head["rest"].any():
        return False
    size, links, base, top, entry = (int(numbers[name]) for name in numbers.dtype.names)
    if size != rows or not (0 < links <= MOST_LINKS and 0 < base <= MOST_LINKS and top < MOST_LEVELS and entry < rows):
        return False
    levels = np.frombuffer(data, "<i2", rows, nodes - 2 * rows).astype(np.int64)
    if levels.min() < 0 or levels.max() > top or levels[entry] != top:
        return False
    ends = nodes + np.cumsum(14 + 4 * base + levels * (4 + 4 * links))
    if ends[-1] != len(data):
        return False
    starts = np.concatenate([[nodes], ends[:-1]])
    return _holds(data, starts, levels, vectors) and _stays(data, starts + 10, levels, base, links)


def _holds(data: bytes, starts: Array, levels: Array, vectors: Vectors) -> bool:
    """Whether the nodes, which begin at `starts` (N,), have these levels (N,) and all keys, each with the vector of its place."""
    raw = np.frombuffer(data, np.uint8)
    own = raw[starts[:, None] + np.arange(10)]
    keys = np.ascontiguousarray(own[:, :8]).view("<u8")[:, 0]
    if not np.array_equal(np.sort(keys), np.arange(len(keys), dtype=np.uint64)):
        return False
    if not np.array_equal(np.ascontiguousarray(own[:, 8:]).view("<i2")[:, 0], levels):
        return False
    held, places = np.frombuffer(data, "<f4", vectors.size, 8).reshape(vectors.shape), keys.astype(np.int64)
    parts = range(0, len(keys), _CHUNK)
    return all(np.array_equal(held[i : i + _CHUNK], vectors[places[i : i + _CHUNK]]) for i in parts)


def _stays(data: bytes, lists: Array, levels: Array, base: int, links: int) -> bool:
    """Whether the neighbours of every node, whose lists begin at `lists` (N,), exist on the level where they are neighbours."""
    raw = np.frombuffer(data, np.uint8)
    for level in range(int(levels.max()) + 1):
        there = np.flatnonzero(levels >= level)
        most = links if level else base
        first = lists[there] + ((4 + 4 * base) + (level - 1) * (4 + 4 * links) if level else 0)
        for i in range(0, len(first), _CHUNK):
            own = np.ascontiguousarray(raw[first[i : i + _CHUNK, None] + np.arange(4 + 4 * most)]).view("<u4").astype(np.int64)
            count, neighbours = own[:, :1], own[:, 1:]
            named = neighbours[np.arange(most) < count]
            if count.max() > most or (len(named) and (named.max() >= len(levels) or levels[named].min() < level)):
                return False
    return True
