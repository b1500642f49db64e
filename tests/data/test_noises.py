from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.heard import RATE, tone, written
from zhuji.core.errors import EmptyData, MissingFile, TooFewRows
from zhuji.data.noises import noises

pytest.importorskip("soundfile")


def folder(place: Path, names: list[str]) -> Path:
    for number, name in enumerate(names):
        written(place / name, tone(200 + 130 * number, 0.5 + 0.1 * number, seed=number))
    return place


def lengths(side: tuple[np.ndarray, ...]) -> list[int]:
    return sorted(len(one) for one in side)


def test_a_split_that_the_folder_tells_is_kept(tmp_path: Path) -> None:
    folder(tmp_path, [f"clips/{n}.wav" for n in range(6)])
    splits = ("train", "test", "train", "valid", "train", "train")
    lines = ["file_name,split", *(f"clips/{n}.wav,{split}" for n, split in enumerate(splits))]
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    found = noises(str(tmp_path), RATE)
    assert lengths(found.learned) == [4_000, 5_600, 7_200, 8_000] and lengths(found.judge) == [4_800, 6_400]
    assert found is noises(str(tmp_path), RATE)


def test_without_one_the_recordings_are_divided(tmp_path: Path) -> None:
    found = noises(str(folder(tmp_path, [f"{n}.wav" for n in range(12)])), RATE)
    assert len(found.learned) + len(found.judge) == 12 and len(found.judge) >= 2
    assert not {*lengths(found.learned)} & {*lengths(found.judge)}


def test_silence_is_left_out_and_other_rates_are_brought_to_one(tmp_path: Path) -> None:
    folder(tmp_path, [f"train/{n}.wav" for n in range(4)])
    written(tmp_path / "train" / "silent.wav", np.zeros(4_000, np.float32))
    written(tmp_path / "test" / "a.wav", tone(900, 0.5, 16_000), 16_000)
    written(tmp_path / "valid" / "b.wav", tone(1_500, 0.5))
    found = noises(str(tmp_path), RATE)
    assert len(found.learned) == 4 and lengths(found.judge) == [4_000, 4_000]


def test_of_a_long_recording_a_minute_is_kept(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "valid", "test")):
        written(tmp_path / part / "a.wav", tone(100 + 80 * number, 61.0, 1_000, seed=number), 1_000)
    found = noises(str(tmp_path), 1_000)
    assert lengths((*found.learned, *found.judge)) == [60_000] * 3


def test_a_folder_of_too_few_is_named(tmp_path: Path) -> None:
    with pytest.raises(TooFewRows, match=str(tmp_path)):
        noises(str(folder(tmp_path, ["0.wav", "1.wav"])), RATE)


@pytest.mark.parametrize("silent", [("train",), ("valid", "test")])
def test_where_nothing_is(silent: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        noises(str(tmp_path / "none"), RATE)
    for number, part in enumerate(("train", "valid", "test") * 3):
        level = 0.0 if part in silent else 1.0
        written(tmp_path / part / f"{number}.wav", level * tone(300 + 100 * number, 0.5 + 0.05 * number, seed=number))
    with pytest.raises(EmptyData):
        noises(str(tmp_path), RATE)
