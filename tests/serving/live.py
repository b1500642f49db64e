"""A real server in a process of its own on a free port of this machine, for tests with real clients."""

from __future__ import annotations

import atexit
import contextlib
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
from functools import cache
from pathlib import Path
from typing import Any

from tests.serving import made


def free_port() -> int:
    """A port where nobody listens now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def start(*words: str, prefix: Sequence[str] = (), **environment: str) -> tuple[subprocess.Popen[str], str]:
    """`zhuji serve *words`, once it is ready, and where it is. `prefix`: a command that runs it."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [*prefix, sys.executable, "-m", "zhuji", "serve", *words, "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{url}/health/ready", timeout=5).close()
            return process, url
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                raise AssertionError(process.stderr.read()) from None
            time.sleep(0.05)


def stop(process: subprocess.Popen[str]) -> int:
    """Its exit code after SIGTERM; a command that runs it ends with it."""
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[:1] or (process.pid,)
    os.kill(int(child) if "strace" in process.args[0] else process.pid, signal.SIGTERM)
    return process.wait(30)


class Events:
    """What a server says on standard error, a JSON object a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self._pipe, self._rest = process.stderr.fileno(), b""

    def wait(self, event: str, seconds: float = 30) -> dict[str, Any]:
        """The next one of this name; others before it are passed over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                self._rest += os.read(self._pipe, 1 << 16)
            while b"\n" in self._rest:
                line, _, self._rest = self._rest.partition(b"\n")
                if (told := json.loads(line))["event"] == event:
                    return told
            time.sleep(0.01)
        raise AssertionError(f"no {event} within {seconds} s")


@cache
def server() -> str:
    """The address of one server for all tests of this process: `pets` tells classes, `gpt` writes."""
    process, url = start(f"pets={made.of_task('classify')}", f"gpt={made.writer()}", "--set", "serve.threads=1")
    atexit.register(stop, process)
    return url
