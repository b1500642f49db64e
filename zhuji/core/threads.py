"""Waiting politely: what must be in the environment before torch loads; imports nothing heavy."""

from __future__ import annotations

import os

POLITE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""OpenMP threads that spin while they wait lose 10 to 60 times their speed to one busy neighbour; sleeping ones lose little."""


def polite() -> None:
    """Make OpenMP threads sleep, not spin, while they wait. To be called before torch is imported: OpenMP reads its environment
    once, when it is loaded. What the person has set is left alone."""
    for name, value in POLITE.items():
        os.environ.setdefault(name, value)
