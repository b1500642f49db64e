"""Which texts of a stream go into a corpus: cleaned, good enough, in the right language, none twice, none that is held out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zhuji.data.chat import ChatFormat
from zhuji.data.clean import Cleaner
from zhuji.data.corpus.copies import NearIndex
from zhuji.data.corpus.quality import poor
from zhuji.data.corpus.seen import Seen
from zhuji.data.corpus.settings import CorpusSettings, TextsSettings
from zhuji.data.corpus.shards import Split
from zhuji.data.corpus.texts import RawText, Texts
from zhuji.data.duplicates import WORD, exact_key
from zhuji.data.ledger import Ledger

CHUNK_TEXTS, CHUNK_CHARACTERS = 2_048, 1 << 22
"""Texts worked on at a time: bounds memory."""
LINE_WORDS = 8
"""Words of the shortest excluded text that is looked for as a line of longer ones: shorter lines stand in texts by chance."""
LANGUAGE_CHARACTERS = 1_000
"""Characters by which the language of a text is told."""


@dataclass(frozen=True, slots=True)
class Good:
    """A text for the corpus. `source`: its number; `cut`: it was longer."""

    text: str
    source: int
    split: Split
    cut: bool


class Sieve:
    """Gives each text that it is shown its fate in `ledger`, but for those that it hands back: they will be used. To be closed.

    Raises ScratchFull, here and when it is called, where the temporary files for what it remembers have no room; see also `Texts`."""

    def __init__(self, settings: CorpusSettings, ledger: Ledger) -> None:
        self.settings, self.ledger = settings, ledger
        self.names = tuple(source.path for source in settings.sources)
        self._clean = Cleaner(settings.clean)
        self._seen = Seen()
        self._excluded: set[bytes] = set()
        self._lines: set[bytes] = set()
        self._near: NearIndex | None = None
        with contextlib.ExitStack() as undone:
            undone.callback(self.close)
            if settings.duplicates == "near":
                self._near = NearIndex(settings.near, settings.seed)
            for excluded in settings.exclude:
                for part in in_chunks(enumerate_texts((excluded,), settings.chat)):
                    self._exclude([self._clean(raw.text)[0] for _, raw in part if raw.text is not None])
            undone.pop_all()
        self._held_out = len(self._near) if self._near is not None else 0

    def _exclude(self, texts: list[str]) -> None:
        keys = [exact_key(text) for text in texts]
        self._excluded.update(keys)
        self._lines.update(
            key for key, text in zip(keys, texts, strict=True) if "\n" not in text and len(WORD.findall(text)) >= LINE_WORDS
        )
        if self._near is not None:
            self._near.add(texts)

    def __call__(self, texts: list[tuple[int, RawText]]) -> list[Good]:
        """What is left of these texts, in order."""
        good: list[Good] = []
        for source, raw in texts:
            self.ledger.read += 1
            found, cause = self._judged(source, raw)
            if found is None:
                self.drop(source, cause)
            else:
                good.append(found)
        return good if self._near is None else self._without_near(self._near, good)

    def close(self) -> None:
        """Forgets which texts it was shown."""
        self._seen.close()
        if self._near is not None:
            self._near.close()

    def drop(self, source: int, cause: str) -> None:
        """Counts a text of this source as dropped."""
        self.ledger.drop(cause, label=self.names[source])

    def _judged(self, source: int, raw: RawText) -> tuple[Good | None, str]:
        if raw.text is None:
            return None, raw.cause
        text, changes = self._clean(raw.text)
        cut = len(text) > self.settings.longest
        text = text[: self.settings.longest]
        if not text.strip():
            return None, "empty text"
        if self.settings.quality is not None and (cause := poor(text, self.settings.quality)):
            return None, cause
        key = exact_key(text)
        if key in self._excluded or (self._lines and self._holds_excluded(text)):
            return None, "held out"
        if self.settings.languages and not self._understood(text):
            return None, "another language"
        if self.settings.duplicates != "keep" and not self._seen.add(key):
            return None, "copy"
        self.ledger.changes.update(changes)
        held_out = int.from_bytes(key[:8], "big") < self.settings.valid * 2**64
        return Good(text, source, "valid" if held_out else "train", cut), ""

    def _holds_excluded(self, text: str) -> bool:
        return "\n" in text and any(exact_key(line) in self._lines for line in text.split("\n"))

    def _understood(self, text: str) -> bool:
        import py3langid  # pyright: ignore[reportMissingTypeStubs]

        library: Any = py3langid
        return library.classify(text[:LANGUAGE_CHARACTERS])[0] in self.settings.languages

    def _without_near(self, near: NearIndex, good: list[Good]) -> list[Good]:
        found = near.add([one.text for one in good]).tolist()
        left: list[Good] = []
        for one, earlier in zip(good, found, strict=True):
            if earlier < 0:
                left.append(one)
            else:
                self.drop(one.source, "nearly held out" if earlier < self._held_out else "near copy")
        return left


def enumerate_texts(sources: tuple[TextsSettings, ...], chat: ChatFormat | None = None) -> Iterator[tuple[int, RawText]]:
    """(number of the source, text) of all texts, source by source; conversations in this format."""
    for number, source in enumerate(sources):
        for raw in Texts(source, chat):
            yield number, raw


def in_chunks(texts: Iterator[tuple[int, RawText]]) -> Iterator[list[tuple[int, RawText]]]:
    """The same texts, as many at a time as memory should hold."""
    waiting: list[tuple[int, RawText]] = []
    size = 0
    for source, raw in texts:
        waiting.append((source, raw))
        size += len(raw.text or "")
        if len(waiting) >= CHUNK_TEXTS or size >= CHUNK_CHARACTERS:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting
