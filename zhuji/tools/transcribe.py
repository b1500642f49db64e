"""What is said in a recording of any length, or in a stream: the verb `transcribe`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.core import scripts
from zhuji.core.answers import Timed
from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.core.records import Sound
from zhuji.data import sounds
from zhuji.data.subtitles import cues, srt, vtt
from zhuji.modalities.speech import Speech
from zhuji.model.predictor import Predictor
from zhuji.model.streaming import Partial, Windows, listen, spaced
from zhuji.tools._seeking import sought

FORMATS = (".txt", ".srt", ".vtt")
"""In which a transcript is written."""


@dataclass(frozen=True)
class Transcript:
    """`text` of the whole, the `times` of its words, how many `seconds` it has, and whether words have blanks between them."""

    text: str
    times: tuple[Timed, ...]
    seconds: float
    spaced: bool

    def as_dict(self) -> dict[str, Any]:
        return {"text": self.text, "seconds": self.seconds, "times": [asdict(one) for one in self.times]}

    def written(self, ending: str) -> str:
        """As text or subtitles, by one of `FORMATS`."""
        if ending == ".txt":
            return self.text + "\n"
        return (srt if ending == ".srt" else vtt)(cues(self.times, spaced=self.spaced))


@dataclass(frozen=True)
class Listening:
    """Partials as they come, once; nothing of them is kept."""

    parts: Iterator[Partial]
    spaced: bool

    def __iter__(self) -> Iterator[Partial]:
        return self.parts

    def whole(self, tell: Callable[[Partial], None] = lambda part: None) -> Transcript:
        """All that is still to come as one; `tell` is called with each part when it comes."""
        texts, times, seconds = list[str](), list[Timed](), 0.0
        for part in self.parts:
            tell(part)
            texts += [part.text] if part.text else []
            times += part.times
            seconds = part.seconds
        return Transcript(scripts.joined(texts) if self.spaced else "".join(texts), tuple(times), seconds, self.spaced)


def refuse_unknown(path: Path) -> None:
    """Raises BadSetting for a file whose ending is none of `FORMATS`."""
    if path.suffix.lower() not in FORMATS:
        rule = in_language(f"must end in one of {', '.join(FORMATS)}", f"必须以下列之一结尾：{'、'.join(FORMATS)}")
        raise BadSetting(key="--out", rule=rule, value=path.name)


def transcribe(
    predictor: Predictor,
    source: str | Path | bytes | Sound | Iterable[np.ndarray],
    windows: Windows | None = None,
    *,
    rate: int | None = None,
    sets: Sequence[str] = (),
) -> Listening:
    """The words of a file, or of blocks of samples `(S,)` as they come: float32 in [-1, 1] or int16, of one channel, at `rate` samples a second (None:
    the model's own). Memory is that of one window, however long it is. `sets`: `decode.…`.

    Raises BadSetting for blocks of another kind, what reading a sound raises, and what `model.streaming.listen` raises.
    """
    predictor = sought(predictor, sets)
    blanks, speech = spaced(predictor), predictor.model.modality
    assert isinstance(speech, Speech)
    if isinstance(source, str | Path | bytes | Sound):
        sound = Sound.of(source)
        sounds.header(sound)  # what cannot be read is told at once
        return Listening(listen(predictor, sounds.streamed(sound, speech.rate), windows), blanks)
    have = speech.rate if rate is None else rate
    if not sounds.RATES[0] <= have <= sounds.RATES[1]:
        rule = in_language("must be a number of samples a second between {:,} and {:,}", "必须是 {:,} 至 {:,} 之间的每秒采样数")
        raise BadSetting(key="rate", rule=rule.format(*sounds.RATES), value=have)
    return Listening(listen(predictor, sounds.resampled(map(_block, source), have, speech.rate), windows), blanks)


def _block(block: np.ndarray) -> np.ndarray:
    if block.ndim != 1 or block.dtype not in (np.float32, np.float64, np.int16):
        rule = in_language("must be blocks of one channel, float32 or int16", "必须是单声道的 float32 或 int16 数据块")
        raise BadSetting(key="source", rule=rule, value=f"{block.dtype} {block.shape}")
    strange = ~(np.abs(block.astype(np.float64)) <= sounds.LOUDEST)  # so is what is no number
    if strange.any():
        rule = in_language(
            f"must be samples that are numbers, at most {sounds.LOUDEST:,} times full scale",
            f"采样须为数值，且不超过满幅的 {sounds.LOUDEST:,} 倍",
        )
        raise BadSetting(key="source", rule=rule, value=f"{block[strange][0]:g}")
    return block.astype(np.float32) / (32_768 if block.dtype == np.int16 else 1)
