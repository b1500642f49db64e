"""Simple ways to translate, for a task to be compared with: word by word from a dictionary that pairs have taught, and not at all."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from zhuji.core.contracts import Task
from zhuji.core.records import Record
from zhuji.data.cells import joined
from zhuji.data.conll import words_of

PAIRS = 50_000
"""Pairs that the dictionary is learned from; of more, evenly spread ones, because files are often in order of where they come from."""
ROUNDS = 5
LONGEST = 100
"""Words of a text that are looked at."""

Array = np.ndarray


def copies(task: Task, train: Sequence[Record], test: Sequence[Record]) -> list[str]:
    """Each text as it came."""
    return [joined(record.input) for record in test]


def word_by_word(task: Task, train: Sequence[Record], test: Sequence[Record]) -> list[str]:
    """Each word's likeliest translation, in the order of the words; an unknown word stays as it is."""
    chosen = [train[i] for i in _spread(len(train), PAIRS)]
    known = learned([(words_of(joined(r.input))[:LONGEST], words_of(joined(r.target))[:LONGEST]) for r in chosen])
    written = ([known.get(word, word) for word in words_of(joined(record.input))] for record in test)
    spaced = _is_spaced([joined(record.target) for record in chosen[:1000]])
    return [(" " if spaced else "").join(word for word in words if word) for words in written]


def _spread(rows: int, most: int) -> list[int]:
    """The numbers of at most so many rows, evenly spaced."""
    return np.linspace(0, rows, min(rows, most), endpoint=False, dtype=np.int64).tolist()


def learned(pairs: Sequence[tuple[Sequence[str], Sequence[str]]], rounds: int = ROUNDS) -> dict[str, str]:
    """The word that each word most likely becomes, by IBM model 1 (Brown et al. 1993, section 4.2): t(f|e), from expected counts over all
    alignments, with an empty word that explains what has no counterpart. "" for a word that is best left away."""
    sources, targets = _numbers([("", *a) for a, _ in pairs]), _numbers([b for _, b in pairs])
    of, to, group, size = _together(sources[1], targets[1])
    if not len(of):
        return {}
    key, slot = np.unique(of * len(targets[0]) + to, return_inverse=True)
    chance = np.full(len(key), 1.0)
    source = key // len(targets[0])
    for _ in range(rounds):
        share = chance[slot]
        share /= np.bincount(group, share, size)[group]
        counts = np.bincount(slot, share, len(key))
        chance = counts / np.bincount(source, counts, len(sources[0]))[source]
    order = np.lexsort((chance, source))
    last = np.append(np.flatnonzero(np.diff(source[order])), len(order) - 1)
    likeliest: list[int] = order[last].tolist()
    best = {sources[0][int(source[i])]: targets[0][int(key[i]) % len(targets[0])] for i in likeliest}
    return {word: found for word, found in best.items() if word}


def _numbers(rows: Sequence[Sequence[str]]) -> tuple[list[str], list[Array]]:
    """Every word once, and the rows as numbers of words."""
    seen: dict[str, int] = {}
    numbered = [np.array([seen.setdefault(word, len(seen)) for word in row], np.int64) for row in rows]
    return list(seen), numbered


def _together(sources: Sequence[Array], targets: Sequence[Array]) -> tuple[Array, Array, Array, int]:
    """Every source word beside every target word of its pair: both, the number of the target word's place, and how many places there are."""
    of = [np.tile(a, len(b)) for a, b in zip(sources, targets, strict=True)]
    to = [np.repeat(b, len(a)) for a, b in zip(sources, targets, strict=True)]
    starts = np.cumsum([0, *map(len, targets)])
    group = [np.repeat(np.arange(len(b)) + s, len(a)) for a, b, s in zip(sources, targets, starts)]
    empty = np.empty(0, np.int64)
    return (*(np.concatenate([empty, *parts]) for parts in (of, to, group)), int(starts[-1]))  # pyright: ignore[reportReturnType]


def _is_spaced(texts: Sequence[str]) -> bool:
    """Are words written apart, in most of these texts?"""
    letters = [c for c in "".join(texts) if c.isalpha()]
    return sum(unicodedata.name(c, "")[:3] in ("CJK", "HIR", "KAT", "THA") for c in letters) * 2 <= len(letters)
