"""How a server begins and stops: in a thread with real sockets, and once as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.serving import house
from zhuji.core.refusals import CannotListen
from zhuji.serving.run import bound, url_of
from zhuji.serving.shelf import version_of

pytestmark = pytest.mark.enable_socket
ROOT = Path(__file__).parents[2]


def test_a_port_that_is_taken_is_told_of():
    first = bound(house.settings(port=0))
    assert first.proto == socket.IPPROTO_TCP  # or asyncio leaves Nagle's algorithm on, and an answer waits 40 ms
    first.listen()
    with pytest.raises(CannotListen, match="must be able to listen"):
        bound(house.settings(port=first.getsockname()[1]))
    first.close()


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1:1"), ("0.0.0.0", "http://127.0.0.1:1"), ("::1", "http://[::1]:1")]
)
def test_addresses_are_told_as_a_person_asks_for_them(host, url):
    assert url_of(host, 1) == url


def test_a_new_version_under_load_drops_nothing(tmp_path):
    folder, new = house.write(tmp_path / "b"), house.write(tmp_path / "new", seed=5)
    wanted, found, stop = version_of(new), [], threading.Event()

    def client(url):
        with httpx.Client(base_url=url, timeout=20) as session:
            while not stop.is_set():
                found.append(session.post("/predict", json={"inputs": ["the cat", "a"]}))

    with house.serving(house.settings(folder, port=0)) as (host, port, server), ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client, f"http://{host}:{port}") for _ in range(8)]
        time.sleep(0.3)
        folder.rename(tmp_path / "old")
        new.rename(folder)
        house.until(lambda: server.service.find(None).version == wanted)
        time.sleep(0.2)
        stop.set()
        for one in clients:
            one.result()
    assert {response.status_code for response in found} == {200}
    assert {response.json()["version"] for response in found} == {version_of(tmp_path / "old"), wanted}


def test_told_to_stop_it_answers_what_it_accepted(tmp_path):
    bundle, asked = house.write(tmp_path / "b", backbone="transformer"), ["the cat sat on the mat"] * 100
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "zhuji", "serve", str(bundle), "--port", "0", "--json", "--set", "serve.batch_units=32"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        told = json.loads(process.stdout.readline())
        body = json.dumps({"inputs": asked}).encode()
        head = (
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % len(body)
        )
        place = httpx.URL(told["url"])
        idle, *waiting = [socket.create_connection((place.host, place.port), timeout=20) for _ in range(5)]
        for connection in waiting:
            connection.sendall(head + body)
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        idle.sendall(head + body)  # was connected before; its request comes a moment too late
        answers = [answer_of(connection) for connection in (*waiting, idle)]
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.stderr.close()
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 200")
        assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"]) == len(asked)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place.host, place.port), timeout=5)


def answer_of(connection):
    with connection:
        found = b""
        while part := connection.recv(65536):
            found += part
    return found
