"""A real server in a process of its own on a free port of this machine, for tests with real clients."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import cache

from tests.serving import made


def free_port() -> int:
    """A port where nobody listens now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def start(*words: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """`zhuji serve *words`, once it is ready, and where it is."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "zhuji", "serve", *words, "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    until = time.monotonic() + 60
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
    """Its exit code after SIGTERM."""
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


@cache
def server() -> str:
    """The address of one server for all tests of this process: `pets` tells classes, `gpt` writes."""
    process, url = start(f"pets={made.of_task('classify')}", f"gpt={made.writer()}", "--set", "serve.threads=1")
    atexit.register(stop, process)
    return url
