"""What was said, as letters: how transcripts are written before anything is compared, and the alphabet that training taught.

A letter is a character, a piece of a word found by byte-pair encoding (Sennrich et al. 2016), or a syllable of Mandarin (`data.pinyin`). Number 0 stands for
none of them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from zhuji.core import scripts

Case = Literal["lower", "keep"]
Marks = Literal["drop", "keep"]
BEGINS = "▁"
"""What a piece begins with that begins a word."""
_APOSTROPHES = "'’"
_ZHUYIN = "[\u3105-\u312f\u31a0-\u31bf]"
_NEUTRAL = re.compile(f"(?<={_ZHUYIN})˙|˙(?={_ZHUYIN})")
"""The neutral tone behind or before the signs of a syllable in zhuyin: a sign for Unicode, whose NFKC is a blank and a dot."""
_SYLLABLE = re.compile(r"[a-zêü]{1,6}[1-5]")


def normal(text: str, case: Case = "lower", punctuation: Marks = "drop") -> str:
    """A transcript as it is learned and scored: compatible characters made one (NFKC), single blanks. `lower`: case folded away; `drop`: every sign that is
    neither letter, number nor mark of a letter becomes a blank, but for an apostrophe inside of a word and the neutral tone of zhuyin."""
    text = "˙".join(unicodedata.normalize("NFKC", part) for part in _NEUTRAL.split(text))
    text = text.lower() if case == "lower" else text
    if punctuation == "drop":
        text = "".join(_kept(text, place) for place in range(len(text)))
    return " ".join(text.split())


def _kept(text: str, place: int) -> str:
    sign = text[place]
    if unicodedata.category(sign)[0] in "LNM" or sign == "˙":
        return sign
    inside = 0 < place < len(text) - 1 and text[place - 1].isalnum() and text[place + 1].isalnum()
    return "'" if sign in _APOSTROPHES and inside else " "


@dataclass(frozen=True)
class Alphabet:
    """`letters`, the first of them number 1; `merges` of pieces in the order in which they were learned, where letters are pieces. `syllables`: a word that
    is written as one, such as zhu4, is one letter, and other words are spelled by characters."""

    letters: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()
    syllables: bool = False

    @classmethod
    def of_characters(cls, texts: Iterable[str]) -> Alphabet:
        """Every character, in the order of their code points."""
        return cls(tuple(sorted({sign for text in texts for sign in text})))

    @classmethod
    def of_pieces(cls, texts: Sequence[str], size: int) -> Alphabet:
        """At most `size` pieces; the characters where these are as many already."""
        from tokenizers import Tokenizer, models, trainers

        tokenizer: Any = _cutting(Tokenizer(models.BPE()))
        trainer = trainers.BpeTrainer(
            vocab_size=size, show_progress=False, initial_alphabet=sorted({BEGINS, *"".join(texts)} - {" "})
        )
        # The library counts words in a hash table; the same words in one order give the same pieces.
        tokenizer.train_from_iterator([" ".join(sorted(_words(texts)))], trainer)
        plain = json.loads(tokenizer.to_str())["model"]
        pieces: dict[str, int] = plain["vocab"]
        merges: list[list[str]] = plain["merges"]
        if not merges:
            return cls.of_characters(texts)
        return cls(tuple(sorted(pieces, key=pieces.__getitem__)), tuple((first, second) for first, second in merges))

    @classmethod
    def of_syllables(cls, texts: Iterable[str]) -> Alphabet:
        """Every syllable, and every character of other words, sorted."""
        return cls(tuple(sorted({letter for text in texts for letter in _spelled(text)})), syllables=True)

    @property
    def spaced(self) -> bool:
        """Whether words are written apart, be each text a single one: not in a script without blanks (`core.scripts`)."""
        return " " in self.letters or bool(self.merges) or self.syllables or not any(map(scripts.unparted, self.letters))

    @cached_property
    def begins(self) -> tuple[bool, ...]:
        """Whether a number begins a new word, or stands between two."""
        return (False, *(letter == " " or letter.startswith(BEGINS) or scripts.alone(letter) for letter in self.letters))

    def encode(self, text: str) -> list[int]:
        """Numbers of a normal text; what the alphabet does not have is left out."""
        if self.merges:
            return [number + 1 for number in self._tokenizer.encode(text).ids]
        return [self._numbers[sign] for sign in self._cut(text) if sign in self._numbers]

    def spells(self, text: str) -> bool:
        """Whether it has every letter of a normal text."""
        known = set("".join(self.letters)) if self.merges else self._numbers
        return all(sign in known for sign in (text.replace(" ", "") if self.merges else self._cut(text)))

    def _cut(self, text: str) -> Sequence[str]:
        return _spelled(text) if self.syllables else text

    def decode(self, numbers: Sequence[int]) -> str:
        """The text that they spell."""
        spelled = "".join(self.letters[number - 1] for number in numbers)
        return " ".join(spelled.replace(BEGINS, " ").split()) if self.spaced else spelled

    def words(self, numbers: Sequence[int]) -> list[tuple[str, int, int]]:
        """Each word, where in `numbers` its first letter stands, and the place behind its last. Without blanks every letter is a word, beside
        them those of a script that writes none."""
        if not self.spaced:
            return [(self.letters[number - 1], place, place + 1) for place, number in enumerate(numbers)]
        parts, begun = list[tuple[str, int, int]](), 0
        past = [False, *(scripts.alone(self.letters[number - 1]) for number in numbers)]
        ends = [place for place, number in enumerate(numbers) if self.begins[number] or past[place]] + [len(numbers)]
        for end in ends:
            parts.append((self.decode(numbers[begun:end]), begun, end))
            begun = end
        # A blank by itself is no part of the word behind it.
        sounds = (
            (word, first + (self.letters[numbers[first] - 1] in (" ", BEGINS)), past) for word, first, past in parts if word
        )
        return list(sounds)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {letter: number for number, letter in enumerate(self.letters, 1)}

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer, models

        model = models.BPE(vocab={piece: number for number, piece in enumerate(self.letters)}, merges=list(self.merges))
        return _cutting(Tokenizer(model))


def _spelled(text: str) -> list[str]:
    """A text as letters of which some are syllables; what begins a word begins with `BEGINS`."""
    words = [[word] if _SYLLABLE.fullmatch(word) else list(word) for word in text.split()]
    return [letter if place else BEGINS + letter for word in words for place, letter in enumerate(word)]


def _cutting(tokenizer: Any) -> Any:
    from tokenizers import pre_tokenizers

    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=BEGINS, prepend_scheme="always")
    return tokenizer


def _words(texts: Sequence[str]) -> list[str]:
    return list(Counter(word for text in texts for word in text.split()).elements())
