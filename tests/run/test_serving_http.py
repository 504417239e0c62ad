"""HTTP on loopback: what reaches the model, and what is refused before."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from toolkit.errors import ToolkitError
from toolkit.loopback_server import MOST_CONNECTIONS, is_loopback_name
from toolkit.run.in_container.serving.frames import MOST_BODY
from toolkit.run.serving.http_server import ModelServer
from toolkit.run.serving.model_process import Answer
from toolkit.run.serving.serve import PORT, listening, refuse_others

Seen = list[tuple[str, str, int]]


@contextmanager
def serving(ask: Any = None) -> Iterator[tuple[int, Seen]]:
    """A server that says what it was asked; its port, and what it saw."""
    seen: Seen = []
    server = ModelServer("127.0.0.1", 0, lambda method, path, status, _: seen.append((method, path, status)))
    server.ask = ask or (lambda method, path, body: Answer(200, json.dumps([method, path, len(body)]).encode()))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(port: int, path: str, data: bytes | None = None, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as found:
            assert found.headers["Content-Type"] == "application/json"
            return found.status, json.load(found)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def raw(port: int, request: bytes) -> bytes:
    """What comes back for bytes that no client would send."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def test_requests_reach_the_model_with_their_bodies() -> None:
    with serving() as (port, seen):
        assert get(port, "/v1/models/m") == (200, ["GET", "/v1/models/m", 0])
        assert get(port, "/v1/models/m:predict", b"{}") == (200, ["POST", "/v1/models/m:predict", 2])
        assert get(port, "/", b"x" * MOST_BODY) == (200, ["POST", "/", MOST_BODY])
    assert seen == [("GET", "/v1/models/m", 200), ("POST", "/v1/models/m:predict", 200), ("POST", "/", 200)]


def test_a_body_that_is_too_large_is_refused_also_where_the_client_asks_first() -> None:
    with serving() as (port, seen):
        assert get(port, "/", b"x" * (MOST_BODY + 1)) == (413, {"error": f"a request has at most {MOST_BODY} bytes"})
        head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 99999999999999999999\r\n\r\n"
        assert raw(port, head).startswith(b"HTTP/1.1 413 ")
        assert raw(port, head.replace(b"9" * 20, b"2") + b"{}").startswith(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "
        )
    assert [path for _, path, _ in seen] == ["/"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.1\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx", 411),
        (b"PUT / HTTP/1.1\r\n\r\n", 501),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: evil.example:8501\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: [::\r\n\r\n", 403),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost:8501\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: [::1]:8501\r\n\r\n", 200),
    ],
)
def test_a_request_that_is_none_is_refused_in_json(request_: bytes, status: int) -> None:
    with serving() as (port, _):
        head, _, body = raw(port, request_).rpartition(b"\r\n\r\n")
    assert not head or (int(head.split()[1]), b"application/json" in head) == (status, True)  # HTTP 0.9 has no head
    assert status == 200 or list(json.loads(body)) == ["error"]


def test_connections_are_counted_and_a_slow_client_stops_no_other() -> None:
    with serving() as (port, _):
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(MOST_CONNECTIONS - 1)]
        for one in slow:
            one.sendall(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx")
        assert get(port, "/")[0] == 200
        more = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        assert more[-1].recv(1) == b""  # no thread is left for it
        for one in (*slow, *more):
            one.close()


def test_many_clients_at_once_wait_for_each_other() -> None:
    found: list[int] = []
    with serving() as (port, _):
        threads = [
            threading.Thread(target=lambda: found.append(get(port, "/")[0])) for _ in range(4 * MOST_CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [200] * (4 * MOST_CONNECTIONS)


def test_the_first_free_port_is_taken_and_one_that_is_in_use_is_named() -> None:
    with listening("127.0.0.1", 0, lambda *_: None) as first:
        port = first.server_address[1]
        with pytest.raises(ToolkitError, match=f"port {port} of 127.0.0.1 is in use") as caught:
            listening("127.0.0.1", port, lambda *_: None)
        assert "--port 0" in caught.value.hint
    with listening("127.0.0.1", None, lambda *_: None) as one, listening("127.0.0.1", None, lambda *_: None) as other:
        assert PORT <= one.server_address[1] < other.server_address[1]
    with pytest.raises(ToolkitError, match="70000 is not a port"):
        listening("127.0.0.1", 70_000, lambda *_: None)


@pytest.mark.parametrize("host", ["10.0.0.1", "example.com", "::", "", "127.0.0.1.example.com", "[::1", "a b"])
def test_no_other_machine_is_served(host: str) -> None:
    with pytest.raises(ToolkitError, match="loopback only"):
        refuse_others(host)
    assert all(is_loopback_name(own) for own in ("127.0.0.1", "::1", "localhost", "localhost:8501", "[::1]:1"))
