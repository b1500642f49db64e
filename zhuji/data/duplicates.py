"""Texts that stand in the data more than once: exactly (but for case, width and blanks) or nearly.

Two texts are near duplicates when the Jaccard similarity of their shingles is at least the threshold (Broder 1997). A shingle is
five consecutive bytes of UTF-8: five letters of English, less than two characters of Chinese, so a changed word weighs much
the same in both, and it packs into 40 bits without a hash, so that the similarity is exact. Candidates come from MinHash with
banded locality-sensitive hashing (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, section 3.4). In a short text one changed
word spoils many shingles; there the Jaccard similarity of the words at their places decides as well.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from zhuji.core.seed import derive, stream

WIDTH = 5
"""Bytes of a shingle; 8 * WIDTH bits of a key hold the shingle, the rest the number of its text."""
PERMUTATIONS = 128
CERTAINTY = 0.995
"""Least chance that the bands make a candidate of a pair exactly at the threshold."""
CHUNK = 2_000_000
"""Bytes of text shingled at a time: bounds memory."""
LONGEST = 1_000_000
"""Bytes by which a text is compared: what follows does not count, so that one huge text does not take all memory."""
NEIGHBOURS = 32
"""Rows of one bucket that each row is compared with: bounds work when thousands of texts share a template."""
SHORT = 40
"""Words up to which a text is also looked up with each of its words left open."""

_BITS = np.uint64(8 * WIDTH)
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""A word: a run without blanks, or one character of a script that is written without them."""

Array = np.ndarray


def normalised(text: str) -> str:
    """The text without what copies commonly differ in: NFKC, case folded, runs of blanks collapsed."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def exact_key(text: str) -> bytes:
    """A 128-bit hash, equal for texts that differ only in case, width of characters and blanks."""
    return hashlib.blake2b(normalised(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def near_groups(texts: Sequence[str], threshold: float, seed: int) -> list[list[int]]:
    """Clusters of indexes of texts that are exact or near duplicates, each sorted, by first member; single texts are left out.

    A cluster is what chains of pairs join: its ends may be less alike than `threshold`. A threshold of 0 finds exact copies only.
    """
    cluster = cluster_of(texts, threshold, seed)
    order = np.argsort(cluster, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1)
    return sorted(part.tolist() for part in parts if len(part) > 1)


def cluster_of(texts: Sequence[str], threshold: float, seed: int) -> Array:
    """The number of each text's cluster, (N,) int64."""
    first: dict[bytes, int] = {}
    unique = np.fromiter((first.setdefault(exact_key(t), len(first)) for t in texts), np.int64, len(texts))
    if not 0 < threshold < 1 or len(first) < 2:
        return unique
    shown = np.unique(unique, return_index=True)[1]
    folded = [normalised(texts[int(i)]) for i in shown]
    raw = [raw_bytes(t) for t in folded]
    return _near(raw, _one_word_apart(folded, threshold, seed), threshold, seed)[unique]


def similarity(texts: Sequence[str], left: Sequence[int], right: Sequence[int]) -> Array:
    """Similarity of each pair (left[i], right[i]) as defined above, (P,) float64."""
    used = sorted({*left, *right})
    folded = {i: normalised(texts[i]) for i in used}
    raw = {i: raw_bytes(text) for i, text in folded.items()}
    shingles = _jaccard([raw[i] for i in left], [raw[i] for i in right])
    return np.maximum(shingles, [_by_words(folded[a], folded[b]) for a, b in zip(left, right, strict=True)])


def raw_bytes(text: str) -> bytes:
    """The bytes of a normalised text of which shingles are made."""
    return text[:LONGEST].encode("utf-8", "surrogatepass")[:LONGEST]


def join(cluster: Array, left: Array, right: Array) -> Array:
    """Clusters after the pairs (left[i], right[i]) of rows became one."""
    from scipy import sparse  # pyright: ignore[reportMissingTypeStubs]

    size = int(cluster.max(initial=-1)) + 1
    links = sparse.coo_array((np.ones(len(left), np.int8), (cluster[left], cluster[right])), shape=(size, size))
    part: Array = sparse.csgraph.connected_components(links, directed=False)[1]
    return part.astype(np.int64)[cluster]


def _near(raw: list[bytes], pairs: Array, threshold: float, seed: int) -> Array:
    number, rows = banding(threshold)
    parts = [(band_hashes(signature, rows, seed), own) for signature, own in signatures(raw, number * rows, seed)]
    bands, counts = (np.concatenate(part) for part in zip(*parts, strict=True))
    cluster = join(np.arange(len(raw)), pairs[:, 0], pairs[:, 1])
    refused = np.empty(0, np.int64)
    for band in bands.T:
        left, right = bucket_pairs(band)
        small, large = np.minimum(counts[left], counts[right]), np.maximum(counts[left], counts[right])
        open_ = (small >= threshold * large) & (cluster[left] != cluster[right])
        left, right = left[open_], right[open_]
        key = left * len(raw) + right
        new = ~np.isin(key, refused)
        left, right, key = left[new], right[new], key[new]
        alike = _jaccard([raw[i] for i in left], [raw[i] for i in right]) >= threshold
        cluster = join(cluster, left[alike], right[alike])
        refused = np.concatenate([refused, key[~alike]])
    return cluster


def banding(threshold: float) -> tuple[int, int]:
    """(bands, values in each) of a signature: the longest band that still makes a candidate of a pair at the threshold with
    CERTAINTY."""

    def chance(rows: int) -> float:
        return 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows)

    rows = max((rows for rows in range(1, 33) if chance(rows) >= CERTAINTY), default=1)
    return PERMUTATIONS // rows, rows


def signatures(raw: Sequence[bytes], length: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """The MinHash signature of each text, (n, length) uint64, and its number of shingles, (n,) int64, for as many texts at a time
    as memory should hold, in order."""
    import rensa  # pyright: ignore[reportMissingTypeStubs]

    hasher: Any = rensa
    for part in _chunks(raw):
        keys = _shingles(part)
        counts = np.bincount((keys >> _BITS).astype(np.int64), minlength=len(part))
        ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
        tokens = mixed(keys & ((np.uint64(1) << _BITS) - np.uint64(1)))
        digest = hasher.RMinHash.digest_matrix_from_flat_token_hashes(tokens, ends, length, derive(seed, "minhash"))
        yield np.array(digest.to_rows(), np.uint64).reshape(len(part), length), counts


def band_hashes(signature: Array, rows: int, seed: int) -> Array:
    """Hash of each band of `rows` values, (N, bands) uint64."""
    odd = stream(seed, "duplicates", "bands").integers(1, 2**63, rows, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return mixed((signature.reshape(len(signature), -1, rows) * odd).sum(-1, dtype=np.uint64))


def mixed(x: Array) -> Array:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): shingles are far from random, MinHash wants them so."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _chunks(raw: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    start = size = 0
    for i, text in enumerate(raw):
        size += len(text)
        if size >= CHUNK:
            yield raw[start : i + 1]
            start, size = i + 1, 0
    if start < len(raw):
        yield raw[start:]


def _shingles(raw: Sequence[bytes]) -> Array:
    """Sorted unique keys `text number << 40 | shingle` of all texts. A blank stands before and after each text, so that even an
    empty one has a shingle."""
    edged = [b" " + text.ljust(WIDTH - 2) + b" " for text in raw]
    data = np.frombuffer(b"".join(edged), np.uint8)
    lengths = np.fromiter(map(len, edged), np.int64, len(edged))
    keys = np.zeros(max(len(data) - WIDTH + 1, 0), np.uint64)
    for i in range(WIDTH):
        keys <<= np.uint64(8)
        keys |= data[i : len(data) - WIDTH + 1 + i]
    inside = np.repeat(np.cumsum(lengths), lengths)[: len(keys)] - np.arange(len(keys)) >= WIDTH
    number = np.repeat(np.arange(len(raw), dtype=np.uint64), lengths)[: len(keys)]
    keys |= number << _BITS
    keys = np.sort(keys[inside])  # np.unique hashes, which is 20 times slower on keys so alike
    return keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys


def _jaccard(left: list[bytes], right: list[bytes]) -> Array:
    """Exact Jaccard similarity of the shingle sets of each pair, (P,) float64."""
    found = [np.empty(0)]
    start = 0
    for part in _chunks([a + b for a, b in zip(left, right, strict=True)]):
        stop = start + len(part)
        a, b = _shingles(left[start:stop]), _shingles(right[start:stop])
        both = np.intersect1d(a, b, assume_unique=True)
        count_a, count_b, shared = (np.bincount((keys >> _BITS).astype(np.int64), minlength=len(part)) for keys in (a, b, both))
        found.append(shared / (count_a + count_b - shared))
        start = stop
    return np.concatenate(found)


def bucket_pairs(band: Array) -> tuple[Array, Array]:
    """Pairs of rows with the same hash, each row with at most NEIGHBOURS of those that follow it in its bucket."""
    order = np.argsort(band, kind="stable")
    ranked = band[order]
    left, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for step in range(1, min(NEIGHBOURS, len(band) - 1) + 1):
        same = np.flatnonzero(ranked[step:] == ranked[:-step])
        if not len(same):
            break
        left.append(order[same])
        right.append(order[same + step])
    return np.concatenate(left), np.concatenate(right)


def _by_words(first: str, second: str) -> float:
    """Jaccard similarity of (place, word) of short texts with equally many words of which one differs; else 0."""
    if len(first) > 20 * SHORT or len(second) > 20 * SHORT:
        return 0.0
    a, b = WORD.findall(first), WORD.findall(second)
    apart = sum(x != y for x, y in zip(a, b)) if len(a) == len(b) <= SHORT else 2
    return (len(a) - apart) / (len(a) + apart) if apart <= 1 and a else 0.0


def _one_word_apart(texts: Sequence[str], threshold: float, seed: int) -> Array:
    """Pairs of short texts that differ in one word, (P, 2) int64: those that share a key with that word left open."""
    weights = stream(seed, "duplicates", "places").integers(0, 2**63, SHORT, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    known: dict[str, int] = {}
    keys, owners = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for i, text in enumerate(texts):
        words = WORD.findall(text) if len(text) <= 20 * SHORT else ()
        if len(words) <= SHORT and len(words) - 1 >= threshold * (len(words) + 1):
            codes = mixed(np.array([known.setdefault(w, len(known) + 1) for w in words], np.uint64))
            placed = codes * weights[: len(words)]
            keys.append(mixed(placed.sum(dtype=np.uint64) - placed) + weights[: len(words)])
            owners.append(np.full(len(words), i))
    owner = np.concatenate(owners)
    left, right = bucket_pairs(np.concatenate(keys))
    pairs = np.unique(np.stack([owner[left], owner[right]], 1), axis=0)
    checked = [_by_words(texts[int(a)], texts[int(b)]) >= threshold for a, b in pairs]
    return pairs[np.array(checked, bool)]
