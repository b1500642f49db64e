"""Texts said by a model, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.api.pictures import opened
from zhuji.core.config import assignments, overlay

if TYPE_CHECKING:
    from zhuji.tools.speak import Said


def speak(
    model: str | Path,
    texts: str | Sequence[str],
    out: str | Path,
    *,
    speed: float = 1.0,
    speaker: str | None = None,
    vocoder: str | Path | None = None,
    sets: Sequence[str] = (),
) -> Said:
    """Say a text, or each of several, into WAV files in the folder `out`, which must be new or empty. `speed`: times as fast as the voice was learned;
    `speaker`: one of those whom training met; `vocoder`: a run or bundle of a vocoder that learned from the same frames, None: Griffin-Lim; `sets` lays `speak.KEY=VALUE` on the settings (`steps` of Griffin-Lim).

    Raises EmptyData without texts, NotEmpty, Unsayable, ImpossiblePair for a model that does not speak and for a vocoder of other frames, UnknownName, BadSetting, and what opening raises."""
    from zhuji.model.speak import SpeakSettings
    from zhuji.model.vocode import TrainedVocoder
    from zhuji.tools.speak import speak as work

    given: dict[str, Any] = {"speed": speed, "speaker": speaker}
    settings = SpeakSettings.parse(overlay(given, assignments(sets).get("speak", {})), "speak")
    trained = None if vocoder is None else TrainedVocoder(opened(vocoder), settings.refine)
    return work(opened(model), [texts] if isinstance(texts, str) else list(texts), settings, Path(out), trained)
