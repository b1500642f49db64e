"""What was said and when, as subtitles: SubRip (.srt) and WebVTT (W3C, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zhuji.core import scripts
from zhuji.core.answers import Timed

PAUSE = 0.8
"""Seconds of silence behind which a new subtitle begins."""
LINE = 84
"""Characters of a subtitle at most: two lines of the usual length."""


@dataclass(frozen=True)
class Cue:
    """A subtitle, in seconds from the beginning."""

    begin: float
    end: float
    text: str


def cues(times: Sequence[Timed], *, spaced: bool = True) -> list[Cue]:
    """The words in subtitles; `spaced`: with blanks between them."""
    parts: list[list[Timed]] = []
    for word in times:
        long = bool(parts) and len(_text([*parts[-1], word], spaced)) > LINE
        if not parts or long or word.begin - parts[-1][-1].end >= PAUSE:
            parts.append([])
        parts[-1].append(word)
    return [Cue(part[0].begin, part[-1].end, _text(part, spaced)) for part in parts]


def _text(words: Sequence[Timed], spaced: bool) -> str:
    return scripts.joined([one.word for one in words]) if spaced else "".join(one.word for one in words)


def srt(found: Sequence[Cue]) -> str:
    """Numbered from 1."""
    return "\n".join(
        f"{number}\n{_clock(cue.begin, ',')} --> {_clock(cue.end, ',')}\n{cue.text}\n" for number, cue in enumerate(found, 1)
    )


def vtt(found: Sequence[Cue]) -> str:
    """What would be markup is written as text."""
    told = [f"{_clock(cue.begin, '.')} --> {_clock(cue.end, '.')}\n{_plain(cue.text)}\n" for cue in found]
    return "\n".join(["WEBVTT\n", *told])


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    """`3661.5` -> `01:01:01,500`."""
    whole = round(seconds * 1000)
    minutes, rest = divmod(whole, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
