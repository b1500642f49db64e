import pytest

from zhuji.core.log import in_language, say


def test_people_read_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("done 完成")
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("", "done 完成\n")


@pytest.mark.parametrize(("setting", "text"), [("en", "yes"), ("zh", "是"), ("zh_CN.UTF-8", "是"), ("fr_FR", "yes")])
def test_the_persons_language(monkeypatch: pytest.MonkeyPatch, setting: str, text: str) -> None:
    monkeypatch.setenv("ZHUJI_LANG", setting)
    assert in_language("yes", "是") == text
