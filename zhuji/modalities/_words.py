"""Which pieces of a text belong to one word. Shapes: T pieces."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np

from zhuji.core.scripts import WITHOUT_BLANKS


@cache
def _solid() -> np.ndarray:
    """For every code point, whether it can stand inside a word: letters, marks and digits of scripts that write blanks."""
    table = np.array([unicodedata.category(chr(code))[0] in "LMN" for code in range(sys.maxunicode + 1)])
    table[ord("_")] = True
    for first, last in WITHOUT_BLANKS:
        table[first : last + 1] = False
    return table


def numbered(text: str, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """The number of each piece's word, (T,) int32 from 0 on. `spans`: where in `text` each piece begins and ends.

    A piece continues the word of the one before if it begins inside it, or if the characters on both sides of its begin are inside
    a word.
    """
    if not spans or not text:
        return np.zeros(len(spans), np.int32)
    start, end = np.array(spans, dtype=np.int64).T
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    solid = _solid()[codes]
    here = start.clip(0, len(codes) - 1)
    joins = (solid[here] & solid[(here - 1).clip(0)] & (here > 0))[1:] | (start[1:] < end[:-1])
    return np.concatenate(([0], np.cumsum(~joins))).astype(np.int32)


def spaced(words: Sequence[str]) -> list[str]:
    """The words with the blanks that a writer would set: one before each but the first, none between characters of scripts that
    write none."""
    return [f" {word}" if before and _part(before, word) else word for before, word in zip(["", *words], words, strict=False)]


def placed(words: Sequence[str]) -> list[tuple[int, int]]:
    """Where each word begins and ends in what `spaced` gives, joined."""
    ends = np.cumsum([len(word) for word in spaced(words)]).tolist()
    return [(end - len(word), end) for word, end in zip(words, ends, strict=True)]


def gathered(text: str, spans: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], np.ndarray]:
    """The words of a text, by begin and end without blanks around them, and the number of each piece's word, (T,) int64; -1 of a piece
    without any character. `spans` as in `numbered`."""
    shown = [_trimmed(text, *span) for span in spans]
    real = [number for number, (begin, end) in enumerate(shown) if begin < end]
    of_piece = np.full(len(spans), -1)
    words: list[tuple[int, int]] = []
    numbers = numbered(text, [shown[number] for number in real]) if real else ()
    for number, word in zip(real, numbers, strict=True):
        begin, end = shown[number]
        if word == len(words):
            before = words[-1][1] if words else 0
            words.append((max(begin, before), max(end, before)))
        else:
            words[-1] = (words[-1][0], max(words[-1][1], end))
        of_piece[number] = word
    return words, of_piece


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    piece = text[begin:end]
    if not piece.strip():
        return begin, end
    return begin + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def _part(before: str, word: str) -> bool:
    return not (before and word and _blankless(before[-1]) and _blankless(word[0]))


def _blankless(character: str) -> bool:
    return (
        any(first <= ord(character) <= last for first, last in WITHOUT_BLANKS)
        or character in "，。、；：？！“”‘’（）《》「」…—"
    )
