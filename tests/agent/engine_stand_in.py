"""A stand-in for a container engine: real HTTP over a real socket, with answers that a test gives."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path


@dataclass
class Answer:
    """`chunked`: the body is sent in pieces of that many bytes; `cut`: the connection ends before the body does."""

    status: int = 200
    body: bytes = b""
    chunked: int = 0
    cut: bool = False


@dataclass
class StandInEngine:
    """Answers by verb and path (without the API's version and the question); 404 for others, and as Docker Engine does
    to versions before `oldest`."""

    place: Path
    answers: dict[str, Answer]
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    oldest: str = "1.24"

    def answer(self, verb: str, path: str) -> Answer:
        """To a request."""
        _, version, place = path.partition("?")[0].split("/", 2)
        if int(version.partition(".")[2]) < int(self.oldest.partition(".")[2]):
            said = f"client version {version[1:]} is too old. Minimum supported API version is {self.oldest}, please"
            return Answer(400, json.dumps({"message": f"{said} upgrade your client to a newer version"}).encode())
        return self.answers.get(f"{verb} /{place}") or Answer(404, b'{"message": "no such thing"}')


@contextmanager
def engine_that_answers(place: Path, answers: dict[str, Answer]) -> Iterator[StandInEngine]:
    """The engine, listening at `place` while the context lasts."""
    engine = StandInEngine(place, answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            engine.asked.append((f"{self.command} {self.path}", data))
            send(self, engine.answer(self.command, self.path))

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None: ...

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that leaves is no news."""

    with Server(str(place), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()


def send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(answer.status)
    if answer.chunked:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for place in range(0, len(answer.body), answer.chunked):
            piece = answer.body[place : place + answer.chunked]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"" if answer.cut else b"0\r\n\r\n")
    else:
        handler.send_header("Content-Length", str(len(answer.body) + answer.cut))
        handler.end_headers()
        handler.wfile.write(answer.body)
    handler.close_connection = True
