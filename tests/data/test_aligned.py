from __future__ import annotations

import unicodedata

import pytest

from zhuji.data.aligned import aligned
from zhuji.data.clean import Cleaner
from zhuji.data.settings import CleanSettings


@pytest.mark.parametrize(
    "original",
    [
        "plain text",
        "",
        "  two  blanks\r\n\r\n\r\n\r\nand lines ",
        "zero\u200bwidth",
        "cafe\u0301 au lait",
        "筑\u200b基：从头　开始",
        "a 😀 b",
    ],
)
def test_every_character_of_the_copy_points_to_what_it_came_from(original):
    copy = Cleaner(CleanSettings())(original)[0]
    places = aligned(original, copy)
    for at, character in enumerate(copy):
        begin, end = places.span(at, at + 1)
        if not character.isspace():
            assert character in unicodedata.normalize("NFC", original[begin:end])
        assert 0 <= begin <= end <= len(original)
    assert places.begins == sorted(places.begins)


def test_a_mended_word_points_to_all_that_it_came_from():
    places = aligned("ein cafe\u0301, bitte", "ein café, bitte")
    assert places.span(4, 8) == (4, 9) and places.span(10, 15) == (11, 16)


def test_nothing_is_a_place():
    assert aligned("ab", "ab").span(1, 1) == (1, 1) and aligned("ab", "ab").span(2, 2) == (2, 2)
    assert aligned("  ", "").span(0, 0) == (0, 0)
