"""Sounds that a model goes on with, as files: numbered, on a page that plays them, and with a note of how to get them again."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.files import atomic_folder, write_json
from zhuji.core.log import in_language
from zhuji.core.records import Sound
from zhuji.data.sounds import as_wav
from zhuji.model.predictor import Predictor
from zhuji.model.sounding import SoundSettings, sounded
from zhuji.tools._out import claim
from zhuji.tools.pages.heard import Heard, sounds_page
from zhuji.training.transfer import digest

PAGE, NOTE = "sounds.html", "sounds.json"
PLAYED = 64
"""Sounds on a page."""


@dataclass(frozen=True)
class Written:
    """`files` in `folder`, each with its prompt, seconds heard and made, and bits a sample. `model`: hash of the weights; `seconds`: of work."""

    folder: Path
    files: tuple[Mapping[str, Any], ...]
    rate: int
    settings: Mapping[str, Any]
    model: str
    seconds: float

    @property
    def page(self) -> Path:
        return self.folder / PAGE

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder), "page": str(self.page), "rate": self.rate, "files": [dict(file) for file in self.files],
            "settings": dict(self.settings), "model": self.model, "seconds": round(self.seconds, 3),
        }  # fmt: skip


def sounds(predictor: Predictor, prompts: Sequence[str], settings: SoundSettings, out: Path) -> Written:
    """Go on with sounds and write them to the folder `out`, which must be new or empty and is filled whole or not at all: a WAV for each, a page
    that plays the first of them, and `sounds.json`. Raises NotEmpty, and what `sounded` raises."""
    begun = time.monotonic()
    claim(out)
    made = sounded(predictor.model, [Sound(prompt) for prompt in prompts], settings)
    hash_, rate = digest(predictor.model), made[0].rate
    names = [_name(number, len(made), prompts) for number in range(len(made))]
    facts = [
        {"file": name, "prompt": prompts[number] if prompts else None, "heard": round(one.heard / rate, 4),
         "made": round((len(one.samples) - one.heard) / rate, 4), "bits": round(one.bits, 4)}
        for number, (name, one) in enumerate(zip(names, made, strict=True))
    ]  # fmt: skip
    with atomic_folder(out) as partial:
        waves = [as_wav(one.samples, rate) for one in made]
        for name, wave in zip(names, waves, strict=True):
            (partial / name).write_bytes(wave)
        played = [Heard(wave, **fact) for wave, fact in zip(waves[:PLAYED], facts[:PLAYED], strict=True)]
        title = in_language("Sounds that were gone on with", "续写的声音")
        (partial / PAGE).write_text(sounds_page(title, hash_, played), encoding="utf-8")
        write_json(partial / NOTE, {"model": hash_, "settings": settings.plain(), "rate": rate, "files": facts})
    return Written(out, tuple(facts), rate, settings.plain(), hash_, time.monotonic() - begun)


def _name(number: int, count: int, prompts: Sequence[str]) -> str:
    """`0007-seven_theo_0.wav`; a prompt's name may hold what another file's cannot."""
    slug = "-" + (re.sub(r"[^\w-]+", "_", Path(prompts[number]).stem)[:60] or "_") if prompts else ""
    return f"{number + 1:0{max(4, len(str(count)))}d}{slug}.wav"
