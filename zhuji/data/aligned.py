"""Which characters of a text a mended copy of it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

_TOKEN = re.compile(r"[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|\S")
"""A run of letters and digits, or one other sign: what stays whole or is mended as a whole."""


@dataclass(frozen=True)
class Aligned:
    """`begins[i]` and `ends[i]`: where in the original the character i of the copy begins and ends. Characters that were mended together point
    to all that they came from; blanks point to no more than the place where they stand."""

    begins: list[int]
    ends: list[int]

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """Of the original, what the characters `begin` to `end` of the copy came from."""
        if begin >= end:
            place = self.begins[begin] if begin < len(self.begins) else (self.ends[-1] if self.ends else 0)
            return place, place
        return self.begins[begin], max(self.ends[begin:end])


def aligned(original: str, copy: str) -> Aligned:
    """How a copy lies on its original, from which it differs in blanks, in signs that were left out and in a few mended words."""
    if original == copy:
        return Aligned(list(range(len(copy))), list(range(1, len(copy) + 1)))
    begins, ends = [-1] * len(copy), [-1] * len(copy)
    for (a, b), (c, d) in _blocks(original, copy):
        alike = original[a:b] == copy[c:d]
        for place in range(c, d):
            begins[place], ends[place] = (a + place - c, a + place - c + 1) if alike else (a, b)
    last = 0
    for place in range(len(copy)):
        if begins[place] < 0:
            begins[place] = ends[place] = last
        last = ends[place]
    return Aligned(begins, ends)


def _blocks(original: str, copy: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of begin and end that belong together: token by token where they are equal, else as much as differs."""
    ours, theirs = ([match.span() for match in _TOKEN.finditer(text)] for text in (original, copy))
    words = ([text[a:b] for a, b in spans] for text, spans in ((original, ours), (copy, theirs)))
    for kind, i, j, k, m in SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from zip(ours[i:j], theirs[k:m], strict=True)
        elif kind == "replace":
            yield (ours[i][0], ours[j - 1][1]), (theirs[k][0], theirs[m - 1][1])
