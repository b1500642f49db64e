"""What a person reads goes to standard error; standard output belongs to results."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from contextvars import ContextVar

_asked: ContextVar[str | None] = ContextVar("language", default=None)


def say(text: str = "") -> None:
    """One line to the person at the terminal."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def speaking(language: str | None) -> Generator[None]:
    """`in_language` answers in this language within the block, for this thread and what it awaits alone: a server speaks to many."""
    token = _asked.set(language)
    try:
        yield
    finally:
        _asked.reset(token)


def asked_language() -> str | None:
    """What `speaking` was given last; None outside of it."""
    return _asked.get()


def in_language(en: str, zh: str) -> str:
    """The text in the person's language."""
    from zhuji.core.errors import language

    return zh if language() == "zh" else en
