from __future__ import annotations

import json

from zhuji.serving import journal


def test_one_object_a_line_on_standard_error(capsys):
    journal.say("request", level="warning", route="/a\nb", status=None, reason="字")
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    told = json.loads(err)
    assert told.pop("time").endswith("+00:00")
    assert told == {"level": "warning", "event": "request", "route": "/a\nb", "reason": "字"}
