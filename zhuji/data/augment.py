"""Copies of a text that mean about the same: random deletion and random swap of words.

Wei and Zou 2019, "EDA: Easy Data Augmentation Techniques", section 2; synonyms would need a dictionary and are left out.
"""

from __future__ import annotations

import re

import numpy as np

from zhuji.data.duplicates import WORD

SHARE = 0.1
"""Share of the words that are swapped, and chance of each to be deleted: the paper's advice for small sets."""

_UNIT = re.compile(rf"(\s*)({WORD.pattern})")


def vary(text: str, rng: np.random.Generator) -> str:
    """`text` with some words swapped and some deleted; without blanks between words (Chinese), characters. A text of one word
    stays as it is; no text becomes empty."""
    units: list[tuple[str, str]] = _UNIT.findall(text)
    if len(units) < 2:
        return text
    blanks, words = [blank for blank, _ in units], [word for _, word in units]
    for _ in range(max(1, round(SHARE * len(words)))):
        a, b = rng.choice(len(words), 2, replace=False)
        words[a], words[b] = words[b], words[a]
    kept = rng.random(len(words)) >= SHARE
    if not kept.any():
        kept[rng.integers(len(words))] = True
    return "".join(blank + word for blank, word, keep in zip(blanks, words, kept, strict=True) if keep).strip()
