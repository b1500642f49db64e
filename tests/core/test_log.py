import threading

import pytest

from zhuji.core.log import asked_language, in_language, say, speaking


def test_people_read_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("done 完成")
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("", "done 完成\n")


@pytest.mark.parametrize(("setting", "text"), [("en", "yes"), ("zh", "是"), ("zh_CN.UTF-8", "是"), ("fr_FR", "yes")])
def test_the_persons_language(monkeypatch: pytest.MonkeyPatch, setting: str, text: str) -> None:
    monkeypatch.setenv("ZHUJI_LANG", setting)
    assert in_language("yes", "是") == text


def test_a_server_speaks_to_each_in_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHUJI_LANG", "en")
    with speaking("zh"):
        heard: list[str] = []
        other = threading.Thread(target=lambda: heard.append(in_language("yes", "是")))
        other.start()
        other.join()
        assert (in_language("yes", "是"), heard) == ("是", ["yes"])
        with speaking(None):
            assert in_language("yes", "是") == "yes"
    assert in_language("yes", "是") == "yes" and asked_language() is None
