"""Rows as text: CSV or a JSON object a line, a row at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from typing import IO, Any, cast

Write = Callable[[Mapping[str, Any]], None]


def csv_rows(file: IO[str], delimiter: str = ",") -> Write:
    """Columns are those of the first row, the scores by class left out; several labels are joined by '|'."""
    out: csv.DictWriter[str] | None = None

    def write(row: Mapping[str, Any]) -> None:
        nonlocal out
        flat = {name: cell(value) for name, value in row.items() if not isinstance(value, Mapping)}
        if out is None:
            out = csv.DictWriter(file, list(flat), delimiter=delimiter, restval="", extrasaction="ignore", lineterminator="\n")
            out.writeheader()
        out.writerow(flat)

    return write


def json_rows(file: IO[str]) -> Write:
    """One JSON object a line."""

    def write(row: Mapping[str, Any]) -> None:
        file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")

    return write


def cell(value: Any) -> Any:
    """A value as a cell holds it: several are joined by '|'; what has parts of its own, such as boxes, is JSON."""
    if isinstance(value, list | tuple) and any(isinstance(part, Mapping) for part in cast(list[Any], value)):
        return json.dumps(value, ensure_ascii=False)
    return "|".join(map(str, cast(list[Any], value))) if isinstance(value, list | tuple) else value
