"""HTTP in front of a served model: it reads requests, has them answered, and writes the answers.

A request has a length, of at most `MOST_BODY`, and must arrive in time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from toolkit.loopback_server import SECONDS, LoopbackHandler, LoopbackServer
from toolkit.run.in_container.serving.answers import error
from toolkit.run.in_container.serving.frames import MOST_BODY
from toolkit.run.serving.model_process import Answer

_PIECE = 1 << 16
_LONGEST_LENGTH = 15
"""Digits: such a number is too large, whatever follows."""

Ask = Callable[[str, str, bytes], Answer]
Seen = Callable[[str, str, int, float], None]
"""Gets method, path, status and seconds of each request."""


class _TooLarge(Exception):
    """A body of `length` bytes, more than `MOST_BODY`."""

    def __init__(self, length: int) -> None:
        self.length = length


class ModelServer(LoopbackServer):
    """`ask` must be set before it serves; `seen` gets each request."""

    ask: Ask

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, seen: Seen) -> None:
        self.seen = seen
        super().__init__(host, port, _Handler)


class _Handler(LoopbackHandler):
    server: ModelServer
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
            self.refuse(413, f"a request has at most {MOST_BODY} bytes")
        except ValueError as refused:
            self.refuse(411, str(refused))
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

    def refuse(self, status: int, what: str) -> None:
        """Errors are JSON, too."""
        self._write(Answer(status, error(what).encode()))

    def _answer(self, body: bytes) -> None:
        start = time.monotonic()
        if self.is_ours():
            answer = self.server.ask(self.command, self.path, body)
        else:
            answer = Answer(403, error("the header Host names another machine").encode())
        self._write(answer)
        self.server.seen(self.command, self.path, answer.status, time.monotonic() - start)

    def _write(self, answer: Answer) -> None:
        self.write(answer.status, answer.body, "application/json")

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
        until = time.monotonic() + SECONDS
        while left > 0 and time.monotonic() < until and (piece := self.rfile.read1(min(left, _PIECE))):
            left -= len(piece)

    def _body(self) -> bytes:
        """Raises `TimeoutError` if it comes too slowly, byte by byte too."""
        left, pieces, until = self._length(), [], time.monotonic() + SECONDS
        while left:
            piece = self.rfile.read1(min(left, _PIECE))
            if not piece or time.monotonic() > until:
                raise TimeoutError
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
