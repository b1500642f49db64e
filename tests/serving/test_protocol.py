"""Real connections: heads that drip, bodies that break off, what is no HTTP, too many at once."""

from __future__ import annotations

import json
import re
import socket
import time

import pytest

from tests.serving import house

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def place():
    import pytest_socket

    pytest_socket.enable_socket()
    with house.serving(house.settings(body_timeout=0.6, keep_alive=0.4, connections=8, port=0)) as (host, port, server):
        yield host, port, server


def connected(place):
    found = socket.create_connection(place[:2], timeout=10)
    found.settimeout(10)
    return found


def everything(connection):
    """What comes until the server closes."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


def request(body=b'{"input": "a"}', more=b""):
    return b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s" % (
        len(body), more, body,
    )  # fmt: skip


def test_a_request_is_answered_and_an_idle_connection_is_closed(place):
    with connected(place) as connection:
        connection.sendall(request())
        found = everything(connection)
    assert found.startswith(b"HTTP/1.1 200") and b'"predictions"' in found


def test_a_head_that_drips_is_given_up(place):
    with connected(place) as connection:
        begun, head = time.monotonic(), b"POST /predict HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 1000
        found = b""
        connection.setblocking(False)
        for byte in head:
            try:
                connection.send(bytes([byte]))
                found += connection.recv(65536)
            except BlockingIOError:
                pass
            except OSError:
                break
            if found:
                break
            time.sleep(0.02)
    assert found.startswith(b"HTTP/1.1 408") and time.monotonic() - begun < 5
    assert json.loads(found.partition(b"\r\n\r\n")[2])["error"]["code"] == "refused"


def test_a_body_that_drips_is_given_up(place):
    with connected(place) as connection:
        connection.sendall(request()[:-5])
        assert everything(connection).startswith(b"HTTP/1.1 408")


def test_a_body_that_breaks_off_harms_nobody(place):
    for _ in range(5):
        with connected(place) as connection:
            connection.sendall(request()[:-5])
    with connected(place) as connection:
        connection.sendall(request(more=b"Connection: close\r\n"))
        assert everything(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100 + b"\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"GET /" + b"a" * 100_000,
     b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_refused_in_our_shape(place, garbage):
    with connected(place) as connection:
        connection.sendall(garbage)
        head, _, body = everything(connection).partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.1 421")) and b"nosniff" in head
    assert set(json.loads(body)["error"]) == {"message", "type", "code", "param"}


def test_smuggled_requests_are_not_answered(place):
    with connected(place) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /models HTTP/1.1\r\n\r\n"
        )
        assert everything(connection).count(b"HTTP/1.1 200") == 0


def test_too_many_connections_are_refused(place):
    many = [connected(place) for _ in range(8)]
    house.until(lambda: len(place[2].server_state.connections) == 8)
    with connected(place) as connection:
        found = everything(connection)
    assert found.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in found.lower()
    for connection in many:
        connection.close()
    house.until(lambda: not place[2].server_state.connections)


def test_a_body_of_many_pieces_without_a_length_is_read(place):
    with connected(place) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
            b'Connection: close\r\n\r\n7\r\n{"input\r\n7\r\n": "a"}\r\n0\r\n\r\n'
        )
        assert everything(connection).startswith(b"HTTP/1.1 200")


def test_a_head_that_never_ends_is_refused(place):
    with connected(place) as connection:
        begun, found = time.monotonic(), b""
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n")
        try:
            for _ in range(200):
                connection.sendall(b"X-A: " + b"a" * 1000 + b"\r\n")
                time.sleep(0.001)
        except OSError:
            pass
        found = everything(connection)
    assert time.monotonic() - begun < 5
    assert found.startswith(b"HTTP/1.1 400") or not found  # what was still being sent may have reset the connection


def test_requests_that_come_at_once_are_answered_in_order(place):
    with connected(place) as connection:
        connection.sendall(request() + request(b'{"nothing": 1}') + request(more=b"Connection: close\r\n"))
        found = everything(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"200", b"422", b"200"]


def test_what_follows_a_request_and_is_no_http_does_not_break_its_answer(place):
    with connected(place) as connection:
        connection.sendall(request() + b"\x00\x01\x02\r\n\r\n")
        found = everything(connection)
    assert found.count(b"HTTP/1.1 ") == 1
    assert found.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
