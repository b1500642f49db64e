"""Tags that mark spans: which scheme a set of sentences follows, whether a row keeps to it, and the spans that it marks.

BIO (Ramshaw & Marcus 1995 in the form of Tjong Kim Sang 2002: every span begins with B), IOB1 (B only where two spans of one kind
touch), BIOES (E ends a span, S is a span of one word; L and U, and M for I, are read as the same). Tags of no scheme are plain:
each stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

Scheme = Literal["BIO", "IOB1", "BIOES", "plain"]
Span = tuple[str, int, int]
"""(kind, first word, last word)."""

OUTSIDE = "O"
_MARK = re.compile(r"([BIESLUM])(?:-(.+))?", re.DOTALL)
_OTHER_NAMES = {"L": "E", "U": "S", "M": "I"}


def parted(tag: str) -> tuple[str, str]:
    """`"B-PER"` -> `("B", "PER")`; `("O", "")` for what marks nothing."""
    match = _MARK.fullmatch(tag)
    return (_OTHER_NAMES.get(match[1], match[1]), match[2] or "") if match else (OUTSIDE, "")


def is_mark(tag: str) -> bool:
    """Does a tag look like one of a scheme?"""
    return tag == OUTSIDE or _MARK.fullmatch(tag) is not None


def scheme_of(rows: Iterable[Sequence[str]]) -> Scheme:
    """The scheme that most rows keep to."""
    seen = [row for row in rows if row]
    tags = {tag for row in seen for tag in row}
    if not any("-" in tag and is_mark(tag) for tag in tags) or not all(map(is_mark, tags)):
        return "plain"
    if any(parted(tag)[0] in "ES" for tag in tags):
        return "BIOES"
    # IOB1 lets a span begin with I; where most spans do, and B only parts neighbours, that is what is meant.
    begun, sound = 0, 0
    for row in seen:
        for before, tag in zip((OUTSIDE, *row[:-1]), row, strict=True):
            mark, kind = parted(tag)
            if mark == OUTSIDE or (mark == "I" and _joins(before, kind)):
                continue
            begun, sound = begun + 1, sound + (mark == "B" and not _joins(before, kind))
    return "BIO" if not begun or 2 * sound >= begun else "IOB1"


def _joins(before: str, kind: str) -> bool:
    """Is the word before in a span of this kind?"""
    mark, other = parted(before)
    return mark in "BI" and other == kind


def normal(tags: Sequence[str], scheme: Scheme) -> tuple[str, ...] | None:
    """The tags in BIO, BIOES or as they are (plain); None where they break the rules of their scheme."""
    if scheme == "plain":
        return tuple(tags)
    if not all(map(is_mark, tags)):
        return None
    pairs = [parted(tag) for tag in tags]
    if scheme == "IOB1":
        before = [(OUTSIDE, ""), *pairs][:-1]
        pairs = [("B", kind) if mark == "I" and (last[0] == OUTSIDE or last[1] != kind) else (mark, kind)
                 for last, (mark, kind) in zip(before, pairs, strict=True)]  # fmt: skip
    shown = tuple(written(mark, kind) for mark, kind in pairs)
    letters = "BIOES" if scheme == "BIOES" else "BIO"
    follows = all(may_follow(a, b, letters) for a, b in zip((OUTSIDE, *shown), (*shown, OUTSIDE), strict=True))
    return shown if follows and all(mark in letters for mark, _ in pairs) else None


def written(mark: str, kind: str) -> str:
    return f"{mark}-{kind}" if kind else mark


def may_follow(before: str, tag: str, letters: str) -> bool:
    """May `tag` stand after `before`? At the ends of a row, `O` stands for what is beyond. `letters`: of the scheme."""
    (last, of), (mark, kind) = parted(before), parted(tag)
    inside = mark in "IE"
    if "E" not in letters:
        return not inside or (last in "BI" and of == kind)
    return inside == (last in "BI") and (not inside or of == kind)


def spans(tags: Sequence[str]) -> list[Span]:
    """The spans of tags that keep to BIO or BIOES, in order. What breaks the rules is read as conlleval does: a span begins where the
    kind changes."""
    found: list[Span] = []
    kind, first = "", -1
    for place, tag in enumerate((*tags, OUTSIDE)):
        mark, of = parted(tag)
        if first >= 0 and (mark in "OBS" or of != kind):
            found.append((kind, first, place - 1))
            first = -1
        if mark != OUTSIDE and first < 0:
            kind, first = of, place
        if mark in "ES" and first >= 0:
            found.append((kind, first, place))
            first = -1
    return found


def kinds(tags: Sequence[str]) -> tuple[str, ...]:
    """What a row's tags mark, each once, sorted: stands for the row where rows are counted by label."""
    return tuple(sorted({parted(tag)[1] for tag in tags if is_mark(tag) and tag != OUTSIDE})) or (OUTSIDE,)
