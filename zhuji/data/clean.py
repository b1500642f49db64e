"""Text mended step by step; each step says when it changed something. The same steps run in training and in prediction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from zhuji.data.settings import CleanSettings

Step = Callable[[str], str]

_BREAKS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_GAPS = re.compile("[\x0b\x0c\x1c-\x1f]")
_JOINING = "\u0590-\u109f\u1780-\u18af\u200c\u200d\ua800-\uabff\ufb1d-\ufdff\ufe70-\ufefe"
"""Scripts in which a joiner or non-joiner between two letters changes how a word is written: Arabic, Persian, Indic, Mongolian …"""
_EMOJI = "\u00a9\u00ae\u2190-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff\U000e007f"
_MEANINGLESS = (
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
_SUSPECT = re.compile(_MEANINGLESS)
_SIGNS = re.compile(
    "(?P<keep>"
    "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"  # flags of regions, spelled in tags
    f"|(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
    f"|(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])"
    f")|{_MEANINGLESS}"
)
_EMPTY_LINES = re.compile(r"\n{3,}")


def without_controls(text: str) -> str:
    """Line breaks as `\\n`, other separating controls as a blank, and without the signs that carry no meaning: controls, zero-width
    and direction marks. Joiners stay inside emoji and inside words of scripts that need them."""
    if text.isprintable() and text.isascii():  # most texts, and much faster than the patterns
        return text
    text = _GAPS.sub(" ", _BREAKS.sub("\n", text))
    if not _SUSPECT.search(text):
        return text
    return _SIGNS.sub(lambda match: match["keep"] or "", text)


def with_single_blanks(text: str) -> str:
    """Runs of blanks as one, at most one empty line in a row, nothing at the ends."""
    text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", text).strip()


def with_mended_encoding(text: str) -> str:
    """Mojibake undone by ftfy (Speer 2019), which leaves text alone unless it is very likely mojibake."""
    if text.isascii():
        return text
    from ftfy import fix_encoding

    return fix_encoding(text)


class Cleaner:
    """`cleaner(text)` is (clean text, names of the steps that changed it).

    Mojibake comes first, for its bytes look like controls; normalising comes after these are gone, for they may stand between a
    letter and its accent.
    """

    def __init__(self, settings: CleanSettings) -> None:
        form = settings.unicode
        steps: dict[str, tuple[bool, Step]] = {
            "encoding mended": (settings.encoding, with_mended_encoding),
            "control characters removed": (settings.control, without_controls),
            "Unicode normalised": (form is not None, lambda text: unicodedata.normalize(form or "NFC", text)),
            "whitespace collapsed": (settings.whitespace, with_single_blanks),
        }
        self._steps = [(name, step) for name, (wanted, step) in steps.items() if wanted]

    def words(self, words: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
        """Each word cleaned; one of which nothing would be left stays, so that there are as many as before."""
        cleaned = [self(word) for word in words]
        changes = list(dict.fromkeys(name for _, names in cleaned for name in names))
        return tuple(new or old for (new, _), old in zip(cleaned, words, strict=True)), changes

    def __call__(self, text: str) -> tuple[str, list[str]]:
        changes: list[str] = []
        for name, step in self._steps:
            before, text = text, step(text)
            if text != before:
                changes.append(name)
        return text, changes
