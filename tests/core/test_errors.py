"""The catalogue: every error can be met, says what, where and how to mend it, in both languages."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from tests.core.provocations_of_serving import PROVOCATIONS
from zhuji.core.errors import LANGUAGES, BundleError, DataError, RunError, UsageError, ZhujiError, catalogue, language, shown
from zhuji.core.refusals import ServingError

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_error_is_provoked() -> None:
    assert set(PROVOCATIONS) == set(catalogue())


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_an_error_says_what_and_how_to_mend_it(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(catalogue()[code]) as caught:
        PROVOCATIONS[code](tmp_path, monkeypatch)
    error = caught.value
    assert type(error).__name__ == code
    for lang, word in (("en", "Fix: "), ("zh", "解决：")):
        message = error.message(lang)
        assert word in message
        assert not re.search(r"\{\w*\}", message), "a fact was not filled in"
        assert "None" not in message
        assert "\n" not in message
        assert bool(CHINESE.search(message)) == (lang == "zh")
    assert error.as_dict()["error"] == code


QUOTED = re.compile(r"「[^」]*」|'[^']*'|\"[^\"]*\"|`[^`]*`")
COMMAND = re.compile(r"--?[a-z][\w-]*(\s+[\w.]+=\S*)?|\bzhuji [a-z]+|\S*[/\\]\S*|\S+=\S*")
ENGLISH = re.compile(r"[A-Za-z][A-Za-z'-]*(?:\s+[A-Za-z][A-Za-z'-]*){2,}")


def english_in(message: str) -> str | None:
    """The first run of three or more plain English words outside quotes, paths, options and commands."""
    found = ENGLISH.search(COMMAND.sub("·", QUOTED.sub("·", message)))
    return found[0] if found else None


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_in_chinese_all_is_chinese(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    with pytest.raises(catalogue()[code]) as caught:
        PROVOCATIONS[code](tmp_path, monkeypatch)
    assert english_in(str(caught.value)) is None, str(caught.value)


def test_english_in_a_chinese_message_is_seen() -> None:
    assert english_in("必须是筑基的模型包（there is no config.json）") == "there is no config"
    assert english_in("必须为「not at all」，请用 `zhuji train x` 或 --set data.path=a b，见 /a/b c") is None


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_both_languages_state_the_same_facts(code: str) -> None:
    texts = {lang: getattr(catalogue()[code], lang) for lang in LANGUAGES}
    english, chinese = (placeholders("".join(texts[lang])) for lang in LANGUAGES)
    assert english == chinese
    assert all(rule and fix for rule, fix in texts.values())


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_every_error_stands_on_a_branch_with_an_exit_code(code: str) -> None:
    branches = [
        branch
        for branch in (UsageError, DataError, BundleError, RunError, ServingError)
        if issubclass(catalogue()[code], branch)
    ]
    assert len(branches) == 1
    assert catalogue()[code].exit_code > 1


def test_a_message_names_place_rule_value_and_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(ZhujiError):
        en = ("must be {what}", "make it {what}")
        zh = ("必须为 {what}", "改为 {what}")

    error = Odd(file="a.csv", row=3, column="age", value="x" * 200, what="short")
    monkeypatch.setenv("ZHUJI_LANG", "en")
    assert str(error) == f"a.csv, row 3, column 'age': must be short, but is '{'x' * 78}… instead. Fix: make it short"
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert str(error) == f"a.csv，第 3 行，列「age」: 必须为 short，实际为 '{'x' * 78}…。 解决：改为 short"


@pytest.mark.parametrize(
    ("value", "text"), [("a\nb", r"'a\nb'"), (3, "3"), ([1, 2], "[1, 2]"), ("好" * 100, "'" + "好" * 78 + "…"), ("", "''")]
)
def test_a_value_is_shown_on_one_line(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("variable", "value", "lang"), [("ZHUJI_LANG", "zh", "zh"), ("ZHUJI_LANG", "en_US", "en"), ("ZHUJI_LANG", "Chinese", "zh")]
)
def test_language(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, lang: str) -> None:
    monkeypatch.setenv(variable, value)
    assert language() == lang
