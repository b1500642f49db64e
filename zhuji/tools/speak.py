"""Texts said by a model, as files: the verb `speak`."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.errors import EmptyData
from zhuji.core.files import atomic_folder, write_json
from zhuji.data.sounds import as_wav
from zhuji.model.predictor import Predictor
from zhuji.model.speak import SpeakSettings, Vocoder, readable, speaker_of, speaking
from zhuji.model.vocode import TrainedVocoder
from zhuji.tools._out import claim
from zhuji.training.transfer import digest

NOTE = "spoken.json"


@dataclass(frozen=True)
class Said:
    """`files` in `folder`, one a text and in order: `{file, text, seconds}`. `seconds`: of sound, `took`: of work; `model`: hash of the weights;
    `vocoder`: of those of a trained vocoder."""

    folder: Path
    files: tuple[Mapping[str, Any], ...]
    rate: int
    settings: Mapping[str, Any]
    model: str
    seconds: float
    took: float
    vocoder: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder), "files": [dict(file) for file in self.files], "rate": self.rate, "settings": dict(self.settings),
            "model": self.model, "vocoder": self.vocoder, "seconds": round(self.seconds, 3), "took": round(self.took, 3),
        }  # fmt: skip


def speak(
    predictor: Predictor, texts: Sequence[str], settings: SpeakSettings, out: Path, vocoder: Vocoder | None = None
) -> Said:
    """Say each text into the folder `out`, which must be new or empty and is filled whole or not at all: a WAV file of 16 bits for each, and `spoken.json`.
    One sound is held at a time. All texts are looked at before anything is written.

    Raises EmptyData where there is no text, NotEmpty, what `model.speak.spoken` raises, and ImpossiblePair for a trained vocoder of other frames."""
    begun, total = time.monotonic(), 0.0
    if not texts:
        raise EmptyData
    task = speaker_of(predictor, settings.speaker)
    trained = vocoder if isinstance(vocoder, TrainedVocoder) else None
    if trained is not None:
        trained.fits(task.framing)
    for place, text in enumerate(texts, 1):
        readable(predictor, text, place)
    claim(out)
    hash_, files = digest(predictor.model), list[dict[str, Any]]()
    told = None if trained is None else digest(trained.predictor.model)
    with atomic_folder(out) as partial:
        for number, one in enumerate(speaking(predictor, texts, settings, vocoder), 1):
            name = _name(number, len(texts), one.text)
            (partial / name).write_bytes(as_wav(one.samples, one.rate))
            files.append({"file": name, "text": one.text, "seconds": round(one.seconds, 3)})
            total += one.seconds
        note = {"model": hash_, "vocoder": told, "settings": settings.plain(), "rate": task.framing.rate, "files": files}
        write_json(partial / NOTE, note)
    return Said(out, tuple(files), task.framing.rate, settings.plain(), hash_, total, time.monotonic() - begun, told)


def _name(number: int, count: int, text: str) -> str:
    """`0007-please_enter.wav`; a text may hold what a file's name cannot."""
    slug = re.sub(r"[^\w-]+", "_", text.lower())[:40].strip("_")
    return f"{number:0{max(4, len(str(count)))}d}{'-' * bool(slug)}{slug}.wav"
