"""A command's errors, read beside its output."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

_PIECE = 1 << 16
_KEPT = 32 << 20


class Drain(threading.Thread):
    """Reads a stream to its end beside the caller: both streams share one window, and the full one would stop both.

    Args:
        receive: up to so many bytes; none at the end.
        keep: how many bytes of its end are kept. Default 32 MiB.
        ends: what `receive` raises where the connection is cut, which is an end, too. Default `OSError`.
    """

    def __init__(
        self, receive: Callable[[int], bytes], keep: int = _KEPT, ends: tuple[type[BaseException], ...] = (OSError,)
    ) -> None:
        super().__init__(name="drain", daemon=True)
        self._receive, self._keep, self._ends = receive, keep, ends
        self._data = bytearray()

    def run(self) -> None:
        """See `threading.Thread.run`."""
        with contextlib.suppress(*self._ends):
            while piece := self._next():
                self._data += piece
                del self._data[: -self._keep]

    def _next(self) -> bytes:
        while True:
            with contextlib.suppress(TimeoutError):  # the channel's, set for its other stream
                return bytes(self._receive(_PIECE))

    def text(self) -> str:
        """What has come so far."""
        return bytes(self._data).decode("utf-8", "replace")
