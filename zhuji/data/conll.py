"""Sentences with a tag for each word: one word a line, its columns apart by tabs or blanks, an empty line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from zhuji.data.encodings import fault, lines

WORDS, TAGS = "words", "tags"
LOOK_LINES = 2_000
LONGEST = 20_000
"""Words of a sentence; what is longer is no sentence, and is dropped as one row."""
_DOCUMENT = "-DOCSTART-"
_NUMBERED = re.compile(r"(\D+|.)(\d+)", re.DOTALL)
_TAG = re.compile(r"O|[BIESLUM](-\S+)?")

_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
    r"|[@#]?[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+(?:[-'’._][^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+)*"
    r"|[^\w\s]|_+"
)


def words_of(text: str) -> tuple[str, ...]:
    """A text cut into words where nobody has done it: runs of letters and digits, single signs, and single characters of scripts that
    are written without blanks."""
    return tuple(_WORD.findall(text))


def fields(line: str) -> list[str]:
    """The columns of a line: apart by tabs if there is one, else by blanks."""
    return [part.strip() for part in line.split("\t")] if "\t" in line else line.split()


def looks_like_conll(sample: str) -> bool:
    """Do nearly all lines hold a word and a tag of a span scheme, with empty lines between them?"""
    rows = sample.splitlines()[:LOOK_LINES]
    cut = [fields(row) for row in rows if row.strip() and not _skipped(row)]
    tagged = sum(len(parts) > 1 and _TAG.fullmatch(parts[-1]) is not None for parts in cut)
    marked = any(parts[-1] != "O" for parts in cut)
    return len(cut) > 1 and tagged >= 0.95 * len(cut) and marked and any(not row.strip() for row in rows[:-1])


def _skipped(line: str) -> bool:
    """The mark of a new document, or a comment, which unlike the word `#` has no tag behind it."""
    return line.startswith(_DOCUMENT) or (line.startswith("# ") and _TAG.fullmatch(fields(line)[-1]) is None)


@dataclass
class ConllTable:
    """A row is a sentence: `words` and `tags`, two lists of one length. Comments (`# …`) and lines of -DOCSTART- are passed over.

    Where every first column is one character with the place of it in its word behind it (`小1`, as in the Weibo corpus), the
    place is left away.
    """

    path: Path
    encoding: str
    why: dict[str, str]
    columns: tuple[str, ...] = (WORDS, TAGS)
    format: str = "conll"
    delimiter: str | None = None

    def __post_init__(self) -> None:
        first = [fields(line)[0] for line in islice(self._lines(), LOOK_LINES) if line.strip() and not _skipped(line)]
        self.numbered = len(first) > 1 and all(_NUMBERED.fullmatch(word) for word in first)

    def _lines(self) -> Iterator[str]:
        return lines(self.path, self.encoding)

    def rows(self) -> Iterator[tuple[dict[str, Any] | None, str]]:
        for sentence in _sentences(self._lines()):
            yield self._row(sentence)

    def _row(self, sentence: list[str]) -> tuple[dict[str, Any] | None, str]:
        if cause := fault("".join(sentence)):
            return None, cause
        if len(sentence) > LONGEST:
            return None, "no end of sentence"
        cut = [fields(line) for line in sentence]
        if any(len(parts) < 2 or not parts[0] or not parts[-1] for parts in cut):
            return None, "ragged row"
        words = [parts[0] for parts in cut]
        if self.numbered:
            words = [match[1] if (match := _NUMBERED.fullmatch(word)) else word for word in words]
        return {WORDS: words, TAGS: [parts[-1] for parts in cut]}, ""


def _sentences(rows: Iterable[str]) -> Iterator[list[str]]:
    """The lines of each sentence; of one that does not end, as many as tell that."""
    sentence: list[str] = []
    for line in rows:
        if not line.strip():
            if sentence:
                yield sentence
            sentence = []
        elif not _skipped(line) and len(sentence) <= LONGEST:
            sentence.append(line)
    if sentence:
        yield sentence
