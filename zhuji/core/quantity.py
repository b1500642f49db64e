"""Numbers that carry their unit, as a person reads them."""

from __future__ import annotations

from zhuji.core.log import in_language


def bytes_text(count: float) -> str:
    """1536 -> '1.5 KiB'."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def seconds_text(seconds: float) -> str:
    """75.2 -> '1m15s'; below ten seconds one decimal is kept."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def count_text(count: float) -> str:
    """1234567 -> '1.2M'."""
    for unit in ("", "k", "M"):
        if abs(count) < 1000:
            return f"{count:.0f}" if not unit else f"{count:.1f}{unit}"
        count /= 1000
    return f"{count:.1f}G"


def fraction(text: str | float) -> float:
    """'1%' or 0.01 -> 0.01; refuses what is not between 0 and 1."""
    percent = isinstance(text, str) and text.strip().endswith("%")
    try:
        value = float(str(text).strip().removesuffix("%")) / 100 if percent else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(
            in_language("must be a number between 0 and 1, or between 0% and 100%", "必须是 0 到 1 或 0% 到 100% 之间的数")
        )
    return value
