"""Which texts are too poor to learn from, and why.

Rules of Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", appendix A.1.1 and table A1.
"""

from __future__ import annotations

import re

import numpy as np

from zhuji.data.corpus.settings import QualitySettings
from zhuji.data.duplicates import WORD, mixed

MOST_FREQUENT = {2: 0.20, 3: 0.18, 4: 0.16}
"""Share of characters that the most frequent phrase of so many words may make up (table A1)."""
RETURNING = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
"""Share of characters in phrases of so many words that stood in the text before (table A1)."""
PHRASE_WORDS = 50
"""Words from which the two rules above hold: the paper keeps no shorter text."""
LINES = 3
"""Lines from which shares of lines mean something."""

_SYMBOLS = re.compile(r"#|…|\.\.\.")
_RUNS = re.compile(r"(\S)\1{4,}")
_BULLET = re.compile(r"\s*[-*•·●▪◦‣–]\s")
_CUT = re.compile(r"(…|\.\.\.)\s*$")

Array = np.ndarray


def poor(text: str, settings: QualitySettings) -> str:
    """The first rule that the text breaks, as a cause for the ledger; "" for a good text."""
    words: list[str] = WORD.findall(text)
    if len(words) < settings.min_words:
        return "too short"
    return _words(text, words, settings) or _lines(text, settings) or _phrases(words, settings)


def _words(text: str, words: list[str], settings: QualitySettings) -> str:
    if settings.long_words and sum(map(len, words)) > settings.long_words * len(words):
        return "long words"
    if settings.letters and sum(any(map(str.isalpha, word)) for word in words) < settings.letters * len(words):
        return "few letters"
    if settings.symbols and len(_SYMBOLS.findall(text)) > max(settings.symbols * len(words), 1):
        return "many symbols"
    repeated = sum(match.end() - match.start() for match in _RUNS.finditer(text))
    if settings.repeated_characters and repeated > settings.repeated_characters * len(text):
        return "repeated characters"
    return ""


def _lines(text: str, settings: QualitySettings) -> str:
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < LINES:
        return ""
    if settings.bullets and sum(bool(_BULLET.match(line)) for line in lines) > settings.bullets * len(lines):
        return "bullet lines"
    if settings.cut_lines and sum(bool(_CUT.search(line)) for line in lines) > settings.cut_lines * len(lines):
        return "cut-off lines"
    first = set(lines)
    characters = sum(map(len, lines)) - sum(map(len, first))
    few = settings.repeated_lines * len(lines)
    if settings.repeated_lines and (len(lines) - len(first) > few or characters > 2 / 3 * settings.repeated_lines * len(text)):
        return "repeated lines"
    return ""


def _phrases(words: list[str], settings: QualitySettings) -> str:
    if not settings.repeated_phrases or len(words) < PHRASE_WORDS:
        return ""
    numbers: dict[str, int] = {}
    ids = np.array([numbers.setdefault(word, len(numbers) + 1) for word in words], np.uint64)
    sizes = np.array([len(word) for word in words])
    phrases = ids
    for n in range(2, max(RETURNING) + 1):
        phrases = mixed(phrases[:-1] * np.uint64(0x9E3779B97F4A7C15) + ids[n - 1 :])
        _, first, count = np.unique(phrases, return_index=True, return_counts=True)
        if len(first) == len(phrases):  # then no longer phrase returns either
            return ""
        if n in MOST_FREQUENT:
            most = int(np.argmax(count))
            share = count[most] * sizes[first[most] : first[most] + n].sum() / sizes.sum()
            if count[most] > 1 and share > MOST_FREQUENT[n]:
                return "repeated phrases"
        elif n in RETURNING and _covered(first, len(phrases), n, sizes) > RETURNING[n]:
            return "repeated phrases"
    return ""


def _covered(first: Array, phrases: int, n: int, sizes: Array) -> float:
    """Share of the characters that lie in phrases which are not the first of their kind."""
    again = np.ones(phrases, bool)
    again[first] = False
    edges = np.zeros(phrases + n, np.int64)
    edges[:phrases] += again
    edges[n:] -= again
    return float(sizes[np.cumsum(edges)[: len(sizes)] > 0].sum() / sizes.sum())
