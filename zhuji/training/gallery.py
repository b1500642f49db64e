# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.
"""Pictures and sounds that a report shows: the surest mistakes on the test split, pictures with their objects and sounds with their transcripts from the worst
answered to the best, or what a model drew or said. They are kept beside the run, for its data may be gone when somebody looks."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zhuji.core.answers import Waves
from zhuji.core.contracts import Prediction, Task
from zhuji.core.files import atomic_folder, write_json
from zhuji.core.records import Box, Picture, Record, Sound, named
from zhuji.core.unreadable import MediumError, PictureError, Unsayable
from zhuji.core.voices import Speaks
from zhuji.data import sounds
from zhuji.data.pictures import opened, quietly
from zhuji.metrics import detection, enhancement
from zhuji.model.assembly import Model
from zhuji.model.draw import DrawSettings, drawn
from zhuji.model.predictor import Predictor
from zhuji.model.speak import SpeakSettings, readable, spoken
from zhuji.nn.sounds.mel import filters, log_mel
from zhuji.nn.sounds.spectra import stft

if TYPE_CHECKING:
    from PIL.Image import Image

MOST, SIDE = 24, 96
"""Mistakes that are kept, and the longer side of their thumbnails in pixels."""
MOST_BOXED, BOXED_SIDE = 6, 480
"""The same of pictures with objects, which must be seen to be judged."""
MOST_KINDS, OF_EACH = 10, 4
"""Classes that a model draws for its gallery, and pictures of each; of as many in all where it knows none."""
MOST_HEARD, SECONDS, MOST_CLEANED, MOST_SAID = 12, 10.0, 5, 4
"""Sounds that are kept, how much of each, of how many that were cleaned, and of how many that were said."""
PARTS = ("given", "sound", "wanted")
SAID = ("recorded", "said")
_RATE, _BANDS, _DEPTH, _WIDTH = 16_000, 80, 12.0, 480
"""Of the picture of a sound: samples a second, mel bands, by how much the softest that is seen is below the loudest (natural logarithm of powers, so 52 dB), and
pixels across."""
_LOSSLESS = 64
"""Longer side up to which a thumbnail is a PNG: the marks of JPEG would be as large as what there is to see."""
INDEX = "rows.json"


@dataclass(frozen=True)
class Kept:
    """A row of the gallery. `file`: its thumbnail; None where the picture could not be read any more. `size`: width and height of the picture.
    `label` and `answer`: as the row has them, boxes in pixels of the picture. `score`: how sure the answer is, of numbers how far it is off. `counts`:
    of objects how many were found, missed, and given without being there. `drawn`: a model made it, of the class that is its label. `sound`: the file of a
    sound, or of its beginning; `file` is a picture of it then, of the power in mel bands over time. `edits`: of a transcript, the characters to be changed.
    `part`: of a sound that was cleaned, which of three this is (`given`, `sound`, `wanted`), and `score` its SI-SDR in decibels; of a text that is its
    `label`, whether it was `recorded` or `said`, and `score` the seconds."""

    id: str
    file: str | None
    size: tuple[int, int] | None
    label: Any
    answer: Any
    score: float | None
    counts: tuple[int, int, int] | None = None
    drawn: bool = False
    sound: str | None = None
    edits: int | None = None
    part: str | None = None


def write_drawn(folder: Path, model: Model) -> None:
    """Writes the folder, whole or not at all, of pictures that `model` draws with seed 0."""
    from PIL.Image import fromarray

    labels = model.task.classes[:MOST_KINDS]
    made = drawn(model, DrawSettings(count=OF_EACH * (len(labels) or MOST_KINDS), labels=labels))
    with atomic_folder(folder) as partial:
        rows = list[Kept]()
        for number, array in enumerate(made):
            image = fromarray(array[..., 0] if array.shape[-1] == 1 else array)
            size, label = image.size, labels[number % len(labels)] if labels else None
            rows.append(Kept(f"{number + 1}", _saved(image, partial, number, SIDE), size, label, None, None, drawn=True))
        # Classes came in turn: those of one class stand together.
        write_json(partial / INDEX, [asdict(row) for row in sorted(rows, key=lambda row: row.label or "")])


def write_said(folder: Path, predictor: Predictor, records: Sequence[Record], answers: Sequence[Prediction]) -> None:
    """Writes the folder, whole or not at all, of texts as they were recorded and as the model says them, each by the speaker who recorded it: from the
    one whose length was foreseen worst to the one foreseen best, in even steps. Texts that last longer than `SECONDS` are left out, so that work and
    size are bounded; none where nothing is left."""
    off = [_off(record, answer) for record, answer in zip(records, answers, strict=True)]
    known = [place for place, far in enumerate(off) if far is not None and _sayable(predictor, records[place])]
    order = sorted(known, key=lambda place: -(off[place] or 0.0))
    if not order:
        return
    with atomic_folder(folder) as partial:
        chosen = [records[order[step]] for step in _steps(len(order), MOST_SAID).tolist()]
        write_json(
            partial / INDEX,
            [asdict(row) for number, one in enumerate(chosen) for row in _said(predictor, one, partial, number)],
        )


def _off(record: Record, answer: Prediction) -> float | None:
    """By which share of the recording its length was foreseen wrongly; None where either is too long to be kept, or the recording is gone."""
    sound = Sound.of(record.target)
    try:
        lasting = sound.seconds or sound.length or sounds.header(sound).seconds
    except MediumError:
        return None
    return abs(answer.answer - lasting) / lasting if 0 < lasting <= SECONDS and answer.answer <= SECONDS else None


def _sayable(predictor: Predictor, record: Record) -> bool:
    try:
        readable(predictor, record.input)
    except Unsayable:
        # Test rows may have signs that training never met: there is nothing to hear of them.
        return False
    return True


def _said(predictor: Predictor, record: Record, folder: Path, number: int) -> Iterator[Kept]:
    task = predictor.model.task
    assert isinstance(task, Speaks)
    (one,) = spoken(predictor, [record.input], SpeakSettings(speaker=task.voice_of(record)))
    both = Sound.of(record.target), Sound(data=sounds.as_wav(one.samples, one.rate))
    for place, (part, sound) in enumerate(zip(SAID, both, strict=True)):
        file, kept = _clip(sound, folder, 2 * number + place)
        seconds = None if kept is None else sound.seconds or sounds.header(sound).seconds
        yield Kept(record.id, file, None, record.input, None, seconds, sound=kept, part=part)


def write(folder: Path, records: Sequence[Record], answers: Iterable[Prediction], task: Task) -> None:
    """Writes the folder, whole or not at all, of rows whose inputs are pictures or sounds; none where nothing is wrong, or answers are of another kind."""
    pairs = list(zip(records, answers, strict=True))
    if cleaned := _cleaned(pairs):
        with atomic_folder(folder) as partial:
            write_json(partial / INDEX, [asdict(row) for row in _heard(cleaned, partial)])
        return
    chosen, side = _boxed(pairs, task.classes), BOXED_SIDE
    if not chosen and task.needs == "transcript":
        chosen, side = _transcribed(pairs, task), SIDE
    elif not chosen and task.needs == "label":
        chosen, side = _mistakes(pairs), SIDE
    if not chosen:
        return
    with atomic_folder(folder) as partial, quietly():
        rows = [_kept(one, partial, number, side) for number, one in enumerate(chosen) if number < MOST_HEARD or _seen(one)]
        write_json(partial / INDEX, [asdict(row) for row in rows])


Pair = tuple[Record, Prediction]


@dataclass(frozen=True)
class _Chosen:
    record: Record
    answer: Prediction
    score: float | None
    counts: tuple[int, int, int] | None = None
    edits: int | None = None


def _seen(chosen: _Chosen) -> bool:
    return isinstance(chosen.record.input, Picture)


def _kept(one: _Chosen, folder: Path, number: int, side: int) -> Kept:
    raw, truth = one.record.input, _plain(one.record.label if one.record.target is None else one.record.target)
    if isinstance(raw, Sound):
        file, sound = _clip(raw, folder, number)
        return Kept(one.record.id, file, None, truth, _plain(one.answer.answer), one.score, sound=sound, edits=one.edits)
    return Kept(one.record.id, *_thumbnail(raw, folder, number, side), truth, _plain(one.answer.answer), one.score, one.counts)


def _mistakes(pairs: Sequence[Pair]) -> list[_Chosen]:
    """The surest first; of numbers those that are furthest off."""
    wrong = [(far, record, answer) for record, answer in pairs if (far := _wrong(record.label, answer)) is not None]
    return [_Chosen(record, answer, far) for far, record, answer in sorted(wrong, key=lambda one: -one[0])[:MOST]]


def _transcribed(pairs: Sequence[Pair], task: Task) -> list[_Chosen]:
    """From the transcript with most edits for its length to the one with fewest, in even steps."""
    columns = task.judge([answer for _, answer in pairs], [record for record, _ in pairs])
    edits, letters = columns["letter_edits"], columns["letters"]
    order = np.argsort(-edits / np.maximum(letters, 1), kind="stable")
    found: list[_Chosen] = []
    for place in order[_steps(len(order), MOST_HEARD)].tolist():
        record, answer = pairs[place]
        found.append(_Chosen(record, answer, answer.score, edits=int(edits[place])))
    return found


def _cleaned(pairs: Sequence[Pair]) -> list[tuple[Record, Waves]]:
    """Sounds that were cleaned, from the one that gained least to the one that gained most, in even steps; empty where answers are of another kind."""
    known = [(record, answer.waves) for record, answer in pairs if answer.waves is not None]
    told = [(record, waves) for record, waves in known if waves.given is not None and waves.wanted is not None]
    if not told or len(told) < len(pairs):
        return []
    gains = [_si_sdr(waves, waves.sound) - _si_sdr(waves, waves.given) for _, waves in told]
    order = np.argsort(np.nan_to_num(gains), kind="stable")
    return [told[place] for place in order[_steps(len(order), MOST_CLEANED)].tolist()]


def _si_sdr(waves: Waves, found: np.ndarray | None) -> float:
    assert found is not None and waves.wanted is not None
    return enhancement.si_sdr(found, waves.wanted)


def _heard(cleaned: Sequence[tuple[Record, Waves]], folder: Path) -> Iterator[Kept]:
    """Before, after, and as it should be, of each."""
    for row, (record, waves) in enumerate(cleaned):
        for place, part in enumerate(PARTS):
            samples: np.ndarray = getattr(waves, part)
            file, sound = _clip(Sound(data=sounds.as_wav(samples, waves.rate)), folder, 3 * row + place)
            score = None if part == "wanted" else _si_sdr(waves, samples)
            yield Kept(record.id, file, None, None, None, score, sound=sound, part=part)


def _steps(count: int, most: int) -> np.ndarray:
    """Places in even steps, at most so many, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))


def _wrong(label: Any, given: Prediction) -> float | None:
    """How much a mistake counts; None where there is none, or nothing to compare."""
    answer = given.answer
    if isinstance(label, float) and isinstance(answer, float):
        return abs(label - answer) or None
    if isinstance(label, tuple) and isinstance(answer, tuple) and all(isinstance(part, str) for part in answer):
        return None if set(named(label)) == set(answer) else given.score or 0.0
    return (given.score or 0.0) if isinstance(label, str) and isinstance(answer, str) and label != answer else None


def _boxed(pairs: Sequence[Pair], classes: Sequence[str]) -> list[_Chosen]:
    """From the picture with most mistakes to the one with fewest, in even steps; empty where answers are no boxes."""
    told = [(record, answer) for record, answer in pairs if _is_boxed(record.label) and _is_boxed(answer.answer)]
    if len(told) < len(pairs) or not any(record.label or answer.answer for record, answer in told):
        return []
    counts = _counts(told, classes)
    order = sorted(range(len(told)), key=lambda place: -sum(counts[place][1:]))
    steps = _steps(len(order), MOST_BOXED).tolist()
    chosen = [order[step] for step in steps]
    return [_Chosen(told[place][0], told[place][1], None, counts[place]) for place in chosen]


def _is_boxed(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(part, Box) or (isinstance(part, dict) and "box" in part) for part in value
    )


def _counts(pairs: Sequence[Pair], classes: Sequence[str]) -> list[tuple[int, int, int]]:
    """Found, missed and too many, at an IoU of 0.5. Objects of classes that training never met are not asked for."""
    truths: list[Any] = [[one for one in _objects(record) if one.label in classes] for record, _ in pairs]
    given = [_row([one["box"] for one in answer.answer], [one["label"] for one in answer.answer], classes,
                  [one["score"] for one in answer.answer]) for _, answer in pairs]  # fmt: skip
    objects = [_row([_corners(one) for one in truth], [one.label for one in truth], classes, []) for truth in truths]
    width = max((len(row[2]) for row in given), default=0)
    found = detection.matched(given, objects, width=width, classes=len(classes))
    hits = (found["hits"][:, :, 0] & (found["scores"] >= 0)).sum(1).tolist()
    sums = zip(hits, found["objects"].sum(1).tolist(), (found["scores"] >= 0).sum(1).tolist(), strict=True)
    return [(hit, asked - hit, told - hit) for hit, asked, told in sums]


def _objects(record: Record) -> list[Box]:
    return [part for part in record.label if isinstance(part, Box)] if isinstance(record.label, tuple) else []


def _row(
    corners: Sequence[Sequence[float]], names: Sequence[str], classes: Sequence[str], scores: Sequence[float]
) -> detection.Row:
    return (
        np.array(corners, float).reshape(-1, 4),
        np.array([classes.index(name) for name in names], int),
        np.array(scores, float),
    )


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def _plain(value: Any) -> Any:
    """A true box as an answered one, without a score."""
    if not isinstance(value, tuple):
        return value
    return [{"label": part.label, "box": _corners(part)} if isinstance(part, Box) else part for part in value]


def _thumbnail(picture: Picture, folder: Path, number: int, side: int) -> tuple[str | None, tuple[int, int] | None]:
    """Its file, and the size of the picture."""
    try:
        found = opened(picture)
    except PictureError:
        return None, None
    return _saved(found.image, folder, number, side), found.size


def _clip(sound: Sound, folder: Path, number: int) -> tuple[str | None, str | None]:
    """The files of its picture and of itself, or of its beginning."""
    from PIL.Image import Resampling, Transpose, fromarray

    try:
        data = sounds.portable(sound, int(2 * _RATE * SECONDS), SECONDS).data or b""
        heard = sounds.samples(sound, _RATE, SECONDS).samples
    except MediumError:
        return None, None
    spectra = stft(torch.from_numpy(heard)[None], _RATE // 40, _RATE // 100, 512)
    logs = log_mel(spectra, filters(_RATE, 512, _BANDS, (0.0, _RATE / 2), "slaney"))[0].T.numpy()
    # The loudest is black on white, as books print it; the floor hides what nobody hears.
    shades = 255 * np.clip((logs.max() - logs) / _DEPTH, 0, 1)
    image = fromarray(shades.astype(np.uint8)).transpose(Transpose.FLIP_TOP_BOTTOM)
    file = io.BytesIO()
    image.resize((min(_WIDTH, image.width), _BANDS), Resampling.BILINEAR).save(file, "JPEG", quality=85)
    names = f"{number:02}.jpg", f"{number:02}.sound"
    for name, content in zip(names, (file.getvalue(), data), strict=True):
        (folder / name).write_bytes(content)
    return names


def _saved(image: Image, folder: Path, number: int, side: int) -> str:
    """The name of its file, no longer than `side` pixels."""
    file = io.BytesIO()
    image.thumbnail((side, side))
    kind = "PNG" if max(image.size) <= _LOSSLESS else "JPEG"
    image.save(file, kind, **({"quality": 85} if kind == "JPEG" else {}))
    name = f"{number:02}.{'png' if kind == 'PNG' else 'jpg'}"
    (folder / name).write_bytes(file.getvalue())
    return name
