# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# phonemizer is typed in part only, espeakng_loader is not.
"""Texts as they are said: phonemes of the International Phonetic Alphabet, by espeak-ng, through phonemizer (an optional extra)."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from zhuji.core.errors import MissingExtra, UnknownName
from zhuji.core.log import in_language

_ONE_AT_A_TIME = threading.Lock()
"""espeak-ng is one state for a whole process."""


@cache
def speaker(language: str) -> Any:
    """Raises ImportError without the packages, RuntimeError for a language that espeak-ng does not know."""
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    return EspeakBackend(language, preserve_punctuation=True, with_stress=True, language_switch="remove-flags")


def said(text: str, language: str) -> str:
    """`Room 42, please.` -> `ɹˈuːm fˈɔːɹɾi tˈuː, plˈiːz.`: words with their stress and numbers as they are read, signs between them as they are. Raises
    what `speaker` does."""
    with _ONE_AT_A_TIME:
        found = speaker(language).phonemize([" ".join(text.replace("\0", " ").split())], strip=True)
    return found[0] if found else ""


def phonemes(text: str, language: str) -> str:
    """As `said`. Raises MissingExtra, and UnknownName with the languages there are."""
    try:
        return said(text, language)
    except ImportError:
        what, packages = in_language("phonemes", "音素"), "phonemizer"
        raise MissingExtra(what=what, package=packages, extra="phonemes") from None
    except RuntimeError:
        from phonemizer.backend import EspeakBackend

        known = EspeakBackend.supported_languages()
        if language in known:
            raise
        kind = in_language("language of espeak-ng", "espeak-ng 语言")
        raise UnknownName(kind=kind, name=language, choices=", ".join(sorted(known))) from None
