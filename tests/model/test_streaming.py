"""A sound heard by windows: what is equal to the whole, where words stand, and how much memory it takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from zhuji.backbones.cnn import Cnn
from zhuji.backbones.conformer import Conformer
from zhuji.backbones.wav2vec2 import Wav2vec2
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.records import Record, Sound
from zhuji.core.units import Units
from zhuji.data.sounds import as_wav
from zhuji.modalities.speech import Speech
from zhuji.model.assembly import assemble
from zhuji.model.predictor import Predictor
from zhuji.model.streaming import MOST_OPEN, Windows, _Ears, _Text, listen, spaced
from zhuji.tasks.masked_frames import MaskedFrames
from zhuji.tasks.transcribe import Transcribe, frames_of

RATE = 8_000
TASK = Transcribe(dropout=0.0).fit([Record("0", "", target="ab cd e")])
CNN = Cnn(width=8, windows=(3, 5), channels=8, blocks=2)
"""Sees 5 // 2 + 2 * (1 + 2) frames at most before and behind one, 0.11 s with the window of a frame."""
CONFORMER = Conformer(width=8, layers=2, heads=2, window=3, subsample=4, dropout=0.0)


def noise(seconds: float) -> np.ndarray:
    random = np.random.default_rng(0)
    swell = np.sin(np.arange(round(seconds * RATE)) / 900) ** 2
    return (0.2 * swell * random.standard_normal(len(swell))).astype(np.float32)


SPEECH = Speech(rate=RATE, bands=8, longest=600.0).fit([Sound(data=as_wav(noise(1.0), RATE))])


def predictor(backbone=CNN, task=TASK) -> Predictor:
    """Never taught, but loud enough to spell something."""
    model = assemble(SPEECH, backbone, task)
    with torch.no_grad():
        model.head.each.out.weight.mul_(8.0)
        model.head.each.out.bias.copy_(torch.tensor([1.5, *[0.0] * len(task.letters)]))
    return Predictor(model)


def cut(samples: np.ndarray, *sizes: int) -> Iterator[np.ndarray]:
    """In blocks of these sizes, round and round."""
    place, number = 0, 0
    while place < len(samples):
        size = sizes[number % len(sizes)]
        yield samples[place : place + size]
        place, number = place + size, number + 1


def whole(of: Predictor, samples: np.ndarray) -> np.ndarray:
    encoded = SPEECH.encoded(samples)
    return frames_of(of.run_network(SPEECH.collate([encoded], encoded.grid)))[0]


@pytest.mark.parametrize("seconds", [0.05, 1.0, 1.005, 4.321, 6.0])
@pytest.mark.parametrize("windows", [Windows(chunk=1, left=0.2, right=0.2), Windows(chunk=0.4, left=0.6, right=0.2)])
def test_frames_of_a_network_that_looks_no_further_than_a_window_are_those_of_the_whole(seconds, windows) -> None:
    """Tolerance: another shape lets the kernels add in another order."""
    of, samples = predictor(), noise(seconds)
    found = list(_Ears(of, SPEECH, windows).hear(cut(samples, 700, 41, 3_000)))
    assert [end for _, end in found] == [None] * (len(found) - 1) + [pytest.approx(seconds, abs=1 / RATE)]
    np.testing.assert_allclose(np.concatenate([log_p for log_p, _ in found]), whole(of, samples), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("seconds", [1.0, 4.33])
def test_a_window_that_holds_all_is_the_whole_and_windows_keep_its_frames(seconds) -> None:
    of, samples = predictor(CONFORMER), noise(seconds)
    expected = whole(of, samples)
    [(log_p, end)] = _Ears(of, SPEECH, Windows(chunk=9)).hear([samples])
    assert end == pytest.approx(seconds, abs=1 / RATE)
    np.testing.assert_allclose(log_p, expected, rtol=1e-3, atol=1e-3)
    parts = [log_p for log_p, _ in _Ears(of, SPEECH, Windows(chunk=0.5, left=0.5, right=0.5)).hear([samples])]
    assert sum(map(len, parts)) == len(expected)


@pytest.mark.parametrize("backbone", [CNN, CONFORMER])
def test_however_a_stream_is_cut_the_same_is_heard(backbone) -> None:
    of, samples, windows = predictor(backbone), noise(5.0), Windows(chunk=1, left=0.5, right=0.5)
    first = list(listen(of, [samples], windows))
    assert first == list(listen(of, cut(samples, 1, 999, 80), windows)) and len(first) > 3


@pytest.mark.parametrize(("backbone", "windows"), [
    (CNN, Windows(chunk=1, left=0.3, right=0.3, pause=9)), (CONFORMER, Windows(chunk=9, pause=9)),
])  # fmt: skip
def test_texts_and_times_are_those_of_the_whole(backbone, windows) -> None:
    """600 frames and the last: a state of the conformer stands for four of them, but for one of them at the end."""
    of, samples = predictor(backbone), noise(6.0)
    [answer] = of.predict([Sound(data=as_wav(samples, RATE))])
    heard = np.rint(samples * 32_767).astype(np.int16).astype(np.float32) / 32_768
    parts = list(listen(of, [heard], windows))
    assert " ".join(part.text for part in parts if part.text) == answer.answer and answer.answer.count(" ") > 3
    found = [one for part in parts for one in part.times]
    assert [one.word for one in found] == [one.word for one in answer.times]
    np.testing.assert_allclose(
        [(one.begin, one.end) for one in found], [(one.begin, one.end) for one in answer.times], atol=1e-6
    )
    assert parts[-1].last and not parts[-1].open and parts[-1].seconds == 6.0
    opened = [part.open for part in parts[:-1] if part.open]
    assert bool(opened) == (backbone is CNN) and all(" " not in text for text in opened), "all words but the last one are told"


def test_no_word_ends_behind_the_recording() -> None:
    """A last frame that spells a letter, whatever is heard."""
    of = predictor(CONFORMER)
    with torch.no_grad():
        of.model.head.each.out.weight.zero_()
        of.model.head.each.out.bias.copy_(torch.tensor([0.0, 0.0, 9.0, *[0.0] * (len(TASK.letters) - 2)]))
    samples = noise(1.234)
    [answer] = of.predict([Sound(data=as_wav(samples, RATE))])
    [part] = listen(of, [samples])
    assert [one.word for one in answer.times] == [one.word for one in part.times] == ["a"]
    assert 1.22 < answer.times[0].end <= 1.234 and part.times[0].end == part.seconds == len(samples) / RATE


ALPHABETS = {
    "spaced": TASK, "unspaced": Transcribe().fit([Record("0", "", target="筑基语音")]),
    "pieces": Transcribe(units="bpe", vocab_size=8).fit([Record("0", "", target="ab ab abc c")]),
}  # fmt: skip


@pytest.mark.parametrize("task", ALPHABETS.values(), ids=ALPHABETS)
@pytest.mark.parametrize("seed", range(8))
def test_a_text_cut_between_words_is_the_text(task, seed) -> None:
    """Random paths, with long letters and blanks, cut anywhere."""
    random = np.random.default_rng(seed)
    path = np.repeat(random.integers(0, len(task.letters) + 1, 60), random.integers(1, 4, 60))
    log_p = np.log(np.full((len(path), len(task.letters) + 1), 0.01, np.float32))
    log_p[np.arange(len(path)), path] = 0.0
    [expected] = task.decode({"logits": torch.from_numpy(log_p)[None], "real": torch.ones(1, len(path), dtype=torch.bool)})
    text, kept, parts = _Text(task, 0.04, 9.0), 0, []
    for part in np.split(log_p, sorted(random.integers(1, len(path), 7))):
        kept += len(part)
        parts.append(text.add(part, kept, kept == len(path)))
    gap = " " if task.alphabet.spaced else ""
    assert gap.join(part.text for part in parts if part.text) == expected.answer
    ours = [(one.word, one.begin, one.end) for part in parts for one in part.times]
    long = 0.04 * len(path)
    theirs = [(one.word, one.begin * long, one.end * long) for one in expected.times]
    assert [word for word, *_ in ours] == [word for word, *_ in theirs]
    np.testing.assert_allclose([times for _, *times in ours], [times for _, *times in theirs], atol=1e-9)


def spelled(path: list[int]) -> np.ndarray:
    log_p = np.log(np.full((len(path), 7), 0.01, np.float32))
    log_p[np.arange(len(path)), path] = 0.0
    return log_p


@pytest.mark.parametrize("cuts", [(), (6,), (2, 7, 8, 9, 12), tuple(range(1, 20))])
def test_a_pause_parts_words_wherever_windows_meet(cuts: tuple[int, ...]) -> None:
    """Letters are blank, a, b, c, d, e: 2 to 6. A pause is four frames."""
    path = [2, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 3, 1, 3, 0, 0, 0, 0, 4, 0]
    text, parts = _Text(TASK, 0.1, 0.4), []
    for begin, end in zip((0, *cuts), (*cuts, len(path)), strict=True):
        parts.append(text.add(spelled(path)[begin:end], end, end == len(path)))
    assert " ".join(part.text for part in parts if part.text) == "aba b b c"
    times = [one for part in parts for one in part.times]
    assert [one.word for one in times] == ["aba", "b", "b", "c"]
    np.testing.assert_allclose([(one.begin, one.end) for one in times], [(0, 0.6), (1.1, 1.2), (1.3, 1.4), (1.8, 1.9)])


def test_a_pause_makes_no_blank_between_chinese_characters() -> None:
    """Letters are blank, o, k, 基, 筑: 1 to 5."""
    task = Transcribe().fit([Record("0", "", target="筑 ok 基")])
    found = _Text(task, 0.1, 0.3).add(spelled([5, 0, 0, 0, 4, 0, 0, 0, 3, 2, 0]), 11, True)
    assert task.letters == (" ", "k", "o", "基", "筑") and found.text == "筑基 ok"


def test_a_word_before_a_pause_need_not_wait_for_the_next() -> None:
    text = _Text(TASK, 0.1, 0.4)
    assert text.add(spelled([2, 3, 0, 0]), 4, False).open == "ab"
    found = text.add(spelled([0, 0]), 6, False)
    assert found.text == "ab" and not found.open


def test_memory_is_that_of_a_window() -> None:
    of, shapes = predictor(CONFORMER), set[tuple[int, ...]]()
    run = of.run_network

    def watched(units: Units):
        shapes.add(tuple(units.mask.shape))
        return run(units)

    of.run_network = watched  # type: ignore[method-assign]
    parts = list(listen(of, cut(noise(40.0), 4_000), Windows(chunk=2, left=1, right=1)))
    assert len(parts) == 20 and max(length for _, length in shapes) <= 512 and len(shapes) <= 4


def test_a_text_without_an_end_is_cut_all_the_same() -> None:
    log_p = np.log(np.tile(np.array([[0.9, *[0.1 / 6] * 6]], np.float32), (100, 1)))
    text = _Text(TASK, 1.0, 600.0)
    assert len(TASK.letters) == 6
    text.add(log_p[:50], 50, False)
    assert text.waiting is not None and len(text.waiting) == 50 < MOST_OPEN
    assert text.add(log_p, 150, False).text == "" and len(text.waiting) == 0 and text.begun == 150


def test_nothing_is_heard_in_nothing() -> None:
    assert list(listen(predictor(), [])) == [] == list(listen(predictor(), [np.zeros(0, np.float32)]))


def test_who_does_not_transcribe_does_not_listen() -> None:
    deaf = Predictor(assemble(SPEECH, CONFORMER, MaskedFrames.example().task))
    for ask in (lambda: list(listen(deaf, [noise(1)])), lambda: spaced(deaf)):
        with pytest.raises(ImpossiblePair, match="listen"):
            ask()
    with pytest.raises(BadSetting):
        Windows.parse({"chunk": 0})
    assert spaced(predictor()) and not spaced(predictor(task=ALPHABETS["unspaced"]))


def test_a_network_whose_frames_end_before_its_row_does_not_listen() -> None:
    deaf = Predictor(assemble(SPEECH, Wav2vec2.example(), ALPHABETS["unspaced"]))
    with pytest.raises(ImpossiblePair, match="wav2vec2"):
        list(listen(deaf, [noise(1)]))
