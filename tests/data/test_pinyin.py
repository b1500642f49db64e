import builtins

import pytest

from zhuji.core.errors import MissingExtra
from zhuji.data.pinyin import syllables


def test_characters_are_written_as_they_are_said() -> None:
    pytest.importorskip("pypinyin")
    assert syllables("筑基 ok") == "zhu4 ji1 ok"
    assert syllables("我们在银行行走") == "wo3 men5 zai4 yin2 hang2 xing2 zou3", "a character is read by the words around it"
    assert syllables("绿") == "lü4" and syllables("a b") == "a b" and syllables("") == ""


def test_without_the_package_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name, *given, **more):
        if name == "pypinyin":
            raise ImportError(name)
        return real(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match="pypinyin"):
        syllables("筑基")
