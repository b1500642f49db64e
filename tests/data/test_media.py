import math
from pathlib import Path

import numpy as np
import pytest

from zhuji.core.records import Picture, Record, Sound
from zhuji.data.media import PICTURES, SOUNDS, heard_in, kind_of, of_bytes, of_path, seconds_of
from zhuji.data.sounds import as_wav


def test_a_cell_is_itself_its_bytes_or_a_name_seen_from_the_folder() -> None:
    folder = Path("data")
    assert SOUNDS.of({"a": "clips/b.wav"}, "a", folder) == Sound("data/clips/b.wav")
    assert SOUNDS.of({"a": "/x/b.wav"}, "a", folder) == Sound("/x/b.wav")
    assert SOUNDS.of({"a": b"12"}, "a", folder) == Sound(data=b"12") and PICTURES.of({"a": b"12"}, "a", folder) == Picture(
        data=b"12"
    )
    assert SOUNDS.of({"a": " "}, "a", folder) is None is SOUNDS.of({}, "a", folder)


@pytest.mark.parametrize(
    ("row", "start", "seconds"),
    [
        ({"offset": 1.5, "duration": 2}, 1.5, 2.0), ({"offset": "0", "duration": "2.5"}, 0.0, 2.5), ({"duration": 2}, 0.0, None),
        ({"offset": "", "duration": 2}, 0.0, None), ({"offset": 1}, 1.0, None),
        ({"offset": math.nan, "duration": 2}, 0.0, None), ({"offset": 1, "duration": math.nan}, 1.0, None), ({"offset": " "}, 0.0, None),
    ],
)  # fmt: skip
def test_a_manifest_names_pieces_of_files(row: dict[str, object], start: float, seconds: float | None) -> None:
    found = SOUNDS.of({"a": "b.wav", **row}, "a", Path())
    assert isinstance(found, Sound) and (found.start, found.seconds) == (start, seconds)


def test_an_offset_that_is_no_number_is_no_place() -> None:
    found = SOUNDS.of({"a": "b.wav", "offset": "soon"}, "a", Path())
    assert isinstance(found, Sound) and math.isnan(found.start)


@pytest.mark.parametrize("said", ["half", "nan", float("inf"), "-inf"])
def test_a_duration_that_is_no_number_is_no_piece(said: object) -> None:
    found = SOUNDS.of({"a": "b.wav", "offset": 1.0, "duration": said}, "a", Path())
    assert isinstance(found, Sound) and found.seconds is not None and math.isnan(found.seconds)


def test_bytes_and_names_are_told_apart() -> None:
    assert isinstance(of_bytes(as_wav(np.zeros(9), 8_000)), Sound)
    assert isinstance(of_bytes(b"\x89PNG\r\n\x1a\n"), Picture) and isinstance(of_bytes(b"??", "a.flac"), Sound)
    assert of_path("a.FLAC") == Sound("a.FLAC") and of_path("a.png") == Picture("a.png")
    assert SOUNDS.is_one("a.WAV") and not SOUNDS.is_one("a.png") and PICTURES.is_one(Picture("x")) and not PICTURES.is_one(3)
    assert kind_of(Sound("a")) is SOUNDS and kind_of(Picture("a")) is PICTURES


def test_seconds_are_known_once_it_was_listened_to() -> None:
    assert (seconds_of(Sound("a", length=1.5)), seconds_of(Sound("a")), seconds_of("a text")) == (1.5, 0.0, 0.0)
    sound = Sound("a", length=1.5)
    assert (heard_in(Record("1", sound)), heard_in(Record("1", "a text", target=sound)), heard_in(Record("1", "a text"))) == (
        1.5,
        1.5,
        0.0,
    )
