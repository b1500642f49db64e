import builtins
from concurrent.futures import ThreadPoolExecutor

import pytest

from zhuji.core.errors import MissingExtra, UnknownName
from zhuji.data.phonemes import phonemes


def test_texts_are_written_as_they_are_said() -> None:
    pytest.importorskip("phonemizer")
    assert phonemes("Room 42, please.", "en-us") == "ɹˈuːm fˈɔːɹɾi tˈuː, plˈiːz.", "numbers are read, signs stay"
    assert phonemes("red, read and reed", "en-us").split()[0].rstrip(",") == phonemes("read", "en-us").replace("iː", "ɛ")
    assert phonemes("你好", "cmn").startswith("ni2"), "tones are numbers"
    assert "(" not in phonemes("le weekend", "fr-fr"), "no flags where a word is of another language"


@pytest.mark.parametrize("text", ["", " \n", "\u202e", "\ufffd"])
def test_what_is_not_said_is_nothing(text: str) -> None:
    pytest.importorskip("phonemizer")
    assert phonemes(text, "en-us") == ""


def test_a_text_is_read_to_its_end() -> None:
    """espeak-ng takes a null for the end, and a line for a text."""
    pytest.importorskip("phonemizer")
    assert phonemes("a\0b\nc", "en-us") == phonemes("a b c", "en-us")
    assert len(phonemes("word " * 2_000, "en-us").split()) == 2_000


def test_threads_do_not_disturb_each_other() -> None:
    pytest.importorskip("phonemizer")
    texts = [f"room {n}" for n in range(40)] * 5
    alone = [phonemes(text, "en-us") for text in texts[:40]]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: phonemes(text, "en-us"), texts)) == alone * 5


def test_an_unknown_language_is_told_with_those_there_are() -> None:
    pytest.importorskip("phonemizer")
    with pytest.raises(UnknownName, match=r"'xx'.*en-us"):
        phonemes("a", "xx")


def test_without_the_package_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name, *given, **more):
        if name == "espeakng_loader":
            raise ImportError(name)
        return real(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"zhuji\[phonemes\]"):
        phonemes("a", "de")
