# pyright: basic
# (jiwer has no types to be strict about)
"""Word and character error rate: the least edits from what was said to what was heard, over what was said, as jiwer counts them.

Both are sums over rows of edits and of words or characters, so that they are right however rows are cut and merged, and an interval can be drawn from
resampled rows. A word is what blanks part, and each character of a script without blanks (`core.scripts`): that is the mixed error rate of Chinese with
English words in it. N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from zhuji.core import scripts
from zhuji.core.contracts import Columns
from zhuji.core.errors import MissingExtra
from zhuji.metrics.units import ratio_of

LONG = (4, 8, 16)
"""Where short texts end and longer ones begin, in words."""


def judged(heard: Sequence[str], said: Sequence[str], prefix: str = "") -> Columns:
    """`word_edits`, `words`, `letter_edits` and `letters (N,)` int64, each name behind `prefix`. Texts are compared as they stand, so they must be written
    by one rule. A text in which nothing is said has as many edits as something was heard.

    Raises MissingExtra without jiwer.
    """
    library = _library()
    counts = np.zeros((4, len(said)), np.int64)
    for row, (answer, truth) in enumerate(zip(heard, said, strict=True)):
        said_words, heard_words = scripts.words(truth), scripts.words(answer)
        if not truth or not answer:
            edits = max(len(said_words), len(heard_words)), max(len(truth), len(answer))
        else:
            found = (
                library.process_words(" ".join(said_words), " ".join(heard_words)),
                library.process_characters(truth, answer),
            )
            edits = tuple(one.substitutions + one.deletions + one.insertions for one in found)
        counts[:, row] = edits[0], len(said_words), edits[1], len(truth)
    names = ("word_edits", "words", "letter_edits", "letters")
    return {prefix + name: column for name, column in zip(names, counts, strict=True)}


def _library() -> Any:
    try:
        import jiwer
    except ImportError:
        raise MissingExtra(what="transcribe", package="jiwer", extra="speech") from None
    return jiwer


wer = ratio_of("word_edits", "words", higher_is_better=False)
"""Edits of words over words said: may exceed 1."""
cer = ratio_of("letter_edits", "letters", higher_is_better=False)
"""Edits of characters, blanks between words among them, over characters said."""
greedy_wer = ratio_of("greedy_word_edits", "greedy_words", higher_is_better=False)
greedy_cer = ratio_of("greedy_letter_edits", "greedy_letters", higher_is_better=False)
"""Of the likeliest path of each row, without a search."""
unfit = ratio_of("unfit", "rows", higher_is_better=False)
"""Share of the rows whose text has more letters than frames, which teach nothing."""
unspelled = ratio_of("unspelled", "rows", higher_is_better=False)
"""Share of the rows whose text has a letter that training never met, so that no answer can be it."""


def by_length(columns: Columns) -> dict[str, Columns]:
    """The rows by how many words were said, the bounds of `LONG` included below: name of the range -> its columns."""
    ends = (0, *LONG, 10**9)
    found: dict[str, Columns] = {}
    for low, high in pairwise(ends):
        inside = (columns["words"] > low) & (columns["words"] <= high)
        name = f"{low + 1}–{high}" if high < 10**9 else f"{low + 1}+"
        if inside.any():
            found[name] = {key: column[inside] for key, column in columns.items()}
    return found


def note(case: str, punctuation: str) -> str:
    """How texts were written before they were compared, to stand beside a score."""
    return f"jiwer {_version()}, NFKC, case {case}, punctuation {punctuation}"


def rule_in(note: str) -> tuple[Any, Any]:
    """The case and the punctuation of a `note`."""
    parts = dict(part.split(" ", 1) for part in note.split(", ") if " " in part)
    return parts["case"], parts["punctuation"]


def _version() -> str:
    """The version of jiwer, for what stands beside a score."""
    _library()
    from importlib.metadata import version as of

    return of("jiwer")
