# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pypinyin is typed in part only.
"""Chinese characters as the syllables that are said for them (ISO 7098, tones as numbers), through pypinyin (an optional extra)."""

from __future__ import annotations

from zhuji.core.errors import MissingExtra
from zhuji.core.log import in_language

PINYIN = "pinyin"
"""What stands beside a score of texts that were written so."""


def syllables(text: str) -> str:
    """`筑基 ok` -> `zhu4 ji1 ok`: each character by its reading in the words around it, 5 where there is no tone, ü as it is; what is no Chinese
    character stays, and stands apart. Raises MissingExtra."""
    try:
        from pypinyin import Style, lazy_pinyin
    except ImportError:
        raise MissingExtra(what=in_language("pinyin", "拼音"), package="pypinyin", extra="pinyin") from None
    return " ".join(" ".join(lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=True)).split())
