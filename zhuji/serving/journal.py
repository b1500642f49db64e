"""What a server says: one JSON object a line on standard error; never what a user sent."""

from __future__ import annotations

import datetime
import json
import sys
from typing import Any, Literal

Level = Literal["info", "warning", "error"]


def say(event: str, level: Level = "info", **facts: Any) -> None:
    """`{"time": …, "level": …, "event": …, **facts}`; facts that are None are left out."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    told = {name: fact for name, fact in facts.items() if fact is not None}
    line = json.dumps({"time": now, "level": level, "event": event, **told}, ensure_ascii=False, default=str)
    sys.stderr.write(line + "\n")  # in one piece: workers share it
    sys.stderr.flush()
