import os
import wave
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from tests.heard import RATE, coded, tone, written
from zhuji.core.records import Sound
from zhuji.core.unreadable import BadSound, HugeSound, SoundError
from zhuji.data import sounds
from zhuji.data.sounds import as_wav, header, heard, is_sound, portable, read_bytes, samples

soundfile = pytest.importorskip("soundfile")


def refused(sound: Sound, what=heard) -> str:
    with pytest.raises(SoundError) as caught:
        what(sound)
    return caught.value.cause


@pytest.mark.parametrize(
    ("how", "gap"),
    [
        ({"format": "WAV", "subtype": "PCM_16"}, 1e-4), ({"format": "WAV", "subtype": "PCM_U8"}, 1e-2), ({"format": "WAV", "subtype": "PCM_24"}, 1e-6),
        ({"format": "WAV", "subtype": "FLOAT"}, 1e-7), ({"format": "WAV", "subtype": "ULAW"}, 2e-2), ({"format": "FLAC"}, 1e-4),
        ({"format": "RF64", "subtype": "PCM_16"}, 1e-4), ({"format": "OGG", "subtype": "VORBIS"}, 0.1), ({"format": "MP3"}, 0.1),
    ],
)  # fmt: skip
def test_every_format_gives_the_samples(how: dict[str, str], gap: float) -> None:
    wanted = tone(440, 0.5)
    data = coded(wanted, **how)
    found = samples(Sound(data=data), RATE)
    assert is_sound(data) and header(Sound(data=data)).rate == RATE
    assert found.samples.dtype == np.float32 and len(found.samples) == len(wanted) and found.cut == 0 and found.changes == ()
    assert np.abs(found.samples - wanted).max() < gap


@pytest.mark.parametrize("data", [b"RIFF\x10\x00\x00\x00AVI LIST", b"\xff\xfea\x00b\x00", b"\xff\xd8\xff\xe0"])
def test_films_texts_and_pictures_are_no_sounds(data: bytes) -> None:
    assert not is_sound(data) and is_sound(b"\xff\xfb\x90\x00")


def test_what_is_louder_than_a_file_holds_is_cut_off() -> None:
    found = samples(Sound(data=as_wav(np.array([2.0, -2.0, 0.5]), RATE)), RATE).samples
    np.testing.assert_allclose(found, [1.0, -1.0, 0.5], atol=1e-4)


@pytest.mark.parametrize("rate", [4_000, 11_025, 16_000, 96_000])
def test_any_rate_is_resampled_as_soxr_does_at_once(rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import soxr

    wanted = tone(700, 0.4)
    monkeypatch.setattr(sounds, "BLOCK", 1_000)
    found = samples(Sound(data=coded(wanted, format="WAV", subtype="FLOAT")), rate).samples
    np.testing.assert_allclose(found, soxr.resample(wanted, RATE, rate), atol=1e-6)


def test_a_stream_is_the_whole_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "BLOCK", 500)
    for rate in (RATE, 2 * RATE):
        sound = Sound(data=as_wav(tone(440, 0.5), RATE))
        parts = list(sounds.streamed(sound, rate))
        assert len(parts) > 4 and np.array_equal(np.concatenate(parts), samples(sound, rate).samples)
    broken = sounds.streamed(Sound(data=as_wav(tone(440, 0.5), RATE)[:2_000]), RATE)
    with pytest.raises(BadSound):
        next(broken)


def test_channels_become_one() -> None:
    left, right = tone(300), tone(1_200, seed=1)
    found = samples(Sound(data=coded(np.stack((left, right), 1), format="WAV", subtype="FLOAT")), RATE)
    np.testing.assert_allclose(found.samples, (left + right) / 2, atol=1e-6)
    assert found.changes == ("channels mixed into one",)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Sound(data=as_wav(tone(300, 1.0), RATE))
    whole, marked = samples(sound, 16_000).samples, heard(sound)[0]
    monkeypatch.setattr(sounds, "BLOCK", 333)
    assert np.array_equal(samples(sound, 16_000).samples, whole) and heard(sound)[0].mark == marked.mark


def test_only_the_beginning_of_a_long_sound_is_decoded() -> None:
    found = samples(Sound(data=as_wav(tone(300, 3.0), RATE)), 16_000, longest=1.25)
    assert len(found.samples) == 20_000 and found.seconds == 3.0 and found.cut == 1.75


def test_no_sample_more_is_kept_than_fits_into_the_time() -> None:
    assert len(samples(Sound(data=as_wav(tone(300, 1.0), RATE)), RATE, longest=0.10006).samples) == 800


def test_a_span_may_end_a_little_behind_its_file() -> None:
    """What a manifest says is rounded: to a tenth of a second."""
    sound = Sound(data=as_wav(tone(300, 2.0), RATE), start=1.5, seconds=0.6)
    assert header(sound).frames == len(samples(sound, RATE).samples) == 4_000


def test_a_piece_of_a_file(tmp_path: Path) -> None:
    wanted = tone(300, 2.0)
    path = str(written(tmp_path / "a.wav", wanted))
    found = samples(Sound(path, start=0.5, seconds=0.25), RATE).samples
    np.testing.assert_allclose(found, wanted[4_000:6_000], atol=1e-4)
    assert len(samples(Sound(path, start=1.5), RATE).samples) == 4_000
    for start, seconds in ((2.0, None), (-1.0, None), (1.0, 1.5), (0.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))):
        assert refused(Sound(path, start=start, seconds=seconds)) == "span outside of its file"


def test_channels_that_cancel_each_other_are_told_as_silent() -> None:
    both = np.stack((tone(300), -tone(300)), 1)
    assert heard(Sound(data=coded(both, format="WAV", subtype="FLOAT")))[1] == ("channels mixed into one", "silent")


def test_what_is_no_number_is_made_silent_and_told_or_refused() -> None:
    some, many = tone(300, 1.0), tone(300, 1.0)
    some[100], some[200] = np.nan, np.inf
    many[:1_000] = np.nan
    found = samples(Sound(data=coded(some, format="WAV", subtype="FLOAT")), RATE)
    assert found.changes == ("samples that are no numbers made silent",) and found.samples[100] == found.samples[200] == 0
    assert refused(Sound(data=coded(many, format="WAV", subtype="FLOAT"))) == "samples that are not numbers"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros(1_000), ("silent",)), (np.clip(5 * tone(300), -1, 1), ("clipped",)),
        (5 * tone(300), ("clipped", "louder than full scale")), (tone(300), ()), (0.01 * tone(300), ()),
    ],
)  # fmt: skip
def test_what_a_person_should_know_is_told(values: np.ndarray, told: tuple[str, ...]) -> None:
    assert heard(Sound(data=coded(values, format="WAV", subtype="FLOAT")))[1] == told


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("clipped", "told"), [(15, False), (25, True)])
def test_a_sound_is_clipped_from_one_sample_in_a_thousand(channels: int, clipped: int, told: bool) -> None:
    values = np.tile(tone(300, 20_000 / RATE)[:, None], channels)
    values[:clipped] = 1.0
    assert ("clipped" in heard(Sound(data=coded(values, format="WAV", subtype="FLOAT")))[1]) is told


def test_equal_samples_at_another_rate_are_another_sound() -> None:
    one, other = (heard(Sound(data=as_wav(tone(300), rate)))[0] for rate in (RATE, 2 * RATE))
    assert one.mark is not None and other.mark is not None and one.mark[:16] != other.mark[:16]


def test_equal_samples_have_equal_marks_whatever_the_format(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", tone(300))
    one, other = heard(Sound(str(path)))[0], heard(Sound(data=coded(soundfile.read(path)[0], format="FLAC")))[0]
    another = heard(Sound(data=as_wav(tone(301), RATE)))[0]
    assert one.mark == other.mark and one.mark[:16] != another.mark[:16] and one.mark[16:] != another.mark[16:]
    assert one.length == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "empty sound file"), (b"this is no sound" * 9, "not a sound"), (as_wav(np.zeros(0), RATE), "no samples"),
        (as_wav(tone(300), RATE)[:-100], "truncated sound"), (as_wav(tone(300), RATE)[:44], "truncated sound"),
        (as_wav(tone(300), RATE)[:20], "damaged sound"), (coded(tone(300), format="AIFF"), "not a sound"),
    ],
)  # fmt: skip
def test_what_cannot_be_heard_says_why(data: bytes, cause: str) -> None:
    assert refused(Sound(data=data)) == cause


def test_a_part_of_odd_length_hides_no_missing_samples() -> None:
    """A byte of padding stands behind it."""
    whole = as_wav(tone(300), RATE)
    noted = whole[:36] + b"note" + (3).to_bytes(4, "little") + b"abc\0" + whole[36:]
    assert len(samples(Sound(data=noted), RATE).samples) == 2_400
    assert refused(Sound(data=noted[:-100])) == "truncated sound"


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_what_was_written_to_a_pipe_is_heard(size: int) -> None:
    """ffmpeg, and SoX and eSpeak, write a size before they know it."""
    whole = as_wav(tone(300), RATE)
    piped = b"RIFF" + min(size + 36, 0xFFFFFFFF).to_bytes(4, "little") + whole[8:40] + size.to_bytes(4, "little") + whole[44:]
    assert np.array_equal(samples(Sound(data=piped), RATE).samples, samples(Sound(data=whole), RATE).samples)


def test_an_ogg_file_that_ends_within_a_page_is_refused_and_not_cut() -> None:
    said = np.random.default_rng(0).normal(0, 0.1, 6 * RATE)
    whole = coded(said, format="OGG")
    assert len(samples(Sound(data=whole), RATE).samples) == len(said)
    for size in (len(whole) - 1, len(whole) - 500, len(whole) // 2, whole.rindex(b"OggS") + 10, whole.rindex(b"OggS") + 27):
        assert refused(Sound(data=whole[:size])) == "truncated sound"


def test_an_mp3_that_goes_on_behind_what_its_header_says_is_refused_and_not_cut() -> None:
    """Two in one file, of which the first says how long it is; and one of a varying rate that does not say."""
    rate = 44_100
    one = coded(tone(300, 0.5, rate), rate, format="MP3")
    varying = coded(np.concatenate((np.random.default_rng(0).normal(0, 0.3, rate), np.zeros(5 * rate))), rate, format="MP3")
    told = varying.find(b"Info") if b"Info" in varying[:200] else varying.find(b"Xing")
    bare = varying[varying.index(varying[:2], told) :]
    assert len(samples(Sound(data=one + b"TAG" + bytes(125)), rate).samples) == rate // 2
    for data in (one + one, one + b"ID3" + one, bare):
        assert refused(Sound(data=data)) == "longer than its header says"
        with pytest.raises(BadSound):
            list(sounds.streamed(Sound(data=data), RATE))
    assert len(samples(Sound(data=one + one), rate, 0.2).samples) == rate // 5


def test_sizes_are_bounded_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sound = Sound(data=as_wav(tone(300), RATE))
    monkeypatch.setattr(sounds, "_blocks", lambda *_: pytest.fail("decoded"))
    for name, value, cause in (("MOST_SECONDS", 0.1, "sound too long"), ("MOST_CHANNELS", 0, "too many channels")):
        with monkeypatch.context() as patch:
            patch.setattr(sounds, name, value)
            with pytest.raises(HugeSound) as caught:
                heard(sound)
            assert caught.value.cause == cause
    monkeypatch.setattr(sounds, "MOST_BYTES", 100)
    assert refused(Sound(str(written(tmp_path / "a.wav", tone(300))))) == "sound file too large"
    monkeypatch.setattr(sounds, "RATES", (16_000, 48_000))
    assert refused(sound) == "sample rate out of range"


def test_a_file_of_nothing_but_parts_is_not_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million of them, in eight megabytes, cost seconds."""
    looked = 0
    peeked = sounds._peeked

    def counted(file: IO[bytes], place: int, count: int) -> bytes:
        nonlocal looked
        looked += 1
        return peeked(file, place, count)

    monkeypatch.setattr(sounds, "_peeked", counted)
    body = b"WAVE" + b"junk\0\0\0\0" * 5_000
    with pytest.raises(BadSound):
        header(Sound(data=b"RIFF" + len(body).to_bytes(4, "little") + body))
    assert looked <= sounds.MOST_CHUNKS + 1


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert refused(Sound(str(tmp_path / "pipe.wav"))) == "not a regular file"
    assert refused(Sound(str(tmp_path / "none.wav"))) == refused(Sound("a\0.wav")) == "no such sound"
    assert refused(Sound(str(tmp_path))) == "not a regular file"


def test_a_sound_travels_as_it_is_or_as_its_beginning(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", tone(300, 2.0))
    assert portable(Sound(str(path)), 100_000, 10.0).data == path.read_bytes() == read_bytes(Sound(str(path)))
    short = portable(Sound(str(path)), 100_000, 0.5)
    assert header(short).seconds == 0.5 and header(short).format == "FLAC"
    assert len(read_bytes(portable(Sound(str(path)), 5_000, 10.0))) < 5_100
    assert header(portable(Sound(str(path), start=1.0), 100_000, 10.0)).seconds == 1.0
    wide = portable(Sound(data=as_wav(tone(300, 1.0, 48_000), 48_000)), 100_000, 0.5)
    assert (header(wide).rate, header(wide).seconds) == (16_000, 0.5)
    piece = portable(Sound(str(path), start=1.0, seconds=0.5), 100_000, 10.0)
    np.testing.assert_allclose(samples(piece, RATE).samples, tone(300, 2.0)[8_000:12_000], atol=2e-4)


def test_a_wav_without_any_extra(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(as_wav(np.stack((tone(300), tone(500)), 1), RATE))
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth(), file.getnframes()) == (2, RATE, 2, 2_400)


def test_the_error_tells_the_file_in_both_languages() -> None:
    error = sounds.bad(Sound("a.wav"), "damaged sound", "lost sync")
    assert isinstance(error, BadSound) and error.file == "a.wav" and "lost sync" in error.message("en") and error.message("zh")


@pytest.mark.parametrize("rate", [RATE, 11_025])
def test_a_stream_of_blocks_is_the_sound(rate: int) -> None:
    sound = Sound(data=as_wav(tone(440, 20.0), RATE))
    blocks = list(sounds.streamed(sound, rate))
    assert len(blocks) > 1 and np.array_equal(np.concatenate(blocks), samples(sound, rate).samples)
