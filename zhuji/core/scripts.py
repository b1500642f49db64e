"""Scripts that write no blanks between words, Han, Hiragana and Katakana: in them each character counts as a word."""

from __future__ import annotations

import re
from collections.abc import Iterable

WITHOUT_BLANKS = (
    (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F),
    (0x1B000, 0x1B16F), (0x20000, 0x323AF),
)  # fmt: skip
"""First and last code point of each range."""
_UNPARTED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))
"""Thai and Lao, Burmese, Khmer: they write no blanks either, and several characters are a word."""
_ONE = "[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in WITHOUT_BLANKS) + "]"
_BETWEEN = re.compile(f"(?<={_ONE}) +(?={_ONE})")
_WORDS = re.compile(rf"{_ONE}|(?:(?!{_ONE})\S)+")


def blankless(text: str) -> bool:
    """Whether any of these characters stands in it."""
    return re.search(_ONE, text) is not None


def alone(letter: str) -> bool:
    """Whether it is one such character, and so a word."""
    return len(letter) == 1 and blankless(letter)


def unparted(text: str) -> bool:
    """Whether any character stands in it of a script in which words are not parted by blanks, be a character a word or not."""
    return any(first <= ord(sign) <= last for sign in text for first, last in (*WITHOUT_BLANKS, *_UNPARTED))


def closed(text: str) -> str:
    """Without blanks between two of these characters, where nobody hears them: `筑基 从头 with zhuji` -> `筑基从头 with zhuji`."""
    return _BETWEEN.sub("", text)


def joined(parts: Iterable[str]) -> str:
    """Texts one behind the other, with a blank where one is written."""
    return closed(" ".join(parts))


def words(text: str) -> list[str]:
    """What blanks part, and each of these characters by itself: `用 zhuji 训练` -> `用`, `zhuji`, `训`, `练`."""
    return _WORDS.findall(text)
