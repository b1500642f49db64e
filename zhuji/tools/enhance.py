"""Sounds freed of noise, as files: each read, cleaned and written piece by piece, so that hours cost the memory of half a minute.

Shapes: S samples.
"""

from __future__ import annotations

import math
import time
import wave
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from zhuji.core.config import Settings
from zhuji.core.errors import BadSetting, EmptyData, ImpossiblePair, MissingFile
from zhuji.core.files import atomic_file
from zhuji.core.log import in_language, say
from zhuji.core.records import Sound
from zhuji.core.units import Encoded
from zhuji.core.unreadable import SoundError
from zhuji.data import sounds
from zhuji.modalities.waveform import Waveform
from zhuji.model.predictor import Predictor
from zhuji.tasks.enhance import Enhance

Clean = Callable[[np.ndarray], np.ndarray]
"""`(S,)` -> `(S,)`."""
_FULL = 32_767


class EnhanceSettings(Settings):
    """How long sounds are cut into pieces."""

    piece: float = Field(default=20.0, gt=0, le=3_600)
    """Seconds that the network hears at once; what is no longer is cleaned whole."""
    overlap: float = Field(default=2.0, gt=0, le=600)
    """Seconds that two pieces share, over which the one fades into the other."""

    @model_validator(mode="after")
    def _agree(self) -> EnhanceSettings:
        if self.piece < 2 * self.overlap:
            raise ValueError(in_language("must have a piece of at least two overlaps", "piece 至少须为 overlap 的两倍"))
        return self


@dataclass(frozen=True)
class Done:
    """What became of a file: `out`, where it lies cleaned, None where it could not be read, and `why`. `seconds` of sound took `work` seconds; `clipped`:
    samples that were louder than full scale."""

    file: str
    out: Path | None = None
    seconds: float = 0.0
    work: float = 0.0
    clipped: int = 0
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        if self.out is None:
            return {"file": self.file, "out": None, "why": self.why}
        numbers = {"seconds": round(self.seconds, 3), "work": round(self.work, 3), "clipped": self.clipped}
        return {"file": self.file, "out": str(self.out), **numbers}


@dataclass(frozen=True)
class Enhanced:
    """All files that were asked for, in their order."""

    folder: Path
    rate: int
    done: Sequence[Done]

    @property
    def factor(self) -> float | None:
        """Seconds of work for a second of sound; None where nothing was cleaned."""
        seconds = sum(one.seconds for one in self.done)
        return sum(one.work for one in self.done) / seconds if seconds else None

    def as_dict(self) -> dict[str, Any]:
        written = [one for one in self.done if one.out is not None]
        return {
            "folder": str(self.folder), "rate": self.rate, "count": len(written), "failed": len(self.done) - len(written),
            "seconds": round(sum(one.seconds for one in written), 3), "real_time_factor": self.factor,
            "files": [one.as_dict() for one in self.done],
        }  # fmt: skip


def enhance(predictor: Predictor, source: Path, out: Path, settings: EnhanceSettings) -> Enhanced:
    """Writes the cleaned sound of a file, or of each one in and below a folder, into the folder `out`, as WAV of 16 bits at the model's rate; each appears
    whole or not at all, and one that is there already gives way. One that cannot be read is told, and the others go on.

    Raises ImpossiblePair for a model of another task, MissingFile, EmptyData for a folder without sounds, BadSetting where `out` is no folder or a sound
    would take the place of what it was made from, and the error of the first file where none could be read."""
    modality = _refuse(predictor)
    files = _targets(source, out)
    done: list[Done] = []
    untold: list[SoundError] = []
    for file, target in files:
        try:
            done.append(_cleaned(predictor, modality, (file, target), settings))
        except SoundError as error:
            untold.append(error)
            done.append(Done(str(file), why=error.cause))
        if any(one.out for one in done):
            while untold:
                say(untold.pop(0).message())
    for error in untold[1:]:
        say(error.message())
    if untold:  # nothing was written, and whoever called tells the first
        raise untold[0]
    return Enhanced(out, modality.rate, done)


def _refuse(predictor: Predictor) -> Waveform:
    model = predictor.model
    if isinstance(model.modality, Waveform) and isinstance(model.task, Enhance):
        return model.modality
    raise ImpossiblePair(
        first=in_language("cleaning sounds", "语音增强"),
        second=model.task.called(),
        rule=in_language("the model must have learned to clean sounds", "模型必须学过去除噪声"),
        advice=in_language("train one with zhuji train SOUNDS --model enhance", "请用 zhuji train 声音 --model enhance 训练"),
    )


def _targets(source: Path, out: Path) -> list[tuple[Path, Path]]:
    """The files, and where each goes. Of files that differ by their ending alone each keeps it."""
    if out.exists() and not out.is_dir():
        raise BadSetting(key="--out", rule=in_language("must be a folder", "须为文件夹"), value=out)
    if not source.exists():
        raise MissingFile(file=source)
    root = source if source.is_dir() else source.parent
    found = (
        sorted(p for p in source.rglob("*") if p.suffix.lower() in sounds.ENDINGS and p.is_file())
        if source.is_dir()
        else [source]
    )
    if not found:
        raise EmptyData(file=source)
    stems, files = Counter(path.with_suffix("") for path in found), {path: _file(path) for path in found}
    given, pairs = set(files.values()), list[tuple[Path, Path]]()
    for path in found:
        target, stem = out / path.relative_to(root), path.with_suffix("")
        # `a.wav.mp3` stands beside `a.wav` and `a.mp3`.
        alone = stems[stem] == 1 and stem not in files
        target = target.with_suffix(".wav") if alone else target.with_name(f"{target.name}.wav")
        if target.exists() and _file(target) in given:
            rule = in_language("must be another folder than that of the sounds", "不得是原声音所在的文件夹")
            raise BadSetting(key="--out", rule=rule, value=out)
        pairs.append((path, target))
    return pairs


def _file(path: Path) -> tuple[int, int]:
    """Equal of two names of one file."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def _cleaned(predictor: Predictor, modality: Waveform, pair: tuple[Path, Path], settings: EnhanceSettings) -> Done:
    begun, count, clipped = time.perf_counter(), 0, 0
    file, target = pair
    with atomic_file(target) as raw, wave.open(raw, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(modality.rate)
        blocks = sounds.streamed(Sound(str(file)), modality.rate)
        for part in in_pieces(blocks, network(predictor, modality), *_sizes(predictor, modality, settings)):
            clipped += int((np.abs(part) > 1).sum())
            count += len(part)
            written.writeframes(np.rint(np.clip(part, -1, 1) * _FULL).astype("<i2").tobytes())
    return Done(str(file), target, count / modality.rate, time.perf_counter() - begun, clipped)


def network(predictor: Predictor, modality: Waveform) -> Clean:
    """The model over samples."""

    def clean(samples: np.ndarray) -> np.ndarray:
        values = modality.of_samples(samples)
        units = modality.collate([Encoded(values=values)], values.shape[:1]).to(predictor.device)
        (found,) = predictor.model.task.decode(predictor.run_network(units))
        assert found.waves is not None
        return found.waves.sound[: len(samples)]

    return clean


def _sizes(predictor: Predictor, modality: Waveform, settings: EnhanceSettings) -> tuple[int, int, int]:
    """Samples of a piece and of what two share, whole units both, so that frames lie as in the whole; and of an end that is heard too little."""
    task = predictor.model.task
    assert isinstance(task, Enhance)
    margin = task.overlap * modality.step
    over = max(3 * margin, math.ceil(settings.overlap / modality.unit_seconds) * modality.step)
    return max(2 * over, math.ceil(settings.piece / modality.unit_seconds) * modality.step), over, margin


def in_pieces(blocks: Iterable[np.ndarray], clean: Clean, size: int, over: int, margin: int) -> Iterator[np.ndarray]:
    """What `clean` makes of a sound that comes in blocks, piece by piece: each of `size` samples begins `over` before the one before it ends, and fades
    in there, but for the first and last `margin` samples of what they share, which the one or the other alone gives. Of a network that looks no
    further than `margin` to either side, the same as of the whole sound; a sound of at most `size` is cleaned whole."""
    assert 2 * margin < over and 2 * over <= size
    rise = np.concatenate((np.zeros(margin), np.linspace(0, 1, over - 2 * margin), np.ones(margin))).astype(np.float32)
    source, waiting, held = iter(blocks), np.zeros(0, np.float32), None
    while True:
        parts, count = [waiting], len(waiting)
        # One sample more tells whether this is the last piece.
        while count <= size and (block := next(source, None)) is not None:
            parts.append(block)
            count += len(block)
        waiting, last = np.concatenate(parts), count <= size
        if not count:
            return
        found = clean(waiting[:size])
        if held is not None:
            found = np.concatenate((held * (1 - rise) + found[:over] * rise, found[over:]))
        if last:
            yield found
            return
        stride = size - over
        yield found[:stride]
        held, waiting = found[stride:], waiting[stride:]
