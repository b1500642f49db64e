import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.data.clean import Cleaner, with_mended_encoding, with_single_blanks, without_controls
from zhuji.data.settings import CleanSettings

CLEAN = Cleaner(CleanSettings())


@pytest.mark.parametrize(
    ("dirty", "clean", "changes"),
    [
        ("plain text", "plain text", []),
        ("  a \t b  ", "a b", ["whitespace collapsed"]),
        ("a\r\nb", "a\nb", ["control characters removed"]),
        ("cafÃ©", "café", ["encoding mended"]),
        ("e\u0301", "é", ["Unicode normalised"]),
        ("a\x00b\x07", "ab", ["control characters removed"]),
        ("zero\u200bwidth\ufeff", "zerowidth", ["control characters removed"]),
        ("a\u3000b\u00a0c", "a b c", ["whitespace collapsed"]),
        ("很好 的", "很好 的", []),
    ],
)
def test_each_step_says_what_it_changed(dirty, clean, changes):
    assert CLEAN(dirty) == (clean, changes)


@pytest.mark.parametrize(
    "text",
    ["👨‍👩‍👧‍👦", "🏳️‍🌈", "👩🏽‍🚀", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️‍🔥", "می‌خواهم", "क्‍ष", "ශ්‍රී", "שלום", "naïve – “quotes” … ™"],
)
def test_signs_with_a_meaning_stay(text):
    assert CLEAN(text) == (unicodedata.normalize("NFC", text), [])


@pytest.mark.parametrize("text", ["a\u200db", "中\u200d文", "\u200cword", "a\u202eb", "a\U000e0041b", "x\u00ady"])
def test_signs_without_a_meaning_go(text):
    assert without_controls(text).isprintable()


def test_an_accent_behind_a_hidden_sign_is_composed():
    assert CLEAN("e\u200b\u0301")[0] == "é"


def test_line_breaks_stay_and_empty_lines_are_few():
    assert with_single_blanks("a  \n\n\n\n b\tc\n") == "a\n\nb c"


@pytest.mark.parametrize(
    ("name", "dirty"), [("encoding", "cafÃ©"), ("control", "a\x00b"), ("whitespace", "a  b"), ("unicode", "e\u0301")]
)
def test_each_step_can_be_turned_off(name, dirty):
    off = Cleaner(CleanSettings.parse({name: None if name == "unicode" else False}))
    assert off(dirty) == (dirty, [])
    assert CLEAN(dirty)[0] != dirty


def test_compatibility_form_on_request():
    assert Cleaner(CleanSettings(unicode="NFKC"))("ｆｕｌｌ ①")[0] == "full 1"


def test_good_text_that_merely_looks_odd_is_left_alone():
    for text in ("São João", "50 € – “fine”", "ÅÄÖ", "价格 ￥50"):
        assert with_mended_encoding(text) == text


@given(st.text())
def test_clean_text_holds_no_controls_and_single_blanks(text):
    clean, changes = CLEAN(text)
    assert not any(unicodedata.category(c) == "Cc" for c in clean if c != "\n")
    assert clean == clean.strip() and "  " not in clean and "\n\n\n" not in clean
    assert bool(changes) >= (clean != text)
    assert unicodedata.is_normalized("NFC", clean)


def test_words_keep_their_number():
    words, changes = CLEAN.words(("e\u0301", "\u200b", " a "))
    assert words == ("\u00e9", "\u200b", "a")
    assert changes == ["Unicode normalised", "control characters removed", "whitespace collapsed"]
    assert CLEAN.words(()) == ((), [])
