from __future__ import annotations

import wave
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.heard import RATE, coded, tone, written
from zhuji.backbones.cnn import Cnn
from zhuji.backbones.recurrent import Recurrent
from zhuji.core.errors import BadSetting, EmptyData, ImpossiblePair, MissingFile
from zhuji.core.records import Sound
from zhuji.core.unreadable import SoundError
from zhuji.data.sounds import as_wav, samples
from zhuji.modalities.waveform import Waveform
from zhuji.model.assembly import assemble
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tasks.enhance import Enhance
from zhuji.tools import enhance as tool
from zhuji.tools.enhance import EnhanceSettings, enhance, in_pieces, network

pytest.importorskip("soundfile")
PIECES = EnhanceSettings(piece=0.5, overlap=0.1)


@cache
def cleaner(kind: str = "gru") -> Predictor:
    waves = Waveform(rate=RATE, hop=0.004, window=0.016)
    waves = waves.fit([Sound(data=as_wav(tone(300 + 200 * n, 0.3, seed=n), RATE)) for n in range(3)])
    gru = Recurrent(cell="gru", width=8, hidden=8, layers=1, directions=2)
    return Predictor(assemble(waves, gru if kind == "gru" else Cnn.example(), Enhance()).eval())


def read(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path), "rb") as file:
        assert file.getnchannels() == 1 and file.getsampwidth() == 2
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_767, file.getframerate()


def blocks(sound: np.ndarray, sizes: tuple[int, ...] = (7, 900, 64, 2_000)) -> list[np.ndarray]:
    ends = np.cumsum(np.resize(sizes, len(sound))).clip(max=len(sound))
    return [sound[a:b] for a, b in zip(np.concatenate(([0], ends)), ends, strict=False) if b > a]


@pytest.mark.parametrize("length", [1, 399, 400, 401, 700, 701, 3_333])
def test_pieces_of_what_looks_at_nothing_else_are_the_whole(length: int) -> None:
    sound = tone(500, 1.0)[:length] if length < 8_000 else tone(500, 1.0)
    found = np.concatenate(list(in_pieces(blocks(sound), lambda part: 2 * part, 400, 100, 20)))
    np.testing.assert_allclose(found, 2 * sound, atol=1e-6)


def test_pieces_of_what_looks_no_further_than_the_margin_are_the_whole() -> None:
    """A filter that reads 20 samples to either side, silence beyond its piece."""
    weights = np.hanning(41)

    def near(part: np.ndarray) -> np.ndarray:
        return np.convolve(part, weights, "same").astype(np.float32)

    sound = tone(500, 0.5)
    found = np.concatenate(list(in_pieces(blocks(sound), near, 400, 100, 20)))
    np.testing.assert_allclose(found, np.convolve(sound, weights, "same"), atol=1e-5)


def test_no_more_than_a_piece_waits() -> None:
    seen = list[int]()

    def clean(part: np.ndarray) -> np.ndarray:
        seen.append(len(part))
        return part

    sound = np.ones(50_000, np.float32)
    handed = [len(part) for part in in_pieces(blocks(sound), clean, 400, 100, 20)]
    assert max(seen) == 400 and max(handed) <= 400 and sum(handed) == 50_000
    assert not list(in_pieces([], clean, 400, 100, 20))


def test_a_network_in_pieces_is_nearly_the_network_on_the_whole() -> None:
    """A convolution looks a few units to either side, so both are equal up to rounding; a recurrent network has forgotten most within the overlap."""
    sound = tone(440, 2.0)
    for kind, most in (("cnn", 2e-3), ("gru", 2e-2)):
        predictor = cleaner(kind)
        modality = predictor.model.modality
        assert isinstance(modality, Waveform)
        clean = network(predictor, modality)
        whole = clean(sound)
        pieces = np.concatenate(list(in_pieces(blocks(sound), clean, 4_800, 1_600, 12 * modality.step)))
        assert len(whole) == len(pieces) == len(sound)
        assert np.abs(whole - pieces).max() <= most * np.abs(whole).max()


def test_files_become_waves_of_the_models_rate(tmp_path: Path) -> None:
    sound = written(tmp_path / "in" / "a.wav", tone(440, 0.73, 16_000), 16_000)
    found = enhance(cleaner(), sound, tmp_path / "out", PIECES)
    samples_, rate = read(tmp_path / "out" / "a.wav")
    assert rate == RATE and len(samples_) == pytest.approx(0.73 * RATE, abs=2)
    modality = cleaner().model.modality
    assert isinstance(modality, Waveform)
    whole = network(cleaner(), modality)(samples(Sound(str(sound)), RATE).samples)
    assert np.abs(whole - samples_).max() < 2e-2 * np.abs(whole).max()
    told = found.as_dict()
    assert (
        told["count"] == 1
        and told["failed"] == 0
        and told["real_time_factor"] > 0
        and told["seconds"] == pytest.approx(0.73, abs=1e-3)
    )


def test_a_folder_keeps_its_shape_and_broken_files_stop_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "in"
    written(place / "a.wav", tone(440, 0.2))
    for name in ("a.flac", "a.wav.flac"):
        (place / name).write_bytes(coded(tone(500, 0.2), format="FLAC"))
    written(place / "deep" / "b.wav", tone(600, 0.2))
    (place / "broken.wav").write_bytes(as_wav(tone(600, 0.2), RATE)[:900])
    (place / "no.mp3").write_bytes(b"nothing of the kind")
    (place / "notes.txt").write_text("x")
    found = enhance(cleaner(), place, tmp_path / "out", PIECES)
    there = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert there == ["a.flac.wav", "a.wav.flac.wav", "a.wav.wav", "deep/b.wav"]
    assert [one.why for one in found.done if one.out is None] == ["truncated sound", "not a sound"]
    said = capsys.readouterr().err
    assert said.count("broken.wav") == 1 and said.count("no.mp3") == 1
    again = (tmp_path / "out" / "deep" / "b.wav").read_bytes()
    enhance(cleaner(), place, tmp_path / "out", PIECES)
    assert (tmp_path / "out" / "deep" / "b.wav").read_bytes() == again


def test_a_sound_that_breaks_on_the_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "in" / "a.wav", tone(440, 1.5))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.wav").write_bytes(b"earlier")

    def breaking(sound: Sound, rate: int):
        yield samples(sound, rate).samples
        raise tool.sounds.bad(sound, "truncated sound")

    monkeypatch.setattr(tool.sounds, "streamed", breaking)
    with pytest.raises(SoundError):
        enhance(cleaner(), file, tmp_path / "out", PIECES)
    assert [p.read_bytes() for p in (tmp_path / "out").iterdir()] == [b"earlier"]


def test_what_cannot_be(tmp_path: Path) -> None:
    file = written(tmp_path / "a.wav", tone(440, 0.2))
    with pytest.raises(BadSetting, match="another folder"):
        enhance(cleaner(), file, tmp_path, PIECES)
    with pytest.raises(BadSetting, match="must be a folder"):
        enhance(cleaner(), file, file, PIECES)
    with pytest.raises(MissingFile):
        enhance(cleaner(), tmp_path / "none.wav", tmp_path / "out", PIECES)
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyData):
        enhance(cleaner(), tmp_path / "empty", tmp_path / "out", PIECES)
    with pytest.raises(BadSetting, match="two overlaps"):
        EnhanceSettings.parse({"piece": 1.0, "overlap": 1.0})
    waves = cleaner().model.modality
    other = assemble(waves, Recurrent(width=4, hidden=4), Classify(labels=("a", "b"), counts=(1, 1)))
    with pytest.raises(ImpossiblePair, match="--model enhance"):
        enhance(Predictor(other), file, tmp_path / "out", PIECES)
