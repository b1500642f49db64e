from zhuji.core.answers import Timed
from zhuji.data.subtitles import LINE, cues, srt, vtt

SAID = [Timed("press", 0.5, 0.8), Timed("one", 0.9, 1.1), Timed("now", 3661.5, 3661.9996)]


def test_a_pause_begins_a_new_one():
    assert [(cue.begin, cue.end, cue.text) for cue in cues(SAID)] == [(0.5, 1.1, "press one"), (3661.5, 3661.9996, "now")]
    assert cues([]) == [] and srt([]) == "" and vtt([]) == "WEBVTT\n"


def test_none_is_longer_than_two_lines():
    words = [Timed("seven77", place / 10, place / 10 + 0.1) for place in range(60)]
    found = cues(words)
    assert len(found) > 1 and all(len(cue.text) <= LINE for cue in found)
    assert " ".join(cue.text for cue in found).split() == [one.word for one in words]
    assert [cue.text for cue in cues([Timed("筑", 0, 0.1), Timed("基", 0.1, 0.2)], spaced=False)] == ["筑基"]
    mixed = [Timed("筑", 0, 0.1), Timed("基", 0.1, 0.2), Timed("is", 0.2, 0.3), Timed("it", 0.3, 0.4)]
    assert [cue.text for cue in cues(mixed)] == ["筑基 is it"]


def test_they_are_written_as_players_read_them():
    assert srt(cues(SAID)) == ("1\n00:00:00,500 --> 00:00:01,100\npress one\n\n2\n01:01:01,500 --> 01:01:02,000\nnow\n")
    assert vtt(cues([Timed("<i>", 0, 1)])) == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n&lt;i&gt;\n"
