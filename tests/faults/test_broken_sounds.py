"""Whatever the sound: it is heard, or one error of the catalogue says why not; in a data set it is a row with a fate."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from tests.faults.broken_sounds import broken_sounds, good_sounds, wav
from zhuji.core.errors import catalogue
from zhuji.core.records import Sound
from zhuji.core.unreadable import SoundError
from zhuji.data.ledger import Ledger
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings
from zhuji.data.sounds import heard, samples
from zhuji.data.words import CHINESE

pytest.importorskip("soundfile")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("broken") / "sounds"
    assert len(broken_sounds(made)) >= 130
    good_sounds(made)
    return made


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, np.ndarray | SoundError]:
    """By name: the samples, or the error."""
    found: dict[str, np.ndarray | SoundError] = {}
    for path in sorted(folder.rglob("*.*")):
        try:
            heard(Sound(str(path)))
            found[path.name] = samples(Sound(str(path)), 8_000, 5.0).samples
        except SoundError as error:
            found[path.name] = error
    return found


def test_each_is_heard_or_refused_with_a_reason_in_both_languages(outcomes: dict[str, np.ndarray | SoundError]) -> None:
    for name, found in outcomes.items():
        if isinstance(found, SoundError):
            assert found.code in catalogue() and found.cause in CHINESE, name
            assert found.message("en") and found.message("zh"), name
        else:
            assert found.dtype == np.float32 and found.ndim == 1 and np.isfinite(found).all(), name


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("empty.wav", "empty sound file"), ("zeros.wav", "not a sound"), ("text.wav", "not a sound"), ("page.mp3", "not a sound"),
        ("picture.wav", "not a sound"), ("aiff.wav", "not a sound"), ("matlab.wav", "not a sound"), ("no-samples.wav", "no samples"),
        ("no-samples.flac", "empty sound file"), ("header-only.wav", "truncated sound"), ("cut-50.wav", "truncated sound"),
        ("cut-50.flac", "damaged sound"), ("cut-50.mp3", "truncated sound"), ("long-claimed.wav", "truncated sound"),
        ("slow.wav", "sample rate out of range"), ("channels-200.wav", "too many channels"), ("all-nan.wav", "samples that are not numbers"),
        ("many-nan.wav", "samples that are not numbers"), ("pipe.wav", "not a regular file"), ("nowhere.wav", "no such sound"),
        ("far.wav", "samples out of range"), ("circle.wav", "unreadable sound file"), ("unknown-coding.wav", "damaged sound"),
    ],
)  # fmt: skip
def test_the_reason_is_the_true_one(outcomes: dict[str, np.ndarray | SoundError], name: str, cause: str) -> None:
    found = outcomes[name]
    assert isinstance(found, SoundError) and found.cause == cause


@pytest.mark.parametrize(
    "name",
    [
        "really-flac.wav", "really-wav.flac", "really-mp3.ogg", "really-ogg.mp3", "few-nan.wav", "infinite.wav", "silence.wav", "clipped.wav",
        "one-sample.wav", "kind-PCM_U8.wav", "kind-GSM610.wav", "rate-96000.wav", "rate-1000.wav", "channels-6.wav", "channels-64.wav",
        "piped.wav", "tail.wav", "double.wav", "tiny.wav",
    ],
)  # fmt: skip
def test_what_is_only_odd_is_heard(outcomes: dict[str, np.ndarray | SoundError], name: str) -> None:
    assert isinstance(outcomes[name], np.ndarray) and len(outcomes[name])


def test_in_a_data_set_every_one_has_its_fate(folder: Path, outcomes: dict[str, np.ndarray | SoundError]) -> None:
    ledger = Ledger()
    kept = {record.file.rpartition("/")[2] for record in read_records(DataSettings(path=str(folder)), ledger=ledger)}
    assert ledger.read == len(outcomes) == len(kept) + ledger.total("dropped")
    assert kept == {name for name, found in outcomes.items() if not isinstance(found, SoundError)}
    refused = [found.cause for found in outcomes.values() if isinstance(found, SoundError)]
    assert ledger.causes("dropped") == {cause: refused.count(cause) for cause in refused}
    assert ledger.changes["silent"] >= 2 and ledger.changes["clipped"] >= 2 and ledger.changes["channels mixed into one"] >= 4


def test_three_hours_cost_no_more_memory_than_what_is_kept(tmp_path: Path) -> None:
    """A sparse file: 173 MB of silence that take no room on disk."""
    path, count = tmp_path / "long.wav", 3 * 3_600 * 8_000
    with path.open("wb") as file:
        file.write(wav(b"", size=2 * count, whole=2 * count + 36))
        file.truncate(44 + 2 * count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = samples(Sound(str(path)), 16_000, 30.0)
    assert len(found.samples) == 480_000 and found.cut == 3 * 3_600 - 30
    assert heard(Sound(str(path)))[0].length == 3 * 3_600
    # Thirty seconds and a block; decoded, three hours are 346 MB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


def test_a_run_on_all_of_them_ends_well(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from zhuji.training.fit import fit
    from zhuji.training.run import compose

    layer = {
        "data": {"path": str(folder), "max_dropped": 1.0}, "modality": {"name": "speech", "rate": 8_000, "bands": 8, "longest": 0.45},
        "backbone": {"name": "bag", "width": 8}, "train": {"epochs": 1, "rehearse": False, "precision": "fp32", "threads": 1},
        "evaluate": {"bootstrap": 2},
    }  # fmt: skip
    result = fit(compose(layer), tmp_path / "run", progress=False)
    ledger = result.facts["ledger"]
    assert ledger["balanced"] and ledger["read"] == ledger["used"] + ledger["cut"] + ledger["dropped"]
    assert ledger["dropped"] > 50 and ledger["cut"] > 0 and ledger["seconds_cut"] > 0 and ledger["seconds"] > 0
    assert "Traceback" not in capfd.readouterr().err
