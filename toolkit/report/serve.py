"""A page for browsers on this machine, made anew while they ask for it.

It listens on loopback, at an address with a token: other accounts of this machine reach the port, but do not know the
address.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from toolkit.errors import ToolkitError
from toolkit.loopback_server import LoopbackHandler, LoopbackServer
from toolkit.printable import neutral

SECONDS = 5
"""The age at which a page is made anew, and the time between a browser's requests."""
_TOKEN_BYTES = 16


class PageServer(LoopbackServer):
    """Serves what `make` returns (HTML) at `url`, from `run` to `shutdown`; `port` 0: one that is free."""

    daemon_threads = False  # what makes a page has a store open, and closes it

    def __init__(self, make: Callable[[], str], port: int = 0) -> None:
        """Raises `OSError` if the port is not free."""
        super().__init__("127.0.0.1", port, _Handler)
        self.make, self.page = make, _Cached(make)
        self.path = f"/{secrets.token_urlsafe(_TOKEN_BYTES)}/"
        self.url = f"http://127.0.0.1:{self.server_address[1]}{self.path}"

    def run(self) -> None:
        """Answer requests until `shutdown`, or an exception such as `KeyboardInterrupt`."""
        self.serve_forever(poll_interval=0.2)


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


class _Handler(LoopbackHandler):
    server: PageServer
    always = {  # noqa: RUF012 - as in the parent class
        "Cache-Control": "no-store",
        "Content-Security-Policy": "frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }

    def do_GET(self) -> None:
        """The page, for who knows its address."""
        if not self.is_ours():
            self.refuse(403, "this server answers only at its own address")
        elif not secrets.compare_digest(self.path.encode(), self.server.path.encode()):
            self.refuse(404, "no such page: the address has a token")
        else:
            try:
                content = self.server.page.get()
            except (ToolkitError, OSError) as error:
                self.refuse(503, neutral(error.what if isinstance(error, ToolkitError) else str(error)))
            else:
                self.write(200, content, "text/html; charset=utf-8")
