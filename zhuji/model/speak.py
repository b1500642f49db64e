"""Texts as sounds: a trained task makes frames, a vocoder makes samples of them.

Shapes: S samples, T frames, M mel bands, N units of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from zhuji.core.config import Settings
from zhuji.core.errors import ImpossiblePair, NoWeights, UnknownName
from zhuji.core.framing import Framing
from zhuji.core.log import in_language
from zhuji.core.unreadable import Unsayable
from zhuji.core.voices import Speaks, Voice
from zhuji.modalities.text import Text
from zhuji.model.assembly import collate
from zhuji.model.predictor import Predictor, Ready, resting
from zhuji.nn.sounds import framed

Vocoder = Callable[[Tensor, Framing], Tensor]
"""Frames `(T, M)`, logarithms of powers, to samples `(S,)` at `Framing.rate`. Griffin-Lim needs no training; a trained one takes its place."""
SPEEDS = (0.25, 4.0)


class SpeakSettings(Settings):
    """How texts are said."""

    speed: float = Field(default=1.0, ge=SPEEDS[0], le=SPEEDS[1])
    """Times as fast as the voice was learned: durations are divided by it, and the pitch stays."""
    speaker: str | None = None
    """One of those whom training met; None: who was recorded most."""
    steps: int = Field(default=framed.STEPS, gt=0, le=1000)
    """Of Griffin-Lim."""
    refine: int = Field(default=0, ge=0, le=1000)
    """Steps of Griffin-Lim after a trained vocoder, from its magnitudes and phases on."""
    batch: int = Field(default=8, gt=0, le=256)
    """Texts that are said at once."""


@dataclass(frozen=True)
class Spoken:
    """`samples (S,)` float32 in [-1, 1] at `rate`; `frames (T, M)` as the network made them; `durations (N,)` int64: frames of each unit."""

    text: str
    samples: np.ndarray
    rate: int
    frames: np.ndarray
    durations: np.ndarray

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def spoken(
    predictor: Predictor, texts: Sequence[str], settings: SpeakSettings | None = None, vocoder: Vocoder | None = None
) -> list[Spoken]:
    """One sound a text, in order. Raises Unsayable, with the text's place, for one that is empty, too long, or has signs that training never met;
    ImpossiblePair for a model that does not speak, NoWeights for an exported one, and UnknownName for a speaker whom training never met."""
    return list(speaking(predictor, texts, settings, vocoder))


def speaking(
    predictor: Predictor, texts: Sequence[str], settings: SpeakSettings | None = None, vocoder: Vocoder | None = None
) -> Iterator[Spoken]:
    """As `spoken`, one by one; every text is looked at before the first is said."""
    asked = settings or SpeakSettings()
    task = speaker_of(predictor, asked.speaker)
    rows = [readable(predictor, text, place) for place, text in enumerate(texts, 1)]
    sound = vocoder or partial(framed.samples, steps=asked.steps)
    for start in range(0, len(rows), asked.batch):
        chosen = rows[start : start + asked.batch]
        yield from _said(predictor, task, chosen, Voice(asked.speed, asked.speaker), sound)


def _said(predictor: Predictor, task: Speaks, rows: Sequence[Ready], voice: Voice, vocoder: Vocoder) -> Iterator[Spoken]:
    model, encoded = predictor.model, [row.encoded for row in rows]
    batch = collate(model, encoded, None, max(row.length for row in encoded)).to(predictor.device)
    with resting(model), torch.autocast(predictor.device.type, enabled=False):
        found = task.said(model.encoder, model.head, batch.units, voice)
    for place, row in enumerate(rows):
        frames = found.frames[place, found.real[place]].float().cpu()
        samples = vocoder(frames, task.framing).numpy().astype(np.float32)
        durations = found.durations[place, : row.encoded.length].cpu().numpy()
        yield Spoken(str(row.cleaned), samples, task.framing.rate, frames.numpy(), durations)


def speaker_of(predictor: Predictor, speaker: str | None = None) -> Speaks:
    """The model's task. Raises ImpossiblePair where it does not speak, NoWeights, and UnknownName."""
    task = predictor.model.task
    if not isinstance(task, Speaks):
        raise ImpossiblePair(
            first=task.called(),
            second=in_language("speaking", "朗读"),
            rule=in_language("only a model that learned a voice speaks", "只有学过声音的模型才能朗读"),
            advice=in_language("train one: zhuji train RECORDINGS --model speak", "请先训练：zhuji train 录音 --model speak"),
        )
    if predictor.runner is not None:
        raise NoWeights(what=in_language("speaking", "朗读"))
    if speaker is not None and speaker not in task.voices:
        raise UnknownName(kind=in_language("speaker", "说话人"), name=speaker, choices=", ".join(task.voices) or "–")
    return task


def readable(predictor: Predictor, text: str, place: int | None = None) -> Ready:
    """A text as the network reads it. Raises Unsayable; `place`: its number among others."""
    modality = predictor.model.modality
    if not str(predictor.cleaned(text)).strip():
        raise Unsayable(row=place, why=in_language("it is empty", "文本为空"))
    (row,) = predictor.ready([text])
    if row.encoded.cut:
        most = row.encoded.length
        why = in_language(f"it has {row.encoded.cut} units more than {most}", f"比上限 {most} 个单元多出 {row.encoded.cut} 个")
        raise Unsayable(row=place, why=why)
    if isinstance(modality, Text) and row.encoded.ids is not None and modality.special.unknown in row.encoded.ids:
        shown = " ".join(modality.unknown(str(row.cleaned))[:20]) or str(row.cleaned)[:40]
        raise Unsayable(row=place, why=in_language(f"training never met: {shown}", f"训练中未出现过：{shown}"))
    return row
