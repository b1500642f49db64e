"""What a verb was given to read: texts, files of rows, lines of standard input; and what became of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.core.errors import MissingFile
from zhuji.core.log import in_language
from zhuji.data.words import counted

if TYPE_CHECKING:
    from zhuji.data.ledger import Ledger

_ROWS = (".csv", ".tsv", ".jsonl", ".parquet", ".gz")
"""What the names of files of rows end in; those of pictures and sounds end as `data.media` says."""


def given(inputs: Iterable[str]) -> Iterator[Any]:
    """`-` is standard input, what exists on disk is a file, all else is a text. Raises MissingFile for the name of a file of rows, a picture or a sound
    that is not there: its answer would be taken for the file's."""
    for one in inputs:
        if one == "-":
            yield (line.rstrip("\r\n") for line in sys.stdin)
        elif _exists(one):
            yield Path(one)
        elif one.lower().endswith((*_ROWS, *_files())) and not any(map(str.isspace, one)):
            raise MissingFile(file=one)
        else:
            yield one


def _files() -> tuple[str, ...]:
    from zhuji.data.media import ENDINGS

    return ENDINGS


def _exists(one: str) -> bool:
    try:
        return Path(one).exists()
    except (OSError, ValueError):  # too long for a path, or with a NUL in it: a text
        return False


def counts(ledger: Ledger) -> dict[str, Any]:
    """Rows read, answered and dropped, and why."""
    return {
        "read": ledger.read,
        "answered": ledger.total("used"),
        "dropped": ledger.total("dropped"),
        "causes": dict(ledger.causes("dropped")),
    }


def dropped_text(counts: Mapping[str, Any]) -> str:
    """One line about what was dropped."""
    causes = counted(counts["causes"])
    return in_language(
        f"{counts['dropped']} of {counts['read']} rows have no answer ({causes})",
        f"{counts['read']} 行中有 {counts['dropped']} 行没有答案（{causes}）",
    )
