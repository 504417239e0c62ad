"""A lock between processes of this machine, held with an open file. Whoever is killed gives it back."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from typing import IO

_PAUSE_SECONDS = 0.05


def lock(file: int | IO[bytes], on_wait: Callable[[], None]) -> None:
    """Take the lock of `file` until it is closed; `on_wait` is called once if another process has it."""
    if not _taken(file):
        on_wait()
        fcntl.flock(file, fcntl.LOCK_EX)


def lock_within(file: int | IO[bytes], seconds: float) -> None:
    """Take the lock of `file` until it is closed; raises `TimeoutError` if another process has it for that long."""
    until = time.monotonic() + seconds
    while not _taken(file):
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(_PAUSE_SECONDS)


def _taken(file: int | IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
