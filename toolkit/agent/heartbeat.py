"""The agent's heartbeat: learners, and the container with the keys, exit if it stops changing."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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


@contextmanager
def repeating(name: str, act: Callable[[], object], every: float, *, wait: bool = True) -> Iterator[None]:
    """Call `act`, which must not raise, at once and then every `every` seconds.

    Args:
        name: the thread's.
        wait: for a call in progress when the context ends; false for one that may take long.
    """
    over = threading.Event()

    def work() -> None:
        act()
        while not over.wait(every):
            act()

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        if wait:
            thread.join()
