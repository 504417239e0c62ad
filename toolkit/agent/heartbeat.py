"""The agent's heartbeat: learners, and the container with the keys, exit if it stops changing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.agent.repeating import repeating


@contextmanager
def heartbeat(file: Path, every: float = 1.0) -> Iterator[None]:
    """Change `file` every `every` seconds while the context lasts, independently of its thread."""
    counts = itertools.count()

    def beat() -> None:
        with suppress(OSError), file.open("r+b" if file.exists() else "wb", buffering=0) as stream:
            stream.write(b"%020d\n" % next(counts))  # in place: works on a full disk

    with repeating("heartbeat", beat, every):
        yield


class Silence:
    """How long a heartbeat has not changed. Only changes count: clocks are adjusted, and differ between hosts."""

    def __init__(self, file: Path) -> None:
        self._file, self._last, self._since = file, b"", time.monotonic()

    def seconds(self) -> float:
        """Seconds since its last change, as seen by calls of this method."""
        try:
            now = self._file.read_bytes()
        except OSError:
            now = b""
        if now != self._last:
            self._last, self._since = now, time.monotonic()
        return time.monotonic() - self._since
