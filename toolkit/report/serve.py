"""A page for browsers on this machine, made anew while they ask for it.

It listens on loopback, at an address with a token: other accounts of this machine reach the port, but do not know the
address. A request with another host's name, which a page from elsewhere could bring about, gets nothing.
"""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from toolkit.errors import ToolkitError
from toolkit.printable import neutral

SECONDS = 5
"""The age at which a page is made anew, and the time between a browser's requests."""
_TOKEN_BYTES = 16
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer:
    """Serves what `make` returns (HTML) at `url`, until `close`; `port` 0: one that is free."""

    def __init__(self, make: Callable[[], str], port: int = 0) -> None:
        """Raises `OSError` if the port is not free."""
        self.make = make
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        path = f"/{token}/"
        self._server = _Server(("127.0.0.1", port), _handler(_Cached(make), path))
        self.url = f"http://127.0.0.1:{self._server.server_port}{path}"

    def run(self) -> None:
        """Answer requests until `stop`, or an exception such as `KeyboardInterrupt`."""
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._server.shutdown()

    def close(self) -> None:
        """Free the port, when the requests under way are answered."""
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # what makes a page has a store open, and closes it

    def handle_error(self, request: Any, client_address: Any) -> None:
        """As in the standard library, but a browser that went away is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Cached:
    """A page for all that ask within `SECONDS`: to make one reads the run's bucket."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._content, self._made = b"", -float(SECONDS)

    def get(self) -> bytes:
        with self._lock:
            if time.monotonic() - self._made >= SECONDS:
                self._content, self._made = self._make().encode(), time.monotonic()
            return self._content


def _handler(page: _Cached, path: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        server_version, sys_version = "toolkit", ""

        def do_GET(self) -> None:
            """The page, for who knows its address."""
            own = [f"{name}:{self.connection.getsockname()[1]}" for name in ("127.0.0.1", "localhost")]
            if self.headers.get("Host") not in own:
                self._answer(403, b"this server answers only at its own address\n")
            elif not secrets.compare_digest(self.path.encode(), path.encode()):
                self._answer(404, b"no such page: the address has a token\n")
            else:
                try:
                    content = page.get()
                except (ToolkitError, OSError) as error:
                    what = error.what if isinstance(error, ToolkitError) else str(error)
                    self._answer(503, f"{neutral(what)}\n".encode())
                else:
                    self._answer(200, content, "text/html")

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the address has the token."""

        def _answer(self, status: int, content: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler
