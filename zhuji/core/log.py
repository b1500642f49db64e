"""What a person reads goes to standard error; standard output belongs to results."""

from __future__ import annotations

import sys


def say(text: str = "") -> None:
    """One line to the person at the terminal."""
    print(text, file=sys.stderr, flush=True)


def in_language(en: str, zh: str) -> str:
    """The text in the person's language."""
    from zhuji.core.errors import language

    return zh if language() == "zh" else en
