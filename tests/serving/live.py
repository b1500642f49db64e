"""A real server in a process of its own on a free port of this machine, for tests with real clients."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests import voiced
from tests.serving import made
from tests.trained import folder


def free_port() -> int:
    """A port where nobody listens now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


@dataclass
class Live:
    """A server that runs. What it says on standard error, a JSON object a line, is in `log`: nobody need read it for it to go on."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    read: int = 0
    """Characters of the log that `wait` has passed."""

    def wait(self, event: str, seconds: float = 30) -> dict[str, Any]:
        """The next thing of this name that it says; what comes before is passed over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            text = self.log.read_text(encoding="utf-8")
            while (end := text.find("\n", self.read)) >= 0:
                line, self.read = text[self.read : end], end + 1
                if (told := json.loads(line))["event"] == event:
                    return told
            time.sleep(0.01)
        raise AssertionError(f"no {event} within {seconds} s")

    def stop(self) -> int:
        """Its exit code after SIGTERM; a command that runs it ends with it."""
        below = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(below[0]) if "strace" in str(self.process.args) else self.process.pid, signal.SIGTERM)
        return self.process.wait(60)


def start(*words: str, prefix: Sequence[str] = ()) -> Live:
    """`zhuji serve *words`, once it is ready. `prefix`: a command that runs it."""
    url, log = f"http://127.0.0.1:{(port := free_port())}", folder() / "log"
    command = [*prefix, sys.executable, "-m", "zhuji", "serve", *words, "--port", str(port)]
    with log.open("wb") as said:
        live = Live(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said), url, log)
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{url}/health/ready", timeout=5).close()
            return live
        except (urllib.error.URLError, ConnectionError):
            if live.process.poll() is not None or time.monotonic() > until:
                live.process.kill()
                raise AssertionError(log.read_text()) from None
            time.sleep(0.05)


@cache
def server() -> str:
    """The address of one server for all tests of this process: `pets` tells classes, `gpt` writes, `talk` answers, `art` and
    `noise` draw, `ear` hears, `voice` speaks."""
    models = (f"pets={made.of_task('classify')}", f"gpt={made.writer()}", f"talk={made.talker()}", f"art={made.of_task('generate')}",
              f"noise={made.painter()}", f"ear={made.listener()}", f"voice={voiced.voice()}")  # fmt: skip
    live = start(*models, "--set", "serve.threads=1")
    atexit.register(live.stop)
    return live.url
