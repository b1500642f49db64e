import numpy as np

from zhuji.modalities._tenths import in_tenths


def test_units_stand_in_tenths_of_a_second() -> None:
    shown = in_tenths(np.arange(5), 0.05)
    assert shown.text == "0.0–0.1 s 0.1–0.2 s 0.2–0.3 s"
    assert [shown.text[a:b] for a, b in shown.parts] == ["0.0–0.1 s", "0.1–0.2 s", "0.2–0.3 s"]
    assert shown.units.tolist() == [[0, 1], [0, 1], [1, 2], [1, 2], [2, 3]]


def test_of_nothing_nothing_is_shown() -> None:
    assert in_tenths(np.arange(0), 0.1).parts == []


def test_parts_are_those_of_the_whole_sound() -> None:
    shown = in_tenths(np.arange(2), 0.1, 0.42)
    assert shown.text == "0.4–0.5 s 0.5–0.6 s" and shown.units.tolist() == [[0, 1], [1, 2]]


def test_no_tenth_has_more_frames_than_another() -> None:
    """30 frames of 0.01 s are 2.9999999999999996 tenths of a second to a processor."""
    for seconds in (0.01, 0.0125, 0.02, 0.005):
        frames = np.arange(round(60 / seconds))
        first = in_tenths(frames, seconds).units[:, 0]
        expected = [int(frame * round(seconds * 1e4) // 1_000) for frame in frames.tolist()]
        assert first.tolist() == expected, seconds
