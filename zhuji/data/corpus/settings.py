"""What a corpus is made of and what is done to its texts: the settings of `zhuji corpus`, and of `zhuji pretrain` on texts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from zhuji.core.config import Settings
from zhuji.data.chat import Chat
from zhuji.data.settings import CleanSettings, Fraction, Names


def _described(value: Any) -> Any:
    """A path alone is a whole description."""
    return {"path": value} if isinstance(value, str) else value


class TextsSettings(Settings):
    """Where texts come from."""

    path: str
    """A text, CSV, TSV, JSONL or Parquet file (also .gz), or a folder with such files at any depth."""
    columns: Names | None = None
    """Of a table: the columns that make up a text, joined by a line break; found by itself where none is named."""
    split: str | None = None
    """Of a table: only rows whose split column says so (train, valid, test)."""
    unit: Literal["auto", "line", "paragraph", "file"] = "auto"
    """Of a text file: what is one document. auto: paragraphs where empty lines stand between runs of lines, else lines."""
    encoding: str | None = None
    delimiter: str | None = None


class SourceSettings(TextsSettings):
    """A source of the corpus."""

    weight: float = Field(default=1.0, gt=0, le=1000, allow_inf_nan=False)
    """How often it is read in an epoch: 2 twice, 0.5 half of it each time."""


class QualitySettings(Settings):
    """Which texts are too poor to learn from; each rule drops with its own cause. After Rae et al. 2021 (Gopher), appendix A.1.1,
    with bounds wide enough for short texts and for Chinese, where a character counts as a word; 0 turns a rule off."""

    min_words: int = Field(default=5, ge=0)
    """Fewer: too short."""
    long_words: float = Field(default=12.0, ge=0)
    """Mean length of words from which a text is a list of addresses or codes, in characters."""
    letters: Fraction = 0.6
    """Least share of words with a letter."""
    symbols: Fraction = 0.1
    """Largest share of hash signs and ellipses, to words."""
    bullets: Fraction = 0.9
    """Largest share of lines that begin with a bullet, of texts with three lines or more."""
    cut_lines: Fraction = 0.3
    """Largest share of lines that end with an ellipsis, of texts with three lines or more."""
    repeated_lines: Fraction = 0.3
    """Largest share of lines that stood in the text before, and two thirds of it by characters."""
    repeated_characters: Fraction = 0.3
    """Largest share of the text that is one character five times or more in a row."""
    repeated_phrases: bool = True
    """Drop texts of fifty words or more of which phrases that return make up too much, by table A1 of the paper."""


class CorpusSettings(Settings):
    """What a corpus is made of and what is done to its texts."""

    sources: tuple[Annotated[SourceSettings, BeforeValidator(_described)], ...] = Field(min_length=1)
    exclude: tuple[Annotated[TextsSettings, BeforeValidator(_described)], ...] = ()
    """Texts that must not be in the corpus, such as those that models will be tested on: exactly (but for case, width and blanks),
    as one line of a longer text, and nearly where near duplicates are looked for."""
    chat: Chat | None = None
    """How conversations are written, which tables may hold in a column `messages`: the name of a format, or a description. A pretraining
    takes its task's where nothing is said."""
    clean: CleanSettings = CleanSettings()
    quality: QualitySettings | None = QualitySettings()
    languages: Names = ()
    """Keep only texts in these languages (codes of ISO 639-1, as py3langid finds them); empty: all."""
    longest: int = Field(default=1_000_000, gt=0)
    """Characters kept of a text, from its start."""
    duplicates: Literal["keep", "exact", "near"] = "near"
    """Which copies of an earlier text are dropped. exact remembers some 16 bytes a text, near some 380 to 630 more,
    both on disk."""
    near: float = Field(default=0.8, gt=0.3, lt=1)
    """Jaccard similarity of 5-byte shingles from which two texts count as near duplicates."""
    valid: Fraction = 0.01
    """Share of the texts that is held out, chosen by what they say, so that it does not change when others are added."""
    seed: int = 0
    """Of the hashes by which near duplicates are found."""
