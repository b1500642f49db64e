from zhuji.core import scripts


def test_a_character_of_a_script_without_blanks_is_a_word() -> None:
    assert scripts.words("用 zhuji训练 it") == ["用", "zhuji", "训", "练", "it"]
    assert scripts.words("ㄅㄚˊ ㄇㄚ˙") == ["ㄅㄚˊ", "ㄇㄚ˙"], "zhuyin parts syllables by blanks"
    assert scripts.words("don't stop") == ["don't", "stop"] and scripts.words("  ") == []


def test_blanks_between_such_characters_say_nothing() -> None:
    assert scripts.closed("而 对  楼市 成交") == "而对楼市成交"
    assert scripts.closed("筑基 with zhuji 开始 了") == "筑基 with zhuji 开始了"
    assert scripts.closed("ㄅㄚˊ ㄇㄚ˙") == "ㄅㄚˊ ㄇㄚ˙" and scripts.closed("two words") == "two words"
    assert scripts.joined(["筑", "基", "is", "in", "用"]) == "筑基 is in 用"


def test_which_scripts_part_words() -> None:
    assert scripts.alone("筑") and not scripts.alone("筑基") and not scripts.alone("ㄅ") and not scripts.alone("")
    assert scripts.blankless("a 筑") and scripts.blankless("か") and not scripts.blankless("ㄅㄚˊ ไทย")
    assert scripts.unparted("筑") and scripts.unparted("ไทย") and not scripts.unparted("ㄅㄚˊ été")
