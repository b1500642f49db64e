"""Sounds on a page that needs nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from zhuji.tools.pages.page import render


@dataclass(frozen=True)
class Heard:
    """A sound: its WAV file and that file's name, what it began with, seconds heard of that and made, and bits a sample."""

    wave: bytes = field(repr=False)
    file: str
    prompt: str | None
    heard: float
    made: float
    bits: float

    @property
    def source(self) -> str:
        return "data:audio/wav;base64," + base64.b64encode(self.wave).decode()


def sounds_page(title: str, model: str, sounds: Sequence[Heard]) -> str:
    """The HTML that plays them. `model`: the hash of its weights."""
    return render("sounds.html", title=title, model=model, sounds=sounds)
