"""One cell of a table as text, number, flag or time, the same for every file format."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, cast

from zhuji.data.clean import without_controls
from zhuji.data.conll import words_of


def cell_text(value: Any) -> str:
    """A cell as text; whole numbers without a fraction, truth values as `true` and `false`, lists as JSON.

    Raises:
        UnicodeDecodeError: bytes that are not UTF-8.
    """
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode()
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list) else str(value)


def joined(raw: Any) -> str:
    """A record's input as one text: words with blanks between them, but for scripts that are written without."""
    return _NO_BLANK.sub("", " ".join(cast(tuple[str, ...], raw))) if isinstance(raw, tuple) else str(raw)


def words(value: Any) -> tuple[str, ...]:
    """The words in one cell: those of a list; of a text, what it is cut into."""
    if isinstance(value, list):
        return tuple(cell_text(word) for word in cast(list[Any], value))
    return words_of(cell_text(value))


_UNSPACED = "\u3000-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
_NO_BLANK = re.compile(f"(?<=[{_UNSPACED}]) (?=[{_UNSPACED}])")
_WHOLE = re.compile(r"([-+]?\d+)\.0+")


def class_name(value: Any) -> str:
    """A cell as the name of a class: `1`, `1.0` and `"1.0"` are one class, so are `True` and `"TRUE"`; "" for none."""
    name = without_controls(cell_text(value)).strip()
    if match := _WHOLE.fullmatch(name):
        return match[1]
    return name.lower() if name in ("True", "TRUE", "False", "FALSE") else name


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, str):
        if "_" in value:  # float() takes 1_000 for a number; people who write it mean a code
            return None
    elif not isinstance(value, (int, float)):
        value = str(value)
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


_FLAGS = {"1": True, "0": False, "true": True, "false": False, "": False}


def is_flag(value: Any) -> bool | None:
    """True or False for 1 and 0 (an empty cell is 0); None for anything else."""
    return _FLAGS.get(class_name(value))


def class_names(value: Any, separator: str | None) -> tuple[str, ...]:
    """The classes in one cell, sorted, each once: a list, or names between separators."""
    if isinstance(value, list):
        parts = [class_name(part) for part in cast(list[Any], value)]
    else:
        parts = [class_name(part) for part in cell_text(value).split(separator)] if separator else [class_name(value)]
    return tuple(sorted({part for part in parts if part}))


_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(.*)", re.DOTALL)


def time_text(value: Any) -> str | None:
    """A time so written that sorting as text is sorting by time: ISO 8601 (in UTC if a zone is known). Understood are dates that
    begin with the year, bare years, and seconds or milliseconds since 1970; None for anything else."""
    text = cell_text(value).strip()
    if re.fullmatch(r"(1[5-9]|20|21)\d\d", text):
        return text
    seconds = number(text) if re.fullmatch(r"\d{9,13}(\.\d+)?", text) else None
    try:
        if seconds is not None:
            when = datetime.fromtimestamp(seconds / 1000 if seconds >= 1e11 else seconds, UTC)
        elif match := _DATE.fullmatch(text):
            year, month, day, rest = match.groups()
            when = datetime.fromisoformat(f"{year}-{int(month):02}-{int(day):02}{rest.rstrip()}")
        else:
            return None
        return (when.astimezone(UTC) if when.tzinfo else when).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError):
        return None
