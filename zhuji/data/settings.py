"""The `data` section of a run: where rows come from, what their columns mean, what is done to them before training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from zhuji.core.config import Settings
from zhuji.core.quantity import fraction

Fraction = Annotated[float, BeforeValidator(fraction), Field(ge=0, le=1)]
Names = tuple[str, ...]


class CleanSettings(Settings):
    """Each filter can be turned off; each counts what it changed or dropped."""

    encoding: bool = True
    """Mend mojibake with ftfy."""
    unicode: Literal["NFC", "NFKC"] | None = "NFC"
    control: bool = True
    """Remove control and zero-width characters that carry no meaning."""
    whitespace: bool = True
    """Collapse runs of blanks, strip the ends."""


class SplitSettings(Settings):
    """How rows are divided when no split column does it. With a split column that lacks one of the parts, the missing part is
    cut from `train`."""

    by: Literal["auto", "random", "stratified", "group", "time"] = "auto"
    """auto: by group if there is a group column, by time if there is a time column, else stratified."""
    valid: Fraction = 0.1
    test: Fraction = 0.2
    hold_out: Names = ()
    """Groups whose rows, and no others, make up the test split. Test rows that a split column gives of other groups are scored beside
    it, as `test_known`."""
    seed: int | None = None
    """Defaults to the run's seed."""


class BalanceSettings(Settings):
    """What is done about rare classes, on the training split only. Class weights and focal loss belong to the task."""

    sample: Literal["none", "over", "under"] = "none"
    augment: Literal["none", "words"] = "none"
    """words: copies made by `over` have words deleted and swapped at random."""


class DataSettings(Settings):
    """Where rows come from, what their columns mean, what is done to them before training."""

    path: str
    """A CSV, TSV, JSONL, Parquet or CoNLL file (also .gz), a folder of such files named train/valid/test, or of folders by class; of pictures
    or sounds also one with `metadata.csv`, of pictures with boxes as COCO, YOLO or VOC write them."""
    valid_path: str | None = None
    test_path: str | None = None
    text: Names | None = None
    """Columns that make up the input, joined by a line break; for tagging, the column of words."""
    image: str | None = None
    """The column of pictures: their files, or their bytes."""
    sound: str | None = None
    """The column of sounds: their files, or their bytes. Beside a column `offset` each is a piece of its file, as long as `duration` says."""
    target: str | None = None
    """The column of second texts: translations, or the other halves of pairs."""
    label: Names | None = None
    """One column; several 0/1 columns, or one column of separated names, for many labels; for tagging, the column of tags."""
    label_separator: str | None = Field(default=None, min_length=1)
    """Set (e.g. '|') when one cell holds many labels."""
    group: str | None = None
    time: str | None = None
    id: str | None = None
    split: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    limit: int | None = Field(default=None, gt=0)
    """Read only the first rows of each file."""
    clean: CleanSettings = CleanSettings()
    splits: SplitSettings = SplitSettings()
    balance: BalanceSettings = BalanceSettings()
    leaks: Literal["move", "refuse", "allow"] = "move"
    near: Fraction = 0.8
    """Likeness from which two rows count as near duplicates: of texts the Jaccard similarity of 5-byte shingles, of pictures that of
    thumbnails (`data.marks`), of sounds that of fingerprints (`data.fingerprints`). 0 turns the search off."""
    max_dropped: Fraction = 0.05
    """Largest share of rows that may be dropped before the run stops."""
