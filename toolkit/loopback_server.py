"""An HTTP server on this machine's loopback, with bounded threads and times.

Names other than loopback's in the header `Host` are to be refused (`LoopbackHandler.is_ours`): a web page from
elsewhere could give itself a name that leads to this machine, and read what is answered.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from toolkit.loopback import is_loopback

MOST_CONNECTIONS = 16
"""They are read at once, more wait."""
SECONDS = 30
"""A request must arrive within this time, and its answer be taken."""
_FREE_SECONDS = 1.0


class LoopbackServer(ThreadingHTTPServer):
    """Listens at `host`, a loopback address, and `port` (0: any free one) once it is made; raises `OSError`."""

    request_queue_size = 128

    def __init__(self, host: str, port: int, handler: type[LoopbackHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._free = threading.Semaphore(MOST_CONNECTIONS)
        super().__init__((host, port), handler)

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


class LoopbackHandler(BaseHTTPRequestHandler):
    """One connection, one request."""

    protocol_version = "HTTP/1.1"
    timeout = SECONDS
    always: Mapping[str, str] = {}
    """Headers of every answer."""

    def is_ours(self) -> bool:
        """Whether the request is to this machine by a name of its own."""
        return is_loopback_name(self.headers.get("Host", "localhost"))

    def write(self, status: int, body: bytes, kind: str) -> None:
        """Answer with `body` of the type `kind`; the connection ends."""
        self.close_connection = True
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close", **self.always}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, what: str) -> None:
        """Answer with an error, as a line of text."""
        self.write(status, f"{what}\n".encode(), "text/plain; charset=utf-8")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Errors that the parent class finds, such as an unknown method."""
        self.refuse(int(code), message or "the request is not understood")

    def version_string(self) -> str:
        """The header `Server`."""
        return "toolkit"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: an address may have a token."""


def is_loopback_name(name: str) -> bool:
    """Whether it is a loopback address or a name of one, with a port or without."""
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"
    try:
        return is_loopback(f"http://{name}")
    except ValueError:
        return False
