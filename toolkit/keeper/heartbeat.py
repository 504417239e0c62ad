"""The agent's heartbeat: learners, and the container with the keys, end where it stays the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def heartbeat(file: Path, every: float = 1.0) -> Iterator[None]:
    """Change `file` every `every` seconds while the context lasts, whatever else its thread waits for."""
    over = threading.Event()

    def beat() -> None:
        count = 0
        with suppress(OSError), file.open("wb", buffering=0) as stream:
            while not over.wait(every):
                count += 1
                with suppress(OSError):
                    stream.seek(0)  # over the last one: a disk that is full has room for that
                    stream.write(b"%020d\n" % count)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Silence:
    """How long a heartbeat has stayed the same. What counts is that it changes: clocks are set, and differ."""

    def __init__(self, file: Path) -> None:
        self._file, self._last, self._since = file, b"", time.monotonic()

    def seconds(self) -> float:
        """Since it changed for the last time, as far as this was called."""
        try:
            now = self._file.read_bytes()
        except OSError:
            now = b""
        if now != self._last:
            self._last, self._since = now, time.monotonic()
        return time.monotonic() - self._since
