"""Two worker processes on one port: one is killed under load and replaced, both drain, counts are those of both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from tests.serving import house
from tests.serving.test_run import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]


def test_a_killed_worker_takes_only_its_own_requests_with_it(tmp_path):
    command = [sys.executable, "-m", "zhuji", "serve", str(house.bundle()), "--port", "0", "--workers", "2", "--json"]
    with open(tmp_path / "journal", "w+") as journal:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=journal, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        try:
            url = json.loads(process.stdout.readline())["url"]
            statuses, broken, stop = [], [], threading.Event()

            def client():
                while not stop.is_set():
                    try:
                        with httpx.Client(base_url=url, timeout=20) as session:
                            for _ in range(5):
                                statuses.append(session.post("/predict", json={"input": "the cat"}).status_code)
                    except httpx.TransportError as error:
                        broken.append(error)

            with ThreadPoolExecutor(8) as pool:
                clients = [pool.submit(client) for _ in range(8)]
                time.sleep(1)
                workers = {
                    child.pid for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())
                }
                os.kill(min(workers), signal.SIGKILL)
                before = len(statuses)
                time.sleep(2)
                assert len(statuses) > before, "the other one goes on"
                house.until(lambda: (tmp_path / "journal").read_text().count("worker_ready") == 3, 60)
                stop.set()
                for one in clients:
                    one.result()
            assert set(statuses) == {200} and len(broken) <= 8
            counted = httpx.get(f"{url}/metrics").text
            assert 'zhuji_requests_total{route="/predict",status="200"}' in counted
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.stdout.close()
        journal.seek(0)
        events = [json.loads(line)["event"] for line in journal if line.startswith("{")]
    assert events.count("worker_died") == 1 and events.count("stopped") == 2
