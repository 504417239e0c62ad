"""HTTP on this machine's loopback, bounded: it reads requests, has them answered, and writes the answers.

A request has a length, of at most `MOST_BODY`, and must arrive in time. `MOST_CONNECTIONS` are read at once, more wait.
Names other than loopback's in the header `Host` are refused: a web page could give itself such a name to reach it.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from toolkit.loopback import is_loopback
from toolkit.run.in_container.serving.answers import error
from toolkit.run.in_container.serving.frames import MOST_BODY
from toolkit.run.serving.model_process import Answer

MOST_CONNECTIONS = 16
_SECONDS = 30
"""A request must arrive within this time, and its answer be taken."""
_FREE_SECONDS = 1.0
_PIECE = 1 << 16
_LONGEST_LENGTH = 15
"""Digits: such a number is too large, whatever follows."""
_JSON = "application/json"

Ask = Callable[[str, str, bytes], Answer]
Seen = Callable[[str, str, int, float], None]
"""Gets method, path, status and seconds of each request."""


class _TooLarge(Exception):
    """A body of `length` bytes, more than `MOST_BODY`."""

    def __init__(self, length: int) -> None:
        self.length = length


class LoopbackServer(ThreadingHTTPServer):
    """Listens at `host`, a loopback address, and `port` (0: any free one) once it is made; raises `OSError`.

    `ask` must be set before it serves.
    """

    ask: Ask

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, seen: Seen) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.seen = seen
        self._free = threading.Semaphore(MOST_CONNECTIONS)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without the name of this machine, which HTTPServer asks a name server for."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; wait a moment for one, and the next connections in the kernel's queue."""
        if self._free.acquire(timeout=_FREE_SECONDS):
            super().process_request(request, client_address)
            return
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def is_loopback_name(name: str) -> bool:
    """Whether it is a loopback address or a name of one, with a port or without."""
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"
    try:
        return is_loopback(f"http://{name}")
    except ValueError:
        return False


class _Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS
    unsent = False
    """Whether the client waits for permission to send its body."""

    def do_GET(self) -> None:
        """Status and metadata."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Scoring."""
        try:
            body = self._body()
        except _TooLarge as refused:
            self._discard(0 if self.unsent else min(refused.length, 2 * MOST_BODY))
            self._write(Answer(413, error(f"a request has at most {MOST_BODY} bytes").encode()))
        except ValueError as refused:
            self._write(Answer(411, error(str(refused)).encode()))
        else:
            self._answer(body)

    def handle_expect_100(self) -> bool:
        """curl asks before it sends a large body."""
        try:
            self._length()
        except (_TooLarge, ValueError):
            self.unsent = True
            return True  # the answer says why
        return super().handle_expect_100()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Errors that the parent class finds, such as an unknown method, are JSON, too."""
        self._write(Answer(int(code), error(message or "the request is not understood").encode()))

    def version_string(self) -> str:
        """The header `Server`."""
        return "toolkit"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `seen` gets each request."""

    def _answer(self, body: bytes) -> None:
        start = time.monotonic()
        if not is_loopback_name(self.headers.get("Host", "localhost")):
            answer = Answer(403, error("the header Host names another machine").encode())
        else:
            answer = self.server.ask(self.command, self.path, body)
        self._write(answer)
        self.server.seen(self.command, self.path, answer.status, time.monotonic() - start)

    def _write(self, answer: Answer) -> None:
        self.close_connection = True
        self.send_response(answer.status)
        for name, value in (("Content-Type", _JSON), ("Content-Length", str(len(answer.body)))):
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _length(self) -> int:
        text = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (text.isascii() and text.isdigit()):
            raise ValueError("a request needs the header Content-Length")
        length = int(text[:_LONGEST_LENGTH])
        if length > MOST_BODY:
            raise _TooLarge(length)
        return length

    def _discard(self, left: int) -> None:
        """Read what is sent nevertheless: a client that still writes does not read the answer."""
        until = time.monotonic() + _SECONDS
        while left > 0 and time.monotonic() < until and (piece := self.rfile.read1(min(left, _PIECE))):
            left -= len(piece)

    def _body(self) -> bytes:
        """Raises `TimeoutError` if it comes too slowly, byte by byte too."""
        left, pieces, until = self._length(), [], time.monotonic() + _SECONDS
        while left:
            piece = self.rfile.read1(min(left, _PIECE))
            if not piece or time.monotonic() > until:
                raise TimeoutError
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
