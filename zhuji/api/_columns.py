"""Names of columns as a person gives them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def columns_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the `data` section: a single column name counts as a tuple of one; paths become text."""
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
    return {key: (value,) if key in ("text", "label") and isinstance(value, str) else value for key, value in plain.items()}
