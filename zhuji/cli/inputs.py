"""What a verb was given to read: texts, files of rows, lines of standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from zhuji.core.errors import MissingFile

_ROWS = (".csv", ".tsv", ".jsonl", ".parquet", ".gz")
"""What the names of files of rows end in."""


def given(inputs: Iterable[str]) -> Iterator[Any]:
    """`-` is standard input, what exists on disk is a file, all else is a text. Raises MissingFile for the name of a file of rows
    that is not there: its answer would be taken for the file's."""
    for one in inputs:
        if one == "-":
            yield (line.rstrip("\r\n") for line in sys.stdin)
        elif _exists(one):
            yield Path(one)
        elif one.lower().endswith(_ROWS) and not any(map(str.isspace, one)):
            raise MissingFile(file=one)
        else:
            yield one


def _exists(one: str) -> bool:
    try:
        return Path(one).exists()
    except (OSError, ValueError):  # too long for a path, or with a NUL in it: a text
        return False
