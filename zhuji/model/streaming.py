"""What is said in a sound of any length, understood piece by piece while it comes in, in the memory of one piece.

A network that sees a row whole cannot be fed a sample at a time. So it hears windows, each a chunk with some sound left and right of it, and of each window
only the frames of the chunk are kept: where two windows overlap their frames meet in the middle of what both heard. Features of a kept frame are those of the
whole sound; its state is, where the network looks no further than `left` and `right`, and close to it where attention sees a window in place of the whole.

Shapes: S samples, T frames of the backbone, V letters with the blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from pydantic import Field

from zhuji.core import scripts
from zhuji.core.answers import Timed
from zhuji.core.config import Settings
from zhuji.core.errors import ImpossiblePair
from zhuji.core.log import in_language
from zhuji.modalities._sounds import Sounds
from zhuji.modalities.speech import Speech
from zhuji.model.predictor import Predictor, padded
from zhuji.nn.ctc import BLANK
from zhuji.tasks.transcribe import Transcribe, frames_of

MOST_OPEN = 60.0
"""Seconds behind which a text is cut even where no word ends, so that memory has a bound."""


class Windows(Settings):
    """How a sound is cut. A text comes `chunk + right` seconds late; a second of sound is computed (left + chunk + right) / chunk times."""

    chunk: float = Field(default=8.0, gt=0, le=600)
    """Seconds of each window that are kept."""
    left: float = Field(default=2.0, ge=0, le=600)
    """Seconds before them that are heard again."""
    right: float = Field(default=2.0, ge=0, le=600)
    """Seconds behind them that are heard already."""
    pause: float = Field(default=0.4, gt=0, le=600)
    """Seconds in which no letter is heard behind which a new word begins: who learned from single sentences never learned to write the blank between two."""


@dataclass(frozen=True)
class Partial:
    """`text`: whole words that are new since the last one, and will not change; `times` of them in seconds from the beginning of the stream. `open`: what
    was heard behind them, which may still change. `seconds`: how much of the stream was understood; `last`: it has ended."""

    text: str
    times: Sequence[Timed] = ()
    open: str = ""
    seconds: float = 0.0
    last: bool = False

    def ended(self, seconds: float) -> Partial:
        """The last one, of a stream of so many seconds: its last frame may reach beyond them."""
        return replace(self, times=tuple(one.within(seconds) for one in self.times), seconds=seconds)


def listen(predictor: Predictor, blocks: Iterable[np.ndarray], windows: Windows | None = None) -> Iterator[Partial]:
    """What is said in `blocks (S,)` of float32 samples at the modality's rate, however they are cut: one partial a window.

    The joined texts are those of the likeliest path over the kept frames, with a new word behind each pause; a search with beams begins anew there and in each
    partial. `modality.trim` is left out, so
    times count from the beginning, and `modality.loudness` levels each window by itself. Raises ImpossiblePair for a model that does not transcribe sounds.
    """
    speech, task = _parts(predictor)
    windows = windows or Windows()
    text, kept = _Text(task, predictor.model.backbone.stride * speech.unit_seconds, windows.pause), 0
    for log_p, end in _Ears(predictor, speech, windows).hear(blocks):
        kept += len(log_p)
        part = text.add(log_p, kept, end is not None)
        yield part if end is None else part.ended(end)


def spaced(predictor: Predictor) -> bool:
    """Whether there are blanks between the texts of partials."""
    return _parts(predictor)[1].alphabet.spaced


def hears_whole(predictor: Predictor, seconds: float) -> bool:
    """Whether `predict` reads all of a sound of so many seconds; of a longer one only `listen` does."""
    modality = predictor.model.modality
    return not isinstance(modality, Sounds) or seconds <= modality.longest


def _parts(predictor: Predictor) -> tuple[Speech, Transcribe]:
    modality, task = predictor.model.modality, predictor.model.task
    if not isinstance(modality, Speech) or not isinstance(task, Transcribe):
        raise ImpossiblePair(
            first=in_language("a stream of sound", "声音流"),
            second=in_language(f"a model of task '{task.name()}'", f"任务为「{task.name()}」的模型"),
            rule=in_language("only a model that transcribes sounds can listen to it", "只有转写声音的模型才能聆听"),
            advice=in_language("train one: zhuji train DATA --model recognise", "请先训练：zhuji train DATA --model recognise"),
        )
    if not predictor.model.backbone.stride:
        raise ImpossiblePair(
            first=in_language("a stream of sound", "声音流"),
            second=predictor.model.backbone.called(),
            rule=in_language(
                "windows are joined frame by frame, and the other has fewer frames than a window has room for",
                "各窗口逐帧拼接，而后者的帧数少于窗口所容",
            ),
            advice=in_language(
                "let it hear whole sounds: zhuji predict, or choose another backbone",
                "请让它整段聆听：zhuji predict，或换用其他骨干网络",
            ),
        )
    return modality.model_copy(update={"trim": None}), task


@dataclass
class _Ears:
    predictor: Predictor
    speech: Speech
    windows: Windows

    def hear(self, blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, float | None]]:
        """Log-probabilities `(T, V)` of the frames that are kept of each window, and behind the last one how many seconds the stream had. Windows begin
        where a frame of the whole sound does."""
        unit = round(self.speech.unit_seconds * self.speech.rate) * self.predictor.model.backbone.stride
        asked = (self.windows.chunk, self.windows.left, self.windows.right)
        chunk, left, right = (round(seconds * self.speech.rate / unit) for seconds in asked)
        chunk = max(1, chunk)
        buffer, first, kept = np.zeros(0, np.float32), 0, 0
        for block in blocks:
            buffer = np.concatenate((buffer, block))
            # A sample more than the window has: what follows is not empty.
            while len(buffer) > (kept + chunk + right - first) * unit:
                window = buffer[: (kept + chunk + right - first) * unit]
                yield self._frames(window)[kept - first : kept - first + chunk], None
                kept += chunk
                begin = max(first, kept - left)
                buffer, first = buffer[(begin - first) * unit :], begin
        if len(buffer):
            yield self._frames(buffer)[kept - first :], (first * unit + len(buffer)) / self.speech.rate

    def _frames(self, samples: np.ndarray) -> np.ndarray:
        encoded = self.speech.encoded(samples)
        units = self.speech.collate([encoded], (padded(encoded.length),)).to(self.predictor.device)
        return frames_of(self.predictor.run_network(units))[0]


@dataclass
class _Text:
    """Frames that are not told yet: a word is told once the next begins, or behind a pause."""

    task: Transcribe
    frame: float
    """Seconds from frame to frame."""
    pause: float
    waiting: np.ndarray | None = None
    begun: int = 0
    """Number of the first frame that waits."""
    begins: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        alphabet = self.task.alphabet
        self.begins = np.array(alphabet.begins) if alphabet.spaced else np.arange(len(alphabet.letters) + 1) != BLANK

    def add(self, log_p: np.ndarray, kept: int, last: bool) -> Partial:
        """The next frames, up to number `kept`."""
        waiting = log_p if self.waiting is None else np.concatenate((self.waiting, log_p))
        cut = len(waiting) if last else self._cut(waiting)
        text, times = self._told(waiting[:cut])
        offset = self.begun * self.frame
        times = tuple(one.later(offset) for one in times)
        self.waiting, self.begun = waiting[cut:], self.begun + cut
        return Partial(text, times, self._told(self.waiting)[0], kept * self.frame, last)

    def _cut(self, waiting: np.ndarray) -> int:
        """Where the last word begins: before a letter that begins one, and is not the letter of the frame before, or behind a pause."""
        best = waiting.argmax(1)
        begins = np.flatnonzero(self.begins[best[1:]] & (best[1:] != best[:-1])) + 1
        pauses = self._pauses(best)
        cut = int(max(begins[-1] if len(begins) else 0, pauses[-1] if len(pauses) else 0))
        return len(waiting) if not cut and len(waiting) * self.frame > MOST_OPEN else cut

    def _pauses(self, best: np.ndarray) -> np.ndarray:
        """Ends of the runs of blanks that are as long as a pause."""
        edges = np.diff(np.pad(best == BLANK, 1).astype(np.int8))
        begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        return ends[(ends - begins) * self.frame >= self.pause]

    def _told(self, log_p: np.ndarray) -> tuple[str, tuple[Timed, ...]]:
        """Stretches between pauses, one by one."""
        ends = [*self._pauses(log_p.argmax(1)).tolist(), len(log_p)] if len(log_p) else []
        texts, times = list[str](), list[Timed]()
        for begin, end in zip([0, *ends], ends, strict=False):
            text, own = self._stretch(log_p[begin:end])
            texts += [text] if text else []
            times += [one.later(begin * self.frame) for one in own]
        return scripts.joined(texts) if self.task.alphabet.spaced else "".join(texts), tuple(times)

    def _stretch(self, log_p: np.ndarray) -> tuple[str, Sequence[Timed]]:
        if not len(log_p):
            return "", ()
        logits = torch.from_numpy(log_p)[None]
        found = self.task.decode({"logits": logits, "real": torch.ones(logits.shape[:2], dtype=torch.bool)})[0]
        long = len(log_p) * self.frame
        return str(found.answer), [one.scaled(long) for one in found.times]
