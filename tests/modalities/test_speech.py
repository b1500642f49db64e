import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.heard import RATE, tone, written
from zhuji.core.answers import Prediction, Timed
from zhuji.core.errors import BadSetting, MissingFile
from zhuji.core.records import Record, Sound
from zhuji.core.units import Batch
from zhuji.core.unreadable import SoundError
from zhuji.data.sounds import as_wav
from zhuji.modalities.speech import Speech
from zhuji.nn.sounds.companding import expanded
from zhuji.nn.sounds.variation import Variation

pytest.importorskip("soundfile")
SMALL = {"rate": RATE, "bands": 12}


def sounds(*seconds: float) -> list[Sound]:
    return [Sound(data=as_wav(tone(300 + 100 * n, length, seed=n), RATE)) for n, length in enumerate(seconds)]


def whole(speech: Speech, given: list[Sound]):
    rows = speech.encode(given)
    return speech.collate(rows, tuple(max(row.grid[axis] for row in rows) for axis in range(len(rows[0].grid))))


def test_frames_stand_a_hop_apart_and_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    speech = Speech(rate=16_000, bands=40)
    said = tone(440, 0.5, 16_000)
    (row,) = speech.encode([Sound(data=as_wav(said, 16_000))])
    heard = np.rint(said * 32_767) / 32_768
    mel = librosa.feature.melspectrogram(
        y=heard.astype(np.float32), sr=16_000, n_fft=512, hop_length=160, win_length=400, n_mels=40
    )
    assert row.grid == (51,) and row.cut == 0
    np.testing.assert_allclose(row.values, np.log(np.maximum(mel, 1e-10)).T, atol=1e-4)


def test_cepstra_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    said = tone(440, 0.5, 16_000)
    (row,) = Speech(rate=16_000, bands=40, features="mfcc").encode([Sound(data=as_wav(said, 16_000))])
    heard = (np.rint(said * 32_767) / 32_768).astype(np.float32)
    mel = librosa.feature.melspectrogram(y=heard, sr=16_000, n_fft=512, hop_length=160, win_length=400, n_mels=40)
    theirs = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=13).T
    np.testing.assert_allclose(row.values, theirs, atol=2e-3)


def test_what_was_measured_makes_training_frames_standard() -> None:
    given = sounds(0.5, 0.3, 0.4)
    speech = Speech(**SMALL).fit(given)
    units = whole(speech, given)
    assert units.values is not None and units.values.shape == (3, 51, 12) and units.mask.sum(1).tolist() == [51, 31, 41]
    real = units.values[units.mask]
    torch.testing.assert_close(real.mean(0), torch.zeros(12), atol=1e-4, rtol=0)
    torch.testing.assert_close(real.std(0, correction=0), torch.ones(12), atol=1e-4, rtol=0)
    assert not units.values[~units.mask].any()


def test_a_row_in_a_padded_batch_is_what_it_is_alone() -> None:
    given = sounds(0.5, 0.21)
    for options in ({}, {"plane": True}, {"features": "mfcc", "coefficients": 5}, {"features": "samples"}):
        speech = Speech(**SMALL, **options).fit(given)
        both, alone = whole(speech, given), whole(speech, given[1:])
        name = "ids" if options.get("features") == "samples" else "values"
        frames = alone.grid[0]
        assert getattr(both, name)[1, :frames].equal(getattr(alone, name)[0]) and both.mask[1, :frames].all()
        assert not both.mask[1, frames:].any()


def test_a_plane_holds_the_same_numbers() -> None:
    given = sounds(0.4, 0.2)
    line, plane = (Speech(**SMALL, plane=one).fit(given) for one in (False, True))
    assert plane.spec.grid_ndim == 2 and plane.spec.num_values == 1 and plane.light and not line.light
    flat, laid = whole(line, given), whole(plane, given)
    assert (
        laid.values is not None
        and laid.values[..., 0].equal(flat.values)
        and laid.mask.equal(flat.mask[..., None].expand(-1, -1, 12))
    )


def test_samples_are_ids_by_the_mu_law() -> None:
    (sound,) = sounds(0.2)
    speech = Speech(rate=RATE, features="samples")
    (row,) = speech.encode([sound])
    assert speech.fitted and speech.spec.num_ids == 256 and row.ids is not None and row.length == 1_600
    assert np.abs(expanded(torch.from_numpy(row.ids)).numpy() - tone(300, 0.2)).max() < 0.02


def test_a_piece_of_a_longer_training_sound_is_drawn_from_anywhere() -> None:
    given = sounds(0.5, 0.02)
    speech = Speech(rate=RATE, features="samples", piece=0.1)
    batch, starts = Batch(whole(speech, given)), set[int]()
    assert speech.varies and not Speech(rate=RATE, features="samples").varies
    row = batch.units.ids[0]
    for seed in range(20):
        units = speech.varied(batch, torch.Generator().manual_seed(seed)).units
        assert units.ids.shape == (2, 800) and units.mask.sum(1).tolist() == [800, 160]
        assert units.ids[1, :160].equal(batch.units.ids[1, :160])
        (start,) = [n for n in range(3_201) if row[n : n + 800].equal(units.ids[0])]
        starts.add(start)
    assert len(starts) > 10 and min(starts) < 800 and max(starts) > 2_400
    same = speech.varied(Batch(whole(speech, given[1:])), torch.Generator()).units
    assert same.ids.equal(batch.units.ids[1:, :160])


def test_a_piece_may_be_the_last_one() -> None:
    speech = Speech(rate=RATE, features="samples", piece=0.1)
    batch = Batch(whole(speech, sounds(801 / RATE)))
    found = [speech.varied(batch, torch.Generator().manual_seed(seed)).units.ids for seed in range(20)]
    assert {int(ids.equal(batch.units.ids[:, 1:])) for ids in found} == {0, 1}


def test_of_a_sound_that_is_cut_a_task_hears_what_was_kept() -> None:
    speech, records = Speech(**SMALL, longest=0.5), [Record(f"{n}", sound) for n, sound in enumerate(sounds(1.0, 0.5))]
    cut, short = (speech.placed(one, row) for one, row in zip(records, speech.encode([r.input for r in records]), strict=True))
    assert cut.input.seconds == 0.5 and short is records[1]


def test_samples_come_back_from_ids() -> None:
    speech = Speech(rate=RATE, features="samples")
    (row,) = speech.encode(sounds(0.2))
    assert np.abs(speech.samples_of(row.ids.tolist()) - tone(300, 0.2)).max() < 0.02
    assert speech.silence == 128 and abs(speech.samples_of([128])[0]) < 1e-4


def test_what_is_too_long_is_cut_and_told_in_units_and_seconds() -> None:
    for options, units in (({}, 50), ({"plane": True}, 600), ({"features": "samples"}, 4_000)):
        speech = Speech(**SMALL, longest=0.5, **options)
        (row,) = speech.encode(sounds(1.0))
        assert row.cut == units and row.cut * speech.unit_seconds == pytest.approx(0.5)


def test_any_rate_and_channels_become_the_one_asked_for() -> None:
    said = tone(440, 0.5, 48_000)
    wide = Sound(data=as_wav(np.stack([said] * 6, 1), 48_000))
    (row,), (other,) = (Speech(**SMALL).encode([sound]) for sound in (wide, Sound(data=as_wav(tone(440, 0.5), RATE))))
    assert row.grid == other.grid and row.values is not None and other.values is not None
    assert row.values[25].argmax() == other.values[25].argmax()


def test_silence_at_both_ends_is_trimmed() -> None:
    quiet = np.zeros(2_000, np.float32)
    sound = Sound(data=as_wav(np.concatenate((quiet, tone(400, 0.25), quiet)), RATE))
    (row,), (left,) = Speech(**SMALL, trim=30).encode([sound]), Speech(**SMALL).encode([sound])
    assert row.grid == (26,) and left.grid == (76,) and row.cut == 0
    (silent,) = Speech(**SMALL, trim=30, loudness=-20).encode([Sound(data=as_wav(quiet, RATE))])
    assert silent.grid == (26,) and np.isfinite(silent.values).all()


def test_what_is_trimmed_is_softer_by_so_many_decibels_and_the_rest_is_as_loud_as_asked_for() -> None:
    soft = 10 ** (-20 / 20) * tone(400, 0.25)
    sound = Sound(data=as_wav(np.concatenate((soft, tone(400, 0.25), soft)), RATE))
    for trim, left in ((25, 6_000), (15, 2_000)):
        (row,) = Speech(rate=RATE, features="raw", level=False, trim=trim, loudness=-26).encode([sound])
        assert row.grid == (left,)
        assert 10 * np.log10((row.values.astype(np.float64) ** 2).mean()) == pytest.approx(-26, abs=1e-3)


def test_times_of_a_trimmed_sound_are_those_of_the_whole() -> None:
    quiet = np.zeros(2_000, np.float32)
    modality = Speech(**SMALL, trim=30)
    (row,) = modality.encode([Sound(data=as_wav(np.concatenate((quiet, tone(400, 0.25), quiet)), RATE))])
    told = modality.unplaced(Prediction("a b", times=(Timed("a", 0.0, 0.5), Timed("b", 0.5, 1.0))), row)
    # 26 frames of 10 ms, of which the last begins where the sound ends; 2,000 samples are a quarter of a second.
    assert [(one.begin, one.end) for one in told.times] == [(0.25, pytest.approx(0.38)), (pytest.approx(0.38), 0.5)]


def test_loudness_is_brought_to_one_level() -> None:
    said = tone(400)
    rows = Speech(**SMALL, loudness=-20).encode([Sound(data=as_wav(share * said, RATE)) for share in (1.0, 0.1)])
    # 16 bits leave a tenth of the loudness about 10 bits.
    np.testing.assert_allclose(rows[0].values[5:25], rows[1].values[5:25], atol=0.35)
    assert abs(float(rows[0].values.max() - rows[1].values.max())) < 0.01


def test_an_explanation_points_at_tenths_of_a_second() -> None:
    for plane in (False, True):
        shown = Speech(**SMALL, plane=plane).shown(sounds(0.25)[0])
        assert [shown.text[a:b] for a, b in shown.parts] == ["0.0–0.1 s", "0.1–0.2 s", "0.2–0.3 s"]
        assert shown.units[0].tolist() == [0, 1] and shown.units[-1].tolist() == [2, 3]
        assert len(shown.units) == 26 * (12 if plane else 1)
    quiet = np.zeros(2_000, np.float32)
    trimmed = Speech(**SMALL, trim=30).shown(Sound(data=as_wav(np.concatenate((quiet, tone(400, 0.25), quiet)), RATE)))
    assert [trimmed.text[a:b] for a, b in trimmed.parts] == ["0.2–0.3 s", "0.3–0.4 s", "0.4–0.5 s", "0.5–0.6 s"], "of the whole"
    assert trimmed.units.min() == 0


def test_variation_is_off_until_asked_for_and_decided_by_the_seed() -> None:
    given = sounds(0.4, 0.3, 0.5)
    for plane in (False, True):
        still = Speech(**SMALL, plane=plane).fit(given)
        batch = Batch(whole(still, given))
        assert not still.varies and still.varied(batch, torch.Generator()) is batch
        speech = Speech(**SMALL, plane=plane, variation={"speed": (0.9, 1.1), "noise": 1.0, "gain": 6, "time_masks": 1}).fit(
            given
        )
        one, other, third = (speech.varied(batch, torch.Generator().manual_seed(seed)).units for seed in (1, 1, 2))
        assert one.values is not None and one.values.equal(other.values) and one.values.isfinite().all()
        assert one.mask.shape == one.values.shape[:-1] and not one.values[~one.mask].any()
        assert third.values is not None and not (third.values.shape == one.values.shape and third.values.equal(one.values))


def test_what_is_varied_are_powers_and_what_is_hidden_is_the_mean() -> None:
    given = sounds(0.4, 0.3)
    louder = Speech(**SMALL, variation={"gain": 6}).fit(given)
    batch, deviation = Batch(whole(louder, given)), torch.tensor(louder.measured.deviation)
    mask = batch.units.mask
    moved = (louder.varied(batch, torch.Generator().manual_seed(0)).units.values - batch.units.values) * deviation
    for row, real in zip(moved, mask, strict=True):
        # The same in all bands and frames, to float32 of numbers up to 20.
        assert row[real].std() < 1e-4 < row[real].abs().max() <= 6 * math.log(10) / 10
    plane = Speech(**SMALL, plane=True, variation={"gain": 6}).fit(given)
    laid = Batch(whole(plane, given))
    assert plane.varied(laid, torch.Generator()).units.mask.equal(laid.units.mask)
    sharing = Speech(**SMALL, variation={"time_masks": 1, "time_share": 0.5}).fit(given)
    given_short = Batch(whole(sharing, sounds(0.4, 0.09)))
    hidden = [
        (sharing.varied(given_short, torch.Generator().manual_seed(n)).units.values[1, :10] == 0).all(-1) for n in range(20)
    ]
    assert max(int(one.sum()) for one in hidden) == 5
    hiding = Speech(**SMALL, variation={"time_masks": 1, "time_width": 5, "time_share": 1}).fit(given)
    hidden = [(hiding.varied(batch, torch.Generator().manual_seed(n)).units.values == 0).all(-1) & mask for n in range(20)]
    assert max(int(one.sum(1).max()) for one in hidden) == 5


def test_bands_are_loudest_at_librosas_frequencies() -> None:
    librosa = pytest.importorskip("librosa")
    theirs = librosa.mel_frequencies(14, fmin=100, fmax=3_500)[1:-1]
    np.testing.assert_allclose(Speech(**SMALL, low=100, high=3_500).middles().numpy(), theirs, rtol=1e-5)


def test_noise_of_a_folder_is_not_trimmed_nor_as_short_as_what_is_said(tmp_path: Path) -> None:
    given = sounds(0.4, 0.3)
    pausing = np.concatenate((np.zeros(9 * RATE // 10, np.float32), tone(3_000, 0.1)))
    written(tmp_path / "hum.wav", pausing)
    asked = {"noise": 1.0, "noise_folder": str(tmp_path), "snr": (-30, -30)}
    speech = Speech(**SMALL, trim=30, longest=0.5, variation=asked).fit(given)
    batch = Batch(whole(speech, given))
    mean, deviation = torch.tensor(speech.measured.mean), torch.tensor(speech.measured.deviation)
    found = [speech.varied(batch, torch.Generator().manual_seed(seed)).units.values[0] for seed in range(5)]
    humming = (torch.stack(found) * deviation + mean).argmax(-1) >= 10
    assert 0 < humming.float().mean() < 0.5


def test_noise_comes_out_of_a_folder(tmp_path: Path) -> None:
    given = sounds(0.4, 0.3)
    asked = {"noise": 1.0, "noise_folder": str(tmp_path / "noise"), "snr": (-30, -30)}
    speech = Speech(**SMALL, variation=asked).fit(given)
    batch = Batch(whole(speech, given))
    with pytest.raises(MissingFile):
        speech.varied(batch, torch.Generator())
    written(tmp_path / "noise" / "a" / "hum.wav", tone(3_000, 1.0))
    found = speech.varied(batch, torch.Generator().manual_seed(0)).units.values
    assert found is not None and (found[0, :20].argmax(-1) >= 10).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"features": "mfcc", "variation": {"gain": 3}}, {"features": "samples", "variation": {"time_masks": 1}}, {"features": "mfcc", "plane": True},
        {"low": 5_000}, {"high": 9_000}, {"hop": 1e-5}, {"features": "mfcc", "coefficients": 99}, {"rate": 10}, {"longest": 0},
        {"piece": 1}, {"features": "samples", "piece": 2e-4}, {"features": "samples", "piece": 0},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadSetting):
        Speech.parse({"rate": RATE, "bands": 20, **wrong})


def test_hostile_files_are_refused() -> None:
    speech = Speech(**SMALL)
    for content in (b'{"mean": [0], "deviation": [1], "sounds": 1}', b'{"mean": [], "deviation": [], "sounds": 1}'):
        with pytest.raises(ValueError):
            speech.with_files({"sounds.json": content})
    learned = '{{"mean": {0}, "deviation": {1}, "sounds": 1}}'
    with pytest.raises(ValueError):
        speech.with_files({"sounds.json": learned.format([0] * 12, [0] * 12).encode()})
    assert speech.with_files({"sounds.json": learned.format([0] * 12, [1] * 12).encode()}).fitted


def test_what_is_no_sound_is_told() -> None:
    with pytest.raises(SoundError):
        Speech(**SMALL).encode([Sound(data=b"no sound at all")])


def test_below_the_floor_all_is_silence_and_frames_say_how_they_were_made() -> None:
    plain, inputs = Speech.example()
    deep, cut = plain.encode(inputs[:1])[0], plain.model_copy(update={"floor": -3.0}).encode(inputs[:1])[0]
    assert deep.values is not None and cut.values is not None
    assert deep.values.min() < -3 and np.array_equal(cut.values, deep.values.clip(-3))
    frames = plain.spec.frames
    assert frames is not None and frames.mean == plain.measured.mean and frames.deviation == plain.measured.deviation
    assert (frames.framing.rate, frames.framing.step, frames.framing.span) == (plain.rate, plain.step, plain.span)
    changed = (
        {"trim": 30.0},
        {"loudness": -20.0},
        {"plane": True},
        {"features": "samples"},
        {"features": "mfcc", "coefficients": 4},
    )
    for settings in changed:
        assert Speech.parse({"bands": 6, **settings}).spec.frames is None
    assert Speech(bands=6).spec.frames is not None


def test_raw_samples_are_units() -> None:
    given = sounds(0.2, 0.1)
    speech = Speech(rate=RATE, features="raw")
    assert speech.fitted and speech.fit(given) is speech and not speech.files() and speech.light and not speech.varies
    units = whole(speech, given)
    assert (
        units.values is not None
        and units.values.shape == (2, RATE // 5, 1)
        and units.mask.sum(1).tolist() == [RATE // 5, RATE // 10]
    )
    for row, real in zip(units.values, units.mask, strict=True):
        assert abs(row[real].mean()) < 1e-5 and abs(row[real].std(correction=0) - 1) < 1e-3
    plain = whole(Speech(rate=RATE, features="raw", level=False), given).values
    assert plain is not None
    np.testing.assert_allclose(plain[0, :, 0], tone(300, 0.2, seed=0), atol=5e-5)
    assert speech.spec.num_values == 1 and speech.unit_seconds == 1 / RATE


def test_whispers_frames_are_known_beforehand_and_can_be_varied() -> None:
    given = sounds(0.5, 0.3)
    speech = Speech(rate=16_000, bands=12, features="whisper", variation=Variation(noise=1.0, time_masks=1, time_width=3))
    assert speech.fitted and speech.fit(given) is speech and not speech.files()
    units = whole(speech, given)
    assert units.values is not None and units.mask.sum(1).tolist() == [50, 30]
    for row, real in zip(units.values, units.mask, strict=True):
        assert row[real].max() - row[real].min() <= 2 + 1e-5  # 80 decibels
    varied = speech.varied(Batch(units), torch.Generator().manual_seed(0)).units
    assert varied.values is not None and varied.values.isfinite().all() and not torch.equal(varied.values, units.values)
    silent = speech.encoded(np.zeros(300, np.float32))
    assert silent.length == 2 and np.allclose(speech.collate([silent], (2,)).values, -1.5)


@pytest.mark.parametrize(
    "settings",
    [{"features": "raw", "variation": {"speed": [0.9, 1.1]}}, {"features": "raw", "piece": 1.0}, {"features": "raw", "plane": True},
     {"features": "whisper", "longest": 0.01}, {"features": "whisper", "plane": True}],
)  # fmt: skip
def test_what_raw_samples_and_whispers_frames_cannot_be(settings) -> None:
    with pytest.raises(BadSetting):
        Speech.parse(settings)
