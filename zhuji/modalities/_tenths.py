"""What of a sound can be pointed at: there is nothing to read in one but when it was."""

from __future__ import annotations

import numpy as np

from zhuji.core.contracts import Shown

_PART = 0.1
"""Seconds of a part."""
_ROUNDED = 1e-6
"""Share of a part by which a time may be off: far less than a sample lasts."""


def in_tenths(frames: np.ndarray, seconds: float, begin: float = 0.0) -> Shown:
    """Tenths of a second, each a part. `frames (N,)` int64: when each unit is, counted from 0 in steps of so many `seconds`; `begin`: seconds of the
    sound before them."""
    # 30 frames of 0.01 s are 2.9999999999999996 tenths.
    part = ((begin + frames * seconds) / _PART + _ROUNDED).astype(np.int64)
    first = int(part[0]) if len(part) else 0
    text, parts = "", list[tuple[int, int]]()
    for number in range(first, int(part.max(initial=-1)) + 1):
        told = f"{number * _PART:.1f}–{(number + 1) * _PART:.1f} s"
        text += " " * bool(parts) + told
        parts.append((len(text) - len(told), len(text)))
    return Shown(text, parts, np.stack((part, part + 1), 1) - first)
